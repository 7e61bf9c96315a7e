//! What a worker notes for whoever has to explain its death: which requests its threads are inside of, where it crashed,
//! and the Python stack of every thread.
//!
//! A memory file that the supervisor makes for each worker and keeps open. It is read when the worker is gone, so
//! everything has a fixed place and a bound, and nothing in it is believed: a worker may have written anything.
//!
//! | at | what |
//! | --- | --- |
//! | 0 | one page, mapped by the worker: [`Page`] |
//! | [`STACKS_AT`] | what Python's `faulthandler` writes |
//! | [`MAPS_AT`] | `/proc/self/maps` at the crash |
//! | [`WORDS_AT`] | the top of the crashed thread's stack |

mod fault;
mod remains;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed},
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{MemfdFlags, SeekFrom};
use rustix::mm::{MapFlags, ProtFlags};

pub(crate) use remains::Remains;

/// How many threads are noted; more simply are not.
const THREADS_MAX: usize = 120;

const PAGE_BYTES: usize = 4096;
const STACKS_AT: u64 = PAGE_BYTES as u64;
const MAPS_AT: u64 = 16 << 20;
const WORDS_AT: u64 = 32 << 20;

/// How much is read of each part, in bytes.
const STACKS_BYTES_MAX: usize = 24 << 10;
const MAPS_BYTES_MAX: usize = 1 << 20;
const WORDS_BYTES_MAX: usize = 16 << 10;

/// The part that is mapped.
#[repr(C)]
#[derive(Debug)]
struct Page {
    /// The signal of a crash, written last; 0: none.
    signal: AtomicU32,
    _pad: AtomicU32,
    /// Where the crashed thread was in the program, and what it touched.
    instruction: AtomicU64,
    address: AtomicU64,
    /// The crashed thread, by `pthread_self`.
    thread: AtomicU64,
    threads: [SharedThread; THREADS_MAX],
}

#[repr(C)]
#[derive(Debug)]
struct SharedThread {
    /// The number of the request it is inside of; 0: none.
    request: AtomicU64,
    /// The request that was last seen to run, and when it had begun, in microseconds since 1970.
    seen: AtomicU64,
    since_micros: AtomicU64,
    /// `pthread_self`, as `faulthandler` names threads.
    thread: AtomicU64,
}

const _: () = assert!(size_of::<Page>() <= PAGE_BYTES);

/// A thread that is inside of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningThread {
    /// The request's number.
    pub request: u64,
    /// Since when, within some milliseconds; `None` when it had only just begun.
    pub since: Option<SystemTime>,
    /// The thread, by `pthread_self`.
    pub thread: u64,
}

/// A worker's own box. It is mapped until the process ends.
#[derive(Debug)]
pub struct BlackBox {
    memory: OwnedFd,
    page: &'static Page,
}

/// Makes an empty one, for the supervisor to keep and to pass on.
pub(crate) fn create() -> io::Result<OwnedFd> {
    let memory = rustix::fs::memfd_create("alula-black-box", MemfdFlags::CLOEXEC)?;
    rustix::fs::ftruncate(&memory, STACKS_AT)?;
    rustix::fs::seek(&memory, SeekFrom::Start(STACKS_AT))?;
    Ok(memory)
}

impl BlackBox {
    pub(crate) fn open(memory: OwnedFd) -> io::Result<Self> {
        if rustix::fs::fstat(&memory)?.st_size < PAGE_BYTES as i64 {
            return Err(io::Error::other("a black box is at least a page"));
        }
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a fresh mapping at an address of the kernel's choice touches nothing that exists.
        let start = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                PAGE_BYTES,
                protection,
                MapFlags::SHARED,
                &memory,
                0,
            )
        }?;
        let start = NonNull::new(start.cast::<Page>())
            .ok_or_else(|| io::Error::other("a black box mapped at address zero"))?;
        Ok(Self {
            memory,
            // SAFETY: page-aligned, as long as a `Page` (checked above), zeroes are valid for every field, and it is never
            // unmapped. Whoever else has it accesses it through the same atomics or by `pread`.
            page: unsafe { start.as_ref() },
        })
    }

    /// The descriptor that `faulthandler` is to write to.
    #[must_use]
    pub fn descriptor(&self) -> RawFd {
        self.memory.as_raw_fd()
    }

    /// The signal that makes `faulthandler` write, to be registered with it before [`BlackBox::watch`].
    #[must_use]
    pub fn signal() -> i32 {
        fault::dump_signal()
    }

    /// From now on a crash of this process is noted. `faulthandler` must have been told of the signal.
    pub fn watch(&self) {
        fault::install(self.page, self.memory.as_raw_fd());
    }

    /// Where a thread notes the number of the request it is inside of, and 0 outside. `None` past the bound.
    #[must_use]
    pub fn request_of(&self, thread: usize) -> Option<&'static AtomicU64> {
        self.page.threads.get(thread).map(|thread| &thread.request)
    }

    /// The calling thread is the one of this number. It gets a stack for a crash whose reason is a full one.
    pub fn thread_starts(&self, thread: usize) {
        if let Some(noted) = self.page.threads.get(thread) {
            noted.thread.store(fault::own_thread(), Relaxed);
        }
        fault::give_signal_stack();
    }

    /// The request that this thread is inside of has begun just now.
    pub fn begun(&self, thread: usize) {
        if let Some(noted) = self.page.threads.get(thread) {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            let micros = u64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(u64::MAX);
            noted.since_micros.store(micros, Relaxed);
            noted.seen.store(noted.request.load(Relaxed), Relaxed);
        }
    }

    /// The Python stacks of all threads, whatever they are doing, also while one of them holds the GIL.
    #[must_use]
    pub fn stacks(&self) -> String {
        let Ok(start) = rustix::fs::seek(&self.memory, SeekFrom::Current(0)) else {
            return String::new();
        };
        if !fault::dump() {
            return String::new();
        }
        let text = self.take_from(start);
        text.unwrap_or_default()
    }

    fn take_from(&self, start: u64) -> io::Result<String> {
        let text = remains::read(self.memory.as_fd(), start, STACKS_BYTES_MAX)?;
        // Emptied for what may come later.
        rustix::fs::ftruncate(&self.memory, start)?;
        rustix::fs::seek(&self.memory, SeekFrom::Start(start))?;
        let threads = remains::threads(self.page);
        Ok(remains::stacks(&text, &threads, None))
    }
}

impl AsFd for BlackBox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }
}

impl SharedThread {
    fn running(&self) -> Option<RunningThread> {
        let request = self.request.load(Acquire);
        let since = self.since_micros.load(Relaxed);
        let is_seen = self.seen.load(Relaxed) == request;
        let thread = self.thread.load(Relaxed);
        (request != 0).then(|| RunningThread {
            request,
            since: is_seen.then(|| UNIX_EPOCH + Duration::from_micros(since)),
            thread,
        })
    }
}
