//! One access log: lines gather in memory and go out together.
//!
//! Nothing here ever waits for long or fails a request: a full disk and a program that does not read lose lines, and the error
//! log says so once, not for each line.

use alula_routing::site::LogTarget;
use parking_lot::Mutex;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};

/// Lines are written when so many bytes have gathered, or at the next flush.
const GATHER_BYTES: usize = 16 * 1024;

/// So much is kept for a program that reads too slowly; lines beyond are lost.
const KEEP_BYTES_MAX: usize = 1024 * 1024;

/// What a pipe takes in one piece (Linux's `PIPE_BUF`), so that lines of several workers never mix.
const PIPE_BYTES: usize = 4096;

/// An open log.
pub(super) struct LogFile {
    pub(super) target: LogTarget,
    gathered: Mutex<Gathered>,
}

struct Gathered {
    lines: Vec<u8>,
    file: Option<File>,
    /// The last write failed, which was said.
    failing: bool,
}

impl LogFile {
    /// Takes the file from those the supervisor has opened, else opens it.
    pub(super) fn open(target: &LogTarget, opened: &mut Vec<(LogTarget, File)>) -> Self {
        let file = match opened.iter().position(|(known, _)| known == target) {
            Some(place) => Ok(opened.swap_remove(place).1),
            None => open(target),
        };
        let file = match file {
            Ok(file) => Some(file),
            Err(error) => {
                tracing::error!(target: "log_config", "cannot open the access log {target}: {error}");
                None
            }
        };
        Self {
            target: target.clone(),
            gathered: Mutex::new(Gathered {
                lines: Vec::new(),
                file,
                failing: false,
            }),
        }
    }

    /// Takes a line with its end.
    pub(super) fn add(&self, line: &[u8]) {
        let mut gathered = self.gathered.lock();
        if gathered.lines.len() + line.len() > KEEP_BYTES_MAX {
            return;
        }
        if self.is_pipe() && line.len() > PIPE_BYTES {
            gathered.lines.extend_from_slice(&line[..PIPE_BYTES - 1]);
            gathered.lines.push(b'\n');
        } else {
            gathered.lines.extend_from_slice(line);
        }
        if gathered.lines.len() >= GATHER_BYTES && !gathered.failing {
            self.write(&mut gathered);
        }
    }

    /// Writes what has gathered.
    pub(super) fn flush(&self) {
        let mut gathered = self.gathered.lock();
        if !gathered.lines.is_empty() {
            self.write(&mut gathered);
        }
    }

    fn is_pipe(&self) -> bool {
        matches!(self.target, LogTarget::Program(_) | LogTarget::Syslog(_))
    }

    fn write(&self, gathered: &mut Gathered) {
        let Some(file) = &mut gathered.file else {
            gathered.lines.clear();
            return;
        };
        let written = if self.is_pipe() {
            write_to_pipe(file, &mut gathered.lines)
        } else {
            let written = file.write_all(&gathered.lines);
            gathered.lines.clear();
            written
        };
        let failing = written.is_err();
        match written {
            Err(error) if !gathered.failing => {
                tracing::error!(target: "log_config", "cannot write the access log {}: {error}; lines are lost", self.target);
            }
            Ok(()) if gathered.failing => {
                tracing::warn!(target: "log_config", "the access log {} can be written again", self.target);
            }
            _ => {}
        }
        gathered.failing = failing;
    }
}

fn open(target: &LogTarget) -> io::Result<File> {
    let path = match target {
        LogTarget::File(path) => path.as_path(),
        LogTarget::Stderr => "/dev/stderr".as_ref(),
        LogTarget::Stdout => "/dev/stdout".as_ref(),
        LogTarget::Program(_) | LogTarget::Syslog(_) => {
            return Err(io::Error::other("the supervisor has not started it"));
        }
    };
    OpenOptions::new().append(true).create(true).open(path)
}

/// Writes whole lines, as many as the pipe takes at once. What it does not take stays, for the next time.
fn write_to_pipe(file: &mut File, lines: &mut Vec<u8>) -> io::Result<()> {
    let mut done = 0;
    let result = loop {
        let rest = &lines[done..];
        if rest.is_empty() {
            break Ok(());
        }
        let piece = &rest[..rest.len().min(PIPE_BYTES)];
        let end = match piece.len() == rest.len() {
            true => piece.len(),
            // No line is longer than a piece.
            false => memchr::memrchr(b'\n', piece).map_or(piece.len(), |end| end + 1),
        };
        match file.write(&piece[..end]) {
            Ok(written) => done += written,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    match result {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
            lines.clear();
            Err(error)
        }
        result => {
            lines.drain(..done);
            // As long as there is room to wait in, nothing is lost.
            if lines.len() < KEEP_BYTES_MAX / 2 {
                Ok(())
            } else {
                result
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn pipe(line_bytes: usize) -> (std::io::PipeReader, LogFile) {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let program = alula_routing::site::LogProgram::Shell(String::new());
        let target = LogTarget::Program(program);
        let file = File::from(std::os::fd::OwnedFd::from(writer));
        let log = LogFile::open(&target, &mut vec![(target.clone(), file)]);
        let mut line = vec![b'x'; line_bytes - 1];
        line.push(b'\n');
        log.add(&line);
        (reader, log)
    }

    #[test]
    fn a_line_to_a_program_fits_a_pipe() {
        let (mut reader, log) = pipe(9000);
        log.flush();
        drop(log);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("text");
        assert_eq!((text.len(), text.lines().count()), (PIPE_BYTES, 1));
    }

    #[test]
    fn a_full_disk_loses_lines_and_no_more() {
        let target = LogTarget::File("/dev/full".into());
        let log = LogFile::open(&target, &mut Vec::new());
        for _ in 0..3 {
            log.add(b"line\n");
            log.flush();
        }
        let gathered = log.gathered.lock();
        assert!(gathered.failing && gathered.lines.is_empty());
    }

    #[test]
    fn what_nobody_reads_has_a_bound() {
        let target = LogTarget::File("/dev/full".into());
        let log = LogFile::open(&target, &mut Vec::new());
        log.gathered.lock().failing = true;
        let line = [b'x'; 1000];
        for _ in 0..2000 {
            log.add(&line);
        }
        assert!(log.gathered.lock().lines.len() <= KEEP_BYTES_MAX);
    }
}
