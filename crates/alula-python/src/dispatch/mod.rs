//! Who runs Python and who drives the I/O loop, at any moment.
//!
//! One tokio current-thread runtime, a few Python threads. Two rights go round among the threads:
//! the **owner** drives the loop, and the **token** is the right to START the next request. In the plain case
//! one thread has both: it polls I/O until a request is complete, leaves the loop, calls the application and
//! comes back, without a hand-over. The [`monitor`] moves the loop when a call lasts, and the token when the
//! call is blocked outside the GIL. So nobody queues on the GIL, and I/O never waits for Python.
//!
//! Every change of owner or token is made under `turns`, and the owner changes only while the old owner is
//! inside a call, so the loop never has two drivers.

mod given_up;
mod monitor;
mod thread;

use crate::application::Call;
use crate::spool::Gone;
use alula_http::{Begun, Request, Response, status_response};
use given_up::{GIVEN_UP, GivenUp};
use http::StatusCode;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::fs::File;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// Sizes of a worker's Python side.
#[derive(Debug, Clone, Copy)]
pub struct DispatchSettings {
    /// How many requests may be inside Python at once (`ThreadsPerChild`).
    pub threads_max: usize,
    /// How many complete requests may wait for Python; one more is answered 503.
    pub queue_requests_max: usize,
    /// A request that is inside Python for longer is given up: answered 504, and left alone (`request-timeout`).
    pub request_timeout: Option<Duration>,
    /// Whether each response leaves before the next call begins, in case that one brings the process down.
    pub careful: bool,
}

/// What others have to know of threads and their calls: who looks at how much there is to do, and who has to explain a
/// worker that died.
pub trait Watch: Send + Sync + std::fmt::Debug {
    /// So many requests wait now.
    fn queued(&self, requests: usize);
    /// A thread begins a request.
    fn thread_begins(&self);
    /// It has ended it.
    fn thread_ends(&self);
    /// Where a thread notes the number of the request it is inside of; 0 outside.
    fn request_of(&self, seat: usize) -> Option<&'static AtomicU64>;
    /// The calling thread sits here from now on.
    fn thread_starts(&self, seat: usize);
    /// A call that is some milliseconds old at most is seen for the first time.
    fn call_seen(&self, seat: usize);
    /// A request was given up. It has been inside Python for so long, and may be for ever. Called by a thread that is not
    /// Python's.
    fn given_up(&self, request: u64, lasted: Duration);
}

/// A complete request on its way to Python.
pub(crate) struct Job {
    pub(crate) request: Request,
    pub(crate) call: Arc<Call>,
    pub(crate) reply: Reply,
    /// Behind fronts: to be told when the request begins.
    pub(crate) begun: Option<Begun>,
}

/// Where a request's response goes: the connection's task, in the loop.
pub(crate) struct Reply {
    sender: oneshot::Sender<Response>,
    shared: Arc<Shared>,
}

impl Reply {
    /// Whether the client has left.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Hands over a complete response, at the loop's next turn.
    ///
    /// Waking a task from outside the loop costs a system call; the thread that made the response is about to
    /// drive the loop itself, so it wakes the task from there.
    pub(crate) fn send(self, response: Response) {
        let Self { sender, shared } = self;
        shared.outbox.lock().push((sender, response));
        if !shared.runs_on_owner() {
            shared.wake_owner();
        }
    }

    /// Hands over the head of a response whose content follows; fails when the client has left.
    pub(crate) fn send_now(self, response: Response) -> Result<(), Gone> {
        self.sender.send(response).map_err(|_| Gone)
    }
}

/// The shared state of a worker's Python threads. Cheap to clone.
#[derive(Clone)]
pub struct Dispatcher {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher")
            .field("queued", &self.shared.queue.lock().len())
            .field("running", &self.shared.running.load(Ordering::Relaxed))
            .finish()
    }
}

impl Dispatcher {
    /// A dispatcher without threads; [`Dispatcher::run`] brings them to life.
    pub fn new(settings: DispatchSettings, watch: Arc<dyn Watch>) -> Self {
        // Each that is given up may need another in its place.
        let spare = settings.request_timeout.map_or(0, |_| settings.threads_max);
        let seats = (0..settings.threads_max + 1 + spare)
            .map(|seat| Seat::new(watch.request_of(seat)))
            .collect();
        Self {
            shared: Arc::new(Shared {
                settings,
                watch,
                queue: Mutex::new(VecDeque::new()),
                owner: AtomicUsize::new(0),
                token: AtomicUsize::new(0),
                running: AtomicUsize::new(0),
                calls: AtomicU64::new(0),
                seats,
                turns: Mutex::new(Turns {
                    parked: Vec::new(),
                    threads: 1,
                }),
                outbox: Mutex::default(),
                waker: Mutex::new(None),
                stop: AtomicBool::new(false),
                given_up: Arc::default(),
                monitor: monitor::Sleep::default(),
            }),
        }
    }

    /// Serves with the calling thread as the first Python thread, until [`Dispatcher::stop`].
    ///
    /// Tasks already spawned on `runtime` are driven by whichever thread owns the loop.
    pub fn run(&self, py: pyo3::Python<'_>, runtime: &Arc<Runtime>) {
        monitor::start(&self.shared, runtime);
        thread::serve(py, &self.shared, runtime, 0);
    }

    /// Ends the threads once they are out of their calls.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.wake_owner();
        let turns = self.shared.turns.lock();
        for &seat in &turns.parked {
            self.shared.seats[seat].called.notify_one();
        }
    }

    /// Whether calls that were given up are inside Python still.
    pub fn is_stuck(&self) -> bool {
        self.shared.given_up.running.load(Ordering::SeqCst) > 0
    }

    /// Answers 503 to all requests that wait for Python, in the queue or at its door.
    pub fn turn_away(&self) {
        const STATUS: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
        let waiting = std::mem::take(&mut *self.shared.queue.lock());
        for job in waiting {
            // An error means that the client is gone.
            let _ = job.reply.send_now(status_response(STATUS));
        }
        let seats = self.shared.seats.iter();
        let entering = seats.map(|seat| seat.enters.load(Ordering::Acquire));
        for request in entering.filter(|request| *request != 0) {
            self.shared.given_up.tell(request, STATUS);
        }
    }

    /// Whether requests are given up after some time.
    pub(crate) fn gives_up(&self) -> bool {
        self.shared.settings.request_timeout.is_some()
    }

    /// Waits for the answer to a request until that is given up: then there is only a status.
    pub(crate) fn answer_in_time(
        &self,
        request: u64,
        answer: oneshot::Receiver<Response>,
    ) -> impl Future<Output = Result<Response, StatusCode>> + use<> {
        self.shared.given_up.wait(request).answer(answer)
    }

    /// How many requests are inside Python and waiting for it.
    pub fn load(&self) -> (usize, usize) {
        (
            self.shared.running.load(Ordering::Relaxed),
            self.shared.queue.lock().len(),
        )
    }

    /// Queues a request and returns where its response will come from; gives it back when the queue is full.
    pub(crate) fn submit(
        &self,
        request: Request,
        call: &Arc<Call>,
        begun: Option<Begun>,
    ) -> Result<oneshot::Receiver<Response>, Box<Request>> {
        let mut queue = self.shared.queue.lock();
        if queue.len() >= self.shared.settings.queue_requests_max {
            return Err(Box::new(request));
        }
        let (sender, receiver) = oneshot::channel();
        queue.push_back(Box::new(Job {
            request,
            call: call.clone(),
            reply: Reply {
                sender,
                shared: self.shared.clone(),
            },
            begun,
        }));
        self.shared.watch.queued(queue.len());
        drop(queue);
        self.shared.wake_owner();
        Ok(receiver)
    }
}

struct Shared {
    settings: DispatchSettings,
    watch: Arc<dyn Watch>,
    queue: Mutex<VecDeque<Box<Job>>>,
    /// The seat that drives the loop.
    owner: AtomicUsize,
    /// The seat that may start the next request.
    token: AtomicUsize,
    /// How many seats are inside a call.
    running: AtomicUsize,
    /// Numbers the calls, so that the monitor can tell one long call from two short ones.
    calls: AtomicU64,
    seats: Box<[Seat]>,
    turns: Mutex<Turns>,
    /// Complete responses whose tasks are still to be woken.
    outbox: Mutex<Vec<(oneshot::Sender<Response>, Response)>>,
    /// The loop's waker. The owner alone waits on it.
    waker: Mutex<Option<Waker>>,
    stop: AtomicBool,
    given_up: Arc<GivenUp>,
    monitor: monitor::Sleep,
}

/// What the transitions need beside `owner` and `token`; its lock is the transitions' lock.
struct Turns {
    /// Seats whose thread waits to be called.
    parked: Vec<usize>,
    /// How many threads were started.
    threads: usize,
}

/// One Python thread's place.
struct Seat {
    /// The number of the call its thread is inside of; 0 outside.
    call: AtomicU64,
    /// The number of the request that its thread has and waits for the GIL with; 0: none.
    enters: AtomicU64,
    /// Its thread's CPU clock (`pthread_getcpuclockid`).
    clock: AtomicI32,
    /// Its thread's `/proc/thread-self/stat`.
    stat: OnceLock<File>,
    /// Calls the parked thread.
    called: Condvar,
    /// The number of the request its thread is inside of, where others see it.
    request: &'static AtomicU64,
}

impl Seat {
    /// `request`: where others see its request. One that they do not see has it to itself, as long as the worker lives.
    fn new(request: Option<&'static AtomicU64>) -> Self {
        Self {
            call: AtomicU64::new(0),
            enters: AtomicU64::new(0),
            clock: AtomicI32::new(0),
            stat: OnceLock::new(),
            called: Condvar::new(),
            request: request.unwrap_or_else(|| Box::leak(Box::default())),
        }
    }
}

impl Shared {
    fn wake_owner(&self) {
        if let Some(waker) = &*self.waker.lock() {
            waker.wake_by_ref();
        }
    }

    /// Whether the calling thread owns the loop, and so will drive it when it is out of its call.
    fn runs_on_owner(&self) -> bool {
        thread::own_seat().is_some_and(|seat| self.is_owner(seat))
    }

    /// Wakes the tasks of complete responses. Called in the loop, where waking is cheap.
    fn send_out(&self) {
        let mut outbox = std::mem::take(&mut *self.outbox.lock());
        for (sender, response) in outbox.drain(..) {
            // An error means that the client is gone.
            let _ = sender.send(response);
        }
        let mut shared = self.outbox.lock();
        if shared.capacity() < outbox.capacity() && shared.is_empty() {
            *shared = outbox;
        }
    }

    fn is_owner(&self, seat: usize) -> bool {
        self.owner.load(Ordering::SeqCst) == seat
    }

    fn has_token(&self, seat: usize) -> bool {
        self.token.load(Ordering::SeqCst) == seat
    }

    /// The next request, if one more may be inside Python. Only the token's holder asks.
    fn take_job(&self) -> Option<Box<Job>> {
        if self.running.load(Ordering::SeqCst) >= self.settings.threads_max {
            return None;
        }
        let mut queue = self.queue.lock();
        let job = queue.pop_front()?;
        self.watch.queued(queue.len());
        Some(job)
    }

    fn begin(&self, seat: usize, request: u64) {
        self.seats[seat].request.store(request, Ordering::Relaxed);
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        self.seats[seat].call.store(number, Ordering::Release);
        // The full barrier between the store above and the look at the sleeping monitor below.
        self.running.fetch_add(1, Ordering::SeqCst);
        self.watch.thread_begins();
        self.monitor.wake();
    }

    fn finish(&self, seat: usize) {
        self.seats[seat].request.store(0, Ordering::Relaxed);
        let call = &self.seats[seat].call;
        if self.settings.request_timeout.is_some() {
            if call.swap(0, Ordering::AcqRel) & GIVEN_UP != 0 {
                // It does not count among the running ones any more.
                self.given_up.running.fetch_sub(1, Ordering::SeqCst);
                self.watch.thread_ends();
                return;
            }
        } else {
            call.store(0, Ordering::Release);
        }
        let before = self.running.fetch_sub(1, Ordering::SeqCst);
        self.watch.thread_ends();
        if before >= self.settings.threads_max {
            // A queued request was held back for want of room.
            self.wake_owner();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_others_do_not_see_know_their_own_requests() {
        let seats = [7, 8].map(|request| {
            let seat = Seat::new(None);
            seat.request.store(request, Ordering::Relaxed);
            seat
        });
        let requests = seats.map(|seat| seat.request.load(Ordering::Relaxed));
        assert_eq!(requests, [7, 8]);
    }
}
