//! The thread that watches calls last, and moves the loop and the token on.
//!
//! It ticks each millisecond while something runs and sleeps otherwise. A call seen at two ticks in a row
//! has lasted: if its thread owns the loop, the loop moves to a parked thread. If the thread's CPU clock
//! stands still as well, the call waits outside the GIL and the right to start requests follows the loop.
//! A thread that waits FOR the GIL stands still too; then another of our threads has used the tick. And a thread
//! the kernel has not let run (a busy machine) neither blocks nor computes: it is left alone.

use super::{Shared, thread};
use pyo3::Python;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;

const TICK: Duration = Duration::from_millis(1);
/// The tick after [`UNEVENTFUL_TICKS_MAX`] ticks at which no call had lasted: each tick costs a wake-up.
const RELAXED_TICK: Duration = Duration::from_millis(2);
const UNEVENTFUL_TICKS_MAX: u32 = 50;
/// Ticks without a running call before the monitor sleeps.
const QUIET_TICKS_MAX: u32 = 50;
/// Less CPU time than this in a tick counts as standing still.
const STILL_NANOSECONDS_MAX: u64 = 50_000;
/// After so many still ticks the token moves even if another thread is computing: that one may have let go
/// of the GIL. Four times CPython's switch interval of 5 ms.
const STILL_TICKS_MAX: u32 = 20;

/// Where the monitor sleeps when nothing runs.
#[derive(Default)]
pub(super) struct Sleep {
    asleep: AtomicBool,
    thread: std::sync::OnceLock<std::thread::Thread>,
}

impl Sleep {
    /// Wakes the monitor if it sleeps; one load otherwise.
    pub(super) fn wake(&self) {
        if self.asleep.load(Ordering::SeqCst)
            && self.asleep.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }
}

/// What the monitor remembers between two ticks.
struct Watch {
    /// The token holder's call at the last tick.
    call: u64,
    /// CPU time at the last tick, for each seat; in nanoseconds.
    cpu: Vec<u64>,
    /// For how many ticks the call has stood still.
    still_ticks: u32,
}

/// Starts the monitor. It ends with the process.
pub(super) fn start(shared: &Arc<Shared>, runtime: &Arc<Runtime>) {
    let (shared, runtime) = (shared.clone(), runtime.clone());
    let builder = std::thread::Builder::new()
        .name("monitor".into())
        .stack_size(128 * 1024);
    let started = builder.spawn(move || run(&shared, &runtime));
    if let Err(error) = started {
        tracing::error!(target: "python", "cannot start the monitor thread: {error}");
    }
}

fn run(shared: &Arc<Shared>, runtime: &Arc<Runtime>) {
    shared.monitor.thread.get_or_init(std::thread::current);
    let mut watch = Watch {
        call: 0,
        cpu: vec![0; shared.seats.len()],
        still_ticks: 0,
    };
    let mut quiet = 0;
    let mut uneventful = 0;
    loop {
        if quiet > QUIET_TICKS_MAX {
            shared.monitor.asleep.store(true, Ordering::SeqCst);
            // A call that began between the last look and the store has not woken us: look again.
            while shared.monitor.asleep.load(Ordering::SeqCst)
                && shared.running.load(Ordering::SeqCst) == 0
            {
                std::thread::park();
            }
            shared.monitor.asleep.store(false, Ordering::SeqCst);
            quiet = 0;
        }
        std::thread::sleep(if uneventful > UNEVENTFUL_TICKS_MAX {
            RELAXED_TICK
        } else {
            TICK
        });
        if shared.running.load(Ordering::SeqCst) == 0 {
            quiet += 1;
            watch.call = 0;
            continue;
        }
        quiet = 0;
        if tick(shared, runtime, &mut watch) {
            uneventful = 0;
        } else {
            uneventful += 1;
        }
    }
}

/// Looks at the token holder's call; tells whether it has lasted.
fn tick(shared: &Arc<Shared>, runtime: &Arc<Runtime>, watch: &mut Watch) -> bool {
    let holder = shared.token.load(Ordering::SeqCst);
    let call = shared.seats[holder].call.load(Ordering::SeqCst);
    if call == 0 || call != watch.call {
        watch.call = call;
        watch.still_ticks = 0;
        if call != 0 {
            watch.cpu[holder] = seat_cpu(shared, holder);
        }
        return false;
    }
    let cpu = seat_cpu(shared, holder);
    let still = cpu.saturating_sub(watch.cpu[holder]) < STILL_NANOSECONDS_MAX;
    watch.cpu[holder] = cpu;
    if still && is_runnable(shared, holder) {
        return true;
    }
    if shared.is_owner(holder) {
        move_loop(shared, runtime, holder, call);
        return true;
    }
    if !still {
        watch.still_ticks = 0;
        return true;
    }
    watch.still_ticks += 1;
    let computing = others_compute(shared, holder, watch);
    if !computing || watch.still_ticks > STILL_TICKS_MAX {
        move_token(shared, holder, call);
        watch.call = 0;
    }
    true
}

/// Whether another running thread has used the last tick, and so may hold the GIL the holder waits for.
fn others_compute(shared: &Shared, holder: usize, watch: &mut Watch) -> bool {
    let mut computing = false;
    for seat in 0..shared.seats.len() {
        if seat == holder || shared.seats[seat].call.load(Ordering::SeqCst) == 0 {
            continue;
        }
        let cpu = seat_cpu(shared, seat);
        computing |= cpu.saturating_sub(watch.cpu[seat]) > STILL_NANOSECONDS_MAX;
        watch.cpu[seat] = cpu;
    }
    computing
}

/// Gives the loop to a parked thread, or to a new one, if `holder` is still inside `call`.
fn move_loop(shared: &Arc<Shared>, runtime: &Arc<Runtime>, holder: usize, call: u64) {
    let mut turns = shared.turns.lock();
    if shared.seats[holder].call.load(Ordering::SeqCst) != call {
        return;
    }
    if let Some(seat) = turns.parked.pop() {
        shared.owner.store(seat, Ordering::SeqCst);
        shared.seats[seat].called.notify_one();
    } else if turns.threads < shared.seats.len() {
        let seat = turns.threads;
        let (shared_too, runtime) = (shared.clone(), runtime.clone());
        let started = std::thread::Builder::new()
            .name(format!("python-{seat}"))
            .stack_size(8 * 1024 * 1024)
            .spawn(move || {
                Python::attach(|py| thread::serve(py, &shared_too, &runtime, seat));
            });
        match started {
            Ok(_) => {
                turns.threads += 1;
                shared.owner.store(seat, Ordering::SeqCst);
            }
            Err(error) => {
                tracing::error!(target: "python", "cannot start a Python thread: {error}");
            }
        }
    }
}

/// Gives the right to start requests to the thread that drives the loop, if `holder` is still inside `call`.
fn move_token(shared: &Shared, holder: usize, call: u64) {
    let turns = shared.turns.lock();
    if shared.seats[holder].call.load(Ordering::SeqCst) == call {
        shared
            .token
            .store(shared.owner.load(Ordering::SeqCst), Ordering::SeqCst);
    }
    drop(turns);
    shared.wake_owner();
}

/// The calling thread's CPU clock.
pub(super) fn own_clock() -> i32 {
    let mut clock: libc::clockid_t = 0;
    // SAFETY: `pthread_self` is always valid for the calling thread and `clock` outlives the call.
    let failed = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &mut clock) };
    if failed == 0 { clock } else { 0 }
}

/// CPU time a seat's thread has used, in nanoseconds. Seats' threads live as long as the worker.
fn seat_cpu(shared: &Shared, seat: usize) -> u64 {
    let clock = shared.seats[seat].clock.load(Ordering::SeqCst);
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` outlives the call; a clock that is no more makes the call fail, which leaves zero.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Whether a seat's thread would run if the kernel let it, rather than wait for something.
fn is_runnable(shared: &Shared, seat: usize) -> bool {
    let thread = shared.seats[seat].thread.load(Ordering::SeqCst);
    // The state is the first letter after the thread's name, which stands in parentheses (proc(5)).
    std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).is_ok_and(|stat| {
        stat.rsplit_once(") ")
            .is_some_and(|(_, state)| state.starts_with('R'))
    })
}
