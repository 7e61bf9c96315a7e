//! How the scoreboard lies in shared memory, and the mapping of it.
//!
//! First what is said of the whole server, then all rows, then each row's marks and records. Memory that nobody has written
//! to takes no room. Everything is atomics: any process may look at any time.

use std::io;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64};

use rustix::mm::{MapFlags, ProtFlags};

/// How many requests of one worker can be marked as not begun; more simply are not.
pub(super) const WAITING_MARKS: usize = 1024;

/// How many running requests of one worker are on record; more simply are not.
pub(super) const RECORDS: usize = 256;

/// How many words of text a record has.
pub(super) const RECORD_WORDS: usize = 27;

/// How many interpreters (and fronts) have totals; more share the last.
pub(super) const TOTALS: usize = 128;

/// How many words an interpreter's name has.
pub(super) const NAME_WORDS: usize = 8;

/// How many words of text the outcome of a restart has.
pub(super) const OUTCOME_WORDS: usize = 1024;

/// What the memory begins with, so that a program of another version does not misread it.
pub(super) const LAYOUT: u64 = u64::from_le_bytes(*b"alula 01");

/// One row: two cache lines. The first is the worker's own, the second is read and written by others.
#[repr(C, align(128))]
#[derive(Debug, Default)]
pub(super) struct SharedRow {
    pub(super) requests_served: AtomicU64,
    pub(super) connections_accepted: AtomicU64,
    pub(super) bytes_sent: AtomicU64,
    pub(super) request_micros: AtomicU64,
    pub(super) requests_running: AtomicU32,
    pub(super) connections_open: AtomicU32,
    pub(super) requests_queued: AtomicU32,
    pub(super) threads_busy: AtomicU32,
    pub(super) pid: AtomicU32,
    pub(super) generation: AtomicU32,
    pub(super) group: AtomicU32,
    /// How many of its records were ever used.
    pub(super) records: AtomicU32,

    pub(super) worker: AtomicU64,
    pub(super) started_micros: AtomicU64,
    pub(super) life: AtomicU32,
    /// Counted up by fronts and down by the worker, so on the cache line that is not the worker's alone.
    pub(super) requests_handed_over: AtomicU32,
    /// Its interpreter, by its place among the totals.
    pub(super) interpreter: AtomicU32,
    pub(super) accepts: AtomicU32,
    pub(super) threads: AtomicU32,
}

/// A request that runs.
#[repr(C, align(64))]
#[derive(Debug)]
pub(super) struct SharedRecord {
    /// The request's number, written last; 0: no request.
    pub(super) id: AtomicU64,
    pub(super) started_micros: AtomicU64,
    pub(super) client: [AtomicU64; 2],
    /// Port, lengths of method, authority and target.
    pub(super) shape: AtomicU64,
    pub(super) text: [AtomicU64; RECORD_WORDS],
}

/// The totals of one interpreter: those of its workers that are gone.
#[repr(C, align(128))]
#[derive(Debug)]
pub(super) struct SharedTotals {
    pub(super) name: [AtomicU64; NAME_WORDS],
    pub(super) name_bytes: AtomicU32,
    pub(super) is_front: AtomicU32,
    pub(super) workers_ended: AtomicU64,
    pub(super) requests_served: AtomicU64,
    pub(super) bytes_sent: AtomicU64,
    pub(super) request_micros: AtomicU64,
}

/// What is said of the whole server.
#[repr(C, align(128))]
#[derive(Debug)]
pub(super) struct SharedServer {
    pub(super) layout: AtomicU64,
    pub(super) rows: AtomicU64,
    pub(super) started_micros: AtomicU64,
    pub(super) configured_micros: AtomicU64,
    pub(super) pid: AtomicU32,
    pub(super) generation: AtomicU32,
    /// Of processes that accepted connections and are gone.
    pub(super) requests_served: AtomicU64,
    pub(super) bytes_sent: AtomicU64,
    pub(super) request_micros: AtomicU64,
    /// Restarts asked for, and those that have come to an end.
    pub(super) restarts_begun: AtomicU32,
    pub(super) restarts_ended: AtomicU32,
    pub(super) outcome: AtomicU32,
    pub(super) outcome_bytes: AtomicU32,
    pub(super) outcome_text: [AtomicU64; OUTCOME_WORDS],
    pub(super) totals: [SharedTotals; TOTALS],
}

/// The size of a row with all that belongs to it.
const ROW_BYTES: usize = size_of::<SharedRow>()
    + WAITING_MARKS * size_of::<AtomicU64>()
    + RECORDS * size_of::<SharedRecord>();

/// The size of a table.
pub(super) fn bytes(rows: usize) -> usize {
    size_of::<SharedServer>() + rows * ROW_BYTES
}

/// The mapped memory and the descriptor it came from (kept to be passed on).
#[derive(Debug)]
pub(super) struct Mapping {
    pub(super) memory: OwnedFd,
    start: NonNull<u8>,
    bytes: usize,
    pub(super) rows: usize,
}

impl Mapping {
    pub(super) fn new(memory: OwnedFd, may_write: bool) -> io::Result<Self> {
        let length =
            usize::try_from(rustix::fs::fstat(&memory)?.st_size).map_err(io::Error::other)?;
        let rows = length.saturating_sub(size_of::<SharedServer>()) / ROW_BYTES;
        if rows == 0 || bytes(rows) != length {
            return Err(io::Error::other("the scoreboard is of another version"));
        }
        let protection = match may_write {
            true => ProtFlags::READ | ProtFlags::WRITE,
            false => ProtFlags::READ,
        };
        // SAFETY: a fresh mapping at an address of the kernel's choice touches nothing that exists.
        let start = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                length,
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
            bytes: length,
            rows,
        })
    }

    pub(super) fn server(&self) -> &SharedServer {
        // SAFETY: the mapping begins with it, is page-aligned, lives as long as `self`, starts as zeroes (valid for every
        // field) and is only ever accessed through the atomics in it. A mapping made for reading is never written to: who
        // writes to it has `may_write`.
        unsafe { self.start.cast::<SharedServer>().as_ref() }
    }

    pub(super) fn row(&self, index: usize) -> &SharedRow {
        assert!(index < self.rows, "scoreboard row out of bounds");
        // SAFETY: `rows` rows (checked above) stand behind the first part, whose size is a multiple of their alignment; the
        // rest as in `server`.
        unsafe {
            let rows = self
                .start
                .add(size_of::<SharedServer>())
                .cast::<SharedRow>();
            rows.add(index).as_ref()
        }
    }

    pub(super) fn mark(&self, row: usize, index: usize) -> &AtomicU64 {
        assert!(
            row < self.rows && index < WAITING_MARKS,
            "scoreboard mark out of bounds"
        );
        let rows = size_of::<SharedServer>() + self.rows * size_of::<SharedRow>();
        // SAFETY: the marks of all rows stand behind the rows (`ROW_BYTES`), aligned because a row's size is a multiple
        // of theirs; the rest as in `server`.
        unsafe {
            let marks = self.start.add(rows).cast::<AtomicU64>();
            marks.add(row * WAITING_MARKS + index).as_ref()
        }
    }

    pub(super) fn record(&self, row: usize, index: usize) -> &SharedRecord {
        assert!(
            row < self.rows && index < RECORDS,
            "scoreboard record out of bounds"
        );
        let before = size_of::<SharedServer>()
            + self.rows * (size_of::<SharedRow>() + WAITING_MARKS * size_of::<AtomicU64>());
        // SAFETY: the records of all rows stand behind the marks (`ROW_BYTES`), aligned because everything before has a
        // multiple of their alignment; the rest as in `server`.
        unsafe {
            let records = self.start.add(before).cast::<SharedRecord>();
            records.add(row * RECORDS + index).as_ref()
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length; what it holds is only borrowed from `self`, so none is left.
        // A failure leaves the pages mapped, which harms nobody.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

// SAFETY: the pointer is to shared memory accessed only through atomics, from any thread.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}
