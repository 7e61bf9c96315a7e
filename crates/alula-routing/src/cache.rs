//! Routes made so far, by the combination of sections they are the sum of.
//!
//! Two combinations that add up to the same share a route. A hostile client can at most make every combination of sections that the
//! configuration allows appear; past a bound they are computed each time instead of kept.

use crate::route::{Route, RouteId};
use parking_lot::RwLock;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// How many combinations are kept.
const COMBINATIONS_MAX: usize = 16_384;

/// How many numbers a key holds before it needs memory of its own.
const INLINE: usize = 24;

/// A combination: the server, what the path was mapped to, the sections that fit.
#[derive(Debug)]
pub(crate) struct Key {
    inline: [u32; INLINE],
    length: usize,
    /// Everything, once it does not fit inline.
    spilled: Vec<u32>,
}

impl Key {
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

#[derive(Debug, Default)]
pub(crate) struct Cache {
    entries: RwLock<FxHashMap<Box<[u32]>, Entry>>,
    routes: RwLock<Vec<Arc<Route>>>,
}

impl Cache {
    pub(crate) fn get(&self, key: &Key) -> Option<Entry> {
        self.entries.read().get(key.as_slice()).cloned()
    }

    pub(crate) fn insert(&self, key: &Key, entry: &Entry) {
        let mut entries = self.entries.write();
        if entries.len() < COMBINATIONS_MAX {
            entries.insert(key.as_slice().into(), entry.clone());
        }
    }

    /// The route equal to this one, or this one with the next id.
    pub(crate) fn intern(&self, mut route: Route) -> Arc<Route> {
        let mut routes = self.routes.write();
        let known = routes.iter().find(|known| {
            route.id = known.id;
            ***known == route
        });
        if let Some(known) = known {
            return known.clone();
        }
        route.id = RouteId(routes.len());
        let route = Arc::new(route);
        routes.push(route.clone());
        route
    }

    pub(crate) fn routes(&self) -> Vec<Arc<Route>> {
        self.routes.read().clone()
    }
}
