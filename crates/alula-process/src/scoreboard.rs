//! The shared-memory table of all workers and what each is doing (httpd's word).
//!
//! A row belongs to one worker, which alone writes the counters; the supervisor writes who sits there. Readers may see
//! a row half changed: every number is right by itself, never all of them together.

mod memory;
mod record;
mod server;
mod tally;
mod text;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{MemfdFlags, SealFlags};

use memory::{LAYOUT, Mapping, SharedRow, WAITING_MARKS};
pub use record::RunningRequest;
pub use server::{Outcome, ServerRow, Totals, Work};
pub use tally::Tally;

/// What a worker is doing, in the letters of httpd's server-status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// `.`: nobody sits here.
    Open,
    /// `S`: importing, not accepting yet.
    Starting,
    /// `_`: waiting for a request.
    Ready,
    /// `W`: at least one request is running.
    Busy,
    /// `G`: finishing what it has; accepts nothing new.
    Draining,
}

impl State {
    /// httpd's letter for it.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Open => '.',
            Self::Starting => 'S',
            Self::Ready => '_',
            Self::Busy => 'W',
            Self::Draining => 'G',
        }
    }
}

const LIFE_OPEN: u32 = 0;
const LIFE_STARTING: u32 = 1;
const LIFE_SERVING: u32 = 2;
const LIFE_DRAINING: u32 = 3;

/// The table, mapped into this process.
#[derive(Clone, Debug)]
pub struct Scoreboard {
    mapping: Arc<Mapping>,
    /// Where to look for an open row first: one that was left just now may still be read by somebody.
    next: Arc<AtomicUsize>,
}

impl Scoreboard {
    /// A new table of open rows.
    pub(crate) fn new(rows: usize) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let memory = rustix::fs::memfd_create(server::NAME, flags)?;
        rustix::fs::ftruncate(&memory, memory::bytes(rows) as u64)?;
        // Applications have the descriptor: cut off by one, it would end everybody who looks at it, the supervisor too.
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&memory, seals)?;
        let mapping = Mapping::new(memory, true)?;
        mapping.server().layout.store(LAYOUT, Relaxed);
        let scoreboard = Self {
            mapping: Arc::new(mapping),
            next: Arc::default(),
        };
        scoreboard.begin();
        Ok(scoreboard)
    }

    /// The table behind a descriptor that was inherited.
    pub(crate) fn map(memory: OwnedFd) -> io::Result<Self> {
        Self::open(memory, true)
    }

    /// All rows that were ever taken, the open ones too.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        self.used().map(|index| self.slot(index).row()).collect()
    }

    /// What others have to do who accept from the same sockets as `own`. Asked at each accept, so nothing is copied.
    pub(crate) fn shares_beside<'a>(&'a self, own: &Slot) -> impl Iterator<Item = Share> + 'a {
        let group = own.shared().group.load(Relaxed);
        let own = own.index;
        self.used()
            .filter(move |index| *index != own)
            .map(|index| self.mapping.row(index))
            .filter(move |row| {
                row.life.load(Relaxed) == LIFE_SERVING && row.group.load(Relaxed) == group
            })
            .map(Share::of)
    }

    /// The numbers of all rows that were ever taken.
    fn used(&self) -> std::ops::Range<usize> {
        let used = self.mapping.server().rows.load(Acquire) as usize;
        0..used.min(self.mapping.rows)
    }

    /// The handle of one row.
    ///
    /// # Panics
    /// When the table has no such row.
    #[must_use]
    pub fn slot(&self, index: usize) -> Slot {
        assert!(
            index < self.mapping.rows,
            "the scoreboard has {} rows, asked for row {index}",
            self.mapping.rows
        );
        Slot {
            mapping: Arc::clone(&self.mapping),
            index,
        }
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.mapping.memory.as_fd()
    }

    /// Takes an open row for a worker that is about to start.
    pub(crate) fn seat(&self, worker: u64, generation: u32, place: &Place) -> Option<Slot> {
        let rows = self.mapping.rows;
        let first = self.next.load(Relaxed);
        let slot = (first..first + rows)
            .map(|index| self.slot(index % rows))
            .find(|slot| slot.row().state == State::Open)?;
        self.next.store((slot.index + 1) % rows, Relaxed);
        let shared = slot.shared();
        shared.worker.store(worker, Relaxed);
        shared.started_micros.store(micros_now(), Relaxed);
        let zero = [
            &shared.requests_served,
            &shared.connections_accepted,
            &shared.bytes_sent,
            &shared.request_micros,
        ];
        zero.iter().for_each(|counter| counter.store(0, Relaxed));
        let zero = [
            &shared.pid,
            &shared.requests_running,
            &shared.connections_open,
            &shared.requests_queued,
            &shared.threads_busy,
            &shared.requests_handed_over,
        ];
        zero.iter().for_each(|counter| counter.store(0, Relaxed));
        slot.clear_records();
        shared.generation.store(generation, Relaxed);
        shared.group.store(place.group, Relaxed);
        let interpreter = self.place(&place.name, place.threads == 0);
        shared.interpreter.store(interpreter, Relaxed);
        shared.accepts.store(u32::from(place.accepts), Relaxed);
        shared.threads.store(place.threads, Relaxed);
        let used = &self.mapping.server().rows;
        used.fetch_max(slot.index as u64 + 1, Release);
        for index in 0..WAITING_MARKS {
            let mark = self.mapping.mark(slot.index, index);
            // Looked at first, so that a page nobody ever wrote to stays none.
            if mark.load(Relaxed) != 0 {
                mark.store(0, Relaxed);
            }
        }
        shared.life.store(LIFE_STARTING, Relaxed);
        Some(slot)
    }
}

/// What a row says of whom it is for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// The interpreter's name, or that of the fronts.
    pub(crate) name: String,
    /// The interpreter, by its place in the plan.
    pub(crate) group: u32,
    /// Python threads; 0 for fronts.
    pub(crate) threads: u32,
    /// Whether it accepts connections.
    pub(crate) accepts: bool,
}

/// One row, for the worker that sits there. Cheap to clone. The counters have one writer, the thread that drives the worker's
/// loop, so they are plain loads and stores.
#[derive(Clone, Debug)]
pub struct Slot {
    mapping: Arc<Mapping>,
    index: usize,
}

impl Slot {
    /// The row's number.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// What the row says now.
    #[must_use]
    pub fn row(&self) -> Row {
        let shared = self.shared();
        let requests_running = shared.requests_running.load(Relaxed);
        let state = match shared.life.load(Relaxed) {
            LIFE_OPEN => State::Open,
            LIFE_STARTING => State::Starting,
            LIFE_DRAINING => State::Draining,
            _ if requests_running > 0 => State::Busy,
            _ => State::Ready,
        };
        Row {
            slot: self.index,
            worker: shared.worker.load(Relaxed),
            pid: shared.pid.load(Relaxed),
            generation: shared.generation.load(Relaxed),
            group: shared.group.load(Relaxed),
            state,
            started: UNIX_EPOCH + Duration::from_micros(shared.started_micros.load(Relaxed)),
            requests_served: shared.requests_served.load(Relaxed),
            requests_running,
            connections_accepted: shared.connections_accepted.load(Relaxed),
            connections_open: shared.connections_open.load(Relaxed),
            requests_handed_over: shared.requests_handed_over.load(Relaxed),
            requests_queued: shared.requests_queued.load(Relaxed),
            threads_busy: shared.threads_busy.load(Relaxed),
            threads: shared.threads.load(Relaxed),
            interpreter: shared.interpreter.load(Relaxed) as usize,
            accepts: shared.accepts.load(Relaxed) != 0,
            bytes_sent: shared.bytes_sent.load(Relaxed),
            request_time: Duration::from_micros(shared.request_micros.load(Relaxed)),
        }
    }

    /// What it has to do now.
    pub(crate) fn share(&self) -> Share {
        Share::of(self.shared())
    }

    /// A request begins to run.
    pub fn request_started(&self) {
        let running = &self.shared().requests_running;
        running.store(running.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// A request that had started is answered with so many bytes, after so many microseconds (or given up).
    pub fn request_finished(&self, bytes: u64, micros: u64) {
        let shared = self.shared();
        let running = &shared.requests_running;
        running.store(running.load(Relaxed).wrapping_sub(1), Relaxed);
        let add = |counter: &AtomicU64, more: u64| {
            counter.store(counter.load(Relaxed).wrapping_add(more), Relaxed);
        };
        add(&shared.requests_served, 1);
        add(&shared.bytes_sent, bytes);
        add(&shared.request_micros, micros);
    }

    /// So many requests wait for a thread now.
    pub fn queued(&self, requests: usize) {
        let requests = u32::try_from(requests).unwrap_or(u32::MAX);
        self.shared().requests_queued.store(requests, Relaxed);
    }

    /// One more thread is inside a request. Unlike the rest, this is counted by the threads themselves.
    pub fn thread_begins(&self) {
        self.shared().threads_busy.fetch_add(1, Relaxed);
    }

    /// It is out of it.
    pub fn thread_ends(&self) {
        self.shared().threads_busy.fetch_sub(1, Relaxed);
    }

    /// A connection was accepted. Returns how many this worker has accepted, this one included.
    pub fn connection_opened(&self) -> u64 {
        let shared = self.shared();
        shared.connections_open.fetch_add(1, Relaxed);
        shared.connections_accepted.fetch_add(1, Relaxed) + 1
    }

    /// A connection was closed.
    pub fn connection_closed(&self) {
        self.shared().connections_open.fetch_sub(1, Relaxed);
    }

    /// How many requests fronts have handed to this worker that are not answered, if it still is this worker and takes
    /// more.
    pub(crate) fn load(&self, worker: u64) -> Option<u32> {
        let shared = self.shared();
        let serves = shared.life.load(Relaxed) == LIFE_SERVING;
        (serves && shared.worker.load(Relaxed) == worker)
            .then(|| shared.requests_handed_over.load(Acquire))
    }

    /// Whether this worker sits here still.
    pub(crate) fn is_of(&self, worker: u64) -> bool {
        let shared = self.shared();
        shared.life.load(Relaxed) != LIFE_OPEN && shared.worker.load(Relaxed) == worker
    }

    /// A front hands a request over.
    pub(crate) fn handed_over(&self) {
        self.shared().requests_handed_over.fetch_add(1, AcqRel);
    }

    /// The request is answered, or did not come to the worker after all.
    pub(crate) fn handed_back(&self) {
        let shared = self.shared();
        // Never below zero: the count of a worker that died may have been reset in between.
        let _ = shared
            .requests_handed_over
            .fetch_update(AcqRel, Relaxed, |count| count.checked_sub(1));
    }

    /// Where a worker marks a request it has received and not begun; `None` past the bound.
    pub(crate) fn mark(&self, index: usize) -> Option<WaitingMark> {
        (index < WAITING_MARKS).then(|| WaitingMark {
            mapping: Arc::clone(&self.mapping),
            row: self.index,
            index,
        })
    }

    /// Whether a worker that is gone had received this request and not begun it. `false` when nobody can tell.
    pub(crate) fn left_waiting(&self, worker: u64, request: u64) -> bool {
        // The row keeps what its last worker wrote until the next one is seated.
        let is_marked = (0..WAITING_MARKS)
            .any(|index| self.mapping.mark(self.index, index).load(Acquire) == request);
        is_marked && self.shared().worker.load(Relaxed) == worker
    }

    /// The worker accepts connections now.
    pub(crate) fn serving(&self) {
        self.shared().life.store(LIFE_SERVING, Relaxed);
    }

    /// The worker finishes what it has.
    pub(crate) fn draining(&self) {
        self.shared().life.store(LIFE_DRAINING, Relaxed);
    }

    pub(crate) fn set_pid(&self, pid: u32) {
        self.shared().pid.store(pid, Relaxed);
    }

    /// Nobody sits here any more; what was done here is kept.
    pub(crate) fn free(&self) {
        let shared = self.shared();
        if shared.life.load(Relaxed) == LIFE_OPEN {
            return;
        }
        let scoreboard = Scoreboard {
            mapping: Arc::clone(&self.mapping),
            next: Arc::default(),
        };
        scoreboard.keep_work(self);
        shared.pid.store(0, Relaxed);
        shared.life.store(LIFE_OPEN, Relaxed);
    }

    fn shared(&self) -> &SharedRow {
        self.mapping.row(self.index)
    }
}

/// How much of the work one process has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) connections_open: u32,
    pub(crate) requests_running: u32,
}

impl Share {
    fn of(row: &SharedRow) -> Self {
        Self {
            connections_open: row.connections_open.load(Relaxed),
            requests_running: row.requests_running.load(Relaxed),
        }
    }
}

/// Tells fronts, should this worker die, that a request of theirs was not begun and can go to another.
#[derive(Clone, Debug)]
pub(crate) struct WaitingMark {
    mapping: Arc<Mapping>,
    row: usize,
    index: usize,
}

impl WaitingMark {
    pub(crate) fn waits(&self, request: u64) {
        self.mapping
            .mark(self.row, self.index)
            .store(request, Release);
    }

    pub(crate) fn begins(&self) {
        self.mapping.mark(self.row, self.index).store(0, Release);
    }
}

/// A row, copied out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Number of the row.
    pub slot: usize,
    /// Number of the worker, counted from the supervisor's start; 0 when nobody has sat here.
    pub worker: u64,
    /// Its process, 0 until known.
    pub pid: u32,
    /// Which restart it comes from.
    pub generation: u32,
    /// Which interpreter it belongs to, by its place in the plan.
    pub group: u32,
    /// What it is doing.
    pub state: State,
    /// When it was started.
    pub started: SystemTime,
    /// Requests answered.
    pub requests_served: u64,
    /// Requests running now.
    pub requests_running: u32,
    /// Connections accepted since it started.
    pub connections_accepted: u64,
    /// Connections open now.
    pub connections_open: u32,
    /// Requests handed over by fronts and not answered.
    pub requests_handed_over: u32,
    /// Requests that wait for a thread.
    pub requests_queued: u32,
    /// Python threads that are inside a request.
    pub threads_busy: u32,
    /// Python threads it may have; 0 for fronts.
    pub threads: u32,
    /// Its interpreter, by its place among [`Scoreboard::totals`].
    pub interpreter: usize,
    /// Whether it accepts connections.
    pub accepts: bool,
    /// Bytes of content sent.
    pub bytes_sent: u64,
    /// How long its requests have taken, all together.
    pub request_time: Duration,
}

fn micros_now() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
