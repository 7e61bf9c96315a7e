//! The answer of a `Redirect`: `Location` is always a whole URL.

use alula_http::{Peer, Response, status_response};
use alula_routing::{Redirected, own_url};
use http::StatusCode;
use http::header::{HeaderValue, LOCATION};

/// What a target that is a path is put after.
pub(crate) struct Base<'r> {
    /// The authority the client asked for.
    pub asked: Option<&'r [u8]>,
    /// `ServerName`, for a client that asked for none; may be empty.
    pub server_name: &'r str,
    pub peer: &'r Peer,
}

/// The query is appended unless the target has one of its own, as in httpd.
pub(crate) fn response(redirected: &Redirected, base: &Base, query: Option<&[u8]>) -> Response {
    let mut response = status_response(redirected.status);
    let Some(target) = &redirected.target else {
        return response;
    };
    let mut location = match target.starts_with('/') {
        true => own_url(base.peer, base.asked, base.server_name),
        false => Vec::with_capacity(target.len()),
    };
    location.extend_from_slice(target.as_bytes());
    if let Some(query) = query
        && !redirected.is_whole
        && !target.contains('?')
    {
        location.push(b'?');
        location.extend_from_slice(query);
    }
    let Ok(location) = HeaderValue::try_from(location) else {
        // A control character in the query; no engine lets one through.
        return status_response(StatusCode::BAD_REQUEST);
    };
    response.headers_mut().insert(LOCATION, location);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use alula_http::Scheme;

    #[track_caller]
    fn check(target: &str, asked: Option<&str>, query: Option<&str>, expected: &str) {
        let [local, remote] =
            ["192.0.2.1:8000", "192.0.2.2:9"].map(|end| end.parse().expect("an address"));
        let base = Base {
            asked: asked.map(str::as_bytes),
            server_name: "own.example",
            peer: &Peer::new(local, remote, Scheme::Http),
        };
        let redirected = Redirected {
            status: StatusCode::FOUND,
            target: Some(target.to_owned()),
            is_whole: false,
        };
        let response = response(&redirected, &base, query.map(str::as_bytes));
        assert_eq!(response.headers()[LOCATION], expected);
    }

    #[test]
    fn a_location_is_a_whole_url() {
        check("https://x/", Some("a"), None, "https://x/");
        check("/x", Some("a"), None, "http://a/x");
        check("/x", Some("a:80"), None, "http://a/x");
        check("/x", Some("a:8080"), None, "http://a:8080/x");
        check("/x", None, None, "http://own.example:8000/x");
    }

    #[test]
    fn the_query_is_kept_unless_there_is_one() {
        check("/x", Some("a"), Some("q=1"), "http://a/x?q=1");
        check("/x?own", Some("a"), Some("q=1"), "http://a/x?own");
    }
}
