//! Everything there is to know of a running server at one moment, as numbers.

use std::time::{Duration, SystemTime};

use rustix::process::Pid;
use serde::{Serialize, Serializer};

use crate::scoreboard::{Row, RunningRequest, Scoreboard, State, Work};
use crate::usage;

/// A server at one moment.
#[derive(Debug, Serialize)]
pub struct Report {
    pub(super) version: &'static str,
    /// The supervisor's process.
    pub(super) pid: u32,
    #[serde(rename = "started_unix", serialize_with = "unix")]
    pub(super) started: SystemTime,
    #[serde(rename = "configured_unix", serialize_with = "unix")]
    pub(super) configured: SystemTime,
    #[serde(rename = "uptime_seconds", serialize_with = "seconds")]
    pub(super) uptime: Duration,
    pub(super) generation: u32,
    pub(super) load: [f64; 3],
    /// What was asked of the server as a whole.
    pub(super) totals: Done,
    pub(super) connections: u32,
    pub(super) interpreters: Vec<InterpreterReport>,
    pub(super) workers: Vec<WorkerReport>,
    #[serde(skip)]
    pub(super) now: SystemTime,
}

/// Answered requests.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Done {
    pub(super) requests: u64,
    pub(super) bytes: u64,
    #[serde(rename = "request_seconds", serialize_with = "seconds")]
    pub(super) duration: Duration,
    pub(super) requests_per_second: f64,
    pub(super) bytes_per_second: f64,
    pub(super) bytes_per_request: f64,
    pub(super) milliseconds_per_request: f64,
}

/// An interpreter, or the fronts.
#[derive(Debug, Serialize)]
pub(super) struct InterpreterReport {
    pub(super) name: String,
    /// Fronts answer no Python: they pass on.
    pub(super) is_front: bool,
    pub(super) workers: usize,
    pub(super) threads: u32,
    pub(super) threads_busy: u32,
    pub(super) queued: u32,
    pub(super) requests: u64,
    pub(super) bytes: u64,
    pub(super) memory_bytes: Option<u64>,
    /// Workers that are gone: replaced, crashed, or of an older configuration.
    pub(super) workers_ended: u64,
}

/// One process.
#[derive(Debug, Serialize)]
pub(super) struct WorkerReport {
    pub(super) worker: u64,
    pub(super) interpreter: String,
    pub(super) is_front: bool,
    pub(super) accepts: bool,
    pub(super) generation: u32,
    pub(super) pid: u32,
    #[serde(serialize_with = "state_name")]
    pub(super) state: State,
    #[serde(rename = "age_seconds", serialize_with = "seconds")]
    pub(super) age: Duration,
    pub(super) memory_bytes: Option<u64>,
    /// User's and system's.
    pub(super) processor_seconds: Option<(f64, f64)>,
    pub(super) threads: u32,
    pub(super) threads_busy: u32,
    pub(super) queued: u32,
    pub(super) running: u32,
    pub(super) connections: u32,
    pub(super) requests: u64,
    pub(super) bytes: u64,
    pub(super) current: Vec<RequestReport>,
}

/// A request that runs.
#[derive(Debug, Serialize)]
pub(super) struct RequestReport {
    /// As in the log.
    pub(super) id: String,
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub(super) age: Duration,
    pub(super) client: String,
    pub(super) method: String,
    pub(super) host: String,
    pub(super) target: String,
}

impl Report {
    /// Looks at the scoreboard, and at the processes in it.
    #[must_use]
    pub fn new(scoreboard: &Scoreboard) -> Self {
        let now = SystemTime::now();
        let server = scoreboard.server();
        let uptime = since(server.started, now);
        let totals = scoreboard.totals();
        let rows = scoreboard.rows();
        let rows: Vec<Row> = rows
            .into_iter()
            .filter(|row| row.state != State::Open)
            .collect();
        let mut done = server.gone;
        for row in rows.iter().filter(|row| row.accepts) {
            add(&mut done, row);
        }
        let mut workers: Vec<WorkerReport> = rows
            .iter()
            .map(|row| {
                let name = totals.get(row.interpreter);
                let current = scoreboard.slot(row.slot).running_requests();
                let name = name.map_or_else(String::new, |totals| totals.name.clone());
                WorkerReport::new(row, name, current, now)
            })
            .collect();
        workers.sort_by_key(|worker| (worker.is_front, worker.interpreter.clone(), worker.worker));
        let mut interpreters: Vec<InterpreterReport> = Vec::new();
        for (totals, place) in totals.into_iter().zip(0..) {
            let own = || rows.iter().filter(|row| row.interpreter == place);
            let mut work = totals.gone;
            own().for_each(|row| add(&mut work, row));
            let its = |worker: &&WorkerReport| {
                worker.interpreter == totals.name && worker.is_front == totals.is_front
            };
            let memory: Option<u64> = workers
                .iter()
                .filter(its)
                .map(|worker| worker.memory_bytes)
                .sum();
            interpreters.push(InterpreterReport {
                is_front: totals.is_front,
                workers: own().count(),
                threads: own().map(|row| row.threads).sum(),
                threads_busy: own().map(|row| row.threads_busy).sum(),
                queued: own().map(|row| row.requests_queued).sum(),
                requests: work.requests,
                bytes: work.bytes,
                memory_bytes: memory,
                workers_ended: totals.workers_ended,
                name: totals.name,
            });
        }
        interpreters.sort_by_key(|interpreter| interpreter.is_front);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            pid: server.pid,
            started: server.started,
            configured: server.configured,
            uptime,
            generation: server.generation,
            load: load(),
            totals: Done::new(done, uptime),
            connections: rows.iter().map(|row| row.connections_open).sum(),
            interpreters,
            workers,
            now,
        }
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

impl Done {
    fn new(work: Work, uptime: Duration) -> Self {
        let per = |amount: f64, of: f64| if of > 0.0 { amount / of } else { 0.0 };
        let (requests, bytes) = (work.requests as f64, work.bytes as f64);
        let uptime = uptime.as_secs_f64();
        Self {
            requests: work.requests,
            bytes: work.bytes,
            duration: work.duration,
            requests_per_second: per(requests, uptime),
            bytes_per_second: per(bytes, uptime),
            bytes_per_request: per(bytes, requests),
            milliseconds_per_request: per(work.duration.as_secs_f64() * 1000.0, requests),
        }
    }
}

impl WorkerReport {
    fn new(row: &Row, interpreter: String, current: Vec<RunningRequest>, now: SystemTime) -> Self {
        let pid = Pid::from_raw(row.pid.cast_signed());
        let current = current.into_iter().map(|request| RequestReport {
            id: format!("{:x}", request.id),
            age: since(request.started, now),
            client: request.client.ip().to_string(),
            method: request.method,
            host: request.authority,
            target: request.target,
        });
        Self {
            worker: row.worker,
            interpreter,
            is_front: row.threads == 0,
            accepts: row.accepts,
            generation: row.generation,
            pid: row.pid,
            state: row.state,
            age: since(row.started, now),
            memory_bytes: pid.and_then(usage::memory),
            processor_seconds: pid
                .and_then(usage::processor_time)
                .map(|(user, system)| (user.as_secs_f64(), system.as_secs_f64())),
            threads: row.threads,
            threads_busy: row.threads_busy,
            queued: row.requests_queued,
            running: row.requests_running,
            connections: row.connections_open,
            requests: row.requests_served,
            bytes: row.bytes_sent,
            current: current.collect(),
        }
    }
}

fn add(work: &mut Work, row: &Row) {
    work.requests += row.requests_served;
    work.bytes += row.bytes_sent;
    work.duration += row.request_time;
}

fn since(then: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or_default()
}

fn load() -> [f64; 3] {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut numbers = text
        .split_whitespace()
        .map(|word| word.parse().unwrap_or(0.0));
    [(); 3].map(|()| numbers.next().unwrap_or(0.0))
}

pub(super) fn state_word(state: State) -> &'static str {
    match state {
        State::Open => "gone",
        State::Starting => "starting",
        State::Ready => "ready",
        State::Busy => "busy",
        State::Draining => "finishing",
    }
}

fn state_name<S: Serializer>(state: &State, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(state_word(*state))
}

fn unix<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(since(SystemTime::UNIX_EPOCH, *time).as_secs())
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    // Milliseconds are all that was measured.
    serializer.serialize_f64(duration.as_millis() as f64 / 1000.0)
}
