//! Leaves the terminal: what `alula` does when it is not told to stay in the foreground.
//!
//! The first process waits until the server is ready or has failed, so that the exit status of the command means something.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

/// Which side of the parting this is.
#[derive(Debug)]
pub enum Side {
    /// The command that was typed, when its server is ready, or the reason why it is not.
    Command(Result<(), String>),
    /// The server.
    Server(Starter),
}

/// The server's line to the command that waits for it. Dropping it without a word is a failure.
#[derive(Debug)]
pub struct Starter {
    pipe: File,
}

/// Sent when the server is ready.
const READY: &[u8] = b"\0";

impl Starter {
    /// Lets the command end well.
    pub fn ready(mut self) {
        // A command that was interrupted no longer listens; the server does not care.
        let _ = self.pipe.write_all(READY);
    }

    /// Lets the command end with this error.
    pub fn failed(mut self, reason: &str) {
        let _ = self.pipe.write_all(reason.as_bytes());
    }
}

/// Parts this process in two: a session of its own for the server, without a terminal and never to get one, standard
/// input from nowhere. Standard output and error stay as they are until [`leave_terminal`].
///
/// # Errors
/// When the process has more than one thread, or the system refuses.
pub fn detach() -> io::Result<Side> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    if fork()? == Forked::Parent {
        drop(writer);
        return Ok(Side::Command(wait(reader)?));
    }
    drop(reader);
    rustix::process::setsid()?;
    // The second fork: who does not lead a session never gets a terminal again.
    if fork()? == Forked::Parent {
        // SAFETY: ends this process between the two, without running anything that belongs to the first.
        unsafe { libc::_exit(0) };
    }
    rustix::process::chdir("/")?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(Side::Server(Starter {
        pipe: File::from(writer),
    }))
}

/// The last step, when errors have their log: standard output and error go nowhere from now on.
pub fn leave_terminal() -> io::Result<()> {
    let nowhere = File::options().write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    rustix::stdio::dup2_stderr(&nowhere)?;
    Ok(())
}

fn wait(reader: OwnedFd) -> io::Result<Result<(), String>> {
    let mut said = Vec::new();
    File::from(reader).read_to_end(&mut said)?;
    Ok(match said.as_slice() {
        READY => Ok(()),
        [] => Err("the server ended before it was ready; see its error log".to_owned()),
        reason => Err(String::from_utf8_lossy(reason).into_owned()),
    })
}

#[derive(PartialEq, Eq)]
enum Forked {
    Parent,
    Child,
}

fn fork() -> io::Result<Forked> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other(
            "a process with threads cannot be a daemon",
        ));
    }
    // SAFETY: there is no other thread, so nothing is locked in the child.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Forked::Child),
        _ => Ok(Forked::Parent),
    }
}
