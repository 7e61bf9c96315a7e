//! Requests on record while they run: who asked for what, since when. For `server-status`, and for whoever has to say what a
//! worker was doing when it died.
//!
//! Writing one costs some twenty stores to memory that is the worker's own. The clock is the kernel's coarse one, which moves
//! every few milliseconds and costs next to nothing.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{
    AtomicU64, Ordering,
    Ordering::{Acquire, Relaxed, Release},
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alula_http::Glimpse;
use rustix::time::ClockId;

use super::memory::{RECORD_WORDS, RECORDS, SharedRecord};
use super::{Slot, text};

/// How many bytes of method, authority and target together are kept.
const TEXT_BYTES_MAX: usize = RECORD_WORDS * 8;

/// How many bytes of the method, and of the authority, are kept.
const METHOD_BYTES_MAX: usize = 16;
const AUTHORITY_BYTES_MAX: usize = 64;

/// A request that runs, copied out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningRequest {
    /// Its number, the same in the log and at both ends of a hand-over.
    pub id: u64,
    /// When it came, within some milliseconds.
    pub started: SystemTime,
    /// Who asked.
    pub client: SocketAddr,
    /// The method.
    pub method: String,
    /// The host that was named; empty when none was.
    pub authority: String,
    /// Path and query, cut where there was no room for more.
    pub target: String,
}

impl std::fmt::Display for RunningRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            id,
            client,
            method,
            authority,
            target,
            ..
        } = self;
        write!(f, "{method} {target} from {client}, request {id:x}")?;
        if !authority.is_empty() {
            write!(f, ", to {authority}")?;
        }
        Ok(())
    }
}

/// Where one worker puts its requests on record. Has one writer at a time, like the row's counters.
#[derive(Debug)]
pub(super) struct Records {
    slot: Slot,
    /// Which are free, by bits.
    free: [AtomicU64; RECORDS / 64],
}

impl Records {
    pub(super) fn new(slot: Slot) -> Self {
        Self {
            slot,
            free: std::array::from_fn(|_| AtomicU64::new(u64::MAX)),
        }
    }

    /// Returns the record's number; `None` when all are taken.
    pub(super) fn begin(&self, request: &Glimpse) -> Option<u32> {
        let number = self.take()?;
        let record = self.slot.mapping.record(self.slot.index, number);
        record.started_micros.store(coarse_micros(), Relaxed);
        write_client(record, request.client);
        let mut bytes = [0; TEXT_BYTES_MAX];
        let method = put(&mut bytes, 0, METHOD_BYTES_MAX, request.method.as_bytes());
        let authority = put(&mut bytes, method, AUTHORITY_BYTES_MAX, request.authority);
        let start = method + authority;
        let target = put(&mut bytes, start, TEXT_BYTES_MAX, request.target);
        text::write(&record.text, &bytes[..start + target]);
        let shape = u64::from(request.client.port())
            | (method as u64) << 16
            | (authority as u64) << 24
            | (target as u64) << 32;
        record.shape.store(shape, Relaxed);
        record.id.store(request.id, Release);
        u32::try_from(number).ok()
    }

    /// The client is another after all.
    pub(super) fn correct_client(&self, number: u32, client: SocketAddr) {
        let record = self.slot.mapping.record(self.slot.index, number as usize);
        write_client(record, client);
        let rest = record.shape.load(Relaxed) & !0xffff;
        record.shape.store(rest | u64::from(client.port()), Relaxed);
    }

    /// Returns for how many microseconds it has run.
    pub(super) fn end(&self, number: u32) -> u64 {
        let number = number as usize;
        let record = self.slot.mapping.record(self.slot.index, number);
        record.id.store(0, Release);
        let free = &self.free[number / 64];
        free.store(free.load(Relaxed) | 1 << (number % 64), Relaxed);
        coarse_micros().saturating_sub(record.started_micros.load(Relaxed))
    }

    /// The lowest free one, so that a worker writes to few pages.
    fn take(&self) -> Option<usize> {
        let (place, word) = self
            .free
            .iter()
            .enumerate()
            .find(|(_, word)| word.load(Relaxed) != 0)?;
        let bits = word.load(Relaxed);
        word.store(bits & (bits - 1), Relaxed);
        let number = place * 64 + bits.trailing_zeros() as usize;
        let used = &self.slot.shared().records;
        if number as u32 >= used.load(Relaxed) {
            used.store(number as u32 + 1, Release);
        }
        Some(number)
    }
}

impl Slot {
    /// The requests on record that run here now, the oldest first.
    #[must_use]
    pub fn running_requests(&self) -> Vec<RunningRequest> {
        let mut found: Vec<RunningRequest> = self.records().filter_map(read).collect();
        found.sort_by_key(|request| request.started);
        found
    }

    /// For the next who sits here.
    pub(super) fn clear_records(&self) {
        self.records()
            .for_each(|record| record.id.store(0, Relaxed));
        self.shared().records.store(0, Relaxed);
    }

    fn records(&self) -> impl Iterator<Item = &SharedRecord> {
        let used = self.shared().records.load(Acquire) as usize;
        (0..used.min(RECORDS)).map(|number| self.mapping.record(self.index, number))
    }
}

/// Copies as much as may be and as there is room for to `start`. Returns how much that is.
fn put(bytes: &mut [u8; TEXT_BYTES_MAX], start: usize, most: usize, part: &[u8]) -> usize {
    let length = part.len().min(most).min(TEXT_BYTES_MAX - start);
    bytes[start..start + length].copy_from_slice(&part[..length]);
    length
}

fn write_client(record: &SharedRecord, client: SocketAddr) {
    let address = match client.ip() {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let bits = address.to_bits();
    record.client[0].store((bits >> 64) as u64, Relaxed);
    record.client[1].store(bits as u64, Relaxed);
}

/// `None` when there is none, or another by now.
fn read(record: &SharedRecord) -> Option<RunningRequest> {
    let id = record.id.load(Acquire);
    if id == 0 {
        return None;
    }
    let started = record.started_micros.load(Relaxed);
    let client = [0, 1].map(|half: usize| record.client[half].load(Relaxed));
    let shape = record.shape.load(Relaxed);
    let length = |shift: u32| (shape >> shift & 0xff) as usize;
    let (method, authority, target) = (length(16), length(24), length(32));
    let bytes = text::read(&record.text, method + authority + target);
    std::sync::atomic::fence(Ordering::Acquire);
    if record.id.load(Relaxed) != id || bytes.len() != method + authority + target {
        return None;
    }
    let address = Ipv6Addr::from_bits(u128::from(client[0]) << 64 | u128::from(client[1]));
    let port = (shape & 0xffff) as u16;
    let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
    Some(RunningRequest {
        id,
        started: UNIX_EPOCH + Duration::from_micros(started),
        client: SocketAddr::new(address.to_canonical(), port),
        method: text(&bytes[..method]),
        authority: text(&bytes[method..method + authority]),
        target: text(&bytes[method + authority..]),
    })
}

fn coarse_micros() -> u64 {
    let now = rustix::time::clock_gettime(ClockId::RealtimeCoarse);
    now.tv_sec.cast_unsigned() * 1_000_000 + now.tv_nsec.cast_unsigned() / 1000
}
