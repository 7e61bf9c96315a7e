//! A front's side: which workers there are, and which of them gets a request.
//!
//! The one with the least to do gets it, by the scoreboard, which counts what all fronts have handed over; among equals they
//! take turns. Without any, a request waits a while: one that died is replaced within milliseconds.

use super::errand::Errand;
use super::link::Link;
use super::request::TlsWanted;
use crate::messages::Channel;
use crate::scoreboard::{Scoreboard, Slot};
use crate::worker::Door;
use alula_http::Handler;
use parking_lot::Mutex;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How many connections to one worker are kept for later.
const IDLE_LINKS_MAX: usize = 64;

/// How long a request waits for a worker to be there.
const WORKER_WAIT: Duration = Duration::from_secs(5);

/// How many requests of one front wait for a worker to be there; one more is answered 503.
const WAITING_REQUESTS_MAX: usize = 1024;

/// The ways to all workers, by interpreter. One for each front.
#[derive(Debug)]
pub struct Doors {
    interpreters: Vec<Interpreter>,
    scoreboard: Scoreboard,
    handlers: AtomicU32,
    waiting: AtomicUsize,
}

#[derive(Debug)]
struct Interpreter {
    name: String,
    ways: Mutex<Ways>,
    opened: Notify,
    /// Until when nobody will be there, as the supervisor says.
    away_until: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Ways {
    ways: Vec<Way>,
    /// Where to look first.
    turn: usize,
}

/// The way to one worker.
#[derive(Debug)]
struct Way {
    worker: u64,
    slot: Slot,
    door: Channel,
    idle: Vec<Path>,
}

/// A connection, and the handlers that its other end has been told of.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) link: Link,
    /// By the handler's number.
    pub(super) defined: Vec<bool>,
    /// Messages are put together here.
    pub(super) out: Vec<u8>,
}

/// A connection while a request is on it. Dropped, it is closed.
pub(super) struct Borrowed {
    pub(super) path: Path,
    pub(super) worker: u64,
    pub(super) slot: Slot,
    doors: Arc<Doors>,
    interpreter: usize,
}

impl Doors {
    /// No doors yet: they are opened as the supervisor tells of them. The names are the interpreters', in the Site's order.
    #[must_use]
    pub fn new(interpreters: Vec<String>, scoreboard: Scoreboard) -> Arc<Self> {
        let interpreter = |name| Interpreter {
            name,
            ways: Mutex::default(),
            opened: Notify::new(),
            away_until: Mutex::default(),
        };
        Arc::new(Self {
            interpreters: interpreters.into_iter().map(interpreter).collect(),
            scoreboard,
            handlers: AtomicU32::new(0),
            waiting: AtomicUsize::new(0),
        })
    }

    /// There is one more worker.
    pub fn open(&self, door: Door) {
        let Some(interpreter) = self.interpreters.get(door.interpreter) else {
            return;
        };
        let way = Way {
            worker: door.worker,
            slot: self.scoreboard.slot(door.slot),
            door: Channel::new(door.socket),
            idle: Vec::new(),
        };
        interpreter.ways.lock().ways.push(way);
        *interpreter.away_until.lock() = None;
        interpreter.opened.notify_waiters();
    }

    /// Nobody works for an interpreter, and nobody will for so long: requests are not to wait.
    pub fn away(&self, interpreter: usize, time: Duration) {
        if let Some(interpreter) = self.interpreters.get(interpreter) {
            *interpreter.away_until.lock() = Some(Instant::now() + time);
            // Those that wait already look again.
            interpreter.opened.notify_waiters();
        }
    }

    /// For how long nobody will be there; `None`: somebody may come at any time.
    pub(super) fn absence(&self, interpreter: usize) -> Option<Duration> {
        let until = *self.interpreters[interpreter].away_until.lock();
        until?.checked_duration_since(Instant::now())
    }

    /// A handler that hands requests to the workers of an interpreter. They learn what to do with them from the definition.
    pub fn handler(
        self: &Arc<Self>,
        interpreter: usize,
        definition: Vec<u8>,
        tls: TlsWanted,
    ) -> Arc<dyn Handler> {
        let number = self.handlers.fetch_add(1, Relaxed);
        Arc::new(Errand::new(
            Arc::clone(self),
            interpreter,
            number,
            definition,
            tls,
        ))
    }

    pub(super) fn name(&self, interpreter: usize) -> &str {
        &self.interpreters[interpreter].name
    }

    /// A connection to the worker with the least to do; `None` when nobody is there.
    fn borrow(self: &Arc<Self>, interpreter: usize) -> Option<Borrowed> {
        let mut ways = self.interpreters[interpreter].ways.lock();
        loop {
            let place = ways.choose()?;
            let way = &mut ways.ways[place];
            match way.path() {
                Ok(path) => {
                    way.slot.handed_over();
                    return Some(Borrowed {
                        path,
                        worker: way.worker,
                        slot: way.slot.clone(),
                        doors: Arc::clone(self),
                        interpreter,
                    });
                }
                // It has just ended.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    ways.ways.remove(place);
                }
                Err(error) => {
                    let (name, worker) = (self.name(interpreter), way.worker);
                    tracing::error!("{name}: cannot connect to worker {worker}: {error}");
                    return None;
                }
            }
        }
    }

    /// As [`Doors::borrow`], waiting for somebody to be there.
    pub(super) async fn borrow_or_wait(self: &Arc<Self>, interpreter: usize) -> Option<Borrowed> {
        if let Some(borrowed) = self.borrow(interpreter) {
            return Some(borrowed);
        }
        // In a box: a request that finds a worker at once shall not carry the room for it.
        Box::pin(self.wait(interpreter)).await
    }

    async fn wait(self: &Arc<Self>, interpreter: usize) -> Option<Borrowed> {
        let _waiting = Waiting::new(&self.waiting)?;
        let opened = async {
            loop {
                let opened = self.interpreters[interpreter].opened.notified();
                if let Some(borrowed) = self.borrow(interpreter) {
                    return Some(borrowed);
                }
                if self.absence(interpreter).is_some() {
                    return None;
                }
                opened.await;
            }
        };
        let waited = tokio::time::timeout(WORKER_WAIT, opened).await;
        waited.ok().flatten()
    }
}

impl Ways {
    fn choose(&mut self) -> Option<usize> {
        let count = self.ways.len();
        let mut best: Option<(u32, usize)> = None;
        let mut gone = false;
        for place in (0..count).map(|offset| (self.turn + offset) % count) {
            let way = &self.ways[place];
            match way.slot.load(way.worker) {
                Some(load) if best.is_none_or(|(least, _)| load < least) => {
                    best = Some((load, place))
                }
                Some(_) => {}
                None => gone |= !way.slot.is_of(way.worker),
            }
        }
        let (_, mut place) = best?;
        if gone {
            let chosen = self.ways[place].worker;
            self.ways.retain(|way| way.slot.is_of(way.worker));
            place = self.ways.iter().position(|way| way.worker == chosen)?;
        }
        self.turn = place + 1;
        Some(place)
    }
}

impl Way {
    /// A connection that is kept, or a new one.
    fn path(&mut self) -> io::Result<Path> {
        if let Some(path) = self.idle.pop() {
            return Ok(path);
        }
        let (link, theirs) = Link::pair()?;
        self.door.send_packet(b"c", &[theirs.as_fd()])?;
        Ok(Path {
            link,
            defined: Vec::new(),
            out: Vec::new(),
        })
    }
}

impl Borrowed {
    /// The response is complete: the connection is kept for the next request.
    pub(super) fn give_back(self) {
        let mut ways = self.doors.interpreters[self.interpreter].ways.lock();
        let way = ways.ways.iter_mut().find(|way| way.worker == self.worker);
        if let Some(way) = way.filter(|way| way.idle.len() < IDLE_LINKS_MAX) {
            way.idle.push(self.path);
        }
    }

    /// The worker has not taken the request.
    pub(super) fn take_back(self) {
        if self.slot.is_of(self.worker) {
            self.slot.handed_back();
        }
    }

    /// For log lines.
    pub(super) fn name(&self) -> String {
        format!(
            "{}: worker {}",
            self.doors.name(self.interpreter),
            self.worker
        )
    }
}

/// A place among those that wait.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Option<Self> {
        let waiting = Self(count);
        (count.fetch_add(1, Relaxed) < WAITING_REQUESTS_MAX).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
