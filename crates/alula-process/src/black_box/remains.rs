//! A black box, read when its worker is gone.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::{
    MAPS_AT, MAPS_BYTES_MAX, PAGE_BYTES, Page, RunningThread, STACKS_AT, STACKS_BYTES_MAX,
    SharedThread, WORDS_AT, WORDS_BYTES_MAX,
};

/// Files that have no part in what an extension does, by how their names begin. What is found in one of these is looked
/// for further up.
const INNOCENT: &[&str] = &[
    "ld-linux",
    "ld-musl",
    "libc.",
    "libc-",
    "libm.",
    "libpthread",
    "libdl",
    "libgcc_s",
    "libstdc++",
    "libpython",
    "python",
    "_alula",
    "libalula",
    "[",
];

/// What a worker has left.
#[derive(Debug, Default)]
pub(crate) struct Remains {
    /// The signal its crash was noted for.
    pub(crate) signal: Option<i32>,
    /// The library that was executing at the crash, and the extension that probably had called it.
    pub(crate) culprit: Option<Culprit>,
    /// What its threads were doing.
    pub(crate) threads: Vec<RunningThread>,
    /// Python stacks, as `faulthandler` writes them.
    pub(crate) stacks: String,
}

/// Where a crash was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Culprit {
    /// The file that was executing; empty when it was no file's code.
    pub(crate) file: String,
    /// The extension that is the nearest above it on the stack, when that is another file.
    pub(crate) caller: Option<String>,
    /// The address that was touched.
    pub(crate) address: u64,
}

impl Remains {
    /// Reads what there is. What cannot be read is as if it had not been written.
    pub(crate) fn read(memory: &OwnedFd) -> Self {
        let part = |at, most| read(memory.as_fd(), at, most).unwrap_or_default();
        let text = part(STACKS_AT, STACKS_BYTES_MAX);
        let maps = part(MAPS_AT, MAPS_BYTES_MAX);
        let words = words(memory.as_fd(), WORDS_AT, WORDS_BYTES_MAX);
        let page = page(memory.as_fd());
        let signal = page.signal.load(Relaxed).cast_signed();
        let threads = threads(&page);
        let crashed = (signal != 0).then(|| page.thread.load(Relaxed));
        Self {
            signal: (signal != 0).then_some(signal),
            culprit: (signal != 0)
                .then(|| {
                    culprit(
                        &String::from_utf8_lossy(&maps),
                        page.instruction.load(Relaxed),
                        &words,
                        page.address.load(Relaxed),
                    )
                })
                .flatten(),
            stacks: stacks(&text, &threads, crashed),
            threads,
        }
    }
}

/// The page, copied and not mapped: what a worker has left behind may have the memory still, and cut it off at any time.
fn page(memory: BorrowedFd<'_>) -> Page {
    let mut words = words(memory, 0, PAGE_BYTES).into_iter();
    let mut word = || words.next().unwrap_or(0);
    // `signal` and what fills the word up.
    let [first, second, third, fourth, ..] = word().to_ne_bytes();
    let signal = u32::from_ne_bytes([first, second, third, fourth]);
    let mut next = || AtomicU64::new(word());
    Page {
        signal: AtomicU32::new(signal),
        _pad: AtomicU32::new(0),
        instruction: next(),
        address: next(),
        thread: next(),
        threads: std::array::from_fn(|_| SharedThread {
            request: next(),
            seen: next(),
            since_micros: next(),
            thread: next(),
        }),
    }
}

/// Reads up to the first zero, or as much as is allowed.
pub(super) fn read(memory: BorrowedFd<'_>, at: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; most];
    let mut filled = 0;
    while filled < most {
        match rustix::io::pread(memory, &mut bytes[filled..], at + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    bytes.truncate(filled);
    if let Some(end) = memchr::memchr(0, &bytes) {
        bytes.truncate(end);
    }
    Ok(bytes)
}

fn words(memory: BorrowedFd<'_>, at: u64, most: usize) -> Vec<u64> {
    let mut bytes = vec![0; most];
    let length = rustix::io::pread(memory, &mut bytes[..], at).unwrap_or(0);
    bytes.truncate(length);
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().copied().map(u64::from_ne_bytes).collect()
}

/// The threads that are inside of a request.
pub(super) fn threads(page: &Page) -> Vec<RunningThread> {
    page.threads
        .iter()
        .filter_map(SharedThread::running)
        .collect()
}

/// `faulthandler`'s text, with the requests that threads are inside of. Of the thread that has crashed, or has made
/// `faulthandler` write, alone, when there is one.
pub(super) fn stacks(text: &[u8], running: &[RunningThread], crashed: Option<u64>) -> String {
    let text = String::from_utf8_lossy(text);
    let mut blocks: Vec<(Option<u64>, String)> = Vec::new();
    let current = text.lines().find(|line| line.starts_with("Current thread"));
    let crashed = crashed.or(current.and_then(thread_of));
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match thread_of(line) {
            Some(thread) => {
                let request = running.iter().find(|running| running.thread == thread);
                let request = request.map_or_else(String::new, |known| {
                    format!(", request {:x}", known.request)
                });
                blocks.push((
                    Some(thread),
                    format!("thread {thread:#x}{request} (most recent call first):"),
                ));
            }
            None => match blocks.last_mut() {
                Some((_, block)) => {
                    block.push('\n');
                    block.push_str(line);
                }
                None => blocks.push((None, line.to_owned())),
            },
        }
    }
    if let Some(crashed) = crashed
        && let Some(place) = blocks
            .iter()
            .position(|(thread, _)| *thread == Some(crashed))
    {
        blocks = vec![blocks.swap_remove(place)];
    } else {
        // Those that answer requests first.
        let runs = |thread: &Option<u64>| running.iter().any(|known| Some(known.thread) == *thread);
        blocks.sort_by_key(|(thread, _)| !runs(thread));
    }
    let blocks: Vec<String> = blocks.into_iter().map(|(_, block)| block).collect();
    blocks.join("\n")
}

/// The thread that a line `Thread 0x00007f... (most recent call first):` begins with.
fn thread_of(line: &str) -> Option<u64> {
    let rest = line
        .strip_prefix("Current thread 0x")
        .or_else(|| line.strip_prefix("Thread 0x"))?;
    let digits = rest.split([' ', ':']).next()?;
    u64::from_str_radix(digits, 16).ok()
}

/// Which file the crash was in, and which extension had brought it there.
fn culprit(maps: &str, instruction: u64, stack: &[u64], address: u64) -> Option<Culprit> {
    let code: Vec<(u64, u64, &str)> = maps.lines().filter_map(mapping).collect();
    let file_of = |at: u64| {
        let found = code
            .iter()
            .find(|(start, end, _)| (*start..*end).contains(&at));
        found.map(|(_, _, file)| *file)
    };
    let file = file_of(instruction).unwrap_or_default();
    // Return addresses and leftovers of earlier calls cannot be told apart, hence "probably".
    let called = || {
        stack
            .iter()
            .copied()
            .filter_map(file_of)
            .find(|file| !is_innocent(file))
    };
    let caller = is_innocent(file).then(called).flatten();
    (!code.is_empty()).then(|| Culprit {
        file: file.to_owned(),
        caller: caller.map(str::to_owned),
        address,
    })
}

fn is_innocent(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.is_empty() || INNOCENT.iter().any(|innocent| name.starts_with(innocent))
}

/// Start, end and file of a mapping with code.
fn mapping(line: &str) -> Option<(u64, u64, &str)> {
    let mut words = line.splitn(6, ' ');
    let (start, end) = words.next()?.split_once('-')?;
    let access = words.next()?;
    let file = words.nth(3)?.trim();
    let number = |text| u64::from_str_radix(text, 16).ok();
    (access.contains('x') && !file.is_empty()).then_some((number(start)?, number(end)?, file))
}

#[cfg(test)]
mod tests {
    use super::super::BlackBox;
    use super::*;

    const MAPS: &str = "\
1000-2000 r-xp 00000000 fe:00 77                         /usr/bin/python3.11
2000-3000 r--p 00000000 fe:00 77                         /usr/bin/python3.11
5000-6000 r-xp 00000000 fe:00 78                         /lib/x86_64-linux-gnu/libc.so.6
7000-8000 r-xp 00000000 fe:00 79                         /srv/my venv/_ctypes.cpython-311.so
9000-a000 r-xp 00000000 00:00 0                          [vdso]
";

    #[test]
    fn the_extension_at_fault_is_found() {
        let check = |instruction, stack: &[u64], file: &str, caller: Option<&str>| {
            let found = culprit(MAPS, instruction, stack, 0).unwrap();
            assert_eq!(
                (found.file.as_str(), found.caller.as_deref()),
                (file, caller)
            );
        };
        let ctypes = "/srv/my venv/_ctypes.cpython-311.so";
        check(0x7010, &[], ctypes, None);
        check(
            0x5010,
            &[0, 0x2010, 0x1010, 0x7777, 0x1011],
            "/lib/x86_64-linux-gnu/libc.so.6",
            Some(ctypes),
        );
        check(0x1010, &[0x1010], "/usr/bin/python3.11", None);
        check(0, &[0x7001], "", Some(ctypes));
        assert_eq!(culprit("", 0x1010, &[], 0), None);
        assert_eq!(culprit("nonsense\n-\n", 0x1010, &[], 0), None);
    }

    #[test]
    fn stacks_say_which_request_they_are_of() {
        let running = [RunningThread {
            request: 0x4f,
            since: None,
            thread: 0x7f00,
        }];
        let text = b"Thread 0x0000000000001234 (most recent call first):\n  File \"a.py\", line 1 in wait\n\n\
            Current thread 0x0000000000007f00 [python] (most recent call first):\n  File \"b.py\", line 2 in view\n";
        let expected =
            "thread 0x7f00, request 4f (most recent call first):\n  File \"b.py\", line 2 in view";
        assert_eq!(stacks(text, &running, Some(0x7f00)), expected);
        assert_eq!(stacks(text, &running, None), expected);
        let text = String::from_utf8_lossy(text).replace("Current thread", "Thread");
        let all = stacks(text.as_bytes(), &running, None);
        assert!(all.starts_with(expected), "{all}");
        assert!(
            all.ends_with(
                "thread 0x1234 (most recent call first):\n  File \"a.py\", line 1 in wait"
            ),
            "{all}"
        );
        assert_eq!(stacks(b"", &running, None), "");
    }

    #[test]
    fn a_box_holds_what_was_noted() {
        let memory = super::super::create().unwrap();
        let kept = memory.try_clone().unwrap();
        let worker = BlackBox::open(memory).unwrap();
        worker.request_of(3).unwrap().store(0x4f, Relaxed);
        assert!(worker.request_of(super::super::THREADS_MAX).is_none());
        worker.begun(3);
        rustix::io::write(
            &worker,
            b"Thread 0x1 (most recent call first):\n  <no Python frame>\n",
        )
        .unwrap();
        worker
            .page
            .threads
            .last()
            .unwrap()
            .request
            .store(0x50, Relaxed);
        worker.page.signal.store(11, Relaxed);
        worker.page.thread.store(0x1, Relaxed);
        let remains = Remains::read(&kept);
        assert_eq!(remains.threads.len(), 2);
        assert_eq!(remains.threads[1].request, 0x50);
        assert_eq!(remains.threads[0].request, 0x4f);
        assert!(remains.threads[0].since.is_some());
        assert!(
            remains.stacks.ends_with("<no Python frame>"),
            "{}",
            remains.stacks
        );
        assert_eq!((remains.signal, remains.culprit), (Some(11), None));
        rustix::fs::ftruncate(&kept, 0).unwrap();
        let remains = Remains::read(&kept);
        assert_eq!((remains.signal, remains.threads.len()), (None, 0));
    }
}
