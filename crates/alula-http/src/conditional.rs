//! Decides whether a conditional request is carried out (RFC 9110 section 13).
//!
//! The order of section 13.2.2 matters: an entity tag, when the client sent one, silences the date that
//! goes with it, since dates have seconds only.

use crate::date;
use crate::etag::{EntityTag, STRONG_AFTER};
use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderName, Method};
use std::time::SystemTime;

/// What identifies the state of the thing asked for.
#[derive(Debug, Clone, Copy)]
pub struct Validators<'a> {
    /// Its entity tag.
    pub etag: Option<&'a EntityTag>,
    /// When it was last changed.
    pub modified: Option<SystemTime>,
}

/// What the conditions say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Carry the method out.
    Proceed,
    /// The client has it already: 304.
    NotModified,
    /// The client did not expect this state: 412.
    PreconditionFailed,
}

/// Evaluates every condition but `If-Range`, for something that exists.
pub fn evaluate(method: &Method, headers: &HeaderMap, current: Validators<'_>) -> Verdict {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    if headers.contains_key(IF_MATCH) {
        if !matches_any(headers, IF_MATCH, current, EntityTag::is_in_strongly) {
            return Verdict::PreconditionFailed;
        }
    } else if changed_since(headers, IF_UNMODIFIED_SINCE, current) == Some(true) {
        return Verdict::PreconditionFailed;
    }
    if headers.contains_key(IF_NONE_MATCH) {
        if matches_any(headers, IF_NONE_MATCH, current, EntityTag::is_in_weakly) {
            return if is_read {
                Verdict::NotModified
            } else {
                Verdict::PreconditionFailed
            };
        }
    } else if is_read && changed_since(headers, IF_MODIFIED_SINCE, current) == Some(false) {
        return Verdict::NotModified;
    }
    Verdict::Proceed
}

/// Whether `Range` may be honoured: `If-Range` is absent, or names exactly the current state (section 13.1.5).
///
/// A date is good enough only if the file was at least a second old when it is compared (section 8.8.2.2).
pub fn range_is_current(headers: &HeaderMap, current: Validators<'_>, now: SystemTime) -> bool {
    let Some(value) = headers.get(IF_RANGE) else {
        return true;
    };
    if value.as_bytes().contains(&b'"') {
        return current.etag.is_some_and(|etag| etag.is_in_strongly(value));
    }
    let (Some(date), Some(modified)) = (date::parse(value), current.modified) else {
        return false;
    };
    let is_strong = now
        .duration_since(modified)
        .is_ok_and(|age| age >= STRONG_AFTER);
    is_strong && date::seconds(date) == date::seconds(modified)
}

/// A list may be spread over several fields (section 5.3).
fn matches_any(
    headers: &HeaderMap,
    name: HeaderName,
    current: Validators<'_>,
    is_in: fn(&EntityTag, &http::HeaderValue) -> bool,
) -> bool {
    headers.get_all(name).iter().any(|list| match current.etag {
        Some(etag) => is_in(etag, list),
        None => list.as_bytes().trim_ascii() == b"*",
    })
}

/// `None` when the condition is to be ignored: absent, repeated, no date, or nothing to compare it with.
fn changed_since(headers: &HeaderMap, name: HeaderName, current: Validators<'_>) -> Option<bool> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    let date = date::parse(value)?;
    Some(date::seconds(current.modified?) > date::seconds(date))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use std::time::{Duration, UNIX_EPOCH};

    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const EXACT: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    const TAG: &str = "\"10-2c9253ff64b60\"";
    const WEAK: &str = "W/\"10-2c9253ff64b60\"";

    /// Half a second past [`EXACT`], as file times are.
    fn modified() -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(784_111_777_000) + Duration::from_millis(500)
    }

    fn fields(lines: &[(&str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| {
                let name: HeaderName = name.parse().expect("a name");
                (name, HeaderValue::from_str(value).expect("a value"))
            })
            .collect()
    }

    #[track_caller]
    fn check(method: &Method, lines: &[(&str, &str)], verdict: Verdict) {
        let etag = EntityTag::for_file(16, modified(), modified() + Duration::from_secs(9));
        assert_eq!(etag.value(), TAG);
        let current = Validators {
            etag: Some(&etag),
            modified: Some(modified()),
        };
        assert_eq!(
            evaluate(method, &fields(lines), current),
            verdict,
            "{lines:?}"
        );
    }

    #[test]
    fn evaluates_in_the_order_of_the_rfc() {
        use Verdict::{NotModified, PreconditionFailed, Proceed};
        let cases: &[(&[(&str, &str)], Verdict)] = &[
            (&[], Proceed),
            (&[("if-none-match", TAG)], NotModified),
            (&[("if-none-match", WEAK)], NotModified),
            (&[("if-none-match", "*")], NotModified),
            (&[("if-none-match", "\"x\"")], Proceed),
            (
                &[("if-none-match", "\"x\""), ("if-none-match", TAG)],
                NotModified,
            ),
            (
                &[("if-none-match", "\"x\""), ("if-modified-since", AFTER)],
                Proceed,
            ),
            (
                &[("if-none-match", TAG), ("if-modified-since", BEFORE)],
                NotModified,
            ),
            (&[("if-modified-since", BEFORE)], Proceed),
            (&[("if-modified-since", EXACT)], NotModified),
            (&[("if-modified-since", AFTER)], NotModified),
            (&[("if-modified-since", "rubbish")], Proceed),
            (
                &[("if-modified-since", EXACT), ("if-modified-since", EXACT)],
                Proceed,
            ),
            (&[("if-match", TAG)], Proceed),
            (&[("if-match", "*")], Proceed),
            (&[("if-match", WEAK)], PreconditionFailed),
            (&[("if-match", "\"x\"")], PreconditionFailed),
            (
                &[("if-match", "\"x\""), ("if-none-match", TAG)],
                PreconditionFailed,
            ),
            (&[("if-match", TAG), ("if-none-match", TAG)], NotModified),
            (
                &[("if-match", TAG), ("if-unmodified-since", BEFORE)],
                Proceed,
            ),
            (&[("if-unmodified-since", BEFORE)], PreconditionFailed),
            (&[("if-unmodified-since", EXACT)], Proceed),
            (&[("if-unmodified-since", AFTER)], Proceed),
            (&[("if-unmodified-since", "rubbish")], Proceed),
        ];
        for (lines, verdict) in cases {
            check(&Method::GET, lines, *verdict);
            check(&Method::HEAD, lines, *verdict);
        }
        check(&Method::PUT, &[("if-none-match", "*")], PreconditionFailed);
        check(&Method::PUT, &[("if-modified-since", EXACT)], Proceed);
        check(&Method::PUT, &[("if-match", TAG)], Proceed);
    }

    #[test]
    fn without_validators_only_the_asterisk_matches() {
        let none = Validators {
            etag: None,
            modified: None,
        };
        let verdict = |lines| evaluate(&Method::GET, &fields(lines), none);
        assert_eq!(verdict(&[("if-match", "*")]), Verdict::Proceed);
        assert_eq!(verdict(&[("if-match", TAG)]), Verdict::PreconditionFailed);
        assert_eq!(verdict(&[("if-none-match", TAG)]), Verdict::Proceed);
        assert_eq!(verdict(&[("if-modified-since", AFTER)]), Verdict::Proceed);
    }

    #[test]
    fn if_range_needs_the_exact_state() {
        let check = |value: &str, age: Duration, expected: bool| {
            let now = modified() + age;
            let etag = EntityTag::for_file(16, modified(), now);
            let current = Validators {
                etag: Some(&etag),
                modified: Some(modified()),
            };
            let headers = fields(&[("if-range", value)]);
            assert_eq!(
                range_is_current(&headers, current, now),
                expected,
                "{value} {age:?}"
            );
        };
        let old = Duration::from_secs(60);
        check(TAG, old, true);
        check(WEAK, old, false);
        check("\"x\"", old, false);
        check(EXACT, old, true);
        check(BEFORE, old, false);
        check(AFTER, old, false);
        check("rubbish", old, false);
        check(TAG, Duration::ZERO, false);
        check(EXACT, Duration::ZERO, false);
    }
}
