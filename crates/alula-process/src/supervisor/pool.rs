//! The workers of one interpreter, or the fronts, that one reading of the configuration has brought about.
//!
//! It keeps itself alive as long as it is tended: dead workers and a dead template are started again. Whether it shall
//! live is decided by others.

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::autopsy;
use super::child::{Child, Stage, Started};
use super::template::{Engine, Template};
use super::wear;
use crate::black_box::{self, Remains};
use crate::launch::{Belongings, Lot};
use crate::messages::{Channel, FromTemplate, FromWorker, ToTemplate};
use crate::plan::{GroupPlan, Limits};
use crate::process::Process;
use crate::restart::{Backoff, Ending};
use crate::scoreboard::Place;
use crate::worker::Order;

/// So many workers (or templates) in a row that never became ready, and there is no hope for it, when there is something
/// to go back to.
const FAILURES_MAX: u32 = 3;

/// How long a worker with a request that is stuck may take for its other requests, and to leave.
const STUCK_PATIENCE: Duration = Duration::from_secs(15);

/// For a shorter time than this requests wait; for a longer one they are answered that nobody is there.
const AWAY_MIN: Duration = Duration::from_secs(1);

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

    /// Takes in everything that was said, and presses those that should be gone. Returns the numbers of workers that
    /// have become ready.
    pub(super) fn hear(&mut self, now: Instant) -> Vec<u64> {
        let mut ready = Vec::new();
        self.hear_template(now);
        let mut guessed = Vec::new();
        for worker in self.workers.iter_mut().chain(&mut self.relieved) {
            for message in worker.hear(now) {
                match message {
                    FromWorker::Ready if worker.stage == Stage::Starting => {
                        worker.stage = Stage::Ready;
                        self.was_ready = true;
                        ready.push(worker.number);
                        tracing::debug!("{}: worker {} is ready", self.plan.name, worker.number);
                    }
                    FromWorker::Leaving(reason) if worker.stage != Stage::Ordered => {
                        worker.stage = Stage::Leaving;
                        tracing::info!(
                            "{}: worker {} asks to be replaced: {reason}",
                            self.plan.name,
                            worker.number
                        );
                    }
                    FromWorker::Stuck => {
                        worker.bound_patience(STUCK_PATIENCE, now);
                        if worker.stage != Stage::Ordered {
                            worker.stage = Stage::Leaving;
                        }
                    }
                    FromWorker::LoadFailed(error) => self.load_error = Some(error),
                    FromWorker::Ready | FromWorker::Leaving(_) => {}
                }
            }
            guessed.extend(worker.press(now).map(|ending| (worker.number, ending)));
        }
        for (number, ending) in guessed {
            self.worker_ended(number, ending, now);
        }
        ready
    }

    fn hear_template(&mut self, now: Instant) {
        while let Some(template) = &mut self.template {
            let Some((message, descriptors)) = template.hear(now) else {
                return;
            };
            self.heard_from_template(message, descriptors, now);
        }
    }

    fn heard_from_template(
        &mut self,
        message: FromTemplate,
        descriptors: Vec<OwnedFd>,
        now: Instant,
    ) {
        let name = &self.plan.name;
        match message {
            FromTemplate::Loaded => self.template_loaded(now),
            FromTemplate::LoadFailed(error) => {
                self.load_error = Some(error);
                self.template_loaded(now);
            }
            FromTemplate::SiteFiles => {
                let version = self.site_files.as_ref().map_or(0, |(version, _)| *version) + 1;
                let files = descriptors.into_iter().next();
                self.site_files = files.map(|files| (version, files));
            }
            FromTemplate::Changed(path) => self.changed = Some(path),
            FromTemplate::Unforkable(reason) => {
                tracing::warn!(
                    "{name}: the application cannot be shared by forking, each worker imports it: {reason}"
                );
                self.preload = false;
                self.dismiss_template(now);
                // Nothing failed, and nothing to wait for: a new one without the application takes its place.
                self.template = None;
            }
            FromTemplate::Started { worker } => {
                self.worker_started(worker, descriptors.into_iter().next());
            }
            FromTemplate::ForkFailed { worker, error } => {
                self.last_words = format!("cannot fork: {error}");
                tracing::error!("{name}: {}", self.last_words);
                self.worker_ended(worker, Ending::Unknown, now);
            }
            FromTemplate::Exited { worker, status } => {
                self.worker_ended(worker, Ending::from_raw(status), now)
            }
        }
    }

    /// A file of the application that has changed since it was asked for last.
    pub(super) fn take_changed(&mut self) -> Option<String> {
        self.changed.take()
    }

    fn worker_started(&mut self, number: u64, pidfd: Option<OwnedFd>) {
        let mut everyone = self.workers.iter_mut().chain(&mut self.relieved);
        let worker = everyone.find(|worker| worker.number == number);
        if let (Some(worker), Some(pidfd), Some(template)) = (worker, pidfd, &self.template) {
            // One that has ended meanwhile is no process any more; how it ended is told next.
            worker.process = Process::claimed(pidfd, template.pid()).ok();
        }
    }

    fn template_loaded(&mut self, now: Instant) {
        if let Some(template) = &mut self.template {
            template.loaded = true;
            let taken = now.duration_since(template.started);
            tracing::info!(
                "{}: template {} loaded in {}",
                self.plan.name,
                template.pid(),
                seconds(taken)
            );
        }
    }

    /// A process was reaped. `true` when it was one of ours.
    pub(super) fn reaped(&mut self, pid: Pid, ending: Ending, now: Instant) -> bool {
        if self
            .template
            .as_ref()
            .is_some_and(|template| template.pid() == pid)
        {
            // Its last words may tell of workers it has reaped.
            self.hear_template(now);
            if let Some(template) = self.template.take() {
                self.template_ended(&template, ending, now);
            }
            return true;
        }
        let is_it = |worker: &&Child| {
            worker
                .process
                .as_ref()
                .is_some_and(|process| process.pid == pid)
        };
        let Some(number) = self.everyone().find(is_it).map(|worker| worker.number) else {
            return false;
        };
        self.worker_ended(number, ending, now);
        true
    }

    fn template_ended(&mut self, template: &Template, ending: Ending, now: Instant) {
        let (name, pid) = (&self.plan.name, template.pid());
        if template.dismissed {
            tracing::debug!("{name}: template {pid} {ending}");
            return;
        }
        let lived = now.duration_since(template.started);
        let delay = self.template_backoff.failed(now, lived);
        let stage = if template.loaded {
            ""
        } else {
            " before the application was imported"
        };
        self.last_words = format!("its template (pid {pid}) {ending}{stage}");
        tracing::error!("{name}: {}{}", self.last_words, again(delay));
    }

    fn worker_ended(&mut self, number: u64, ending: Ending, now: Instant) {
        let Some(worker) =
            take(&mut self.workers, number).or_else(|| take(&mut self.relieved, number))
        else {
            return;
        };
        let row = worker.slot.row();
        let lived = now.duration_since(worker.started);
        let (name, pid, served) = (&self.plan.name, worker.pid(), row.requests_served);
        let told = autopsy::told(ending, self.belongings.memory_kills());
        let life = format!(
            "worker {number} (pid {pid}) {told} after {}, {served} requests served",
            seconds(lived)
        );
        let wished = worker.stage == Stage::Ordered
            || worker.stage == Stage::Leaving && ending == Ending::Exited(0);
        if wished {
            worker.slot.free();
            tracing::info!("{name}: {life}");
            return;
        }
        self.crashed |= matches!(ending, Ending::Signaled { .. });
        let remains = worker.black_box.map(Remains::read).unwrap_or_default();
        let delay = if remains.threads.is_empty() {
            self.backoff.failed(now, lived)
        } else {
            self.backoff.failed_at_request(now, lived)
        };
        let (running, again) = (row.requests_running, again(delay));
        let mut record = format!("{name}: {life}, {running} running{again}");
        autopsy::add_requests(&mut record, &worker.slot, &remains);
        autopsy::add_cause(&mut record, &remains);
        autopsy::add_core(&mut record, ending, pid, &mut self.core_hint_given);
        tracing::error!("{record}");
        worker.slot.free();
        self.last_words = life;
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

    /// Shows every front the way to the workers of this pool that take requests, or to one of them.
    pub(super) fn show_doors(&self, fronts: &[&Child], only: Option<u64>) {
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
    pub(super) fn newer_than(&self, number: u64) -> Vec<&Child> {
        let newer = self.workers.iter().filter(|worker| worker.number > number);
        newer.collect()
    }

    /// Workers that are there, whatever they are doing, and do not leave.
    pub(super) fn has_ready(&self) -> bool {
        self.count(Stage::Ready) + self.count(Stage::Leaving) > 0
    }

    fn everyone(&self) -> impl Iterator<Item = &Child> {
        self.workers.iter().chain(&self.relieved)
    }

    /// Whether a worker was killed by a signal that nobody here has sent.
    pub(super) fn has_crashed(&self) -> bool {
        self.crashed
    }

    /// From now on fronts accept connections, as soon as there are any.
    pub(super) fn move_behind_fronts(&mut self) {
        self.lot = Lot::BehindFronts;
        self.relieved = std::mem::take(&mut self.workers);
    }

    /// Whether it has workers that accept connections though fronts are to do it.
    pub(super) fn accepts_still(&self) -> bool {
        self.relieved
            .iter()
            .any(|worker| matches!(worker.stage, Stage::Ready | Stage::Leaving))
    }

    /// Fronts accept: lets go of those that did until now.
    pub(super) fn relieve(&mut self, patience: Option<Duration>, now: Instant) {
        for worker in &mut self.relieved {
            if worker.stage != Stage::Ordered {
                worker.order(Order::Graceful, patience, now);
            }
        }
    }

    /// Whether nobody is there, and will not be for a while, because they die as soon as they are started.
    pub(super) fn is_away(&self, now: Instant) -> bool {
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
    pub(super) fn goes_away(&mut self, now: Instant) -> bool {
        let until = self.away(now);
        until.is_some() && std::mem::replace(&mut self.away_until, until) != until
    }

    /// Tells fronts that nobody is there, if that is so.
    pub(super) fn show_away(&self, fronts: &[&Child], now: Instant) {
        let (Some(python), Some(until)) = (&self.plan.python, self.away(now)) else {
            return;
        };
        for front in fronts {
            front.show_away(python.interpreter, until.duration_since(now));
        }
    }

    /// What it has to say for itself when the server cannot start.
    pub(super) fn last_words(&self) -> &str {
        &self.last_words
    }
}

fn take(workers: &mut Vec<Child>, number: u64) -> Option<Child> {
    let place = workers.iter().position(|worker| worker.number == number)?;
    Some(workers.swap_remove(place))
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
