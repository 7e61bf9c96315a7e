//! Whether the kernel has killed somebody for want of memory since this was last asked.

use std::cell::Cell;
use std::path::PathBuf;

/// What is known of a process that was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemoryKill {
    /// The limit of our group of processes (`memory.max`) was reached.
    Limit,
    /// The machine had no memory left.
    Machine,
    /// It was not the kernel.
    No,
    /// The kernel does not tell.
    Unknown,
}

/// Counts of the kernel, as they were when they were last looked at.
#[derive(Debug)]
pub(crate) struct MemoryKills {
    group: Option<PathBuf>,
    in_group: Cell<Option<u64>>,
    in_all: Cell<Option<u64>>,
}

impl MemoryKills {
    pub(crate) fn new() -> Self {
        let membership = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let group = events_of(&membership);
        Self {
            in_group: Cell::new(count(group.clone())),
            in_all: Cell::new(count(Some("/proc/vmstat".into()))),
            group,
        }
    }

    /// Somebody was killed: by the kernel?
    pub(crate) fn judge(&self) -> MemoryKill {
        let in_group = count(self.group.clone());
        let in_all = count(Some("/proc/vmstat".into()));
        let grown = |before: &Cell<Option<u64>>, now: Option<u64>| match (before.replace(now), now)
        {
            (Some(before), Some(now)) => Some(now > before),
            _ => None,
        };
        let (of_group, of_all) = (grown(&self.in_group, in_group), grown(&self.in_all, in_all));
        match (of_group, of_all) {
            (Some(true), _) => MemoryKill::Limit,
            (_, Some(true)) => MemoryKill::Machine,
            (None, None) => MemoryKill::Unknown,
            _ => MemoryKill::No,
        }
    }
}

/// The file of events of our group, in the second version of control groups or the first.
fn events_of(membership: &str) -> Option<PathBuf> {
    membership.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, group) = rest.split_once(':')?;
        let group = group.trim_start_matches('/');
        let file = match controllers {
            "" => PathBuf::from("/sys/fs/cgroup")
                .join(group)
                .join("memory.events"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                PathBuf::from("/sys/fs/cgroup/memory")
                    .join(group)
                    .join("memory.oom_control")
            }
            _ => return None,
        };
        file.exists().then_some(file)
    })
}

fn count(file: Option<PathBuf>) -> Option<u64> {
    let text = std::fs::read_to_string(file?).ok()?;
    number(&text)
}

fn number(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_counts_are_read() {
        assert_eq!(
            number("low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\noom_group_kill 0\n"),
            Some(2)
        );
        assert_eq!(
            number("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n"),
            Some(7)
        );
        assert_eq!(number("nr_free_pages 1\n"), None);
    }

    #[test]
    fn a_kill_is_told_once() {
        let kills = MemoryKills {
            group: None,
            in_group: Cell::new(None),
            in_all: Cell::new(Some(0)),
        };
        let first = kills.judge();
        assert!(matches!(
            first,
            MemoryKill::Machine | MemoryKill::No | MemoryKill::Unknown
        ));
        assert!(matches!(
            kills.judge(),
            MemoryKill::No | MemoryKill::Unknown
        ));
    }
}
