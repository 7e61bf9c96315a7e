//! `Expires` and `Cache-Control: max-age`, where a response says nothing of the kind itself.

use alula_http::date;
use alula_routing::site::{Expires, ExpiryBase};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, EXPIRES, Entry, HeaderValue, LAST_MODIFIED};
use http::response::Parts;
use std::time::{Duration, SystemTime};

/// `is_file`: the response has the content of a file, whose last change it tells.
pub(crate) fn add(head: &mut Parts, expires: &Expires, is_file: bool) {
    let failed = head.status.is_client_error() || head.status.is_server_error();
    if failed || head.headers.contains_key(EXPIRES) || has_max_age(head) {
        return;
    }
    let media_type = head.headers.get(CONTENT_TYPE);
    // A 304 names no type; the client keeps what it was told with the 200 (RFC 9111 section 4.3.4).
    if head.status == StatusCode::NOT_MODIFIED
        && media_type.is_none()
        && !expires.by_type.is_empty()
    {
        return;
    }
    let media_type = media_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let Some(expiry) = expires.for_type(&media_type.to_ascii_lowercase()) else {
        return;
    };
    let now = SystemTime::now();
    let base = match expiry.base {
        ExpiryBase::Access => Some(now),
        ExpiryBase::Modification if is_file => {
            head.headers.get(LAST_MODIFIED).and_then(date::parse)
        }
        ExpiryBase::Modification => None,
    };
    let Some(base) = base else { return };
    let end = (base + Duration::from_secs(expiry.seconds)).max(now);
    let age = match expiry.base {
        ExpiryBase::Access => expiry.seconds,
        ExpiryBase::Modification => date::seconds(end) - date::seconds(now),
    };
    head.headers.insert(EXPIRES, date::format(end));
    let max_age = format!("max-age={age}");
    match head.headers.entry(CACHE_CONTROL) {
        Entry::Vacant(none) => {
            none.insert(value(max_age.into_bytes()));
        }
        Entry::Occupied(mut there) => {
            let both = [there.get().as_bytes(), b", ", max_age.as_bytes()].concat();
            *there.get_mut() = value(both);
        }
    }
}

fn has_max_age(head: &Parts) -> bool {
    let values = head.headers.get_all(CACHE_CONTROL).iter();
    let mut directives = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    directives.any(|directive| {
        let name = directive.trim_ascii().get(..7);
        name.is_some_and(|name| name.eq_ignore_ascii_case(b"max-age"))
    })
}

fn value(bytes: Vec<u8>) -> HeaderValue {
    HeaderValue::try_from(bytes).expect("a field value and ASCII after it make one")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alula_routing::site::Expiry;

    /// `Cache-Control` afterwards.
    #[track_caller]
    fn check(
        status: u16,
        fields: &[(&'static str, &str)],
        base: ExpiryBase,
        expected: Option<&str>,
    ) {
        let expiry = |seconds| Expiry { base, seconds };
        let expires = Expires {
            active: Some(true),
            default: Some(expiry(60)),
            by_type: [
                ("text/css".to_owned(), expiry(1)),
                ("image/*".to_owned(), expiry(2)),
            ]
            .into(),
        };
        let (mut head, ()) = http::Response::builder()
            .status(status)
            .body(())
            .expect("well-formed")
            .into_parts();
        for (name, field) in fields {
            head.headers.append(*name, field.parse().expect("a value"));
        }
        add(&mut head, &expires, true);
        let found = head
            .headers
            .get(CACHE_CONTROL)
            .map(|value| value.to_str().expect("text"));
        assert_eq!(found, expected, "{status} {fields:?}");
    }

    #[test]
    fn what_a_response_gets() {
        let access = ExpiryBase::Access;
        check(200, &[], access, Some("max-age=60"));
        check(
            200,
            &[("content-type", "Text/CSS; charset=utf-8")],
            access,
            Some("max-age=1"),
        );
        check(
            200,
            &[("content-type", "image/png")],
            access,
            Some("max-age=2"),
        );
        check(
            302,
            &[("content-type", "text/html")],
            access,
            Some("max-age=60"),
        );
        check(
            200,
            &[("cache-control", "private")],
            access,
            Some("private, max-age=60"),
        );
        check(
            200,
            &[("cache-control", "private, max-age=5")],
            access,
            Some("private, max-age=5"),
        );
        check(200, &[("expires", "0")], access, None);
        check(404, &[], access, None);
        check(304, &[], access, None);
    }

    #[test]
    fn from_the_last_change_of_a_file() {
        let base = ExpiryBase::Modification;
        check(200, &[], base, None);
        check(
            200,
            &[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")],
            base,
            Some("max-age=0"),
        );
    }
}
