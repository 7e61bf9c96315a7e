//! A process, by a handle that never means another one.
//!
//! The supervisor may be root and a template is not: a handle that comes from there is not trusted. Otherwise whoever has
//! taken over an application could have any process of the machine killed.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, Signal};

/// A handle is of a process that has ended, or was never a worker.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotAWorker;

/// See the module.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    pidfd: OwnedFd,
}

impl Process {
    pub(crate) fn new(pid: Pid, pidfd: OwnedFd) -> Self {
        Self { pid, pidfd }
    }

    /// What a template says is its child, or was: its workers become ours when it ends.
    pub(crate) fn claimed(pidfd: OwnedFd, template: Pid) -> Result<Self, NotAWorker> {
        let pid = named_by(&pidfd).ok_or(NotAWorker)?;
        let process = Self { pid, pidfd };
        let parent = parent_of(pid).ok_or(NotAWorker)?;
        let is_ours = parent == template || parent == rustix::process::getpid();
        // Asked last: while it lives, its number was its own the whole time.
        if is_ours && !process.is_gone() {
            Ok(process)
        } else {
            Err(NotAWorker)
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // It fails only when the process is gone, which is what it was to be told.
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, signal);
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone_within(Duration::ZERO)
    }

    /// Waits for its end, not longer than so.
    pub(crate) fn is_gone_within(&self, patience: Duration) -> bool {
        let timeout = Timespec::try_from(patience).unwrap_or_default();
        let ended = rustix::event::poll(
            &mut [PollFd::new(&self.pidfd, PollFlags::IN)],
            Some(&timeout),
        );
        ended == Ok(1)
    }
}

/// The process a pidfd is of, while it lives.
fn named_by(pidfd: &OwnedFd) -> Option<Pid> {
    let path = format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd());
    let text = std::fs::read_to_string(path).ok()?;
    let number = text.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    // -1 is one that has ended.
    number
        .trim()
        .parse()
        .ok()
        .filter(|&number| number > 0)
        .and_then(Pid::from_raw)
}

fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may hold anything, but nothing after it holds a parenthesis.
    let (_, rest) = stat.rsplit_once(") ")?;
    Pid::from_raw(rest.split(' ').nth(1)?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{PidfdFlags, pidfd_open};

    fn handle(pid: Pid) -> OwnedFd {
        pidfd_open(pid, PidfdFlags::empty()).unwrap()
    }

    #[test]
    fn only_children_of_the_template_or_of_us_are_believed() {
        let stranger = Pid::from_raw(1).unwrap();
        let (us, parent) = (
            rustix::process::getpid(),
            rustix::process::getppid().unwrap(),
        );
        assert_eq!(Process::claimed(handle(us), parent).unwrap().pid, us);
        assert_eq!(
            Process::claimed(handle(us), stranger).unwrap_err(),
            NotAWorker
        );
        let not_a_pidfd = std::fs::File::open("/dev/null").unwrap().into();
        assert_eq!(
            Process::claimed(not_a_pidfd, parent).unwrap_err(),
            NotAWorker
        );
    }

    #[test]
    fn one_that_has_ended_is_not_believed() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pidfd = handle(Pid::from_child(&child));
        child.wait().unwrap();
        let us = rustix::process::getpid();
        assert_eq!(Process::claimed(pidfd, us).unwrap_err(), NotAWorker);
    }
}
