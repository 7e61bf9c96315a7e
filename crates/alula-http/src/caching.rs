//! How long a client may use a project's static file without asking again (RFC 9111 section 5.2.2).
//!
//! A file whose name holds the hash of its content never changes; any other is asked for again each time, and that is
//! answered 304 as a rule. No name is judged by its looks: the project's manifest says which are hashed.

use http::header::{CACHE_CONTROL, HeaderMap, HeaderValue};
use std::collections::HashSet;

/// For what never changes.
pub const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// For what may change.
pub const REVALIDATED: HeaderValue = HeaderValue::from_static("no-cache");

/// The files of a tree whose names hold a hash of their content.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Caching {
    /// Paths below the root, without a slash at their start.
    hashed: HashSet<Box<[u8]>>,
}

impl Caching {
    /// With the paths below the root that hold a hash.
    pub fn new(hashed: impl IntoIterator<Item = String>) -> Self {
        let hashed = hashed.into_iter();
        Self {
            hashed: hashed.map(|name| name.into_bytes().into()).collect(),
        }
    }

    /// Adds `Cache-Control` for the file at a path below the root.
    pub fn add(&self, headers: &mut HeaderMap, below: &[u8]) {
        let value = match self.hashed.contains(below) {
            true => FOR_EVER,
            false => REVALIDATED,
        };
        headers.insert(CACHE_CONTROL, value);
    }
}

impl std::fmt::Debug for Caching {
    /// There may be thousands.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Caching({} hashed)", self.hashed.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_of_the_manifest_is_for_ever() {
        let caching = Caching::new(["css/base.27e20196a850.css".to_owned()]);
        let check = |below: &str, expected: &str| {
            let mut headers = HeaderMap::new();
            caching.add(&mut headers, below.as_bytes());
            assert_eq!(headers[CACHE_CONTROL], expected, "{below}");
        };
        check(
            "css/base.27e20196a850.css",
            "public, max-age=31536000, immutable",
        );
        check("css/base.css", "no-cache");
        check("base.27e20196a850.css", "no-cache");
        check("css/other.27e20196a850.css", "no-cache");
    }
}
