//! A template as the supervisor sees it: a process to ask for workers, until it is dismissed.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::messages::{Channel, FromTemplate};
use crate::process::Process;
use crate::python::{Library, Python};

/// One that was dismissed and has not ended after this long is killed.
const KILL_AFTER: Duration = Duration::from_secs(1);

/// The Python of an interpreter, found and tried.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    pub(super) python: Python,
    pub(super) library: Library,
}

#[derive(Debug)]
pub(super) struct Template {
    /// `None` once it is dismissed.
    channel: Option<Channel>,
    pub(super) process: Process,
    pub(super) started: Instant,
    /// It has the application, or has tried.
    pub(super) loaded: bool,
    /// We let it go: however it ends then is no failure.
    pub(super) dismissed: bool,
    kill_at: Option<Instant>,
}

impl Template {
    pub(super) fn new(channel: Channel, process: Process, now: Instant) -> Self {
        Self {
            channel: Some(channel),
            process,
            started: now,
            loaded: false,
            dismissed: false,
            kill_at: None,
        }
    }

    pub(super) fn pid(&self) -> Pid {
        self.process.pid
    }

    pub(super) fn channel(&self) -> Option<&Channel> {
        self.channel.as_ref()
    }

    /// The next thing it has said. `None` when there is nothing, or nobody to say anything.
    pub(super) fn hear(&mut self, now: Instant) -> Option<(FromTemplate, Vec<OwnedFd>)> {
        if let Some(kill_at) = self.kill_at.filter(|at| now >= *at) {
            self.process.signal(Signal::KILL);
            self.kill_at = Some(kill_at + KILL_AFTER);
        }
        match self.channel.as_ref()?.receive() {
            Ok(Some(heard)) => Some(heard),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => None,
            // It has ended or is about to; without its socket it is of no use.
            Ok(None) | Err(_) => {
                self.close(now);
                None
            }
        }
    }

    /// Lets it go. Its workers become the supervisor's own children.
    pub(super) fn dismiss(&mut self, now: Instant) {
        if self.channel.is_some() {
            self.dismissed = true;
            self.close(now);
        }
    }

    fn close(&mut self, now: Instant) {
        self.channel = None;
        self.kill_at = Some(now + KILL_AFTER);
        self.process.signal(Signal::TERM);
    }

    /// Whether time alone may change something.
    pub(super) fn is_pending(&self) -> bool {
        self.kill_at.is_some()
    }
}
