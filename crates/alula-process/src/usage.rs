//! What a process uses, as far as the kernel tells.

use std::time::Duration;

use rustix::process::Pid;

/// What a process has of its own and its part of what it shares, in bytes; all it has mapped where the kernel does not
/// tell.
pub(crate) fn memory(pid: Pid) -> Option<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
    let line = rollup.ok().and_then(|text| kilobytes(&text, "Pss:"));
    line.or_else(|| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        kilobytes(&status, "VmRSS:")
    })
}

/// The processor time it has used: its own and the system's for it.
pub(crate) fn processor_time(pid: Pid) -> Option<(Duration, Duration)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let (user, system) = (ticks()?, ticks()?);
    let time = |ticks: u64| {
        let second = rustix::param::clock_ticks_per_second().max(1);
        Duration::from_millis(ticks.saturating_mul(1000) / second)
    };
    Some((time(user), time(system)))
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(number * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_kernel() {
        assert_eq!(
            kilobytes("Rss:  10 kB\nPss:    1234 kB\n", "Pss:"),
            Some(1234 * 1024)
        );
        assert_eq!(kilobytes("Pss_Dirty: 1 kB", "Pss:"), None);
        assert!(memory(rustix::process::getpid()).unwrap() > 100_000);
        assert!(processor_time(rustix::process::getpid()).is_some());
    }
}
