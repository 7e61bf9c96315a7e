//! What the log says of a worker that died: one record with everything that can be found out.
//!
//! Nothing of it comes from a living process: the scoreboard's row and the black box are read as they were left.

use std::fmt::Write as _;
use std::time::SystemTime;

use crate::black_box::Remains;
use crate::memory_kills::{MemoryKill, MemoryKills};
use crate::restart::Ending;
use crate::scoreboard::Slot;

/// How many requests are named; of more only the number is.
const REQUESTS_MAX: usize = 16;

/// How it ended, with what the kernel knows of it.
pub(super) fn told(ending: Ending, kills: &MemoryKills) -> String {
    let Ending::Signaled {
        signal: libc::SIGKILL,
        ..
    } = ending
    else {
        return ending.to_string();
    };
    let why = match kills.judge() {
        MemoryKill::Limit => "the memory limit of its control group was reached",
        MemoryKill::Machine => "the kernel was out of memory",
        MemoryKill::No => "by hand: the kernel was not out of memory",
        MemoryKill::Unknown => return ending.to_string(),
    };
    format!("was killed by SIGKILL ({why})")
}

/// The requests that were inside Python, and how many others it had.
pub(super) fn add_requests(record: &mut String, slot: &Slot, remains: &Remains) {
    let now = SystemTime::now();
    let known = slot.running_requests();
    for thread in remains.threads.iter().take(REQUESTS_MAX) {
        let request = thread.request;
        let name = known.iter().find(|known| known.id == request);
        let name = name.map_or_else(|| format!("request {request:x}"), ToString::to_string);
        let lasted = thread
            .since
            .and_then(|since| now.duration_since(since).ok());
        // The monitor had not seen it yet.
        let lasted = lasted.map_or_else(
            || "some milliseconds".to_owned(),
            |lasted| format!("{:.3} s", lasted.as_secs_f64()),
        );
        let _ = write!(record, "\n  inside Python for {lasted}: {name}");
    }
    let more = remains.threads.len().saturating_sub(REQUESTS_MAX);
    if more > 0 {
        let _ = write!(record, "\n  and {more} more");
    }
    let inside = |request: u64| {
        remains
            .threads
            .iter()
            .any(|thread| thread.request == request)
    };
    let others = known.iter().filter(|known| !inside(known.id)).count();
    if others > 0 {
        let _ = write!(record, "\n  not inside Python: {others} more");
    }
}

/// Where it crashed: the library, the extension, the Python code.
pub(super) fn add_cause(record: &mut String, remains: &Remains) {
    if let Some(culprit) = &remains.culprit {
        let file = match culprit.file.as_str() {
            "" => "at an address that is no code",
            file => file,
        };
        let _ = write!(record, "\n  the crash was in {file}");
        if let Some(caller) = &culprit.caller {
            let _ = write!(record, ", probably called by {caller}");
        }
        if matches!(remains.signal, Some(libc::SIGSEGV | libc::SIGBUS)) {
            let _ = write!(record, " (it touched address {:#x})", culprit.address);
        }
    }
    for line in remains.stacks.lines() {
        let _ = write!(record, "\n  {line}");
    }
}

/// Where the core dump is, or how to get one.
pub(super) fn add_core(record: &mut String, ending: Ending, pid: i32, given: &mut bool) {
    let Ending::Signaled { signal, core } = ending else {
        return;
    };
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    let pattern = pattern.trim();
    if core {
        let _ = match pattern.strip_prefix('|') {
            Some(program) if program.contains("systemd-coredump") => {
                write!(record, "\n  the core dump: coredumpctl debug {pid}")
            }
            Some(program) => write!(record, "\n  the core dump was given to {program}"),
            None => write!(
                record,
                "\n  the core dump is in the worker's directory (kernel.core_pattern is {pattern})"
            ),
        };
        return;
    }
    let limit = rustix::process::getrlimit(rustix::process::Resource::Core);
    // `None` is no limit.
    let dumps_none = limit.current == Some(0);
    if dumps_none && is_crash(signal) && !std::mem::replace(given, true) {
        record.push_str(
            "\n  for a core dump next time: ulimit -c unlimited before the start (LimitCORE=infinity in a systemd unit)",
        );
    }
}

fn is_crash(signal: i32) -> bool {
    matches!(
        signal,
        libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL | libc::SIGABRT | libc::SIGSYS
    )
}
