//! Log programs of our own: `|rotatelogs` and `syslog`, each a process that reads a pipe.
//!
//! They are processes because files in a directory of root have to be made while workers are nobody, and because a log that
//! hangs must not hang anything else.

mod rotation;
mod syslog;

use std::io::{self, BufRead, BufReader, Read};
use std::time::Duration;

use alula_config::site::{LogProgram, LogTarget};
use rustix::event::{PollFd, PollFlags, Timespec};

/// The hidden subcommand that makes an `alula` a log program; its one argument is for [`run`].
pub const SUBCOMMAND: &str = "log-writer";

/// A line longer than this is taken in pieces.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Takes lines from standard input until it ends.
pub fn run(description: &str) -> io::Result<()> {
    match serde_json::from_str(description)? {
        LogTarget::Program(LogProgram::Rotate(rotation)) => rotation::Rotator::new(*rotation).run(),
        LogTarget::Syslog(settings) => syslog::run(&settings),
        other => Err(io::Error::other(format!("{other} needs no program"))),
    }
}

/// Standard input, line by line.
struct Lines {
    input: BufReader<std::fs::File>,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Line(Vec<u8>),
    TimeOut,
    End,
}

impl Lines {
    fn new() -> io::Result<Self> {
        use std::os::fd::AsFd;
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        Ok(Self {
            input: BufReader::with_capacity(64 * 1024, input.into()),
        })
    }

    /// The next line with its end, waited for as long as `patience` says.
    fn next(&mut self, patience: Option<Duration>) -> io::Result<Next> {
        if self.input.buffer().is_empty()
            && let Some(patience) = patience
        {
            let timeout = Timespec::try_from(patience).map_err(io::Error::other)?;
            let file = self.input.get_ref();
            match rustix::event::poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&timeout)) {
                Ok(0) => return Ok(Next::TimeOut),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let mut line = Vec::new();
        let read = (&mut self.input)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)?;
        Ok(if read == 0 {
            Next::End
        } else {
            Next::Line(line)
        })
    }
}
