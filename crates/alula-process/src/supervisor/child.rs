//! One worker as the supervisor sees it.
//!
//! It may be a child of a template, so its end is heard of in three ways: the template tells, or it became our own child
//! and `waitpid` tells, or its control socket closes and nobody tells.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::messages::{Channel, FromWorker, ToFront};
use crate::process::Process;
use crate::restart::Ending;
use crate::scoreboard::Slot;
use crate::worker::Order;

/// A worker that was told to leave now is asked by SIGTERM after this long,
const TERM_AFTER: Duration = Duration::from_millis(500);

/// and not asked any more after this long.
const KILL_AFTER: Duration = Duration::from_secs(3);

/// How long to wait for word of how a worker ended.
const WORD_TIMEOUT: Duration = Duration::from_secs(1);

/// Where a worker is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Starting,
    Ready,
    /// It asked to be replaced.
    Leaving,
    /// It was told to go.
    Ordered,
}

#[derive(Debug)]
pub(super) struct Child {
    pub(super) number: u64,
    pub(super) slot: Slot,
    pub(super) stage: Stage,
    pub(super) process: Option<Process>,
    pub(super) started: Instant,
    channel: Option<Channel>,
    term_at: Option<Instant>,
    kill_at: Option<Instant>,
    /// Since when its control socket is closed.
    silent_since: Option<Instant>,
    /// Behind fronts: the way to it, to be given to each front.
    door: Option<OwnedFd>,
    /// What it notes of itself. A front has none.
    pub(super) black_box: Option<OwnedFd>,
    /// How long it may take to leave at most, whatever the others may.
    patience_max: Option<Duration>,
}

/// What is kept of a worker that was just started.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) channel: Channel,
    /// Not known yet when a template was asked for it.
    pub(super) process: Option<Process>,
    pub(super) door: Option<OwnedFd>,
    pub(super) black_box: Option<OwnedFd>,
}

impl Child {
    pub(super) fn new(number: u64, slot: Slot, started: Started, now: Instant) -> Self {
        Self {
            number,
            slot,
            stage: Stage::Starting,
            process: started.process,
            started: now,
            channel: Some(started.channel),
            term_at: None,
            kill_at: None,
            silent_since: None,
            door: started.door,
            black_box: started.black_box,
            patience_max: None,
        }
    }

    /// Its process, for the log; 0 when that was never known.
    pub(super) fn pid(&self) -> i32 {
        let process = self.process.as_ref();
        process.map_or(0, |process| process.pid.as_raw_nonzero().get())
    }

    /// Tells a front the way to a worker.
    pub(super) fn show_door(&self, interpreter: usize, worker: &Self) {
        let (Some(channel), Some(door)) = (&self.channel, &worker.door) else {
            return;
        };
        let message = ToFront::Door {
            interpreter,
            worker: worker.number,
            slot: worker.slot.index(),
        };
        match channel.send(&message, &[door.as_fd()]) {
            Ok(()) => {}
            // It is gone: whoever takes its place is told anew.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            Err(error) => tracing::error!(
                "front {} cannot be told of worker {}: {error}",
                self.number,
                worker.number
            ),
        }
    }

    /// Tells a front what a project says of its files. One that is not told asks Python.
    pub(super) fn show_site_files(&self, interpreter: usize, version: u32, files: &OwnedFd) {
        let message = ToFront::SiteFiles {
            interpreter,
            version,
        };
        let Some(channel) = &self.channel else { return };
        match channel.send(&message, &[files.as_fd()]) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            Err(error) => {
                tracing::error!(
                    "front {} cannot be told of static files: {error}",
                    self.number
                );
            }
        }
    }

    /// Tells a front that nobody is there for a while.
    pub(super) fn show_away(&self, interpreter: usize, time: Duration) {
        let seconds = time.as_secs() + 1;
        let away = ToFront::Away {
            interpreter,
            seconds,
        };
        if let Some(channel) = &self.channel {
            // One that is gone needs no telling, one that is busy asks in vain for some seconds.
            let _ = channel.send(&away, &[]);
        }
    }

    pub(super) fn channel(&self) -> Option<&Channel> {
        self.channel.as_ref()
    }

    /// What the worker has said since the last time.
    pub(super) fn hear(&mut self, now: Instant) -> Vec<FromWorker> {
        let mut heard = Vec::new();
        while let Some(channel) = &self.channel {
            match channel.receive() {
                Ok(Some((message, _))) => heard.push(message),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Ok(None) | Err(_) => {
                    self.channel = None;
                    self.silent_since = Some(now);
                }
            }
        }
        heard
    }

    /// Tells it to go. `patience`: how long it may take to finish what it has.
    pub(super) fn order(&mut self, order: Order, patience: Option<Duration>, now: Instant) {
        self.stage = Stage::Ordered;
        let bounds = [patience, self.patience_max];
        let patience = bounds.into_iter().flatten().min();
        let start = match order {
            Order::Now => Some(now),
            Order::Graceful => patience.map(|patience| now + patience),
        };
        self.term_at = start.map(|start| start + TERM_AFTER);
        self.kill_at = start.map(|start| start + KILL_AFTER);
        if let Some(channel) = &self.channel {
            // A worker that does not hear it is ended by the signals, one that is gone has ended already.
            let _ = channel.send_packet(&[order.byte()], &[]);
        }
    }

    /// From now on it may take so long to leave at most.
    pub(super) fn bound_patience(&mut self, most: Duration, now: Instant) {
        self.patience_max = Some(most);
        if self.stage == Stage::Ordered {
            let sooner = |at: Option<Instant>, after: Duration| {
                let bound = now + most + after;
                Some(at.map_or(bound, |at| at.min(bound)))
            };
            self.term_at = sooner(self.term_at, TERM_AFTER);
            self.kill_at = sooner(self.kill_at, KILL_AFTER);
        }
    }

    /// Sends the signals that are due. Returns how it ended when that has to be guessed.
    pub(super) fn press(&mut self, now: Instant) -> Option<Ending> {
        let silent = self
            .silent_since
            .is_some_and(|since| now >= since + WORD_TIMEOUT);
        let Some(process) = &self.process else {
            return silent.then_some(Ending::Unknown);
        };
        if silent && process.is_gone() {
            return Some(Ending::Unknown);
        }
        // One that has closed its control socket can be told nothing any more.
        let deaf = silent && self.stage != Stage::Ordered;
        if deaf || self.kill_at.take_if(|at| now >= *at).is_some() {
            process.signal(Signal::KILL);
        } else if self.term_at.take_if(|at| now >= *at).is_some() {
            process.signal(Signal::TERM);
        }
        None
    }

    /// Whether time alone may change something.
    pub(super) fn is_pending(&self) -> bool {
        self.term_at.is_some() || self.kill_at.is_some() || self.silent_since.is_some()
    }
}
