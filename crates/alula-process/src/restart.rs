//! What happens when a process dies: is it a failure, what is said about it, when is it replaced.
//!
//! Nothing here looks at a clock or a process: the supervisor says what it saw and when.

use std::fmt;
use std::time::{Duration, Instant};

use rustix::process::WaitStatus;

/// A process that lived at least this long did start: its death begins a new count.
const YOUNG: Duration = Duration::from_secs(10);

/// Wait before the second start in a row; it doubles from there.
const DELAY_FIRST: Duration = Duration::from_millis(100);

/// The longest wait between two starts.
const DELAY_MAX: Duration = Duration::from_secs(30);

/// The longest wait after deaths that a request has brought about: each costs its request, and no other.
const DELAY_AT_REQUEST_MAX: Duration = Duration::from_millis(500);

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Exited(i32),
    Signaled {
        signal: i32,
        core: bool,
    },
    /// Its parent could not tell.
    Unknown,
}

impl Ending {
    pub(crate) fn new(status: WaitStatus) -> Self {
        if let Some(code) = status.exit_status() {
            return Self::Exited(code);
        }
        let core = libc::WCOREDUMP(status.as_raw());
        status
            .terminating_signal()
            .map_or(Self::Unknown, |signal| Self::Signaled { signal, core })
    }

    pub(crate) fn from_raw(status: i32) -> Self {
        let core = libc::WCOREDUMP(status);
        if libc::WIFEXITED(status) {
            Self::Exited(libc::WEXITSTATUS(status))
        } else if libc::WIFSIGNALED(status) {
            Self::Signaled {
                signal: libc::WTERMSIG(status),
                core,
            }
        } else {
            Self::Unknown
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Exited(code) => {
                write!(f, "exited with status {code}")?;
                match code {
                    1 => f.write_str(" (an error)"),
                    120 => f.write_str(" (Python could not write its output)"),
                    126 | 127 => f.write_str(" (a program could not be executed)"),
                    // As a shell tells of a signal.
                    129..160 => write!(f, " (as after {})", signal_name(code - 128)),
                    _ => Ok(()),
                }
            }
            Self::Signaled { signal, core } => {
                write!(f, "was killed by {}", signal_name(signal))?;
                f.write_str(if core { ", core dumped" } else { "" })
            }
            Self::Unknown => f.write_str("ended, nobody knows how"),
        }
    }
}

pub(crate) fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGABRT => "SIGABRT (it gave up)",
        libc::SIGBUS => "SIGBUS (bad memory access)",
        libc::SIGFPE => "SIGFPE (arithmetic error)",
        libc::SIGHUP => "SIGHUP",
        libc::SIGILL => "SIGILL (illegal instruction)",
        libc::SIGINT => "SIGINT",
        libc::SIGKILL => "SIGKILL (by hand, or the kernel was out of memory)",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGTRAP => "SIGTRAP (a check of the program failed)",
        libc::SIGALRM => "SIGALRM",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGXFSZ => "SIGXFSZ (a file became too large)",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGSEGV => "SIGSEGV (segmentation fault)",
        libc::SIGSYS => "SIGSYS (forbidden system call)",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXCPU => "SIGXCPU (out of CPU time)",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

/// Counts deaths in a row and says how long to wait before the next start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    not_before: Option<Instant>,
}

impl Backoff {
    /// A process that should have gone on died. Returns the wait before the next start; the first is none.
    pub(crate) fn failed(&mut self, now: Instant, lived: Duration) -> Duration {
        self.count(now, lived, DELAY_MAX)
    }

    /// As [`Backoff::failed`], while it was inside of a request. Its next requests come as they would have come anyhow, so
    /// this is no loop: a page that crashes each time must not take the others away.
    pub(crate) fn failed_at_request(&mut self, now: Instant, lived: Duration) -> Duration {
        self.count(now, lived, DELAY_AT_REQUEST_MAX)
    }

    fn count(&mut self, now: Instant, lived: Duration, most: Duration) -> Duration {
        let quiet = self
            .not_before
            .is_some_and(|until| now.duration_since(until) >= YOUNG);
        if lived >= YOUNG || quiet {
            self.failures = 0;
        }
        self.failures += 1;
        let delay = match self.failures {
            1 => Duration::ZERO,
            many => DELAY_FIRST
                .saturating_mul(1_u32 << (many - 2).min(16))
                .min(most),
        };
        self.not_before = Some(now + delay);
        delay
    }

    /// Not before then.
    pub(crate) fn wait(&mut self, until: Instant) {
        self.not_before = Some(until);
    }

    /// How many deaths there were in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// When the next start is due, if that is not yet.
    pub(crate) fn waiting_until(&self, now: Instant) -> Option<Instant> {
        self.not_before.filter(|&until| until > now)
    }
}

/// How many of the workers that shall go may be told so now: never so many that fewer than `wanted` are left serving.
pub(crate) fn may_go(wanted: usize, ready: usize, going: usize) -> usize {
    going.saturating_sub(wanted.saturating_sub(ready))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(lives: &[(u64, u64)]) -> Vec<u128> {
        let start = Instant::now();
        let mut backoff = Backoff::default();
        let failed = |&(at, lived): &(u64, u64)| {
            backoff
                .failed(
                    start + Duration::from_millis(at),
                    Duration::from_millis(lived),
                )
                .as_millis()
        };
        lives.iter().map(failed).collect()
    }

    #[test]
    fn one_crash_costs_no_time() {
        assert_eq!(delays(&[(0, 5)]), [0]);
        assert_eq!(
            delays(&[(0, 500_000), (20_000, 20_000), (60_000, 40_000)]),
            [0, 0, 0]
        );
    }

    #[test]
    fn a_crash_loop_slows_down_to_thirty_seconds() {
        let mut lives = vec![(0, 5); 12];
        lives.push((31_000, 5));
        let delays = delays(&lives);
        assert_eq!(delays[..5], [0, 100, 200, 400, 800]);
        assert_eq!(delays[10..], [30_000, 30_000, 30_000]);
    }

    #[test]
    fn a_page_that_crashes_does_not_slow_down_the_others() {
        let now = Instant::now();
        let mut backoff = Backoff::default();
        let mut failed = || backoff.failed_at_request(now, Duration::ZERO).as_millis();
        let delays: Vec<u128> = (0..8).map(|_| failed()).collect();
        assert_eq!(delays, [0, 100, 200, 400, 500, 500, 500, 500]);
    }

    #[test]
    fn after_a_quiet_time_the_count_starts_again() {
        assert_eq!(
            delays(&[(0, 5), (10, 5), (20, 5), (30_000, 5)]),
            [0, 100, 200, 0]
        );
    }

    #[test]
    fn waiting_ends() {
        let now = Instant::now();
        let mut backoff = Backoff::default();
        backoff.failed(now, Duration::ZERO);
        assert_eq!(backoff.waiting_until(now), None);
        let delay = backoff.failed(now, Duration::ZERO);
        assert_eq!(backoff.waiting_until(now), Some(now + delay));
        assert_eq!(backoff.waiting_until(now + delay), None);
        assert_eq!(backoff.failures(), 2);
    }

    #[test]
    fn workers_go_one_for_one() {
        let check =
            |wanted, ready, going, expected| assert_eq!(may_go(wanted, ready, going), expected);
        check(4, 0, 4, 0);
        check(4, 1, 4, 1);
        check(4, 3, 1, 0);
        check(4, 4, 4, 4);
        check(1, 4, 4, 4);
        check(4, 1, 2, 0);
    }

    #[test]
    fn an_ending_is_told_in_words() {
        let check = |raw, expected: &str| assert_eq!(Ending::from_raw(raw).to_string(), expected);
        check(0, "exited with status 0");
        check(3 << 8, "exited with status 3");
        check(1 << 8, "exited with status 1 (an error)");
        check(
            139 << 8,
            "exited with status 139 (as after SIGSEGV (segmentation fault))",
        );
        check(
            libc::SIGSEGV | 0x80,
            "was killed by SIGSEGV (segmentation fault), core dumped",
        );
        check(
            libc::SIGKILL,
            "was killed by SIGKILL (by hand, or the kernel was out of memory)",
        );
        check(42, "was killed by signal 42");
        assert_eq!(Ending::Unknown.to_string(), "ended, nobody knows how");
    }
}
