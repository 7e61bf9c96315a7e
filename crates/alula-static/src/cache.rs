//! Keeps small files in memory and larger ones open, so that serving one again costs a `stat` and not open, read and close.
//!
//! Nothing is served from here unasked: the caller compares [`Found::identity`] with the disk's first. A file that was removed
//! keeps its place on the disk as long as it is open here, so only some are, and none that is very large.

use crate::found::Found;
use bytes::Bytes;
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The largest file that is kept.
pub(crate) const FILE_BYTES_MAX: u64 = 64 * 1024;
/// The largest file that is kept open: sending a larger one costs so much that opening it is nothing.
pub(crate) const OPEN_BYTES_MAX: u64 = 1024 * 1024;
/// How many files one generation holds open; there are two.
const GENERATION_OPEN_MAX: usize = 64;
/// How many files one generation holds; there are two.
const GENERATION_FILES_MAX: usize = 256;
/// How much content one generation holds; there are two.
const GENERATION_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Small files in memory, at most 512 of them with 16 MiB, and at most 128 larger ones open, shared by all [`crate::Files`] that are given a clone.
#[derive(Debug, Clone, Default)]
pub struct FileCache {
    generations: Arc<Mutex<Generations>>,
}

/// When the young generation is full it becomes the old one, and the old one is dropped. Whoever is asked for moves
/// to the young one: what stays is what was used lately, without a list to keep in order.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Box<[u8]>, Kept>,
    young_bytes: usize,
    young_open: usize,
    old: HashMap<Box<[u8]>, Kept>,
}

#[derive(Debug, Clone)]
struct Kept {
    found: Arc<Found>,
    bytes: usize,
    is_open: bool,
}

impl FileCache {
    pub(crate) fn get(&self, file: &Path) -> Option<Arc<Found>> {
        let key = file.as_os_str().as_bytes();
        let mut generations = self.lock();
        if let Some(kept) = generations.young.get(key) {
            return Some(Arc::clone(&kept.found));
        }
        let (key, kept) = generations.old.remove_entry(key)?;
        let found = Arc::clone(&kept.found);
        generations.insert(key, kept);
        Some(found)
    }

    /// `content` is what `found` holds in memory.
    pub(crate) fn insert(&self, file: &Path, found: &Arc<Found>, content: &Bytes) {
        let kept = Kept {
            found: Arc::clone(found),
            bytes: content.len(),
            is_open: false,
        };
        self.lock().insert(file.as_os_str().as_bytes().into(), kept);
    }

    /// `found` holds its file open.
    pub(crate) fn insert_open(&self, file: &Path, found: &Arc<Found>) {
        let kept = Kept {
            found: Arc::clone(found),
            bytes: 0,
            is_open: true,
        };
        self.lock().insert(file.as_os_str().as_bytes().into(), kept);
    }

    pub(crate) fn remove(&self, file: &Path) {
        self.lock().remove(file.as_os_str().as_bytes());
    }

    /// A panic elsewhere leaves the maps whole, so its poison is of no interest.
    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn insert(&mut self, key: Box<[u8]>, kept: Kept) {
        self.remove(&key);
        let is_full = self.young.len() >= GENERATION_FILES_MAX
            || self.young_bytes + kept.bytes > GENERATION_BYTES_MAX
            || self.young_open + usize::from(kept.is_open) > GENERATION_OPEN_MAX;
        if is_full {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
            self.young_open = 0;
        }
        self.young_bytes += kept.bytes;
        self.young_open += usize::from(kept.is_open);
        self.young.insert(key, kept);
    }

    fn remove(&mut self, key: &[u8]) {
        if let Some(kept) = self.young.remove(key) {
            self.young_bytes -= kept.bytes;
            self.young_open -= usize::from(kept.is_open);
        }
        self.old.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containment::{self, Opened, Symlinks};
    use crate::mime::Mime;

    fn found() -> Arc<Found> {
        let file = Path::new("/etc/passwd");
        let opened = containment::open(Path::new("/"), file, Symlinks::Follow);
        let Ok(Opened::File(fd, stat)) = opened else {
            panic!("a file: {opened:?}");
        };
        let mime = Arc::new(Mime::new(Arc::default(), Arc::default(), None));
        Arc::new(Found::new(file, fd, &stat, &mime))
    }

    fn held(cache: &FileCache) -> (usize, usize) {
        let generations = cache.lock();
        let kept = || generations.young.values().chain(generations.old.values());
        assert_eq!(
            generations
                .young
                .values()
                .map(|kept| kept.bytes)
                .sum::<usize>(),
            generations.young_bytes
        );
        (kept().count(), kept().map(|kept| kept.bytes).sum())
    }

    #[test]
    fn stays_within_its_bounds_and_keeps_what_is_used() {
        let cache = FileCache::default();
        let found = found();
        for (content, count) in [(Bytes::new(), 5000), (Bytes::from(vec![0; 65536]), 1000)] {
            for number in 0..count {
                cache.insert(Path::new("favourite"), &found, &content);
                cache.insert(Path::new(&number.to_string()), &found, &content);
                assert!(cache.get(Path::new("favourite")).is_some());
                let (files, bytes) = held(&cache);
                assert!(files <= 2 * GENERATION_FILES_MAX && bytes <= 2 * GENERATION_BYTES_MAX);
            }
            assert!(cache.get(Path::new("0")).is_none());
            assert!(cache.get(Path::new(&(count - 1).to_string())).is_some());
        }
    }

    #[test]
    fn few_files_are_open() {
        let cache = FileCache::default();
        let found = found();
        for number in 0..1000 {
            cache.insert_open(Path::new(&number.to_string()), &found);
            let generations = cache.lock();
            let kept = generations.young.values().chain(generations.old.values());
            assert!(kept.filter(|kept| kept.is_open).count() <= 2 * GENERATION_OPEN_MAX);
        }
        for number in 0..1000 {
            cache.remove(Path::new(&number.to_string()));
        }
        assert_eq!(cache.lock().young_open, 0);
    }

    #[test]
    fn moves_between_generations_and_forgets_on_request() {
        let cache = FileCache::default();
        let found = found();
        let name = |number: usize| number.to_string();
        for number in 0..=GENERATION_FILES_MAX {
            cache.insert(Path::new(&name(number)), &found, &Bytes::from_static(b"x"));
        }
        assert!(
            cache.get(Path::new("0")).is_some(),
            "promoted from the old generation"
        );
        assert_eq!(
            held(&cache),
            (GENERATION_FILES_MAX + 1, GENERATION_FILES_MAX + 1)
        );
        for number in 0..=GENERATION_FILES_MAX {
            cache.remove(Path::new(&name(number)));
        }
        assert_eq!(held(&cache), (0, 0));
    }
}
