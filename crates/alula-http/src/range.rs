//! Which part of the content a `Range` field asks for (RFC 9110 section 14).
//!
//! A `Range` that is malformed, of another unit, or that names several parts is answered with the whole content and
//! status 200, which section 14.2 allows; only one well-formed range that lies past the end earns a 416.

use http::header::RANGE;
use http::{HeaderMap, HeaderValue, Method};

/// Which bytes to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// All of them: 200.
    Whole,
    /// Some of them: 206.
    Part(ByteRange),
    /// The range lies outside: 416.
    Unsatisfiable,
}

/// Bytes `first..=last`, both inside the content, so never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte's offset.
    pub first: u64,
    /// The last byte's offset.
    pub last: u64,
}

impl ByteRange {
    /// How many bytes it has, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a range is never empty")]
    pub fn len(self) -> u64 {
        self.last - self.first + 1
    }

    /// `Content-Range` of a 206.
    pub fn content_range(self, size: u64) -> HeaderValue {
        ascii(format!("bytes {}-{}/{size}", self.first, self.last))
    }
}

/// `Content-Range` of a 416 (section 15.5.17).
pub fn unsatisfied_content_range(size: u64) -> HeaderValue {
    ascii(format!("bytes */{size}"))
}

/// Reads `Range` against content of `size` bytes.
///
/// Only GET knows ranges (section 14.2). Whether `If-Range` lets the range count is
/// [`crate::conditional::range_is_current`]'s to say.
pub fn select(method: &Method, headers: &HeaderMap, size: u64) -> Selection {
    if *method != Method::GET {
        return Selection::Whole;
    }
    let mut values = headers.get_all(RANGE).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => select_from(value.as_bytes(), size).unwrap_or(Selection::Whole),
        _ => Selection::Whole,
    }
}

/// `None` for a range to be ignored.
fn select_from(value: &[u8], size: u64) -> Option<Selection> {
    // Nothing of an empty content can be named; some clients send `bytes=0-` always, so spare them the 416.
    if size == 0 {
        return None;
    }
    let (unit, set) = value.split_at_checked(6)?;
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return None;
    }
    let mut specs = set
        .split(|&byte| byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|spec| !spec.is_empty());
    let spec = specs.next()?;
    if specs.next().is_some() {
        return None;
    }
    let dash = memchr::memchr(b'-', spec)?;
    let (first, last) = (&spec[..dash], &spec[dash + 1..]);
    let range = if first.is_empty() {
        let suffix_len = decimal(last)?;
        (suffix_len > 0).then(|| ByteRange {
            first: size.saturating_sub(suffix_len),
            last: size - 1,
        })
    } else {
        let first = decimal(first)?;
        let last = if last.is_empty() {
            u64::MAX
        } else {
            decimal(last)?
        };
        if last < first {
            return None;
        }
        (first < size).then(|| ByteRange {
            first,
            last: last.min(size - 1),
        })
    };
    Some(range.map_or(Selection::Unsatisfiable, Selection::Part))
}

/// Digits only. A number too large for us is past the end of anything, so it saturates.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let mut number = 0_u64;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number
            .saturating_mul(10)
            .saturating_add(u64::from(byte - b'0'));
    }
    Some(number)
}

fn ascii(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("digits and punctuation are ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;
    use Selection::{Part, Unsatisfiable, Whole};

    fn part(first: u64, last: u64) -> Selection {
        Part(ByteRange { first, last })
    }

    fn select_of(method: &Method, value: &str, size: u64) -> Selection {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_str(value).expect("a value"));
        select(method, &headers, size)
    }

    #[test]
    fn selects() {
        let check = |value: &str, expected: Selection| {
            assert_eq!(select_of(&Method::GET, value, 100), expected, "{value}");
        };
        check("bytes=0-0", part(0, 0));
        check("bytes=0-", part(0, 99));
        check("bytes=10-19", part(10, 19));
        check("bytes=90-1000", part(90, 99));
        check("bytes=99-99999999999999999999999", part(99, 99));
        check("bytes=-1", part(99, 99));
        check("bytes=-1000", part(0, 99));
        check("BYTES=5-6", part(5, 6));
        check("bytes= 5-6 ,", part(5, 6));

        check("bytes=100-", Unsatisfiable);
        check("bytes=100-200", Unsatisfiable);
        check("bytes=99999999999999999999999-", Unsatisfiable);
        check("bytes=-0", Unsatisfiable);

        for ignored in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=2-1",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=1 - 2",
            "bytes=1-2-3",
            "bytes=--1",
            "bytes 1-2",
            "lines=1-2",
            "bytes=0-1,5-6",
            "bytes=500-,600-",
        ] {
            check(ignored, Whole);
        }
    }

    #[test]
    fn empty_content_has_no_parts() {
        for value in ["bytes=0-", "bytes=-5", "bytes=5-6"] {
            assert_eq!(select_of(&Method::GET, value, 0), Whole, "{value}");
        }
    }

    #[test]
    fn only_get_and_only_one_field() {
        assert_eq!(select_of(&Method::HEAD, "bytes=0-1", 100), Whole);
        let mut headers = HeaderMap::new();
        assert_eq!(select(&Method::GET, &headers, 100), Whole);
        headers.append(RANGE, HeaderValue::from_static("bytes=0-1"));
        headers.append(RANGE, HeaderValue::from_static("bytes=0-1"));
        assert_eq!(select(&Method::GET, &headers, 100), Whole);
    }

    #[test]
    fn any_field_gives_bytes_inside_the_content() {
        let pieces = [
            "bytes=",
            "-",
            "0",
            "7",
            "99",
            "18446744073709551616",
            ",",
            " ",
            "x",
        ];
        for number in 0..pieces.len().pow(5) {
            let piece = |place| pieces[number / pieces.len().pow(place) % pieces.len()];
            let value = format!("bytes={}", (0..5).map(piece).collect::<String>());
            for size in [0, 1, 8, u64::MAX] {
                if let Part(part) = select_of(&Method::GET, &value, size) {
                    assert!(
                        part.first <= part.last && part.last < size,
                        "{value} of {size}"
                    );
                }
            }
        }
    }

    #[test]
    fn is_told_in_content_range() {
        let range = ByteRange { first: 5, last: 9 };
        assert_eq!(range.len(), 5);
        assert_eq!(range.content_range(100), "bytes 5-9/100");
        assert_eq!(unsatisfied_content_range(100), "bytes */100");
    }
}
