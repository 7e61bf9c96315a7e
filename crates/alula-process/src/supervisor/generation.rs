//! What one reading of the configuration has brought about: the interpreters' workers, and the fronts before them.
//!
//! Exactly one of its pools accepts connections: the fronts, or a lone interpreter's workers. Fronts are started when the
//! workers behind them are there, and end before them.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::child::Stage;
use super::pool::{Numbering, Pool};
use super::template::Engine;
use crate::launch::{Belongings, Lot};
use crate::listeners::Bound;
use crate::messages::Channel;
use crate::plan::{GroupPlan, Reserve};
use crate::restart::{self, Ending};
use crate::worker::Order;

#[derive(Debug)]
pub(super) struct Generation {
    number: u32,
    belongings: Rc<Belongings>,
    /// The one that accepts connections.
    accepting: Pool,
    /// The interpreters behind it, when it is fronts.
    behind: Vec<Pool>,
    /// The number of the newest front that has been told of all workers behind it.
    newest_front: u64,
    /// The fronts that may come before a lone interpreter.
    reserve: Option<Reserve>,
    /// They have come: workers that accepted connections themselves are relieved of it.
    is_isolated: bool,
}

/// How those that leave are told to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Farewell {
    pub(super) order: Order,
    /// How long a worker may take to finish what it has; `None`: for ever.
    pub(super) patience: Option<Duration>,
}

impl Generation {
    /// `None` when nobody would accept connections.
    pub(super) fn new(
        number: u32,
        groups: Vec<(GroupPlan, Option<Engine>)>,
        reserve: Option<Reserve>,
        belongings: Rc<Belongings>,
    ) -> Option<Self> {
        let has_fronts = groups.iter().any(|(plan, _)| plan.python.is_none());
        let (mut accepting, mut behind) = (None, Vec::new());
        for ((plan, engine), place) in groups.into_iter().zip(0..) {
            let accepts = plan.python.is_none() || !has_fronts;
            let lot = if accepts {
                Lot::Accepts
            } else {
                Lot::BehindFronts
            };
            let pool = Pool::new(number, place, plan, lot, Rc::clone(&belongings), engine);
            if accepts {
                accepting = Some(pool);
            } else {
                behind.push(pool);
            }
        }
        Some(Self {
            number,
            belongings,
            accepting: accepting?,
            reserve: reserve.filter(|_| behind.is_empty()),
            behind,
            newest_front: 0,
            is_isolated: false,
        })
    }

    pub(super) fn listeners(&self) -> &[Arc<Bound>] {
        self.belongings.listeners()
    }

    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.belongings.addresses()
    }

    /// Puts fronts before a lone interpreter that needs them, for as long as this generation lives. New workers behind
    /// fronts come from the template that is there; the old ones go on until the fronts accept in their place.
    pub(super) fn isolate(&mut self, now: Instant) {
        let Some(reserve) = &self.reserve else {
            return;
        };
        let why = if reserve.at_first_crash && self.accepting.has_crashed() {
            "a worker has crashed"
        } else if self.accepting.is_away(now) {
            "its workers end as soon as they are started"
        } else {
            return;
        };
        let Some(Reserve { fronts, .. }) = self.reserve.take() else {
            return;
        };
        let belongings = Rc::clone(&self.belongings);
        let fronts = Pool::new(self.number, 1, fronts, Lot::Accepts, belongings, None);
        let mut workers = std::mem::replace(&mut self.accepting, fronts);
        tracing::warn!(
            "{}: {why}: until the next restart fronts accept connections in its place, so that whatever else happens to a \
             worker costs only the requests it is inside of (PythonIsolation)",
            workers.plan.name
        );
        workers.move_behind_fronts();
        self.behind.push(workers);
        self.is_isolated = true;
    }

    /// Takes in everything that was said, and tells fronts of new workers.
    pub(super) fn hear(&mut self, now: Instant) {
        self.accepting.hear(now);
        for pool in &mut self.behind {
            let ready = pool.hear(now);
            let fronts = self.accepting.newer_than(0);
            for number in ready {
                pool.show_doors(&fronts, Some(number));
            }
        }
    }

    /// Starts what is missing and due.
    pub(super) fn tend(&mut self, numbering: &mut Numbering, now: Instant) {
        self.tend_behind(numbering, now);
        if self.behind.is_empty() || self.may_accept() {
            self.accepting.tend(numbering, now);
        }
        let new = self.accepting.newer_than(self.newest_front);
        for pool in &self.behind {
            pool.show_doors(&new, None);
            pool.show_away(&new, now);
        }
        let newest = new.iter().map(|front| front.number).max();
        self.newest_front = newest.unwrap_or(self.newest_front);
        let fronts = self.accepting.newer_than(0);
        for pool in &mut self.behind {
            if pool.goes_away(now) {
                pool.show_away(&fronts, now);
            }
        }
    }

    /// Whether fronts may be started.
    fn may_accept(&self) -> bool {
        // What was ready once is not hopeless, and fronts go on without it.
        if self.newest_front > 0 {
            return true;
        }
        let nobody_accepts = self.behind.iter().all(|pool| !pool.accepts_still());
        if self.is_isolated && nobody_accepts {
            return true;
        }
        let is_decided = |pool: &Pool| pool.has_ready() || pool.hopeless().is_some();
        self.behind.iter().all(is_decided) && self.behind.iter().any(Pool::has_ready)
    }

    /// Keeps alive what fronts that still finish something may need.
    pub(super) fn tend_behind(&mut self, numbering: &mut Numbering, now: Instant) {
        for pool in &mut self.behind {
            pool.tend(numbering, now);
        }
    }

    /// Replaces workers that have asked for it, as many as there are others ready in their place, and `more` of those
    /// that accept.
    pub(super) fn release(
        &mut self,
        patience: Option<Duration>,
        others: usize,
        now: Instant,
    ) -> usize {
        for pool in &mut self.behind {
            let asking = pool.count(Stage::Leaving);
            let may_go = restart::may_go(pool.plan.workers, pool.count(Stage::Ready), asking);
            pool.order_some(may_go, true, Order::Graceful, patience, now);
            if self.accepting.count(Stage::Ready) >= self.accepting.plan.workers {
                pool.relieve(patience, now);
            }
        }
        let asking = self.accepting.count(Stage::Leaving);
        let (wanted, ready) = (
            self.accepting.plan.workers,
            self.accepting.count(Stage::Ready),
        );
        restart::may_go(wanted, ready, others + asking)
    }

    /// Gives the order to at most so many that accept and have asked for it.
    pub(super) fn release_asking(
        &mut self,
        count: usize,
        patience: Option<Duration>,
        now: Instant,
    ) {
        self.accepting
            .order_some(count, true, Order::Graceful, patience, now);
    }

    /// Lets at most so many go of those that accept, the oldest first. Returns how many it let go.
    pub(super) fn leave(&mut self, count: usize, farewell: Farewell, now: Instant) -> usize {
        let Farewell { order, patience } = farewell;
        let going = count.min(self.accepting.unordered());
        self.accepting
            .order_some(going, false, order, patience, now);
        self.leave_behind(farewell, now);
        going
    }

    /// Gives the order to all.
    pub(super) fn leave_all(&mut self, farewell: Farewell, now: Instant) {
        let Farewell { order, patience } = farewell;
        self.accepting.order_all(order, patience, now);
        if order == Order::Now {
            for pool in &mut self.behind {
                pool.order_all(order, patience, now);
            }
        }
        self.leave_behind(farewell, now);
    }

    /// Nobody is asked to leave who may still be needed.
    fn leave_behind(&mut self, Farewell { order, patience }: Farewell, now: Instant) {
        if self.accepting.unordered() == 0 {
            self.accepting.dismiss_template(now);
        }
        if self.accepting.is_over() {
            for pool in &mut self.behind {
                pool.order_all(order, patience, now);
            }
        }
    }

    /// How many that accept have no order yet.
    pub(super) fn unordered(&self) -> usize {
        self.accepting.unordered()
    }

    /// Whether it can take over.
    pub(super) fn has_ready(&self) -> bool {
        self.accepting.count(Stage::Ready) > 0
    }

    /// Whether it has fronts that may still hand something over.
    pub(super) fn needs_behind(&self) -> bool {
        !self.behind.is_empty() && !self.accepting.is_over()
    }

    /// The traceback of an import that failed here and did not in the generation it shall replace.
    pub(super) fn failed_import(&self, before: &Self) -> Option<String> {
        let failed = |pool: &&Pool| {
            pool.load_error.is_some()
                && !before
                    .pools()
                    .any(|old| old.plan.name == pool.plan.name && old.load_error.is_some())
        };
        let pool = self.pools().find(failed)?;
        pool.load_error.clone()
    }

    /// Why it will never be ready, once that is clear: the pool's name and its last words.
    pub(super) fn hopeless(&self) -> Option<(&str, &str)> {
        fn said(pool: &Pool) -> Option<(&str, &str)> {
            let reason = pool.hopeless()?;
            Some((pool.plan.name.as_str(), reason))
        }
        let behind = || {
            let all =
                !self.behind.is_empty() && self.behind.iter().all(|pool| pool.hopeless().is_some());
            all.then(|| self.behind.iter().find_map(said)).flatten()
        };
        said(&self.accepting).or_else(behind)
    }

    /// The first interpreter of several that is hopeless. A generation that takes over from another has none.
    pub(super) fn hopeless_part(&self) -> Option<(&str, &str)> {
        let pool = self.behind.iter().find(|pool| pool.hopeless().is_some())?;
        Some((pool.plan.name.as_str(), pool.last_words()))
    }

    /// Everything is up; or at least something is and the rest has trouble.
    pub(super) fn is_settled(&self) -> bool {
        let behind = |pool: &Pool| pool.is_settled() || pool.hopeless().is_some();
        self.accepting.is_settled() && self.behind.iter().all(behind)
    }

    /// How many answer requests themselves.
    pub(super) fn workers(&self) -> usize {
        match self.behind.as_slice() {
            [] => self.accepting.count(Stage::Ready),
            behind => behind.iter().map(|pool| pool.count(Stage::Ready)).sum(),
        }
    }

    /// How many fronts there are before them.
    pub(super) fn fronts(&self) -> usize {
        if self.behind.is_empty() {
            return 0;
        }
        self.accepting.count(Stage::Ready)
    }

    pub(super) fn is_over(&self) -> bool {
        self.pools().all(Pool::is_over)
    }

    pub(super) fn is_pending(&self, now: Instant) -> bool {
        self.pools().any(|pool| pool.is_pending(now))
    }

    /// Whether somebody has to look at its workers from time to time.
    pub(super) fn is_watched(&self) -> bool {
        self.pools().any(Pool::is_watched)
    }

    pub(super) fn reaped(&mut self, pid: Pid, ending: Ending, now: Instant) -> bool {
        self.pools_mut().any(|pool| pool.reaped(pid, ending, now))
    }

    pub(super) fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.pools().flat_map(Pool::channels)
    }

    /// A file of an application that has changed since it was asked for last.
    pub(super) fn take_changed(&mut self) -> Option<String> {
        let changed = self.pools_mut().filter_map(Pool::take_changed);
        changed.last()
    }

    fn pools(&self) -> impl Iterator<Item = &Pool> {
        std::iter::once(&self.accepting).chain(&self.behind)
    }

    fn pools_mut(&mut self) -> impl Iterator<Item = &mut Pool> {
        std::iter::once(&mut self.accepting).chain(&mut self.behind)
    }
}
