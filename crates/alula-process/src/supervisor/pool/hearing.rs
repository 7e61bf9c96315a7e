//! What a pool hears of its processes: what they say, how they end, and what follows from it.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::super::autopsy;
use super::super::child::{Child, Stage};
use super::super::template::Template;
use super::{Pool, again, seconds};
use crate::black_box::Remains;
use crate::messages::{FromTemplate, FromWorker};
use crate::process::Process;
use crate::restart::Ending;

/// How long a worker with a request that is stuck may take for its other requests, and to leave.
const STUCK_PATIENCE: Duration = Duration::from_secs(15);

impl Pool {
    /// Takes in everything that was said, and presses those that should be gone. Returns the numbers of workers that
    /// have become ready.
    pub(in crate::supervisor) fn hear(&mut self, now: Instant) -> Vec<u64> {
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
    pub(in crate::supervisor) fn take_changed(&mut self) -> Option<String> {
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
    pub(in crate::supervisor) fn reaped(&mut self, pid: Pid, ending: Ending, now: Instant) -> bool {
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
        let remains = worker
            .black_box
            .as_ref()
            .map(Remains::read)
            .unwrap_or_default();
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
}

fn take(workers: &mut Vec<Child>, number: u64) -> Option<Child> {
    let place = workers.iter().position(|worker| worker.number == number)?;
    Some(workers.swap_remove(place))
}
