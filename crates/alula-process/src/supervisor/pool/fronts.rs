//! What fronts are told of a pool: the ways to its workers, or that nobody is there. And the move behind fronts.

use std::time::{Duration, Instant};

use super::super::child::{Child, Stage};
use super::Pool;
use crate::launch::Lot;
use crate::worker::Order;

/// For a shorter time than this requests wait; for a longer one they are answered that nobody is there.
const AWAY_MIN: Duration = Duration::from_secs(1);

impl Pool {
    /// Shows every front the way to the workers of this pool that take requests, or to one of them.
    pub(in crate::supervisor) fn show_doors(&self, fronts: &[&Child], only: Option<u64>) {
        let Some(python) = &self.plan.python else {
            return;
        };
        if let Some((version, files)) = &self.site_files {
            for front in fronts {
                front.show_site_files(python.interpreter, *version, files);
            }
        }
        let takes_requests =
            |worker: &&Child| matches!(worker.stage, Stage::Ready | Stage::Leaving);
        for worker in self.workers.iter().filter(takes_requests) {
            if only.is_none_or(|number| number == worker.number) {
                fronts
                    .iter()
                    .for_each(|front| front.show_door(python.interpreter, worker));
            }
        }
    }

    /// Its workers with a number above this one.
    pub(in crate::supervisor) fn newer_than(&self, number: u64) -> Vec<&Child> {
        let newer = self.workers.iter().filter(|worker| worker.number > number);
        newer.collect()
    }

    /// Workers that are there, whatever they are doing, and do not leave.
    pub(in crate::supervisor) fn has_ready(&self) -> bool {
        self.count(Stage::Ready) + self.count(Stage::Leaving) > 0
    }

    /// From now on fronts accept connections, as soon as there are any.
    pub(in crate::supervisor) fn move_behind_fronts(&mut self) {
        self.lot = Lot::BehindFronts;
        self.relieved = std::mem::take(&mut self.workers);
    }

    /// Whether it has workers that accept connections though fronts are to do it.
    pub(in crate::supervisor) fn accepts_still(&self) -> bool {
        self.relieved
            .iter()
            .any(|worker| matches!(worker.stage, Stage::Ready | Stage::Leaving))
    }

    /// Fronts accept: lets go of those that did until now.
    pub(in crate::supervisor) fn relieve(&mut self, patience: Option<Duration>, now: Instant) {
        for worker in &mut self.relieved {
            if worker.stage != Stage::Ordered {
                worker.order(Order::Graceful, patience, now);
            }
        }
    }

    /// Whether nobody is there, and will not be for a while, because they die as soon as they are started.
    pub(in crate::supervisor) fn is_away(&self, now: Instant) -> bool {
        self.away(now).is_some()
    }

    /// Until when.
    fn away(&self, now: Instant) -> Option<Instant> {
        let waits = [&self.backoff, &self.template_backoff].map(|one| one.waiting_until(now));
        let until = waits.into_iter().flatten().max()?;
        let nobody = self
            .everyone()
            .all(|worker| matches!(worker.stage, Stage::Ordered));
        (nobody && until >= now + AWAY_MIN).then_some(until)
    }

    /// Whether that has begun, or begun again, since it was asked last.
    pub(in crate::supervisor) fn goes_away(&mut self, now: Instant) -> bool {
        let until = self.away(now);
        until.is_some() && std::mem::replace(&mut self.away_until, until) != until
    }

    /// Tells fronts that nobody is there, if that is so.
    pub(in crate::supervisor) fn show_away(&self, fronts: &[&Child], now: Instant) {
        let (Some(python), Some(until)) = (&self.plan.python, self.away(now)) else {
            return;
        };
        for front in fronts {
            front.show_away(python.interpreter, until.duration_since(now));
        }
    }
}
