//! Where log lines go: a file, a program's standard input, the system's log.
//!
//! Everything but a file ends in a descriptor too: the supervisor opens it before privileges are dropped, and all workers
//! write to the same one.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where a log goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LogTarget {
    /// A file, appended to.
    File(PathBuf),
    /// `/dev/stderr`.
    Stderr,
    /// `/dev/stdout`.
    Stdout,
    /// `|program`: its standard input.
    Program(LogProgram),
    /// `syslog`.
    Syslog(Syslog),
}

/// A program that takes lines.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LogProgram {
    /// `|program argument` and `||program argument`: the words.
    Run(Vec<String>),
    /// `|$line`: for the shell.
    Shell(String),
    /// `|rotatelogs`: done by Alula itself.
    Rotate(Box<Rotation>),
}

/// What `rotatelogs` was asked to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rotation {
    /// The file's name. With a `%` it is a `strftime` format, otherwise the time is appended to it.
    pub file: String,
    /// A new file is begun each time so many seconds are over.
    pub seconds: Option<u64>,
    /// A new file is begun when one has so many bytes.
    pub bytes: Option<u64>,
    /// Minutes east of UTC that times are counted in.
    pub utc_offset_minutes: i32,
    /// `-l`: local time instead.
    pub local_time: bool,
    /// `-L`: a hard link to the current file.
    pub link: Option<PathBuf>,
    /// `-p`: run when a file was begun, with its name and the one before.
    pub program: Option<PathBuf>,
    /// `-n`: so many files in turn, `file`, `file.1`, and so on.
    pub in_turn: Option<u32>,
    /// `-t`: a file is emptied instead of having the time in its name.
    pub truncate: bool,
    /// `-D`: directories are made.
    pub make_directories: bool,
    /// `-f`: the first file is opened at once, not at the first line.
    pub open_at_once: bool,
    /// `-c`: a file is made also for a time without lines.
    pub create_empty: bool,
}

/// `syslog[:facility[:tag]]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Syslog {
    /// Its number (RFC 5424 section 6.2.1).
    pub facility: u8,
    /// What lines are marked with.
    pub tag: String,
}

impl std::fmt::Display for LogTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{path:?}"),
            Self::Stderr => f.write_str("\"/dev/stderr\""),
            Self::Stdout => f.write_str("\"/dev/stdout\""),
            Self::Program(LogProgram::Run(words)) => write!(f, "\"|{}\"", words.join(" ")),
            Self::Program(LogProgram::Shell(line)) => write!(f, "\"|${line}\""),
            Self::Program(LogProgram::Rotate(rotation)) => {
                write!(f, "\"|rotatelogs {}\"", rotation.file)
            }
            Self::Syslog(_) => f.write_str("syslog"),
        }
    }
}
