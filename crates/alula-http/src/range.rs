//! Which part of the content a `Range` field asks for (RFC 9110 section 14).
//!
//! A `Range` that is malformed, of another unit, or that asks for more than it is worth is answered with the whole content and
//! status 200, which section 14.2 allows; only well-formed ranges that all lie past the end earn a 416. As in httpd a part
//! that overlaps or touches the one before is joined to it.

use http::header::RANGE;
use http::{HeaderMap, HeaderValue, Method};

/// Which bytes to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of them: 200.
    Whole,
    /// Some of them: 206.
    Part(ByteRange),
    /// Two or more, in the order asked for, together no longer than the whole: 206, `multipart/byteranges`.
    Parts(Vec<ByteRange>),
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

/// How many parts are worth the trouble (httpd's `MaxRanges` and its kin).
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Parts; 0 switches ranges off.
    pub count_max: u32,
    /// Parts that overlap or touch the one before.
    pub overlaps_max: u32,
    /// Parts that lie before the one before.
    pub reversals_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            count_max: 200,
            overlaps_max: 20,
            reversals_max: 20,
        }
    }
}

/// Reads `Range` against content of `size` bytes.
///
/// Only GET knows ranges (section 14.2). Whether `If-Range` lets the range count is
/// [`crate::conditional::range_is_current`]'s to say.
pub fn select(method: &Method, headers: &HeaderMap, size: u64, limits: Limits) -> Selection {
    if *method != Method::GET || limits.count_max == 0 {
        return Selection::Whole;
    }
    let mut values = headers.get_all(RANGE).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => {
            select_from(value.as_bytes(), size, limits).unwrap_or(Selection::Whole)
        }
        _ => Selection::Whole,
    }
}

/// `None` for a range to be ignored.
fn select_from(value: &[u8], size: u64, limits: Limits) -> Option<Selection> {
    // Nothing of an empty content can be named; some clients send `bytes=0-` always, so spare them the 416.
    if size == 0 {
        return None;
    }
    let (unit, set) = value.split_at_checked(6)?;
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return None;
    }
    let specs = set
        .split(|&byte| byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|spec| !spec.is_empty());
    let mut parts = Parts::default();
    let mut seen = false;
    for spec in specs {
        seen = true;
        if let Some(part) = one(spec, size)? {
            parts.add(part);
        }
    }
    let Some(last) = parts.last else {
        return seen.then_some(Selection::Unsatisfiable);
    };
    if parts.done.is_empty() {
        let is_worth_it = parts.overlaps <= limits.overlaps_max;
        return is_worth_it.then_some(Selection::Part(last));
    }
    parts.done.push(last);
    let count = u32::try_from(parts.done.len()).unwrap_or(u32::MAX);
    let total = parts
        .done
        .iter()
        .fold(0, |total: u64, part| total.saturating_add(part.len()));
    let is_worth_it = count <= limits.count_max
        && parts.overlaps <= limits.overlaps_max
        && parts.reversals <= limits.reversals_max
        && total <= size;
    is_worth_it.then_some(Selection::Parts(parts.done))
}

/// The parts asked for so far.
#[derive(Default)]
struct Parts {
    done: Vec<ByteRange>,
    /// What the next one may be joined to.
    last: Option<ByteRange>,
    overlaps: u32,
    reversals: u32,
}

impl Parts {
    fn add(&mut self, part: ByteRange) {
        let Some(last) = &mut self.last else {
            self.last = Some(part);
            return;
        };
        if part.first < last.first {
            self.reversals = self.reversals.saturating_add(1);
        }
        // Neither addition overflows: both lie inside the content.
        if part.first <= last.last.saturating_add(1) && last.first <= part.last.saturating_add(1) {
            self.overlaps = self.overlaps.saturating_add(1);
            last.first = last.first.min(part.first);
            last.last = last.last.max(part.last);
            return;
        }
        self.done.push(std::mem::replace(last, part));
    }
}

/// One part; `Some(None)` if it lies outside, `None` if the whole field is to be ignored.
#[expect(clippy::option_option, reason = "said above")]
fn one(spec: &[u8], size: u64) -> Option<Option<ByteRange>> {
    let dash = memchr::memchr(b'-', spec)?;
    let (first, last) = (&spec[..dash], &spec[dash + 1..]);
    if first.is_empty() {
        let suffix_len = decimal(last)?;
        return Some((suffix_len > 0).then(|| ByteRange {
            first: size.saturating_sub(suffix_len),
            last: size - 1,
        }));
    }
    let first = decimal(first)?;
    let last = if last.is_empty() {
        u64::MAX
    } else {
        decimal(last)?
    };
    if last < first {
        return None;
    }
    Some((first < size).then(|| ByteRange {
        first,
        last: last.min(size - 1),
    }))
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
    use Selection::{Part, Parts, Unsatisfiable, Whole};

    fn part(first: u64, last: u64) -> Selection {
        Part(ByteRange { first, last })
    }

    fn select_of(method: &Method, value: &str, size: u64) -> Selection {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_str(value).expect("a value"));
        select(method, &headers, size, Limits::default())
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
        check("bytes=500-,600-", Unsatisfiable);

        let parts = |parts: &[(u64, u64)]| {
            let parts = parts.iter().map(|&(first, last)| ByteRange { first, last });
            Parts(parts.collect())
        };
        check("bytes=0-1,5-6", parts(&[(0, 1), (5, 6)]));
        check("bytes=5-6, 0-1", parts(&[(5, 6), (0, 1)]));
        check("bytes=0-1,-1,500-", parts(&[(0, 1), (99, 99)]));
        check("bytes=0-1,2-3", part(0, 3));
        check("bytes=0-5,3-9", part(0, 9));
        check("bytes=3-9,0-5", part(0, 9));
        check("bytes=0-9,3-4,20-21", parts(&[(0, 9), (20, 21)]));
        check("bytes=500-,1-2", part(1, 2));
        // More than the whole.
        check("bytes=0-60,70-99,0-60", Whole);

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
            "bytes=0-1,x",
            "bytes=0-1,9-8",
        ] {
            check(ignored, Whole);
        }
    }

    #[test]
    fn many_parts_are_not_worth_it() {
        let check = |value: String, limits: Limits, is_whole: bool| {
            let found = select_from(value.as_bytes(), 10_000, limits);
            assert_eq!(found.is_none(), is_whole, "{value} {limits:?} {found:?}");
        };
        let list = |count: u32, step: u32, from: u32| {
            let parts = (0..count).map(|n| format!("{0}-{0}", (from + n * step) % 10_000));
            format!("bytes={}", parts.collect::<Vec<_>>().join(","))
        };
        let default = Limits::default();
        check(list(200, 3, 0), default, false);
        check(list(201, 3, 0), default, true);
        check(list(21, 1, 0), default, false);
        check(list(22, 1, 0), default, true);
        check(list(21, 9_997, 9_000), default, false);
        check(list(22, 9_997, 9_000), default, true);
        let few = Limits {
            count_max: 2,
            ..default
        };
        check(list(2, 3, 0), few, false);
        check(list(3, 3, 0), few, true);
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
        assert_eq!(
            select(&Method::GET, &headers, 100, Limits::default()),
            Whole
        );
        headers.append(RANGE, HeaderValue::from_static("bytes=0-1"));
        headers.append(RANGE, HeaderValue::from_static("bytes=0-1"));
        assert_eq!(
            select(&Method::GET, &headers, 100, Limits::default()),
            Whole
        );
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
                let parts = match select_of(&Method::GET, &value, size) {
                    Part(part) => vec![part],
                    Parts(parts) => parts,
                    Whole | Unsatisfiable => Vec::new(),
                };
                for part in parts {
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
