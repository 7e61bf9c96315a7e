//! One interpreter (or the fronts) over time: the generation that serves, the one that shall, and those that leave.
//!
//! A new generation takes over when its first worker is ready; until then the old one is kept whole. From then on old
//! workers leave one for one, so there are never fewer than wanted.

use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::child::Stage;
use super::generation::{Generation, Numbering};
use crate::messages::Channel;
use crate::restart::{self, Ending};
use crate::worker::Order;

/// How long the workers of a restart that is given up may take to finish what they have begun.
const GIVE_UP_PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Group {
    serving: Option<Generation>,
    incoming: Option<Generation>,
    leaving: Vec<Generation>,
    /// How those that leave are told to.
    farewell: Option<Farewell>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Farewell {
    pub(super) order: Order,
    /// How long a worker may take to finish what it has; `None`: for ever.
    pub(super) patience: Option<Duration>,
}

impl Group {
    /// A new generation shall take over. One that has not made it yet is given up.
    pub(super) fn renew(&mut self, incoming: Option<Generation>, farewell: Farewell, now: Instant) {
        self.give_up_incoming(now);
        self.farewell = Some(farewell);
        match incoming {
            Some(generation) => self.incoming = Some(generation),
            // The new configuration has no such group.
            None => self.retire_serving(),
        }
    }

    /// Everyone goes.
    pub(super) fn stop(&mut self, farewell: Farewell, now: Instant) {
        self.farewell = Some(farewell);
        self.retire_serving();
        self.leaving.extend(self.incoming.take());
        for generation in &mut self.leaving {
            generation.order_all(farewell.order, farewell.patience, now);
        }
    }

    /// Listens to everyone and does what is due. Returns what went wrong with a generation that was given up.
    pub(super) fn tend(&mut self, numbering: &mut Numbering, now: Instant) -> Option<String> {
        self.generations_mut()
            .for_each(|generation| generation.hear(now));
        let trouble = self.judge_incoming(now);
        self.serving
            .iter_mut()
            .chain(&mut self.incoming)
            .for_each(|generation| generation.tend(numbering, now));
        self.part_with_old(now);
        self.leaving.retain(|generation| !generation.is_over());
        trouble
    }

    fn judge_incoming(&mut self, now: Instant) -> Option<String> {
        let incoming = self.incoming.as_ref()?;
        if let Some(serving) = &self.serving {
            // Old workers that cannot import either are no better; the new ones at least show the newest error.
            let failed_import = incoming
                .load_error
                .as_deref()
                .filter(|_| serving.load_error.is_none())
                .map(|error| format!("the import failed: {error}"));
            let trouble = failed_import.or_else(|| incoming.hopeless().map(str::to_owned));
            if trouble.is_some() {
                self.give_up_incoming(now);
                return trouble;
            }
        }
        if incoming.count(Stage::Ready) > 0 {
            self.retire_serving();
            self.serving = self.incoming.take();
        }
        None
    }

    fn part_with_old(&mut self, now: Instant) {
        let Some(Farewell { order, patience }) = self.farewell else {
            return;
        };
        let (wanted, ready, asking) = self.serving.as_ref().map_or((0, 0, 0), |serving| {
            (
                serving.plan.workers,
                serving.count(Stage::Ready),
                serving.count(Stage::Leaving),
            )
        });
        let old: usize = self.leaving.iter().map(Generation::unordered).sum();
        let mut may_go = restart::may_go(wanted, ready, old + asking);
        for generation in &mut self.leaving {
            let going = may_go.min(generation.unordered());
            generation.order_some(going, false, order, patience, now);
            may_go -= going;
            if generation.unordered() == 0 {
                generation.dismiss_template(now);
            }
        }
        if let Some(serving) = &mut self.serving {
            serving.order_some(may_go, true, Order::Graceful, patience, now);
        }
    }

    fn give_up_incoming(&mut self, now: Instant) {
        if let Some(mut generation) = self.incoming.take() {
            // It listens on the same sockets: a worker of it may have a request already.
            let patience = self.patience().unwrap_or(GIVE_UP_PATIENCE);
            generation.order_all(Order::Graceful, Some(patience), now);
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

    /// How long its workers may take to finish what they have.
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
