//! The handler of signals that mean a crash. It notes what it can and lets the crash go on as if it had not been there.
//!
//! Everything in the handler is safe in a signal handler: system calls, and stores to memory that is mapped already. What
//! had been installed before (an application's own `faulthandler`) has its turn afterwards.
//! The Python stacks come from `faulthandler` too, by a signal of our own that a thread sends to itself: so it writes at
//! once, in any thread, whoever holds the GIL, and what an application does with `faulthandler.enable` is its own affair.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr,
    Ordering::{Acquire, Relaxed, Release},
};

use super::{MAPS_AT, MAPS_BYTES_MAX, Page, WORDS_AT, WORDS_BYTES_MAX};

/// What ends a process and can be noted.
const SIGNALS: [i32; 6] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGABRT,
    libc::SIGSYS,
];

/// The stack a handler runs on, in bytes.
const SIGNAL_STACK_BYTES: usize = 64 << 10;

/// How much of `/proc/self/maps` is copied at once, in bytes.
const COPY_BYTES: usize = 4096;

/// How long a second thread that crashes waits for the first to have noted everything.
const OTHER_CRASH_SECONDS: i64 = 1;

static PAGE: AtomicPtr<Page> = AtomicPtr::new(ptr::null_mut());
static DESCRIPTOR: AtomicI32 = AtomicI32::new(-1);
/// The process that is watched: children that an application forks are not.
static PROCESS: AtomicI32 = AtomicI32::new(0);
static CRASHED: AtomicBool = AtomicBool::new(false);
static BEFORE: Before = Before(UnsafeCell::new([MaybeUninit::uninit(); SIGNALS.len()]));

/// What was installed before, for each signal.
struct Before(UnsafeCell<[MaybeUninit<libc::sigaction>; SIGNALS.len()]>);

// SAFETY: written by `install` before `PAGE` is published, and only read afterwards.
unsafe impl Sync for Before {}

/// The signal `faulthandler` is registered for. Applications use the lowest of these numbers, if any.
pub(super) fn dump_signal() -> i32 {
    libc::SIGRTMAX() - 2
}

/// Has `faulthandler` write the stacks, now. `false` where nobody has been told to.
pub(super) fn dump() -> bool {
    if PROCESS.load(Relaxed) != own_process() {
        return false;
    }
    // SAFETY: the signal has a handler (`install` is called after it was registered), which returns.
    unsafe { libc::raise(dump_signal()) == 0 }
}

/// The calling thread.
pub(super) fn own_thread() -> u64 {
    // SAFETY: has no preconditions.
    unsafe { libc::pthread_self() as u64 }
}

fn own_process() -> i32 {
    // SAFETY: has no preconditions.
    unsafe { libc::getpid() }
}

/// Gives the calling thread a stack for handlers: its own may be full, which is a crash like any other. It keeps it to the
/// end of the process.
pub(super) fn give_signal_stack() {
    let stack = libc::stack_t {
        ss_sp: Box::leak(vec![0_u8; SIGNAL_STACK_BYTES].into_boxed_slice())
            .as_mut_ptr()
            .cast::<c_void>(),
        ss_flags: 0,
        ss_size: SIGNAL_STACK_BYTES,
    };
    // SAFETY: the memory is leaked, so it is there as long as the thread. A failure leaves things as they were.
    unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) };
}

/// Installs the handler, once in a process.
pub(super) fn install(page: &'static Page, descriptor: RawFd) {
    PROCESS.store(own_process(), Relaxed);
    DESCRIPTOR.store(descriptor, Relaxed);
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: all zeroes is a valid `sigaction`, which is then filled in; the handler has the signature that `SA_SIGINFO`
    // asks for; `BEFORE` is written here only, before `PAGE` says that it may be read.
    unsafe {
        let action = action.assume_init_mut();
        action.sa_sigaction = on_crash as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigemptyset(&raw mut action.sa_mask);
        let before = &mut *BEFORE.0.get();
        for (signal, before) in SIGNALS.iter().zip(before.iter_mut()) {
            libc::sigaction(*signal, ptr::null(), before.as_mut_ptr());
        }
        PAGE.store(ptr::from_ref(page).cast_mut(), Release);
        for signal in SIGNALS {
            libc::sigaction(signal, action, ptr::null_mut());
        }
    }
}

extern "C" fn on_crash(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    let page = PAGE.load(Acquire);
    let place = SIGNALS.iter().position(|known| *known == signal);
    let (false, Some(place)) = (page.is_null(), place) else {
        return;
    };
    // SAFETY: the kernel passes a valid `siginfo_t` and context; `BEFORE` and `page` were filled in before `PAGE` was
    // published; everything called is async-signal-safe.
    unsafe {
        if PROCESS.load(Relaxed) == libc::getpid() {
            if CRASHED.swap(true, Relaxed) {
                let pause = libc::timespec {
                    tv_sec: OTHER_CRASH_SECONDS,
                    tv_nsec: 0,
                };
                libc::nanosleep(&raw const pause, ptr::null_mut());
            } else {
                note(&*page, signal, &*info, context);
            }
        }
        let before = (*BEFORE.0.get())[place].assume_init_ref();
        libc::sigaction(signal, before, ptr::null_mut());
        // The instruction at fault is tried again and meets what was installed before; a signal that somebody has sent
        // has to be sent again.
        if (*info).si_code <= 0 {
            libc::raise(signal);
        }
    }
}

/// # Safety
/// Only from the handler, with what the kernel has passed to it.
unsafe fn note(page: &Page, signal: i32, info: &libc::siginfo_t, context: *mut c_void) {
    let descriptor = DESCRIPTOR.load(Relaxed);
    // SAFETY: `si_addr` is meaningful for signals of the kernel, and otherwise just other bytes of the same union; the
    // context is the kernel's; a stack that cannot be read makes `pwrite` fail and nothing else.
    unsafe {
        let (instruction, stack) = registers(context);
        page.instruction.store(instruction, Relaxed);
        let address = if info.si_code > 0 {
            info.si_addr()
        } else {
            ptr::null_mut()
        };
        page.address.store(address as u64, Relaxed);
        page.thread.store(libc::pthread_self() as u64, Relaxed);
        page.signal.store(signal.cast_unsigned(), Release);
        libc::pwrite(
            descriptor,
            stack as *const c_void,
            WORDS_BYTES_MAX,
            WORDS_AT as libc::off_t,
        );
        copy_maps(descriptor);
        libc::raise(dump_signal());
    }
}

/// # Safety
/// Only from the handler.
unsafe fn copy_maps(descriptor: RawFd) {
    let mut buffer = [0_u8; COPY_BYTES];
    let mut at = 0;
    // SAFETY: the path is a C string, the buffer is as long as is said.
    unsafe {
        let maps = libc::open(
            c"/proc/self/maps".as_ptr(),
            libc::O_RDONLY | libc::O_CLOEXEC,
        );
        while maps >= 0 && at < MAPS_BYTES_MAX {
            let read = libc::read(maps, buffer.as_mut_ptr().cast(), buffer.len());
            let Ok(length) = usize::try_from(read) else {
                break;
            };
            if length == 0 {
                break;
            }
            let place = MAPS_AT + at as u64;
            libc::pwrite(
                descriptor,
                buffer.as_ptr().cast(),
                length,
                place as libc::off_t,
            );
            at += length;
        }
        libc::close(maps);
    }
}

/// The instruction that was being executed, and the stack; zeroes on machines nobody has written this for.
///
/// # Safety
/// The context must be the one that the kernel has passed to a handler.
unsafe fn registers(context: *mut c_void) -> (u64, u64) {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    {
        // SAFETY: as the caller promises.
        let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
        let register = |number: i32| registers[number as usize].cast_unsigned();
        (register(libc::REG_RIP), register(libc::REG_RSP))
    }
    #[cfg(all(target_os = "linux", target_arch = "aarch64"))]
    {
        // SAFETY: as the caller promises.
        let machine = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext };
        (machine.pc, machine.sp)
    }
    #[cfg(not(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    )))]
    {
        let _ = context;
        (0, 0)
    }
}
