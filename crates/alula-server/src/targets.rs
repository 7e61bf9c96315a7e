//! Request targets taken apart, remembered: a site's few popular URLs make most of its requests.
//!
//! A target enters when it is seen a second time in its place, so a scan over many URLs does not push the popular
//! ones out one by one. The memo is small and bounded, and a miss costs what it would without it.

use alula_http::path::{self, PathError, Target};
use bytes::Bytes;
use parking_lot::Mutex;
use rustc_hash::FxHasher;
use std::hash::Hasher;

/// Places in the memo, a power of two.
const PLACES: usize = 256;
/// Longer targets are not remembered, in bytes.
const TARGET_BYTES_MAX: usize = 256;

/// The memo of one worker.
pub(crate) struct Targets {
    places: Mutex<Box<[Place]>>,
}

#[derive(Default)]
struct Place {
    known: Option<(Bytes, Target)>,
    /// The hash of the target seen here last.
    candidate: u64,
}

impl Targets {
    pub(crate) fn new() -> Self {
        let places = (0..PLACES).map(|_| Place::default()).collect();
        Self {
            places: Mutex::new(places),
        }
    }

    /// Takes a target apart; the first of the two is the target itself.
    pub(crate) fn decode(&self, target: &str) -> Result<(Bytes, Target), PathError> {
        let target = target.as_bytes();
        if target.len() > TARGET_BYTES_MAX {
            return fresh(target);
        }
        let mut hasher = FxHasher::default();
        hasher.write(target);
        let hash = hasher.finish();
        let mut places = self.places.lock();
        let place = &mut places[hash as usize % PLACES];
        if let Some((known, decoded)) = &place.known
            && known == target
        {
            return Ok((known.clone(), decoded.clone()));
        }
        let (target, decoded) = fresh(target)?;
        if place.candidate == hash {
            place.known = Some((target.clone(), decoded.clone()));
        }
        place.candidate = hash;
        Ok((target, decoded))
    }
}

fn fresh(target: &[u8]) -> Result<(Bytes, Target), PathError> {
    let target = Bytes::copy_from_slice(target);
    let decoded = path::decode(&target)?;
    Ok((target, decoded))
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
                let (whole, decoded) = targets.decode(&target).expect("a good target");
                assert_eq!(whole, target);
                assert_eq!(decoded.path, format!("/a {number}"));
                assert_eq!(decoded.query, Some(Bytes::from(format!("q={number}"))));
            }
        }
    }

    #[test]
    fn a_bad_target_stays_bad() {
        let targets = Targets::new();
        for _ in 0..3 {
            assert_eq!(targets.decode("/%zz"), Err(PathError::BadEscape));
        }
    }
}
