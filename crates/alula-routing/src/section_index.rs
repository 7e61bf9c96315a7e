//! Which of many plain paths hold a path, without looking at each: every prefix that ends at a slash is looked up.
//!
//! With few sections a look at each is faster, and there is no index.

use rustc_hash::FxHashMap;

/// From so many plain paths on there is an index.
const PLAIN_MIN: usize = 16;

/// A list of sections, by path.
#[derive(Debug, Clone)]
pub(crate) struct PathIndex {
    /// By plain path: places in the list.
    plain: FxHashMap<Box<[u8]>, Vec<u32>>,
    /// Places of those that are no plain path.
    others: Vec<u32>,
    /// The longest plain path; no longer prefix is looked up.
    bytes_max: usize,
}

impl PathIndex {
    /// An index of a list whose sections have these plain paths, or are something else.
    pub(crate) fn new<'s>(paths: impl Iterator<Item = Option<&'s [u8]>>) -> Option<Self> {
        let mut index = Self {
            plain: FxHashMap::default(),
            others: Vec::new(),
            bytes_max: 0,
        };
        for (place, path) in (0..).zip(paths) {
            match path {
                Some(path) if path.is_empty() || path.starts_with(b"/") => {
                    index.plain.entry(path.into()).or_default().push(place);
                    index.bytes_max = index.bytes_max.max(path.len());
                }
                _ => index.others.push(place),
            }
        }
        (index.plain.len() >= PLAIN_MIN).then_some(index)
    }

    /// The places of the plain paths that hold `path` and of the others that `fits`, in order.
    pub(crate) fn places(&self, path: &[u8], fits: impl Fn(usize) -> bool) -> Vec<u32> {
        let others = self.others.iter().copied();
        let mut places: Vec<u32> = others.filter(|place| fits(*place as usize)).collect();
        let mut add = |prefix: &[u8]| {
            if let Some(found) = self.plain.get(prefix) {
                places.extend_from_slice(found);
            }
        };
        let reach = &path[..path.len().min(self.bytes_max + 1)];
        for slash in memchr::memchr_iter(b'/', reach) {
            // `/a` holds `/a/b`; so does `/a/`, which does not hold `/a`.
            add(&path[..slash]);
            add(&path[..=slash]);
        }
        if !path.ends_with(b"/") {
            add(path);
        }
        places.sort_unstable();
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_finds_what_a_look_at_each_would() {
        let mut paths: Vec<String> = (0..20).map(|number| format!("/p{number}")).collect();
        paths.extend(["/", "", "/a", "/a/", "/a/b", "/a/b/c/", "relative"].map(String::from));
        let index = PathIndex::new(paths.iter().map(|path| Some(path.as_bytes())));
        let index = index.expect("many enough");
        let holds = |section: &str, path: &str| match path.strip_prefix(section) {
            Some(rest) => rest.is_empty() || section.ends_with('/') || rest.starts_with('/'),
            None => false,
        };
        for path in [
            "/", "/a", "/a/", "/ab", "/a/b", "/a/b/c", "/a/b/c/d", "/p7/x", "*", "/p",
        ] {
            let expected: Vec<u32> = (0..)
                .zip(&paths)
                .filter(|(_, section)| holds(section, path))
                .map(|(place, _)| place)
                .collect();
            let found = index.places(path.as_bytes(), |place| holds(&paths[place], path));
            // A path that does not begin with a slash is never asked for but `*`, and the empty section holds no such.
            let expected: Vec<u32> = expected
                .into_iter()
                .filter(|place| path != "*" || !paths[*place as usize].is_empty())
                .collect();
            assert_eq!(found, expected, "{path}");
        }
    }
}
