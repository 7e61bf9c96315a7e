//! HTTP dates (RFC 9110 section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
//!
//! A file may carry any modification time, one before 1970 or after the year 9999 too. Such a time is moved to
//! the nearest one that can be written, since `httpdate` panics on it.

use http::HeaderValue;
use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last second of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// Whole seconds since 1970, the resolution of an HTTP date. Earlier times count as 0.
pub fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// The date as a field value.
pub fn format(time: SystemTime) -> HeaderValue {
    let writable = UNIX_EPOCH + Duration::from_secs(seconds(time).min(LAST_SECOND));
    HeaderValue::try_from(httpdate::fmt_http_date(writable)).expect("an HTTP date is ASCII")
}

/// Reads a date in any of the three formats HTTP knows; `None` when it is in none of them.
pub fn parse(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?.trim()).ok()
}

/// The present time as a field value, written anew once a second (and once a thread).
pub fn now() -> HeaderValue {
    thread_local! {
        static LAST: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
    }
    let time = SystemTime::now();
    let second = seconds(time);
    LAST.with_borrow_mut(|last| match last {
        Some((at, value)) if *at == second => value.clone(),
        _ => last.insert((second, format(time))).1.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_any_time() {
        let check = |time: SystemTime, text: &str| assert_eq!(format(time), text);
        check(
            UNIX_EPOCH + Duration::from_millis(784_111_777_999),
            "Sun, 06 Nov 1994 08:49:37 GMT",
        );
        check(
            UNIX_EPOCH - Duration::from_secs(5),
            "Thu, 01 Jan 1970 00:00:00 GMT",
        );
        check(
            UNIX_EPOCH + Duration::from_secs(LAST_SECOND * 9),
            "Fri, 31 Dec 9999 23:59:59 GMT",
        );
    }

    #[test]
    fn reads_the_three_formats() {
        let check = |text: &'static str, seconds_since_1970: Option<u64>| {
            assert_eq!(
                parse(&HeaderValue::from_static(text)).map(seconds),
                seconds_since_1970,
                "{text}"
            );
        };
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777));
        check("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777));
        check("Sun Nov  6 08:49:37 1994", Some(784_111_777));
        check("yesterday", None);
        check("", None);
    }

    #[test]
    fn now_is_a_date_of_today() {
        let before = seconds(SystemTime::now());
        let told = parse(&now()).map(seconds).expect("a date");
        assert!((before..=seconds(SystemTime::now())).contains(&told));
    }
}
