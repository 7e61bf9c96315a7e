//! A coarse clock: reading it is one load, and timeouts need no better.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often the clock moves and timeouts are looked at.
pub(crate) const TICK: Duration = Duration::from_millis(250);

/// Milliseconds since the server started, as of the last tick.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    now_ms: AtomicU64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            now_ms: AtomicU64::new(1),
        }
    }

    /// Milliseconds, never 0.
    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn tick(&self) {
        let now = self.start.elapsed().as_millis() as u64;
        self.now_ms.store(now.max(1), Ordering::Relaxed);
    }
}
