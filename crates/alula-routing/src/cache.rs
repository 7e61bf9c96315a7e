//! Routes made so far, by the combination of sections they are the sum of.
//!
//! Two combinations that add up to the same share a route. A hostile client can at most make every combination of sections that the
//! configuration allows appear; past a bound they are computed each time instead of kept.

use crate::route::{Route, RouteId};
use parking_lot::RwLock;
use rustc_hash::{FxHashMap, FxHasher};
use std::fmt::Write;
use std::hash::Hasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many combinations are kept.
const COMBINATIONS_MAX: usize = 16_384;

/// How many numbers a key holds before it needs memory of its own.
const INLINE: usize = 24;

/// What stands between the parts of a key, and says what the next one is. Each is a number that no section and no
/// mapping is as high as.
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub(crate) enum Mark {
    /// What the path was mapped to, and the sections of the file.
    Files = u32::MAX,
    /// The `<If>` sections that hold.
    Conditions = u32::MAX - 1,
    /// The `.htaccess` files.
    Htaccess = u32::MAX - 2,
    /// The `<Proxy>` sections of what is passed on.
    Proxy = u32::MAX - 3,
    /// A route that a rule of a section made another of.
    Ruled = u32::MAX - 4,
    /// A file of the project's own.
    SiteFiles = u32::MAX - 5,
    /// The `<If>` sections of `.htaccess` files that hold, a pair each: the file's number and the section's.
    HtaccessConditions = u32::MAX - 6,
}

/// A combination: the server, what the path was mapped to, the sections that fit.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    inline: [u32; INLINE],
    length: usize,
    /// Everything, once it does not fit inline.
    spilled: Vec<u32>,
}

impl Key {
    /// Stands where the number of a mapping does, for the first of a project's own folders; the next ones count down.
    pub(crate) const SITE_FILE_MAPPING: usize = Mark::HtaccessConditions as usize - 1;

    pub(crate) fn new() -> Self {
        Self {
            inline: [0; INLINE],
            length: 0,
            spilled: Vec::new(),
        }
    }

    /// Adds a number. Those of one configuration all fit `u32`.
    pub(crate) fn push(&mut self, number: usize) {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        if self.spilled.is_empty() {
            if let Some(place) = self.inline.get_mut(self.length) {
                *place = number;
                self.length += 1;
                return;
            }
            self.spilled.extend_from_slice(&self.inline);
        }
        self.spilled.push(number);
    }

    pub(crate) fn mark(&mut self, mark: Mark) {
        self.push(mark as usize);
    }

    pub(crate) fn as_slice(&self) -> &[u32] {
        if self.spilled.is_empty() {
            &self.inline[..self.length]
        } else {
            &self.spilled
        }
    }
}

/// What was found for a combination.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    Route(Arc<Route>),
    /// The sections of the URL path alone do not decide: the file has to be looked at.
    NeedsFile,
}

#[derive(Debug)]
pub(crate) struct Cache {
    entries: RwLock<FxHashMap<Box<[u32]>, Entry>>,
    routes: RwLock<Routes>,
    /// So many combinations are kept.
    entries_max: AtomicUsize,
}

#[derive(Debug, Default)]
struct Routes {
    all: Vec<Arc<Route>>,
    /// By a hash of what `Debug` says of them: equal routes are found there and are compared in full.
    alike: FxHashMap<u64, Vec<usize>>,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            entries: RwLock::default(),
            routes: RwLock::default(),
            entries_max: AtomicUsize::new(COMBINATIONS_MAX),
        }
    }
}

impl Cache {
    pub(crate) fn get(&self, key: &Key) -> Option<Entry> {
        self.entries.read().get(key.as_slice()).cloned()
    }

    pub(crate) fn insert(&self, key: &Key, entry: &Entry) {
        let mut entries = self.entries.write();
        if entries.len() < self.entries_max.load(Ordering::Relaxed) {
            entries.insert(key.as_slice().into(), entry.clone());
        }
    }

    /// Makes room for all that a configuration foresees; requests have [`COMBINATIONS_MAX`] more.
    pub(crate) fn foresee(&self, combinations: usize) {
        let max = COMBINATIONS_MAX + combinations;
        self.entries_max.store(max, Ordering::Relaxed);
    }

    /// The route equal to this one, or this one with the next id.
    pub(crate) fn intern(&self, mut route: Route) -> Arc<Route> {
        route.id = RouteId(0);
        let mut text = Text(FxHasher::default());
        // A hasher takes any text.
        let _ = write!(text, "{route:?}");
        let hash = text.0.finish();
        let mut routes = self.routes.write();
        for &index in routes.alike.get(&hash).into_iter().flatten() {
            let known = &routes.all[index];
            route.id = known.id;
            if **known == route {
                return known.clone();
            }
        }
        let index = routes.all.len();
        route.id = RouteId(index);
        let route = Arc::new(route);
        routes.all.push(route.clone());
        routes.alike.entry(hash).or_default().push(index);
        route
    }

    pub(crate) fn routes(&self) -> Vec<Arc<Route>> {
        self.routes.read().all.clone()
    }
}

/// Hashes what is written.
struct Text(FxHasher);

impl std::fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}
