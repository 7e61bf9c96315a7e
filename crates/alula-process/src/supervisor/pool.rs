//! The workers of one interpreter, or the fronts, that one reading of the configuration has brought about.
//!
//! It keeps itself alive as long as it is tended: dead workers and a dead template are started again. Whether it shall
//! live is decided by others.

mod fronts;
mod hearing;

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::child::{Child, Stage, Started};
use super::template::{Engine, Template};
use super::wear;
use crate::black_box;
use crate::launch::{Belongings, Lot};
use crate::messages::{Channel, ToTemplate};
use crate::plan::{GroupPlan, Limits};
use crate::restart::Backoff;
use crate::scoreboard::Place;
use crate::worker::Order;

/// So many workers (or templates) in a row that never became ready, and there is no hope for it, when there is something
/// to go back to.
const FAILURES_MAX: u32 = 3;

/// How often the workers' age and memory are looked at, where they have limits.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// Numbers workers, from the supervisor's start to its end.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    last: u64,
}

impl Numbering {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

#[derive(Debug)]
pub(super) struct Pool {
    generation: u32,
    group: u32,
    pub(super) plan: GroupPlan,
    lot: Lot,
    belongings: Rc<Belongings>,
    engine: Option<Engine>,
    preload: bool,
    /// A file of the application that has changed and that nobody was told of yet.
    changed: Option<String>,
    /// What the project says of its files, and how often one has said so.
    site_files: Option<(u32, OwnedFd)>,
    template: Option<Template>,
    template_backoff: Backoff,
    workers: Vec<Child>,
    /// Workers that accept connections themselves, though fronts are to do it. They go when fronts do.
    relieved: Vec<Child>,
    backoff: Backoff,
    /// A worker was killed by a signal that nobody here has sent.
    crashed: bool,
    /// Until when fronts were told that nobody will be there.
    away_until: Option<Instant>,
    was_ready: bool,
    last_words: String,
    /// How to get a core dump is said once.
    core_hint_given: bool,
    /// When the workers' age and memory are looked at next.
    next_look: Instant,
    /// The import failed: its workers answer with an error page.
    pub(super) load_error: Option<String>,
}

impl Pool {
    pub(super) fn new(
        generation: u32,
        group: u32,
        plan: GroupPlan,
        lot: Lot,
        belongings: Rc<Belongings>,
        engine: Option<Engine>,
    ) -> Self {
        let preload = plan.python.as_ref().is_some_and(|python| python.preload);
        Self {
            generation,
            group,
            plan,
            lot,
            belongings,
            engine,
            preload,
            changed: None,
            site_files: None,
            template: None,
            template_backoff: Backoff::default(),
            workers: Vec::new(),
            relieved: Vec::new(),
            backoff: Backoff::default(),
            crashed: false,
            away_until: None,
            was_ready: false,
            last_words: String::new(),
            core_hint_given: false,
            next_look: Instant::now(),
            load_error: None,
        }
    }

    /// Starts what is missing and due, and has worn-out workers replaced.
    pub(super) fn tend(&mut self, numbering: &mut Numbering, now: Instant) {
        self.retire_worn_out(now);
        if self.engine.is_some()
            && self.template.is_none()
            && self.template_backoff.waiting_until(now).is_none()
        {
            self.start_template(now);
        }
        if self.engine.is_some()
            && !self
                .template
                .as_ref()
                .is_some_and(|template| template.loaded)
        {
            return;
        }
        while self.staying() < self.plan.workers && self.backoff.waiting_until(now).is_none() {
            if let Err(error) = self.start_worker(numbering, now) {
                let delay = self
                    .backoff
                    .failed(now, Duration::ZERO)
                    .max(Duration::from_secs(1));
                self.last_words = format!("cannot start a worker: {error}");
                tracing::error!("{}: {}", self.plan.name, self.last_words);
                self.backoff.wait(now + delay);
            }
        }
    }

    /// At most one at a time, and only while all others are well.
    fn retire_worn_out(&mut self, now: Instant) {
        let limits = self.plan.limits;
        if limits == Limits::default() || now < self.next_look {
            return;
        }
        self.next_look = now + LOOK;
        if self.count(Stage::Ready) < self.plan.workers || self.workers.len() > self.plan.workers {
            return;
        }
        let name = &self.plan.name;
        for worker in &mut self.workers {
            if let Some(reason) = wear::worn_out(worker, limits, now) {
                tracing::info!("{name}: worker {} is replaced: {reason}", worker.number);
                worker.stage = Stage::Leaving;
                return;
            }
        }
    }

    /// Whether somebody has to look at its workers from time to time.
    pub(super) fn is_watched(&self) -> bool {
        self.plan.limits != Limits::default()
    }

    fn start_template(&mut self, now: Instant) {
        let (Some(engine), Some(plan)) = (&self.engine, &self.plan.python) else {
            return;
        };
        let Engine { python, library } = engine;
        let started = self.belongings.start_template(
            &self.plan,
            python,
            library,
            plan,
            self.lot,
            self.preload,
        );
        match started {
            Ok((channel, process)) => self.template = Some(Template::new(channel, process, now)),
            Err(error) => {
                self.last_words = format!("cannot start {:?}: {error}", python.executable);
                let delay = self.template_backoff.failed(now, Duration::ZERO);
                tracing::error!("{}: {}{}", self.plan.name, self.last_words, again(delay));
            }
        }
    }

    fn start_worker(&mut self, numbering: &mut Numbering, now: Instant) -> std::io::Result<()> {
        let number = numbering.next();
        let scoreboard = self.belongings.scoreboard();
        let slot = scoreboard.seat(number, self.generation, &self.place());
        let slot = slot.ok_or_else(|| std::io::Error::other("the scoreboard is full"))?;
        let started = match self.template.as_ref().and_then(Template::channel) {
            Some(template) => {
                let fork_it = ToTemplate::Fork {
                    worker: number,
                    slot: slot.index(),
                    careful: self.crashed,
                };
                fork(template, &fork_it, self.lot)
            }
            None => {
                let started = self.belongings.start_front(&self.plan, number, &slot);
                started.map(|(channel, process)| Started {
                    channel,
                    process: Some(process),
                    door: None,
                    black_box: None,
                })
            }
        };
        match started {
            Ok(started) => {
                self.workers.push(Child::new(number, slot, started, now));
                Ok(())
            }
            Err(error) => {
                slot.free();
                Err(error)
            }
        }
    }

    /// What the scoreboard says of its workers.
    fn place(&self) -> Place {
        Place {
            name: self.plan.name.clone(),
            group: self.group,
            threads: match self.plan.python {
                Some(_) => self.plan.threads,
                None => 0,
            },
            accepts: self.lot == Lot::Accepts,
        }
    }

    /// Lets a template go that is not needed any more. Its workers become the supervisor's own children.
    pub(super) fn dismiss_template(&mut self, now: Instant) {
        if let Some(template) = &mut self.template {
            template.dismiss(now);
        }
    }

    /// Gives the order to all that have not got one yet.
    pub(super) fn order_all(&mut self, order: Order, patience: Option<Duration>, now: Instant) {
        for worker in self.workers.iter_mut().chain(&mut self.relieved) {
            if worker.stage != Stage::Ordered || order == Order::Now {
                worker.order(order, patience, now);
            }
        }
        self.dismiss_template(now);
    }

    /// Gives the order to at most so many, those that asked for it and the oldest first.
    pub(super) fn order_some(
        &mut self,
        count: usize,
        only_leaving: bool,
        order: Order,
        patience: Option<Duration>,
        now: Instant,
    ) {
        let may_go = |worker: &&mut Child| match worker.stage {
            Stage::Leaving => true,
            Stage::Starting | Stage::Ready => !only_leaving,
            Stage::Ordered => false,
        };
        self.workers
            .sort_by_key(|worker| (worker.stage != Stage::Leaving, worker.number));
        for worker in self.workers.iter_mut().filter(may_go).take(count) {
            worker.order(order, patience, now);
        }
    }

    /// How many are in this stage.
    pub(super) fn count(&self, stage: Stage) -> usize {
        self.workers
            .iter()
            .filter(|worker| worker.stage == stage)
            .count()
    }

    /// How many have no order yet.
    pub(super) fn unordered(&self) -> usize {
        self.workers.len() - self.count(Stage::Ordered)
    }

    fn staying(&self) -> usize {
        self.count(Stage::Starting) + self.count(Stage::Ready)
    }

    /// Everything is up; or at least something is and the rest has trouble.
    pub(super) fn is_settled(&self) -> bool {
        let ready = self.count(Stage::Ready);
        ready >= self.plan.workers || ready > 0 && self.backoff.failures() > 0
    }

    /// Why it will never be ready, once that is clear.
    pub(super) fn hopeless(&self) -> Option<&str> {
        let never_loaded = self.template_backoff.failures() > 0 && self.template.is_none();
        let failed = !self.was_ready && (never_loaded || self.backoff.failures() >= FAILURES_MAX);
        failed.then_some(self.last_words.as_str())
    }

    /// Whether no process is left.
    pub(super) fn is_over(&self) -> bool {
        self.everyone().next().is_none() && self.template.is_none()
    }

    /// Whether time alone may change something.
    pub(super) fn is_pending(&self, now: Instant) -> bool {
        self.everyone().any(Child::is_pending)
            || self.backoff.waiting_until(now).is_some()
            || self.template_backoff.waiting_until(now).is_some()
            || self.template.as_ref().is_some_and(Template::is_pending)
    }

    /// Everyone who may say something.
    pub(super) fn channels(&self) -> impl Iterator<Item = &Channel> {
        let template = self.template.as_ref().and_then(Template::channel);
        template
            .into_iter()
            .chain(self.everyone().filter_map(Child::channel))
    }

    fn everyone(&self) -> impl Iterator<Item = &Child> {
        self.workers.iter().chain(&self.relieved)
    }

    /// Whether a worker was killed by a signal that nobody here has sent.
    pub(super) fn has_crashed(&self) -> bool {
        self.crashed
    }

    /// What it has to say for itself when the server cannot start.
    pub(super) fn last_words(&self) -> &str {
        &self.last_words
    }
}

/// Asks a template for a worker.
fn fork(template: &Channel, fork: &ToTemplate, lot: Lot) -> std::io::Result<Started> {
    let (channel, theirs) = Channel::pair()?;
    channel.set_nonblocking()?;
    let black_box = black_box::create()?;
    let door = match lot {
        Lot::Accepts => {
            template.send(fork, &[theirs.as_fd(), black_box.as_fd()])?;
            None
        }
        Lot::BehindFronts => {
            let (door, inside) = Channel::pair()?;
            door.set_nonblocking()?;
            template.send(fork, &[theirs.as_fd(), black_box.as_fd(), inside.as_fd()])?;
            Some(door.into())
        }
    };
    Ok(Started {
        channel,
        process: None,
        door,
        black_box: Some(black_box),
    })
}

fn again(delay: Duration) -> String {
    if delay.is_zero() {
        return "; starting another".to_owned();
    }
    format!("; starting another in {}", seconds(delay))
}

/// `0.3 s`, `2.5 s`, `340 s`
fn seconds(duration: Duration) -> String {
    let digits = if duration < Duration::from_secs(100) {
        1
    } else {
        0
    };
    format!("{:.digits$} s", duration.as_secs_f64())
}
