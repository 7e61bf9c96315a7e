//! The thread that watches calls last, and moves the loop and the token on.
//!
//! It ticks each half millisecond while something runs, more slowly while no call lasts, and sleeps otherwise. A call seen at two ticks in a row
//! has lasted: if its thread stands still by its CPU clock, the call waits outside the GIL, and the loop and the right to
//! start requests go to a parked thread. A call that computes keeps the loop some milliseconds longer, and the right to
//! the end.
//! A thread that waits FOR the GIL stands still too; then another of our threads has used the tick. And a thread
//! the kernel has not let run (a busy machine) neither blocks nor computes: it is left alone.

use super::given_up::GIVEN_UP;
use super::{Shared, Turns, thread};
use http::StatusCode;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const TICK: Duration = Duration::from_micros(500);
/// The tick gets longer by [`TICK`], up to this, after each [`UNEVENTFUL_TICKS_MAX`] ticks at which no call had lasted
/// for long or stood still: a tick costs a wake-up, and the Python thread its core.
const TICK_MAX: Duration = Duration::from_millis(4);
const UNEVENTFUL_TICKS_MAX: u32 = 50;
/// How long the monitor computes at a stretch, at most, as the kernel is told.
const SLICE: Duration = Duration::from_micros(100);
/// The tick after a call was seen for the first time and its thread was waiting for something.
const SECOND_LOOK: Duration = Duration::from_micros(150);
/// Ticks without a running call before the monitor sleeps.
const QUIET_TICKS_MAX: u32 = 100;
/// Less CPU time than this in a tick counts as standing still.
const STILL_NANOSECONDS_MAX: u64 = 50_000;
/// A call that computes keeps the loop for so long: it is likely to end soon, and until then a second thread on the same
/// core would only take turns with it (measured on pages of 2.4 ms).
const COMPUTING_MAX: Duration = Duration::from_millis(4);
/// For so long an owner may wait for the GIL before the loop is taken from it.
const ENTERING_MAX: Duration = Duration::from_millis(50);
/// After so many still ticks the token moves even if another thread is computing: that one may have let go
/// of the GIL. Four times CPython's switch interval of 5 ms.
const STILL_TICKS_MAX: u32 = 40;

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
struct Watched {
    /// Each seat's call, as it was last seen, and when it was first.
    calls: Vec<(u64, Instant)>,
    /// Since when the loop's owner waits for the GIL.
    entering: Option<(usize, Instant)>,
    /// The token holder's call at the last tick.
    call: u64,
    /// CPU time at the last tick, for each seat; in nanoseconds.
    cpu: Vec<u64>,
    /// When the call was first seen.
    since: Instant,
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
    wake_on_time();
    let mut watch = Watched {
        calls: vec![(0, Instant::now()); shared.seats.len()],
        entering: None,
        call: 0,
        since: Instant::now(),
        cpu: vec![0; shared.seats.len()],
        still_ticks: 0,
    };
    let mut quiet = 0;
    let mut uneventful: u32 = 0;
    let mut pause = TICK;
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
        std::thread::sleep(pause);
        let stuck = shared.given_up.running.load(Ordering::SeqCst);
        if shared.running.load(Ordering::SeqCst) + stuck == 0 {
            quiet += 1;
            watch.call = 0;
            continue;
        }
        quiet = 0;
        note_calls(shared, runtime, &mut watch);
        rescue_loop(shared, runtime, &mut watch);
        pause = match tick(shared, runtime, &mut watch) {
            Seen::Nothing => {
                uneventful = uneventful.saturating_add(1);
                (TICK * (1 + uneventful / UNEVENTFUL_TICKS_MAX)).min(TICK_MAX)
            }
            Seen::Waiting => SECOND_LOOK,
            Seen::Lasting => {
                uneventful = 0;
                TICK
            }
        };
    }
}

/// Tells of calls that were not there at the last tick, and gives up those that have lasted too long. So nobody has to look
/// at a clock for each of them.
fn note_calls(shared: &Arc<Shared>, runtime: &Arc<Runtime>, watch: &mut Watched) {
    for seat in 0..shared.seats.len() {
        let call = shared.seats[seat].call.load(Ordering::Acquire);
        let (known, since) = &mut watch.calls[seat];
        if call == 0 || call & GIVEN_UP != 0 {
            continue;
        }
        if call != *known {
            (*known, *since) = (call, Instant::now());
            shared.watch.call_seen(seat);
        } else if let Some(timeout) = shared.settings.request_timeout {
            let lasted = since.elapsed();
            if lasted >= timeout {
                give_up(shared, runtime, seat, call, lasted);
            }
        }
    }
}

/// Leaves a call to itself: its client gets an answer without it, others take over its rights and its place.
fn give_up(shared: &Arc<Shared>, runtime: &Arc<Runtime>, seat: usize, call: u64, lasted: Duration) {
    let place = &shared.seats[seat];
    let request = place.request.load(Ordering::Relaxed);
    let given_up = call | GIVEN_UP;
    let changed = place
        .call
        .compare_exchange(call, given_up, Ordering::SeqCst, Ordering::SeqCst);
    if changed.is_err() {
        return;
    }
    shared.given_up.running.fetch_add(1, Ordering::SeqCst);
    shared.running.fetch_sub(1, Ordering::SeqCst);
    if shared.is_owner(seat) {
        move_loop(shared, runtime, seat, given_up);
    }
    if shared.has_token(seat) {
        move_token(shared, seat, given_up);
    }
    // First the record: whoever sees the answer finds it in the log.
    shared.watch.given_up(request, lasted);
    shared.given_up.tell(request, StatusCode::GATEWAY_TIMEOUT);
    shared.wake_owner();
}

/// Takes the loop from an owner that waits for the GIL, and may do so for ever: a call in C holds it.
fn rescue_loop(shared: &Arc<Shared>, runtime: &Arc<Runtime>, watch: &mut Watched) {
    let owner = shared.owner.load(Ordering::SeqCst);
    if shared.seats[owner].enters.load(Ordering::Acquire) == 0 {
        watch.entering = None;
        return;
    }
    match watch.entering {
        Some((seat, since)) if seat == owner => {
            if since.elapsed() >= ENTERING_MAX {
                move_loop_from_entrance(shared, runtime, owner);
            }
        }
        _ => watch.entering = Some((owner, Instant::now())),
    }
}

/// What a tick has seen.
enum Seen {
    /// No call, or one that computes.
    Nothing,
    /// A call that was not there before, and waits for something.
    Waiting,
    /// A call that has lasted.
    Lasting,
}

/// Looks at the token holder's call.
fn tick(shared: &Arc<Shared>, runtime: &Arc<Runtime>, watch: &mut Watched) -> Seen {
    let holder = shared.token.load(Ordering::SeqCst);
    let call = shared.seats[holder].call.load(Ordering::SeqCst);
    if call == 0 || call != watch.call {
        watch.call = call;
        watch.still_ticks = 0;
        if call != 0 {
            watch.since = Instant::now();
            watch.cpu[holder] = seat_cpu(shared, holder);
            // Noted for the next tick.
            others_compute(shared, holder, watch);
            if !is_runnable(shared, holder) {
                return Seen::Waiting;
            }
        }
        return Seen::Nothing;
    }
    let cpu = seat_cpu(shared, holder);
    let still = cpu.saturating_sub(watch.cpu[holder]) < STILL_NANOSECONDS_MAX;
    watch.cpu[holder] = cpu;
    if still && is_runnable(shared, holder) {
        return Seen::Lasting;
    }
    if shared.is_owner(holder) {
        if !still && watch.since.elapsed() < COMPUTING_MAX {
            return Seen::Nothing;
        }
        move_loop(shared, runtime, holder, call);
    }
    if !still {
        watch.still_ticks = 0;
        return Seen::Lasting;
    }
    watch.still_ticks += 1;
    let computing = others_compute(shared, holder, watch);
    if !computing || watch.still_ticks > STILL_TICKS_MAX {
        move_token(shared, holder, call);
        watch.call = 0;
    }
    Seen::Lasting
}

/// Whether another running thread has used the last tick, and so may hold the GIL the holder waits for.
fn others_compute(shared: &Shared, holder: usize, watch: &mut Watched) -> bool {
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
    if shared.seats[holder].call.load(Ordering::SeqCst) == call {
        pass_loop_on(shared, runtime, &mut turns);
    }
}

/// The same, if `holder` still waits for the GIL: it does not drive the loop then, and before it does again it asks whether
/// it may, under the lock.
fn move_loop_from_entrance(shared: &Arc<Shared>, runtime: &Arc<Runtime>, holder: usize) {
    let mut turns = shared.turns.lock();
    if shared.is_owner(holder) && shared.seats[holder].enters.load(Ordering::SeqCst) != 0 {
        pass_loop_on(shared, runtime, &mut turns);
    }
}

fn pass_loop_on(shared: &Arc<Shared>, runtime: &Arc<Runtime>, turns: &mut Turns) {
    if let Some(seat) = turns.parked.pop() {
        shared.owner.store(seat, Ordering::SeqCst);
        shared.seats[seat].called.notify_one();
    } else if turns.threads < shared.seats.len() {
        let seat = turns.threads;
        let (shared_too, runtime) = (shared.clone(), runtime.clone());
        let started = std::thread::Builder::new()
            .name(format!("python-{seat}"))
            .stack_size(8 * 1024 * 1024)
            .spawn(move || thread::begin(&shared_too, &runtime, seat));
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
    let mut text = [0; 64];
    let Some(stat) = shared.seats[seat].stat.get() else {
        return false;
    };
    let Ok(length) = stat.read_at(&mut text, 0) else {
        return false;
    };
    // The state is the letter after the thread's name, which stands in parentheses (proc(5)).
    let end = memchr::memrchr(b')', &text[..length]);
    end.is_some_and(|end| text[end..].starts_with(b") R"))
}

/// The calling thread's state, for [`is_runnable`].
pub(super) fn own_stat() -> std::io::Result<File> {
    File::open("/proc/thread-self/stat")
}

/// Asks the kernel to run the calling thread soon after its sleeps end, also when all cores are busy. Only a wish: a
/// kernel that does not know it runs the thread a little later.
fn wake_on_time() {
    // SAFETY: sets one number of the calling thread. Sleeps then end when they should, not up to 50 µs later.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1000) };
    let size = size_of::<SchedulingAttributes>() as u32;
    let mut attributes = SchedulingAttributes::default();
    // SAFETY: reads into `attributes`, whose size is passed, about the calling thread (0).
    let known = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &mut attributes, size, 0) };
    if known == 0 {
        // A short slice makes an early deadline, which is whom EEVDF runs first (sched(7), Linux 6.12).
        attributes.runtime = SLICE.as_nanos() as u64;
        // SAFETY: sets the calling thread's attributes from what was just read.
        unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &attributes, 0) };
    }
}

/// `struct sched_attr` of sched_setattr(2), its first version.
#[derive(Default)]
#[repr(C)]
struct SchedulingAttributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}
