//! A request's head, looked at once: its framing, and whether limits and rules let it pass.

use crate::strict::Framing;
use alula_routing::site;
use http::{StatusCode, Version, header};
use hyper::body::Incoming;

/// What a head's fields come to.
pub(crate) struct Survey {
    pub(crate) framing: Framing,
    /// Limits and rules for the head (httpd's `LimitRequest*`; RFC 9112 section 3.2 for `Host`).
    pub(crate) verdict: Result<(), StatusCode>,
}

impl Survey {
    /// Looks at each field once.
    pub(crate) fn new(
        head: &http::request::Parts,
        incoming: &Incoming,
        limits: &site::Connection,
    ) -> Self {
        use hyper::body::Body as _;
        let mut verdict = check_size(head, limits);
        let mut refuse = |status| verdict = verdict.and(Err(status));
        let (mut hosts, mut has_length, mut has_codings) = (0, false, false);
        for (name, value) in &head.headers {
            if name.as_str().len() + value.len() + 2 > limits.request_field_bytes_max {
                refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
            }
            if name == header::HOST {
                hosts += 1;
                if !is_authority(value.as_bytes()) {
                    refuse(StatusCode::BAD_REQUEST);
                }
            } else if name == header::CONTENT_LENGTH {
                has_length = true;
            } else if name == header::TRANSFER_ENCODING {
                has_codings = true;
                if let Err(status) = check_codings(value.as_bytes()) {
                    refuse(status);
                }
            } else if name == header::EXPECT
                && !value.as_bytes().eq_ignore_ascii_case(b"100-continue")
            {
                refuse(StatusCode::EXPECTATION_FAILED);
            }
        }
        // HTTP/2 has `:authority`, which was looked at before.
        let needed = head.version == Version::HTTP_11;
        if hosts > 1 || (needed && hosts == 0) {
            refuse(StatusCode::BAD_REQUEST);
        }
        let framing = match incoming.size_hint().exact() {
            _ if has_codings => Framing::Chunked,
            Some(0) if !has_length => Framing::None,
            Some(length) => Framing::Length(length),
            None => Framing::Chunked,
        };
        Self { framing, verdict }
    }
}

fn check_size(head: &http::request::Parts, limits: &site::Connection) -> Result<(), StatusCode> {
    let target = head
        .uri
        .path_and_query()
        .map_or(1, |target| target.as_str().len());
    let line = head.method.as_str().len() + target + " HTTP/1.1 ".len();
    if line > limits.request_line_bytes_max {
        return Err(StatusCode::URI_TOO_LONG);
    }
    if limits.request_fields_max > 0 && head.headers.len() > limits.request_fields_max {
        return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    Ok(())
}

/// `chunked` is the one transfer coding there is; the engine has made sure that it comes last.
fn check_codings(value: &[u8]) -> Result<(), StatusCode> {
    let mut codings = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    let last = codings.next_back().unwrap_or_default();
    if !last.eq_ignore_ascii_case(b"chunked") {
        return Err(StatusCode::BAD_REQUEST);
    }
    match codings.next() {
        None => Ok(()),
        Some(coding) if coding.eq_ignore_ascii_case(b"chunked") => Err(StatusCode::BAD_REQUEST),
        Some(_) => Err(StatusCode::NOT_IMPLEMENTED),
    }
}

/// Whether a `Host` value can be one: not empty, and nothing in it that could end it or pass for a path.
fn is_authority(value: &[u8]) -> bool {
    !value.is_empty()
        && value
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]~!$&'()*+,;=%".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_a_shape() {
        let check = |value: &[u8], well: bool| assert_eq!(is_authority(value), well, "{value:?}");
        check(b"example.org:8080", true);
        check(b"under_score", true);
        check(b"[::1]:80", true);
        check(b"", false);
        check(b"a b", false);
        check(b"a/b", false);
        check(b"a@b", false);
    }
}
