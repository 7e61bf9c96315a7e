//! What the scoreboard says of the whole server: since when it runs, what workers that are gone have done, and how the last
//! restart went. Written by the supervisor alone.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{Mode, OFlags};

use super::memory::{LAYOUT, Mapping, TOTALS};
use super::{Scoreboard, Slot, micros_now, text};

/// The name of the memory, by which it is found among the supervisor's descriptors.
pub(super) const NAME: &str = "alula-scoreboard";

/// What is said of the whole server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerRow {
    /// The supervisor's process.
    pub pid: u32,
    /// When it was started.
    pub started: SystemTime,
    /// When the configuration in force took over.
    pub configured: SystemTime,
    /// Which configuration that is, counted from 1.
    pub generation: u32,
    /// What processes that accepted connections, and are gone, have done.
    pub gone: Work,
}

/// Requests that were answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// How many.
    pub requests: u64,
    /// The bytes of their answers' content.
    pub bytes: u64,
    /// How long they took, all together. Not counted with `ExtendedStatus Off`.
    pub duration: Duration,
}

/// The totals of one interpreter, or of the fronts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Its name.
    pub name: String,
    /// Whether it is the fronts.
    pub is_front: bool,
    /// How many of its workers are gone.
    pub workers_ended: u64,
    /// What they have done.
    pub gone: Work,
}

/// How a restart went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The new configuration and code serve.
    Done,
    /// Nothing has changed, for this reason.
    Refused(String),
}

impl Scoreboard {
    /// The table of the server whose supervisor is this process: for reading, by whoever may look into it.
    pub fn of(supervisor: u32) -> io::Result<Self> {
        let wanted = format!("/memfd:{NAME}");
        for entry in std::fs::read_dir(format!("/proc/{supervisor}/fd"))? {
            let path = entry?.path();
            let Ok(target) = std::fs::read_link(&path) else {
                continue;
            };
            if target
                .as_os_str()
                .as_encoded_bytes()
                .starts_with(wanted.as_bytes())
            {
                let memory =
                    rustix::fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
                return Self::open(memory, false);
            }
        }
        Err(io::Error::other("this process has no scoreboard"))
    }

    pub(super) fn open(memory: OwnedFd, may_write: bool) -> io::Result<Self> {
        let mapping = Mapping::new(memory, may_write)?;
        let layout = mapping.server().layout.load(Relaxed);
        if layout != LAYOUT {
            return Err(io::Error::other("the scoreboard is of another version"));
        }
        Ok(Self {
            mapping: Arc::new(mapping),
            next: Arc::default(),
        })
    }

    /// What is said of the whole server.
    #[must_use]
    pub fn server(&self) -> ServerRow {
        let server = self.mapping.server();
        ServerRow {
            pid: server.pid.load(Relaxed),
            started: time(&server.started_micros),
            configured: time(&server.configured_micros),
            generation: server.generation.load(Relaxed),
            gone: Work {
                requests: server.requests_served.load(Relaxed),
                bytes: server.bytes_sent.load(Relaxed),
                duration: Duration::from_micros(server.request_micros.load(Relaxed)),
            },
        }
    }

    /// All interpreters there have been since the start; a row names its own by the place in this list.
    #[must_use]
    pub fn totals(&self) -> Vec<Totals> {
        let server = self.mapping.server();
        let used = server
            .totals
            .iter()
            .take_while(|totals| totals.name_bytes.load(Acquire) > 0);
        let copy = |totals: &super::memory::SharedTotals| {
            let length = totals.name_bytes.load(Relaxed) as usize;
            Totals {
                name: String::from_utf8_lossy(&text::read(&totals.name, length)).into_owned(),
                is_front: totals.is_front.load(Relaxed) != 0,
                workers_ended: totals.workers_ended.load(Relaxed),
                gone: Work {
                    requests: totals.requests_served.load(Relaxed),
                    bytes: totals.bytes_sent.load(Relaxed),
                    duration: Duration::from_micros(totals.request_micros.load(Relaxed)),
                },
            }
        };
        used.map(copy).collect()
    }

    /// How many restarts were asked for, and how many of them have come to an end.
    #[must_use]
    pub fn restarts(&self) -> (u32, u32) {
        let server = self.mapping.server();
        let ended = server.restarts_ended.load(Acquire);
        (server.restarts_begun.load(Relaxed), ended)
    }

    /// How the last restart that has ended went.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let server = self.mapping.server();
        if server.outcome.load(Relaxed) == 0 {
            return Outcome::Done;
        }
        let length = server.outcome_bytes.load(Relaxed) as usize;
        let bytes = text::read(&server.outcome_text, length);
        Outcome::Refused(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The server begins.
    pub(super) fn begin(&self) {
        let server = self.mapping.server();
        server.started_micros.store(micros_now(), Relaxed);
        server.configured_micros.store(micros_now(), Relaxed);
        server.pid.store(std::process::id(), Relaxed);
    }

    /// A configuration has taken over.
    pub(crate) fn configured(&self, generation: u32) {
        let server = self.mapping.server();
        server.configured_micros.store(micros_now(), Relaxed);
        server.generation.store(generation, Relaxed);
    }

    pub(crate) fn restart_begun(&self) {
        self.mapping.server().restarts_begun.fetch_add(1, Relaxed);
    }

    /// All restarts that were begun have come to this.
    pub(crate) fn restart_ended(&self, outcome: &Outcome) {
        let server = self.mapping.server();
        match outcome {
            Outcome::Done => server.outcome.store(0, Relaxed),
            Outcome::Refused(reason) => {
                let length = text::write(&server.outcome_text, reason.as_bytes());
                server
                    .outcome_bytes
                    .store(u32::try_from(length).unwrap_or(0), Relaxed);
                server.outcome.store(1, Relaxed);
            }
        }
        let begun = server.restarts_begun.load(Relaxed);
        server.restarts_ended.store(begun, Release);
    }

    /// The place of an interpreter among the totals.
    pub(super) fn place(&self, name: &str, is_front: bool) -> u32 {
        let totals = &self.mapping.server().totals;
        for (place, entry) in (0..).zip(totals) {
            let length = entry.name_bytes.load(Relaxed) as usize;
            if length == 0 {
                let name = if name.is_empty() { "?" } else { name };
                let length = text::write(&entry.name, name.as_bytes());
                entry.is_front.store(u32::from(is_front), Relaxed);
                entry
                    .name_bytes
                    .store(u32::try_from(length).unwrap_or(0), Release);
                return place;
            }
            let known = text::read(&entry.name, length);
            let same_kind = (entry.is_front.load(Relaxed) != 0) == is_front;
            let kept = &name.as_bytes()[..name.len().min(entry.name.len() * 8)];
            if known == kept && same_kind {
                return place;
            }
        }
        // Room for all that a reasonable configuration has; the rest is counted together.
        u32::try_from(TOTALS - 1).unwrap_or(0)
    }

    /// A worker is gone: what it has done is kept.
    pub(super) fn keep_work(&self, slot: &Slot) {
        let (server, row) = (self.mapping.server(), slot.shared());
        let totals = &server.totals[(row.interpreter.load(Relaxed) as usize).min(TOTALS - 1)];
        totals.workers_ended.fetch_add(1, Relaxed);
        let add = |total: &AtomicU64, more: &AtomicU64| {
            total.fetch_add(more.load(Relaxed), Relaxed);
        };
        add(&totals.requests_served, &row.requests_served);
        add(&totals.bytes_sent, &row.bytes_sent);
        add(&totals.request_micros, &row.request_micros);
        if row.accepts.load(Relaxed) != 0 {
            add(&server.requests_served, &row.requests_served);
            add(&server.bytes_sent, &row.bytes_sent);
            add(&server.request_micros, &row.request_micros);
        }
    }
}

fn time(micros: &AtomicU64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(micros.load(Relaxed))
}
