//! Signals to the supervisor, read from a descriptor like everything else it waits for.
//!
//! They mean what they mean to httpd. What a terminal sends by itself does not: WINCH is then only a window that changed
//! its size, and HUP that the window is gone.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// TERM, INT: end at once.
    Stop,
    /// WINCH: end when the running requests are answered.
    GracefulStop,
    /// HUP: read the configuration again; old workers are stopped when the new ones are ready.
    Restart,
    /// USR1: read the configuration again; old workers finish what they have.
    Graceful,
    /// CHLD: a child has ended.
    Reap,
}

/// The signals of this process, blocked and collected.
#[derive(Debug)]
pub(crate) struct Signals {
    descriptor: OwnedFd,
    ignores_hangup: bool,
}

impl Signals {
    /// From now on the signals do not interrupt anything, they wait to be read. Programs started later must call
    /// [`unblock_all`] before they are executed.
    pub(crate) fn catch() -> io::Result<Self> {
        let mut set = MaybeUninit::uninit();
        // SAFETY: `sigemptyset` writes the set, which the later calls take; the numbers are valid signals.
        let set = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for signal in [
                libc::SIGTERM,
                libc::SIGINT,
                libc::SIGHUP,
                libc::SIGUSR1,
                libc::SIGWINCH,
                libc::SIGCHLD,
            ] {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            set.assume_init()
        };
        // SAFETY: the set is a valid local; nobody asks for the old mask.
        let blocked =
            unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()) };
        if blocked != 0 {
            return Err(io::Error::from_raw_os_error(blocked));
        }
        // SAFETY: the set is a valid local; -1 asks for a new descriptor.
        let number =
            unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just made by the kernel for us.
        let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
        Ok(Self {
            descriptor,
            ignores_hangup: ignores_hangup(),
        })
    }

    /// The next wish, if a signal has come.
    pub(crate) fn next(&self) -> io::Result<Option<Wish>> {
        loop {
            let mut record = [0; size_of::<libc::signalfd_siginfo>()];
            match rustix::io::read(&self.descriptor, &mut record) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(rustix::io::Errno::AGAIN) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            // SAFETY: the kernel fills the record completely, and any bytes are a valid `signalfd_siginfo`.
            let record: libc::signalfd_siginfo =
                unsafe { ptr::read_unaligned(record.as_ptr().cast()) };
            let by_kernel = record.ssi_code > 0;
            if let Some(wish) = meaning(
                record.ssi_signo.cast_signed(),
                by_kernel,
                self.ignores_hangup,
            ) {
                return Ok(Some(wish));
            }
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Gives a child the usual signals back. For a child between fork and exec: it only makes a system call.
pub(crate) fn unblock_all() -> io::Result<()> {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` writes the set, which is then taken; nobody asks for the old mask.
    let result = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, set.as_ptr(), ptr::null_mut())
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(result))
    }
}

fn meaning(signal: i32, by_kernel: bool, ignores_hangup: bool) -> Option<Wish> {
    match signal {
        libc::SIGTERM | libc::SIGINT => Some(Wish::Stop),
        libc::SIGWINCH if by_kernel => None,
        libc::SIGWINCH => Some(Wish::GracefulStop),
        libc::SIGHUP if by_kernel && ignores_hangup => None,
        libc::SIGHUP if by_kernel => Some(Wish::Stop),
        libc::SIGHUP => Some(Wish::Restart),
        libc::SIGUSR1 => Some(Wish::Graceful),
        libc::SIGCHLD => Some(Wish::Reap),
        _ => None,
    }
}

/// Whether we were started by `nohup`.
fn ignores_hangup() -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null new action only asks; on success the old one is written completely.
    unsafe {
        libc::sigaction(libc::SIGHUP, ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_mean_what_httpd_means() {
        let check = |signal, by_kernel, nohup, expected| {
            assert_eq!(meaning(signal, by_kernel, nohup), expected)
        };
        check(libc::SIGTERM, false, false, Some(Wish::Stop));
        check(libc::SIGINT, true, false, Some(Wish::Stop));
        check(libc::SIGHUP, false, false, Some(Wish::Restart));
        check(libc::SIGUSR1, false, false, Some(Wish::Graceful));
        check(libc::SIGWINCH, false, false, Some(Wish::GracefulStop));
        check(libc::SIGCHLD, true, false, Some(Wish::Reap));
    }

    #[test]
    fn a_terminal_can_be_resized_and_closed() {
        assert_eq!(meaning(libc::SIGWINCH, true, false), None);
        assert_eq!(meaning(libc::SIGHUP, true, false), Some(Wish::Stop));
        assert_eq!(meaning(libc::SIGHUP, true, true), None);
        assert_eq!(meaning(libc::SIGHUP, false, true), Some(Wish::Restart));
    }
}
