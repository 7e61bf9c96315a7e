//! Request targets taken apart, and where they lead, remembered: a site's few popular URLs make most of its requests.
//!
//! A target enters when it is seen a second time in its place, so a scan over many URLs does not push the popular
//! ones out one by one. The memo is small and bounded, and a miss costs what it would without it.

use alula_http::path::{self, PathError, Target};
use alula_routing::VirtualHostId;
use bytes::Bytes;
use parking_lot::Mutex;
use rustc_hash::FxHasher;
use std::hash::Hasher;

/// Places in the memo, a power of two.
const PLACES: usize = 256;
/// Longer targets are not remembered, in bytes.
const TARGET_BYTES_MAX: usize = 256;

/// The memo of one worker; `F` is what a target leads to.
pub(crate) struct Targets<F> {
    places: Mutex<Box<[Place<F>]>>,
}

struct Place<F> {
    known: Option<(VirtualHostId, Destination<F>)>,
    /// The hash of what was seen here last.
    candidate: u64,
}

/// A target, what it says, and where that leads.
#[derive(Clone)]
pub(crate) struct Destination<F> {
    /// The target itself.
    pub(crate) target: Bytes,
    pub(crate) decoded: Target,
    pub(crate) found: F,
}

impl<F: Clone> Targets<F> {
    pub(crate) fn new() -> Self {
        let empty = || Place {
            known: None,
            candidate: 0,
        };
        Self {
            places: Mutex::new((0..PLACES).map(|_| empty()).collect()),
        }
    }

    /// Takes a target apart and looks up where its path leads; `find` says the same for the same path of a virtual host.
    pub(crate) fn lead(
        &self,
        host: VirtualHostId,
        target: &str,
        find: impl FnOnce(&[u8]) -> F,
    ) -> Result<Destination<F>, PathError> {
        if target.len() > TARGET_BYTES_MAX {
            return fresh(target, find);
        }
        let mut hasher = FxHasher::default();
        hasher.write(target.as_bytes());
        hasher.write_usize(host.0);
        let hash = hasher.finish();
        let mut places = self.places.lock();
        let place = &mut places[hash as usize % PLACES];
        if let Some((known, led)) = &place.known
            && led.target == target
            && *known == host
        {
            return Ok(led.clone());
        }
        let led = fresh(target, find)?;
        if place.candidate == hash {
            place.known = Some((host, led.clone()));
        }
        place.candidate = hash;
        Ok(led)
    }
}

impl<F> Targets<F> {
    /// Where targets lead has changed.
    pub(crate) fn forget(&self) {
        for place in &mut *self.places.lock() {
            place.known = None;
        }
    }
}

/// Takes a target apart; the first of the two is the target itself.
pub(crate) fn decode(target: &str) -> Result<(Bytes, Target), PathError> {
    let target = Bytes::copy_from_slice(target.as_bytes());
    let decoded = path::decode(&target)?;
    Ok((target, decoded))
}

fn fresh<F>(target: &str, find: impl FnOnce(&[u8]) -> F) -> Result<Destination<F>, PathError> {
    let (target, decoded) = decode(target)?;
    let found = find(&decoded.path);
    Ok(Destination {
        target,
        decoded,
        found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remembered_target_is_the_one_asked_for() {
        let targets = Targets::new();
        for _ in 0..3 {
            for number in 0..2000 {
                let target = format!("/a%20{number}?q={number}");
                let host = VirtualHostId(number % 3);
                let led = targets.lead(host, &target, |path| (host, path.to_vec()));
                let led = led.expect("a good target");
                let path = format!("/a {number}");
                assert_eq!(led.target, target);
                assert_eq!(led.decoded.path, path);
                assert_eq!(led.decoded.query, Some(Bytes::from(format!("q={number}"))));
                assert_eq!(led.found, (host, path.into_bytes()));
            }
        }
    }

    #[test]
    fn hosts_do_not_share_what_they_lead_to() {
        let targets = Targets::new();
        for _ in 0..4 {
            for host in 0..4 {
                let led = targets.lead(VirtualHostId(host), "/same", |_| host);
                assert_eq!(led.expect("a good target").found, host);
            }
        }
    }

    #[test]
    fn what_is_remembered_is_not_looked_up() {
        let targets = Targets::new();
        let mut looked = 0;
        for _ in 0..5 {
            let led = targets.lead(VirtualHostId(0), "/", |_| looked += 1);
            led.expect("a good target");
        }
        assert_eq!(looked, 2);
    }

    #[test]
    fn what_is_forgotten_is_looked_up() {
        let targets = Targets::new();
        let lead = |found| targets.lead(VirtualHostId(0), "/", |_| found);
        let found = |found| lead(found).expect("a good target").found;
        assert_eq!([found(1), found(2), found(3)], [1, 2, 2]);
        targets.forget();
        assert_eq!(found(4), 4);
    }

    #[test]
    fn a_bad_target_stays_bad() {
        let targets = Targets::new();
        for _ in 0..3 {
            let led = targets.lead(VirtualHostId(0), "/%zz", |_| ());
            assert_eq!(led.err(), Some(PathError::BadEscape));
        }
    }
}
