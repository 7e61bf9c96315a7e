//! The generations over time: the one that serves, the one that shall, and those that leave.
//!
//! A new generation takes over when the first of its processes that accept is ready; until then the old one is kept
//! whole. From then on the old ones that accept leave one for one, so there are never fewer than wanted.

use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::generation::{Farewell, Generation};
use super::pool::Numbering;
use crate::messages::Channel;
use crate::restart::Ending;
use crate::worker::Order;

/// How long the workers of a restart that is given up may take to finish what they have begun.
const GIVE_UP_PATIENCE: Duration = Duration::from_secs(30);

/// Why a generation was given up.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Its application does not import: the traceback.
    Import(String),
    /// Its processes end before they are ready.
    Ended(String),
}

impl Trouble {
    /// For the log, which has tracebacks already.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Import(traceback) => {
                let last = traceback.lines().last().unwrap_or_default();
                format!("the import failed: {last}")
            }
            Self::Ended(reason) => reason.clone(),
        }
    }

    /// For whoever asked for the restart.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Import(traceback) => format!("the import failed\n{traceback}"),
            Self::Ended(reason) => format!("{reason}; see the error log"),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Succession {
    serving: Option<Generation>,
    incoming: Option<Generation>,
    leaving: Vec<Generation>,
    /// How those that leave are told to.
    farewell: Option<Farewell>,
    /// Everyone goes; nobody is started any more.
    stops: bool,
}

impl Succession {
    /// A new generation shall take over. One that has not made it yet is given up.
    pub(super) fn renew(&mut self, incoming: Generation, farewell: Farewell, now: Instant) {
        self.give_up_incoming(now);
        self.farewell = Some(farewell);
        self.incoming = Some(incoming);
    }

    /// Everyone goes.
    pub(super) fn stop(&mut self, farewell: Farewell, now: Instant) {
        self.farewell = Some(farewell);
        self.stops = true;
        self.retire_serving();
        self.leaving.extend(self.incoming.take());
        for generation in &mut self.leaving {
            generation.leave_all(farewell, now);
        }
    }

    /// Listens to everyone and does what is due. Returns what went wrong with a generation that was given up.
    pub(super) fn tend(&mut self, numbering: &mut Numbering, now: Instant) -> Option<Trouble> {
        self.generations_mut()
            .for_each(|generation| generation.hear(now));
        let trouble = self.judge_incoming(now);
        if let Some(serving) = self.serving.as_mut().filter(|_| self.incoming.is_none()) {
            serving.isolate(now);
        }
        self.serving
            .iter_mut()
            .chain(&mut self.incoming)
            .for_each(|generation| generation.tend(numbering, now));
        if !self.stops {
            let needing = self.leaving.iter_mut().filter(|old| old.needs_behind());
            needing.for_each(|generation| generation.tend_behind(numbering, now));
        }
        self.part_with_old(now);
        self.leaving.retain(|generation| !generation.is_over());
        trouble
    }

    /// A file of an application that has changed, told by the newest generation: an older one tells of the same edit.
    pub(super) fn take_changed(&mut self) -> Option<String> {
        let old = self.serving.as_mut().and_then(Generation::take_changed);
        match &mut self.incoming {
            Some(incoming) => incoming.take_changed(),
            None => old,
        }
    }

    fn judge_incoming(&mut self, now: Instant) -> Option<Trouble> {
        let incoming = self.incoming.as_ref()?;
        if let Some(serving) = &self.serving {
            // Old workers that cannot import either are no better; the new ones at least show the newest error.
            let hopeless = || incoming.hopeless().or_else(|| incoming.hopeless_part());
            let trouble = incoming.failed_import(serving).map(Trouble::Import);
            let ended = || hopeless().map(|(_, reason)| Trouble::Ended(reason.to_owned()));
            let trouble = trouble.or_else(ended);
            if trouble.is_some() {
                self.give_up_incoming(now);
                return trouble;
            }
        }
        if incoming.has_ready() {
            self.retire_serving();
            self.serving = self.incoming.take();
        }
        None
    }

    fn part_with_old(&mut self, now: Instant) {
        let Some(farewell) = self.farewell else {
            return;
        };
        let patience = farewell.patience;
        let old = self.leaving.iter().map(Generation::unordered).sum();
        let mut may_go = match &mut self.serving {
            Some(serving) => serving.release(patience, old, now),
            None => old,
        };
        for generation in &mut self.leaving {
            may_go -= generation.leave(may_go, farewell, now);
        }
        if let Some(serving) = &mut self.serving {
            serving.release_asking(may_go, patience, now);
        }
    }

    fn give_up_incoming(&mut self, now: Instant) {
        if let Some(mut generation) = self.incoming.take() {
            // It listens on the same sockets: a worker of it may have a request already.
            let farewell = Farewell {
                order: Order::Graceful,
                patience: Some(self.patience().unwrap_or(GIVE_UP_PATIENCE)),
            };
            generation.leave_all(farewell, now);
            self.leaving.push(generation);
        }
    }

    fn retire_serving(&mut self) {
        self.leaving.extend(self.serving.take());
    }

    pub(super) fn reaped(&mut self, pid: Pid, ending: Ending, now: Instant) -> bool {
        self.generations_mut()
            .any(|generation| generation.reaped(pid, ending, now))
    }

    /// The generation that serves, or else the one that shall.
    pub(super) fn current(&self) -> Option<&Generation> {
        self.serving.as_ref().or(self.incoming.as_ref())
    }

    /// Whether a restart (or the start) has come to its end.
    pub(super) fn is_settled(&self) -> bool {
        self.incoming.is_none() && self.serving.as_ref().is_none_or(Generation::is_settled)
    }

    /// How long workers may take to finish what they have.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.farewell.and_then(|farewell| farewell.patience)
    }

    pub(super) fn is_over(&self) -> bool {
        self.generations().next().is_none()
    }

    pub(super) fn is_pending(&self, now: Instant) -> bool {
        self.generations()
            .any(|generation| generation.is_pending(now))
    }

    /// Whether somebody has to look at workers from time to time.
    pub(super) fn is_watched(&self) -> bool {
        self.serving.as_ref().is_some_and(Generation::is_watched)
    }

    pub(super) fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.generations().flat_map(Generation::channels)
    }

    fn generations(&self) -> impl Iterator<Item = &Generation> {
        self.serving
            .iter()
            .chain(&self.incoming)
            .chain(&self.leaving)
    }

    fn generations_mut(&mut self) -> impl Iterator<Item = &mut Generation> {
        self.serving
            .iter_mut()
            .chain(&mut self.incoming)
            .chain(&mut self.leaving)
    }
}
