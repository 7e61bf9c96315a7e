//! A Python thread's life: drive the loop or wait, take a request, call, again.
//!
//! The thread attaches to Python once, for good, and detaches for everything that is not Python.

use super::{Job, Shared};
use pyo3::Python;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// How long finished responses may wait for the loop while the thread goes on with requests that are queued already.
/// Below it, short calls are run back to back, which saves a poll of the sockets and a wake-up of the client for each;
/// above it the loop gets a turn.
const RESPONSES_WAIT_MAX: Duration = Duration::from_micros(500);

thread_local! {
    /// The seat of this thread, if it is a Python thread of the dispatcher.
    static SEAT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The calling thread's seat.
pub(super) fn own_seat() -> Option<usize> {
    SEAT.get()
}

/// Runs requests on `seat` until the dispatcher stops, with a thread that Python knows.
pub(super) fn serve(py: Python<'_>, shared: &Arc<Shared>, runtime: &Arc<Runtime>, seat: usize) {
    sit_down(shared, seat);
    let mut turn = Turn {
        since: Instant::now(),
    };
    while let Some(job) = py.detach(|| wait(shared, runtime, seat, &mut turn)) {
        run(py, shared, seat, job);
    }
}

/// As [`serve`], with a new thread. It drives the loop before Python knows it: whoever it relieves may hold the GIL.
pub(super) fn begin(shared: &Arc<Shared>, runtime: &Arc<Runtime>, seat: usize) {
    sit_down(shared, seat);
    let mut turn = Turn {
        since: Instant::now(),
    };
    let Some(first) = wait(shared, runtime, seat, &mut turn) else {
        return;
    };
    Python::attach(|py| {
        run(py, shared, seat, first);
        while let Some(job) = py.detach(|| wait(shared, runtime, seat, &mut turn)) {
            run(py, shared, seat, job);
        }
    });
}

fn sit_down(shared: &Shared, seat: usize) {
    shared.seats[seat]
        .clock
        .store(super::monitor::own_clock(), Ordering::SeqCst);
    SEAT.set(Some(seat));
    shared.watch.thread_starts(seat);
    if let Ok(stat) = super::monitor::own_stat() {
        let _ = shared.seats[seat].stat.set(stat);
    }
}

/// The next request, for a thread that has to wait for the GIL before it can run it.
fn wait(shared: &Shared, runtime: &Runtime, seat: usize, turn: &mut Turn) -> Option<Box<Job>> {
    let job = next(shared, runtime, seat, turn)?;
    shared.seats[seat]
        .enters
        .store(job.request.id, Ordering::Release);
    Some(job)
}

fn run(py: Python<'_>, shared: &Shared, seat: usize, job: Box<Job>) {
    shared.seats[seat].enters.store(0, Ordering::Release);
    shared.begin(seat, job.request.id);
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let log = job.log();
        let _within = log.enter();
        job.run(py);
        crate::module::end_line(py);
    }));
    shared.finish(seat);
    if ran.is_err() {
        // The panic hook has logged it; the request's sender is dropped, so its client gets a 500.
        tracing::error!(target: "python", "a request ended in a panic of the server");
    }
}

/// When the loop last had a full turn.
struct Turn {
    since: Instant,
}

/// The next request for `seat`; `None` when the dispatcher stops.
fn next(shared: &Shared, runtime: &Runtime, seat: usize, turn: &mut Turn) -> Option<Box<Job>> {
    loop {
        if shared.stop.load(Ordering::SeqCst) {
            return None;
        }
        // Under the lock, so that the monitor cannot take the loop away between this look and the entry.
        let owner = {
            let _turns = shared.turns.lock();
            shared.is_owner(seat)
        };
        if owner {
            if let Some(job) = drive(shared, runtime, seat, turn) {
                return Some(job);
            }
        } else if shared.has_token(seat) {
            // The owner is awake anyway, for the response of the call that has ended: from here on it does both again.
            // Running the next request here would cost a change of threads for each response from now on.
            let turns = shared.turns.lock();
            shared
                .token
                .store(shared.owner.load(Ordering::SeqCst), Ordering::SeqCst);
            drop(turns);
            shared.wake_owner();
        } else {
            park(shared, seat);
        }
    }
}

/// Drives the loop until there is a request for this seat; `None` when the dispatcher stops.
fn drive(shared: &Shared, runtime: &Runtime, seat: usize, turn: &mut Turn) -> Option<Box<Job>> {
    let patient = !shared.settings.careful && turn.since.elapsed() < RESPONSES_WAIT_MAX;
    if patient
        && shared.has_token(seat)
        && let Some(job) = shared.take_job()
    {
        return Some(job);
    }
    let job = runtime.block_on(NextJob {
        shared,
        seat,
        polled: false,
    });
    turn.since = Instant::now();
    job
}

/// Waits until this seat is called to drive the loop.
fn park(shared: &Shared, seat: usize) {
    let mut turns = shared.turns.lock();
    if shared.is_owner(seat) || shared.has_token(seat) {
        return;
    }
    turns.parked.push(seat);
    while !shared.is_owner(seat) && !shared.stop.load(Ordering::SeqCst) {
        shared.seats[seat].called.wait(&mut turns);
    }
    turns.parked.retain(|&parked| parked != seat);
}

/// Completes with a request, or with nothing when the dispatcher stops.
///
/// The first poll always lets the loop run what is ready: finished responses go out, sockets are polled once.
struct NextJob<'a> {
    shared: &'a Shared,
    seat: usize,
    polled: bool,
}

impl Future for NextJob<'_> {
    type Output = Option<Box<Job>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Box<Job>>> {
        self.shared.send_out();
        if !self.polled {
            self.polled = true;
            let mut waker = self.shared.waker.lock();
            if !waker
                .as_ref()
                .is_some_and(|known| known.will_wake(cx.waker()))
            {
                *waker = Some(cx.waker().clone());
            }
            drop(waker);
            if !self.shared.queue.lock().is_empty() || self.shared.stop.load(Ordering::SeqCst) {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        if self.shared.stop.load(Ordering::SeqCst) {
            return Poll::Ready(None);
        }
        if self.shared.has_token(self.seat)
            && let Some(job) = self.shared.take_job()
        {
            return Poll::Ready(Some(job));
        }
        Poll::Pending
    }
}
