//! Gives back the pages of code that only the start of a process needed.
//!
//! A supervisor has read and checked a configuration, a template has imported an application; from then on both
//! sleep, yet parser, loader and initialisers stay mapped. Let go, they stay in the page cache for whoever needs them.
//! Only mappings that nothing was ever written to may go: dropping one with relocated pages would lose the relocations.

use std::ffi::c_void;

use rustix::mm::Advice;

/// Lets go of clean code and of free heap. A failure leaves things as they are: nothing but memory is at stake.
pub(crate) fn release() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes the allocator's own locks and touches free memory only.
    unsafe {
        libc::malloc_trim(0);
    }
    let Ok(smaps) = std::fs::read_to_string("/proc/self/smaps") else {
        return;
    };
    for (start, length) in clean_file_mappings(&smaps) {
        // SAFETY: the mapping is private, of a file, not writable, and has no page of its own (`Anonymous: 0`), so the
        // kernel brings every page back from the file, with the same content, at the next touch.
        let released =
            unsafe { rustix::mm::madvise(start as *mut c_void, length, Advice::LinuxDontNeed) };
        if let Err(error) = released {
            tracing::debug!(target: "core", "cannot release pages at {start:x}: {error}");
        }
    }
}

/// Start and length of each private, read-only mapping of a file without a page that differs from the file.
fn clean_file_mappings(smaps: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut candidate = None;
    for line in smaps.lines() {
        if let Some(mapping) = header(line) {
            candidate = mapping;
        } else if let Some(rest) = line.strip_prefix("Anonymous:")
            && rest.trim() == "0 kB"
            && let Some(mapping) = candidate.take()
        {
            found.push(mapping);
        }
    }
    found
}

/// The header line of a mapping (proc(5)): `Some(None)` for one that must stay as it is, `None` for another line.
fn header(line: &str) -> Option<Option<(usize, usize)>> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let start = usize::from_str_radix(start, 16).ok()?;
    let end = usize::from_str_radix(end, 16).ok()?;
    let access = words.next()?;
    let of_file = words.nth(2)? != "0" && words.next().is_some_and(|name| name.starts_with('/'));
    let suits = matches!(access, "r-xp" | "r--p") && of_file;
    Some(suits.then_some((start, end - start)))
}

#[cfg(test)]
mod tests {
    use super::{clean_file_mappings, release};

    #[test]
    fn only_what_equals_the_file_may_go() {
        let smaps = "\
1000-3000 r-xp 00000000 fe:00 77 /bin/x
Anonymous:             0 kB
3000-4000 r--p 00002000 fe:00 77 /bin/x
Anonymous:             4 kB
4000-5000 rw-p 00003000 fe:00 77 /bin/x
Anonymous:             0 kB
5000-6000 r--p 00000000 00:00 0 [vvar]
Anonymous:             0 kB
6000-7000 r--s 00000000 fe:00 78 /shared
Anonymous:             0 kB
";
        assert_eq!(clean_file_mappings(smaps), [(0x1000, 0x2000)]);
    }

    #[test]
    fn a_process_goes_on_afterwards() {
        release();
        assert_eq!("1".parse(), Ok(1));
    }
}
