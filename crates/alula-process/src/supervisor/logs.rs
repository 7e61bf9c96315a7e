//! Log targets, opened while we may still be root, and the programs behind some of them.
//!
//! A program reads a pipe that all workers write to. The supervisor keeps both ends: a program that has died is started again
//! on the same pipe and finds there what came in the meantime. Whoever writes never waits: when nobody reads and the pipe is
//! full, lines are lost and requests go on.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use alula_config::site::{LogProgram, LogTarget};
use rustix::fs::OFlags;
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, PidfdFlags};

use crate::log_writer;
use crate::process::Process;
use crate::restart::Ending;
use crate::signals;

/// How much a pipe holds when its program is slow, in bytes. The system may allow less.
const PIPE_BYTES_WANTED: usize = 1 << 20;

/// A program that ends sooner than this is started again only after as long.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// How long the server waits at its end for programs to write what they have read.
const FINISH_TIMEOUT: Duration = Duration::from_secs(2);

/// A log could not be opened, or its program not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the log {target}: {reason}")]
pub struct OpenError {
    target: LogTarget,
    reason: io::Error,
}

/// The log programs of a configuration.
#[derive(Debug, Default)]
pub(super) struct LogPrograms {
    programs: Vec<LogProcess>,
}

#[derive(Debug)]
struct LogProcess {
    target: LogTarget,
    /// What the program reads; here so that the pipe outlives it.
    reader: OwnedFd,
    /// Where its own complaints go.
    stderr: OwnedFd,
    process: Option<Process>,
    started: Instant,
    /// When it is started again.
    due: Option<Instant>,
}

impl LogPrograms {
    /// Opens a log. `stderr` is for the complaints of its program, if it has one.
    pub(super) fn open(
        &mut self,
        target: &LogTarget,
        stderr: &impl AsFd,
    ) -> Result<File, OpenError> {
        self.try_open(target, stderr).map_err(|reason| OpenError {
            target: target.clone(),
            reason,
        })
    }

    fn try_open(&mut self, target: &LogTarget, stderr: &impl AsFd) -> io::Result<File> {
        match target {
            LogTarget::File(path) => OpenOptions::new().append(true).create(true).open(path),
            LogTarget::Stderr => io::stderr().as_fd().try_clone_to_owned().map(File::from),
            LogTarget::Stdout => io::stdout().as_fd().try_clone_to_owned().map(File::from),
            LogTarget::Program(_) | LogTarget::Syslog(_) => {
                let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
                // A smaller one does as well.
                let _ = rustix::pipe::fcntl_setpipe_size(&writer, PIPE_BYTES_WANTED);
                rustix::fs::fcntl_setfl(&writer, OFlags::NONBLOCK | OFlags::WRONLY)?;
                let mut program = LogProcess {
                    target: target.clone(),
                    reader,
                    stderr: stderr.as_fd().try_clone_to_owned()?,
                    process: None,
                    started: Instant::now(),
                    due: None,
                };
                program.start()?;
                self.programs.push(program);
                Ok(File::from(writer))
            }
        }
    }

    /// Whether it was one of these that has ended.
    pub(super) fn reaped(&mut self, pid: Pid, ending: Ending, now: Instant) -> bool {
        let is_it = |program: &&mut LogProcess| {
            program
                .process
                .as_ref()
                .is_some_and(|process| process.pid == pid)
        };
        let Some(program) = self.programs.iter_mut().find(is_it) else {
            return false;
        };
        program.process = None;
        program.due = Some(now.max(program.started + RESTART_PAUSE));
        tracing::error!(target: "log_config", "the log program {} {ending}, it is started again", program.target);
        true
    }

    /// Starts again what has ended.
    pub(super) fn tend(&mut self, now: Instant) {
        for program in &mut self.programs {
            if program.due.is_some_and(|due| due <= now)
                && let Err(error) = program.start()
            {
                tracing::error!(target: "log_config", "cannot start the log program {}: {error}", program.target);
                program.due = Some(now + RESTART_PAUSE);
            }
        }
    }

    pub(super) fn is_pending(&self) -> bool {
        self.programs.iter().any(|program| program.due.is_some())
    }

    /// At the end of the server, when nobody writes any more: lets the programs read to the end.
    pub(super) fn finish(self) {
        let deadline = Instant::now() + FINISH_TIMEOUT;
        let processes = self
            .programs
            .into_iter()
            .filter_map(|program| program.process);
        for process in processes.collect::<Vec<_>>() {
            // A program that does not end is left to itself.
            process.is_gone_within(deadline.saturating_duration_since(Instant::now()));
        }
    }
}

impl LogProcess {
    fn start(&mut self) -> io::Result<()> {
        let mut command = command(&self.target)?;
        command
            .stdin(self.reader.try_clone()?)
            .stdout(Stdio::null())
            .stderr(self.stderr.try_clone()?)
            .process_group(0);
        // SAFETY: between fork and exec only system calls are made.
        unsafe { command.pre_exec(signals::unblock_all) };
        let child = command.spawn()?;
        let pid = Pid::from_child(&child);
        // Our child, and not waited for yet: the number is still its own.
        let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
        self.process = Some(Process::new(pid, pidfd));
        self.started = Instant::now();
        self.due = None;
        Ok(())
    }
}

fn command(target: &LogTarget) -> io::Result<Command> {
    Ok(match target {
        LogTarget::Program(LogProgram::Run(words)) => {
            let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
            let mut command = Command::new(program);
            command.args(arguments);
            command
        }
        LogTarget::Program(LogProgram::Shell(line)) => {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", line]);
            command
        }
        ours => {
            let mut command = Command::new("/proc/self/exe");
            command.arg0("alula").arg(log_writer::SUBCOMMAND);
            command.arg(serde_json::to_string(ours)?);
            command
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alula_config::site::LogProgram;
    use std::io::Write;

    fn shell(line: &str) -> LogTarget {
        LogTarget::Program(LogProgram::Shell(line.to_owned()))
    }

    #[test]
    fn a_program_reads_to_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut programs = LogPrograms::default();
        let target = shell(&format!("cat > {}", path.display()));
        let mut log = programs.open(&target, &io::stderr()).unwrap();
        log.write_all(b"one\ntwo\n").unwrap();
        drop(log);
        programs.finish();
        assert_eq!(std::fs::read(path).unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn a_full_pipe_does_not_wait() {
        let mut programs = LogPrograms::default();
        let mut log = programs
            .open(&shell("exec sleep 30"), &io::stderr())
            .unwrap();
        let chunk = [b'x'; 4096];
        let error = loop {
            if let Err(error) = log.write_all(&chunk) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let process = programs.programs.remove(0).process.unwrap();
        process.signal(rustix::process::Signal::KILL);
    }

    #[test]
    fn what_cannot_be_opened_is_named() {
        let mut programs = LogPrograms::default();
        let missing = LogTarget::File("/nowhere/at/all".into());
        let error = programs.open(&missing, &io::stderr()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot open the log \"/nowhere/at/all\": No such file"),
            "{error}"
        );
        let missing = LogTarget::Program(LogProgram::Run(vec!["/no/such/program".into()]));
        assert!(programs.open(&missing, &io::stderr()).is_err());
    }
}
