//! Age and memory of a worker, where a group has limits for them.

use std::time::{Duration, Instant};

use super::child::{Child, Stage};
use crate::plan::Limits;
use crate::usage::memory;

/// Why a worker that is well should be replaced.
pub(super) fn worn_out(worker: &Child, limits: Limits, now: Instant) -> Option<String> {
    if worker.stage != Stage::Ready {
        return None;
    }
    let age = now.duration_since(worker.started);
    if limits
        .lifetime
        .is_some_and(|lifetime| age >= staggered(lifetime, worker.number))
    {
        return Some(format!("{} s old", age.as_secs()));
    }
    let bytes_max = limits.memory_bytes_max?;
    let bytes = memory(worker.process.as_ref()?.pid)?;
    (bytes > bytes_max).then(|| format!("it has {} MB of memory", bytes / 1_000_000))
}

/// A lifetime, up to a tenth shorter: workers that are started together do not end together.
fn staggered(lifetime: Duration, worker: u64) -> Duration {
    let tenth = lifetime / 10;
    let share = u32::try_from(worker.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 100).unwrap_or(0);
    lifetime - tenth * share / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_end_one_after_the_other() {
        let lifetime = Duration::from_secs(1000);
        let lives: Vec<Duration> = (1..9).map(|worker| staggered(lifetime, worker)).collect();
        assert!(
            lives
                .iter()
                .all(|life| *life > lifetime * 9 / 10 && *life <= lifetime)
        );
        assert!(lives.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
