//! Entity tags (RFC 9110 section 8.8.3): httpd's for a file, and how tags compare.
//!
//! A tag is weak while its file is young: a second change within the clock's tick could leave size and time as they
//! were, so a strong promise would be a lie. The same tag without `W/` is sent a second later, and the weak
//! comparison that `If-None-Match` uses takes the two for equal.

use http::HeaderValue;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How old a file must be before its tag is strong; httpd's rule in `ap_make_etag`.
pub const STRONG_AFTER: Duration = Duration::from_secs(1);

/// An entity tag of ours, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityTag {
    value: HeaderValue,
}

/// What a file's tag may be made of.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts {
    /// `FileETag INode`.
    pub inode: Option<u64>,
    /// `FileETag Size`.
    pub size: Option<u64>,
    /// `FileETag MTime`.
    pub modified: Option<SystemTime>,
}

impl EntityTag {
    /// httpd's tag for a file, as with `FileETag MTime Size`: `"size-mtime"` in hexadecimal, the time in microseconds.
    pub fn for_file(size: u64, modified: SystemTime, now: SystemTime) -> Self {
        let facts = Facts {
            inode: None,
            size: Some(size),
            modified: Some(modified),
        };
        Self::of_facts(&facts, modified, now).expect("two facts make a tag")
    }

    /// A file's tag from those of its facts that are given, in httpd's order; none without any.
    ///
    /// `changed` is when the file was last modified, whether the tag tells it or not.
    pub fn of_facts(facts: &Facts, changed: SystemTime, now: SystemTime) -> Option<Self> {
        let times = facts.modified.map(microseconds);
        let numbers = [facts.inode, facts.size, times];
        let numbers = numbers.iter().flatten().map(|number| format!("{number:x}"));
        let text = numbers.collect::<Vec<_>>().join("-");
        if text.is_empty() {
            return None;
        }
        let strong = now
            .duration_since(changed)
            .is_ok_and(|age| age > STRONG_AFTER);
        let weak = if strong { "" } else { "W/" };
        let value = HeaderValue::try_from(format!("{weak}\"{text}\""));
        let value = value.expect("hexadecimal digits in quotes are ASCII");
        Some(Self { value })
    }

    /// The `ETag` field's value.
    pub fn value(&self) -> &HeaderValue {
        &self.value
    }

    /// Whether it only promises equivalent content, not equal bytes.
    pub fn is_weak(&self) -> bool {
        self.value.as_bytes().starts_with(b"W/")
    }

    /// Whether a list of tags, or `*`, has one that is the same by the weak comparison.
    pub(crate) fn is_in_weakly(&self, list: &HeaderValue) -> bool {
        is_any(list) || listed(list).any(|tag| tag.opaque == self.opaque())
    }

    /// Whether a list of tags, or `*`, has one that is the same by the strong comparison: both must be strong.
    pub(crate) fn is_in_strongly(&self, list: &HeaderValue) -> bool {
        is_any(list)
            || (!self.is_weak() && listed(list).any(|tag| !tag.weak && tag.opaque == self.opaque()))
    }

    /// The tag without `W/`, with its quotes.
    fn opaque(&self) -> &[u8] {
        let text = self.value.as_bytes();
        text.strip_prefix(b"W/").unwrap_or(text)
    }
}

/// The tag of the same content in another coding: httpd's suffix, `"..-gzip"`. `None` for what is no tag.
pub fn with_suffix(tag: &HeaderValue, suffix: &str) -> Option<HeaderValue> {
    let mut text = tag.as_bytes().strip_suffix(b"\"")?.to_vec();
    text.push(b'-');
    text.extend_from_slice(suffix.as_bytes());
    text.push(b'"');
    HeaderValue::try_from(text).ok()
}

/// A list of tags without such a suffix on any; `None` if none has it.
pub fn without_suffix(list: &HeaderValue, suffix: &str) -> Option<HeaderValue> {
    let text = list.as_bytes();
    let ending = format!("-{suffix}\"");
    let mut stripped = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memmem::find(rest, ending.as_bytes()) {
        stripped.extend_from_slice(&rest[..at]);
        stripped.push(b'"');
        rest = &rest[at + ending.len()..];
    }
    if stripped.is_empty() {
        return None;
    }
    stripped.extend_from_slice(rest);
    HeaderValue::try_from(stripped).ok()
}

/// Microseconds since 1970, wrapped for earlier times as httpd's cast does.
fn microseconds(time: SystemTime) -> u64 {
    let count = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => count(since),
        Err(before) => count(before.duration()).wrapping_neg(),
    }
}

/// A client's tag.
struct Listed<'a> {
    weak: bool,
    opaque: &'a [u8],
}

fn is_any(list: &HeaderValue) -> bool {
    list.as_bytes().trim_ascii() == b"*"
}

/// The tags of a list. A tag may hold commas; what is no tag is skipped up to the next comma.
fn listed(list: &HeaderValue) -> impl Iterator<Item = Listed<'_>> {
    let mut rest = list.as_bytes();
    std::iter::from_fn(move || {
        loop {
            while let [b',' | b' ' | b'\t', after @ ..] = rest {
                rest = after;
            }
            if rest.is_empty() {
                return None;
            }
            let (weak, quoted) = match rest.strip_prefix(b"W/") {
                Some(after) => (true, after),
                None => (false, rest),
            };
            if let Some(len) = quoted_len(quoted) {
                rest = &quoted[len..];
                let opaque = &quoted[..len];
                return Some(Listed { weak, opaque });
            }
            let comma = memchr::memchr(b',', rest).unwrap_or(rest.len());
            rest = &rest[comma..];
        }
    })
}

/// The length of the quoted string at the start, with its quotes. There are no escapes in a tag.
fn quoted_len(text: &[u8]) -> Option<usize> {
    let inner = text.strip_prefix(b"\"")?;
    Some(memchr::memchr(b'"', inner)? + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(microseconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_micros(microseconds)
    }

    fn tag(age: Duration) -> EntityTag {
        let modified = at(0x5_f5e1_0000_0000);
        EntityTag::for_file(0x2a, modified, modified + age)
    }

    #[test]
    fn is_httpds_and_weak_while_the_file_is_young() {
        let old = tag(Duration::from_secs(2));
        assert_eq!(old.value(), "\"2a-5f5e100000000\"");
        assert!(!old.is_weak());
        for age in [Duration::ZERO, STRONG_AFTER] {
            assert_eq!(tag(age).value(), "W/\"2a-5f5e100000000\"");
            assert!(tag(age).is_weak());
        }
        let future = EntityTag::for_file(1, at(5_000_000), at(0));
        assert!(future.is_weak());
        let ancient = EntityTag::for_file(0, UNIX_EPOCH - Duration::from_micros(1), at(0));
        assert_eq!(ancient.value(), "W/\"0-ffffffffffffffff\"");
    }

    #[test]
    fn is_made_of_the_facts_it_is_given() {
        let facts = |inode, size, modified| Facts {
            inode,
            size,
            modified,
        };
        let check = |facts, expected: Option<&str>| {
            let found = EntityTag::of_facts(&facts, at(16), at(9_000_000));
            let found = found
                .as_ref()
                .map(|tag| tag.value().to_str().expect("text"));
            assert_eq!(found, expected);
        };
        check(facts(Some(255), Some(1), Some(at(16))), Some("\"ff-1-10\""));
        check(facts(None, Some(1), None), Some("\"1\""));
        check(facts(None, None, None), None);
    }

    #[test]
    fn a_coding_has_a_suffix() {
        let tag = tag(Duration::ZERO).value().clone();
        let suffixed = with_suffix(&tag, "gzip").expect("a tag");
        assert_eq!(suffixed, "W/\"2a-5f5e100000000-gzip\"");
        assert_eq!(without_suffix(&suffixed, "gzip"), Some(tag.clone()));
        assert_eq!(without_suffix(&suffixed, "br"), None);
        let list = HeaderValue::from_static("\"a-gzip\", W/\"b\", \"c-gzip\"");
        assert_eq!(
            without_suffix(&list, "gzip").expect("some"),
            "\"a\", W/\"b\", \"c\""
        );
        assert_eq!(with_suffix(&HeaderValue::from_static("x"), "br"), None);
    }

    #[test]
    fn compares() {
        let check = |list: &'static str, strongly: bool, weakly: bool| {
            let list = HeaderValue::from_static(list);
            let strong = tag(Duration::from_secs(2));
            assert_eq!(strong.is_in_strongly(&list), strongly, "{list:?}");
            assert_eq!(strong.is_in_weakly(&list), weakly, "{list:?}");
            let weak = tag(Duration::ZERO);
            let any = list == "*";
            assert_eq!(weak.is_in_strongly(&list), any, "weak in {list:?}");
            assert_eq!(weak.is_in_weakly(&list), weakly, "weak in {list:?}");
        };
        check("*", true, true);
        check("\"2a-5f5e100000000\"", true, true);
        check("W/\"2a-5f5e100000000\"", false, true);
        check("\"a,b\" , ,W/\"c\",\"2a-5f5e100000000\"", true, true);
        check("junk, \"2a-5f5e100000000\"", true, true);
        check("\"x\"", false, false);
        check("\"x\"*", false, false);
        check("2a-5f5e100000000", false, false);
        check("\"2a-5f5e100000000", false, false);
        check("", false, false);
        check("W/", false, false);
    }

    #[test]
    fn any_list_is_read_to_its_end() {
        let pieces = ["W/", "\"", "a", ",", " ", "*", "\"a\""];
        for number in 0..pieces.len().pow(6) {
            let piece = |place| pieces[number / pieces.len().pow(place) % pieces.len()];
            let list = (0..6).map(piece).collect::<String>();
            let list = HeaderValue::try_from(list).expect("ASCII");
            for tag in listed(&list) {
                assert!(tag.opaque.len() >= 2, "{list:?}");
                assert!(
                    tag.opaque.starts_with(b"\"") && tag.opaque.ends_with(b"\""),
                    "{list:?}"
                );
            }
        }
    }
}
