//! The shared-memory table of all workers and what each is doing (httpd's word).
//!
//! A row belongs to one worker, which alone writes the counters; the supervisor writes who sits there. Readers may see
//! a row half changed: every number is right by itself, never all of them together.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::MemfdFlags;
use rustix::mm::{MapFlags, ProtFlags};

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

/// One row as it lies in shared memory: two cache lines of its own, so that workers never share one.
#[repr(C, align(128))]
#[derive(Debug, Default)]
struct SharedRow {
    worker: AtomicU64,
    started_micros: AtomicU64,
    requests_served: AtomicU64,
    connections_accepted: AtomicU64,
    pid: AtomicU32,
    generation: AtomicU32,
    group: AtomicU32,
    life: AtomicU32,
    requests_running: AtomicU32,
    connections_open: AtomicU32,
    _line: [u32; 2],
    /// Counted up by fronts and down by the worker, so on the cache line that is not the worker's alone.
    requests_handed_over: AtomicU32,
}

/// How many requests of one worker can be marked as not begun; more simply are not.
const WAITING_MARKS: usize = 1024;

/// The size of a row with its marks.
const ROW_BYTES: usize = size_of::<SharedRow>() + WAITING_MARKS * size_of::<AtomicU64>();

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
        let memory = rustix::fs::memfd_create("alula-scoreboard", MemfdFlags::CLOEXEC)?;
        rustix::fs::ftruncate(&memory, (rows * ROW_BYTES) as u64)?;
        Self::map(memory)
    }

    /// The table behind a descriptor that was inherited.
    pub(crate) fn map(memory: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            mapping: Arc::new(Mapping::new(memory)?),
            next: Arc::default(),
        })
    }

    /// All rows, the open ones too.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        (0..self.mapping.rows)
            .map(|index| self.slot(index).row())
            .collect()
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
    pub(crate) fn seat(&self, worker: u64, generation: u32, group: u32) -> Option<Slot> {
        let rows = self.mapping.rows;
        let first = self.next.load(Relaxed);
        let slot = (first..first + rows)
            .map(|index| self.slot(index % rows))
            .find(|slot| slot.row().state == State::Open)?;
        self.next.store((slot.index + 1) % rows, Relaxed);
        let shared = slot.shared();
        shared.worker.store(worker, Relaxed);
        shared.started_micros.store(micros_now(), Relaxed);
        shared.requests_served.store(0, Relaxed);
        shared.connections_accepted.store(0, Relaxed);
        shared.pid.store(0, Relaxed);
        shared.generation.store(generation, Relaxed);
        shared.group.store(group, Relaxed);
        shared.requests_running.store(0, Relaxed);
        shared.connections_open.store(0, Relaxed);
        shared.requests_handed_over.store(0, Relaxed);
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
        }
    }

    /// A request begins to run.
    pub fn request_started(&self) {
        let running = &self.shared().requests_running;
        running.store(running.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// A request that had started is answered (or given up).
    pub fn request_finished(&self) {
        let SharedRow {
            requests_running: running,
            requests_served: served,
            ..
        } = self.shared();
        running.store(running.load(Relaxed).wrapping_sub(1), Relaxed);
        served.store(served.load(Relaxed).wrapping_add(1), Relaxed);
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

    /// Nobody sits here any more.
    pub(crate) fn free(&self) {
        self.shared().pid.store(0, Relaxed);
        self.shared().life.store(LIFE_OPEN, Relaxed);
    }

    fn shared(&self) -> &SharedRow {
        self.mapping.row(self.index)
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
}

/// The mapped memory and the descriptor it came from (kept to be passed on).
#[derive(Debug)]
struct Mapping {
    memory: OwnedFd,
    start: NonNull<SharedRow>,
    rows: usize,
}

impl Mapping {
    fn new(memory: OwnedFd) -> io::Result<Self> {
        let bytes =
            usize::try_from(rustix::fs::fstat(&memory)?.st_size).map_err(io::Error::other)?;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a fresh mapping at an address of the kernel's choice touches nothing that exists.
        let start = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                bytes,
                protection,
                MapFlags::SHARED,
                &memory,
                0,
            )
        }?;
        let start = NonNull::new(start.cast())
            .ok_or_else(|| io::Error::other("scoreboard mapped at address zero"))?;
        Ok(Self {
            memory,
            start,
            rows: bytes / ROW_BYTES,
        })
    }

    fn row(&self, index: usize) -> &SharedRow {
        assert!(index < self.rows, "scoreboard row out of bounds");
        // SAFETY: the mapping holds `rows` rows (checked above), is page-aligned, lives as long as `self`, starts as
        // zeroes (valid for every field) and is only ever accessed through the atomics in it.
        unsafe { self.start.add(index).as_ref() }
    }

    fn mark(&self, row: usize, index: usize) -> &AtomicU64 {
        assert!(
            row < self.rows && index < WAITING_MARKS,
            "scoreboard mark out of bounds"
        );
        // SAFETY: the marks of all rows stand behind the rows (`ROW_BYTES`), aligned because a row's size is a multiple
        // of theirs; the rest as in `row`.
        unsafe {
            let marks = self.start.add(self.rows).cast::<AtomicU64>();
            marks.add(row * WAITING_MARKS + index).as_ref()
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length; rows are only borrowed from `self`, so none is left.
        // A failure leaves the pages mapped, which harms nobody.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.rows * ROW_BYTES) };
    }
}

// SAFETY: the pointer is to shared memory accessed only through atomics, from any thread.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

fn micros_now() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_and_the_supervisor_see_the_same_row() {
        let ours = Scoreboard::new(4).unwrap();
        let theirs = Scoreboard::map(ours.descriptor().try_clone_to_owned().unwrap()).unwrap();
        let slot = ours.seat(9, 2, 0).unwrap();
        let seat = theirs.slot(slot.index());
        assert_eq!(slot.row().state, State::Starting);

        seat.serving();
        assert_eq!(seat.connection_opened(), 1);
        seat.request_started();
        assert_eq!(ours.rows()[0].state, State::Busy);
        seat.request_finished();
        seat.connection_closed();

        let row = slot.row();
        assert_eq!(
            (row.worker, row.generation, row.state),
            (9, 2, State::Ready)
        );
        assert_eq!(
            (
                row.requests_served,
                row.connections_accepted,
                row.connections_open
            ),
            (1, 1, 0)
        );
    }

    #[test]
    fn a_full_table_seats_nobody_and_a_freed_row_starts_from_zero() {
        let scoreboard = Scoreboard::new(2).unwrap();
        let first = scoreboard.seat(1, 1, 0).unwrap();
        scoreboard.seat(2, 1, 0).unwrap();
        assert!(scoreboard.seat(3, 1, 0).is_none());
        first.request_started();
        first.free();
        let again = scoreboard.seat(3, 1, 0).unwrap();
        assert_eq!(again.index(), first.index());
        assert_eq!(again.row().requests_running, 0);
    }

    #[test]
    fn a_row_that_was_left_is_not_the_next_to_be_taken() {
        let scoreboard = Scoreboard::new(3).unwrap();
        let first = scoreboard.seat(1, 1, 0).unwrap();
        first.free();
        assert_ne!(scoreboard.seat(2, 1, 0).unwrap().index(), first.index());
    }

    #[test]
    fn a_dead_worker_s_requests_are_told_apart() {
        let scoreboard = Scoreboard::new(2).unwrap();
        let slot = scoreboard.seat(7, 1, 0).unwrap();
        let (begun, waiting) = (slot.mark(0).unwrap(), slot.mark(WAITING_MARKS - 1).unwrap());
        assert!(slot.mark(WAITING_MARKS).is_none());
        begun.waits(100);
        waiting.waits(200);
        begun.begins();
        slot.free();
        assert!(!slot.left_waiting(7, 100));
        assert!(slot.left_waiting(7, 200));
        assert!(!slot.left_waiting(8, 200));
        let again = scoreboard.seat(8, 1, 0).unwrap();
        assert_ne!(again.index(), slot.index());
        again.free();
        assert_eq!(scoreboard.seat(9, 1, 0).unwrap().index(), slot.index());
        assert!(!slot.left_waiting(7, 200));
    }

    #[test]
    fn only_a_worker_that_serves_has_a_load() {
        let scoreboard = Scoreboard::new(1).unwrap();
        let slot = scoreboard.seat(7, 1, 0).unwrap();
        assert_eq!(slot.load(7), None);
        slot.serving();
        slot.handed_over();
        assert_eq!((slot.load(7), slot.load(6)), (Some(1), None));
        slot.handed_back();
        slot.handed_back();
        assert_eq!(slot.load(7), Some(0));
        slot.draining();
        assert_eq!((slot.load(7), slot.is_of(7)), (None, true));
    }
}
