//! Fields that are passed on, and those that are not: what concerns one connection only stays with it (RFC 9110 section 7.6.1).
//!
//! Lengths and codings are never copied: both engines frame what they send by themselves, so the two sides cannot disagree.

use alula_config::site::ProxyVia;
use alula_http::{Peer, Request, connection_fields};
use http::header::{self, Entry, HeaderMap, HeaderName, HeaderValue};
use http::{StatusCode, Version};

/// Fields about one connection, named in `Connection` or not.
const OF_CONNECTION: [&str; 10] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Takes out what concerns the connection. Returns the protocols of `Upgrade`, if the connection is to change.
pub(crate) fn strip(headers: &mut HeaderMap) -> Option<HeaderValue> {
    connection_fields::take_named(headers);
    let upgrades = headers.contains_key(header::CONNECTION);
    let upgrade = headers.remove(header::UPGRADE);
    for name in OF_CONNECTION {
        headers.remove(name);
    }
    upgrade.filter(|_| upgrades)
}

/// Which of the protocols a client asks for may be used: the whole field, if one of them is `allowed` (in lower case, or `any`).
pub(crate) fn upgrade(asked: Option<HeaderValue>, allowed: Option<&str>) -> Option<HeaderValue> {
    let (asked, allowed) = (asked?, allowed?);
    let text = asked.to_str().ok()?;
    let mut protocols = text.split(',').map(str::trim);
    let fits = allowed == "any" || protocols.any(|protocol| protocol.eq_ignore_ascii_case(allowed));
    match (fits, allowed) {
        (false, _) => None,
        (true, "any") => Some(asked),
        // Only what is allowed.
        (true, allowed) => HeaderValue::from_str(allowed).ok(),
    }
}

/// Tells the back end who asks (`ProxyAddHeaders`).
pub(crate) fn add_forwarded(headers: &mut HeaderMap, peer: &Peer, server_name: &str) {
    let client = peer.remote.ip().to_canonical().to_string();
    append(headers, "x-forwarded-for", &client);
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    if let Some(host) = host.map(str::to_owned) {
        append(headers, "x-forwarded-host", &host);
    }
    append(headers, "x-forwarded-server", server_name);
}

/// Adds to a list, in one field however many there were.
fn append(headers: &mut HeaderMap, name: &'static str, value: &str) {
    let name = HeaderName::from_static(name);
    let known = headers.get_all(&name).iter();
    let mut all: Vec<&[u8]> = known.map(HeaderValue::as_bytes).collect();
    all.push(value.as_bytes());
    if let Ok(joined) = HeaderValue::from_bytes(&all.join(&b", "[..])) {
        headers.insert(name, joined);
    }
}

/// A client of HTTP/2 may send a cookie in pieces, one of HTTP/1.1 may not (RFC 9113 section 8.2.3).
pub(crate) fn join_cookies(headers: &mut HeaderMap) {
    let Entry::Occupied(mut cookies) = headers.entry(header::COOKIE) else {
        return;
    };
    let pieces: Vec<&[u8]> = cookies.iter().map(HeaderValue::as_bytes).collect();
    if pieces.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&pieces.join(&b"; "[..]))
    {
        cookies.insert(joined);
    }
}

/// `ProxyVia`; `is_request` for those of requests.
pub(crate) fn via(
    headers: &mut HeaderMap,
    via: ProxyVia,
    version: Version,
    server_name: &str,
    is_request: bool,
) {
    let full = match via {
        ProxyVia::Off => return,
        ProxyVia::Block => {
            if is_request {
                headers.remove(header::VIA);
            }
            return;
        }
        ProxyVia::On => "",
        ProxyVia::Full => concat!(" (Alula/", env!("CARGO_PKG_VERSION"), ")"),
    };
    let version = match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2.0",
        _ => "1.1",
    };
    append(headers, "via", &format!("{version} {server_name}{full}"));
}

/// Says how long content is, for the engine to frame it by; nothing that was written before counts.
pub(crate) fn frame(headers: &mut HeaderMap, length: Option<u64>) {
    headers.remove(header::TRANSFER_ENCODING);
    headers.remove(header::CONTENT_LENGTH);
    if let Some(length) = length.filter(|length| *length > 0) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
}

/// Takes out of a response what is not to be passed on. `length` is what the engine has found out of its content.
pub(crate) fn clean_response(headers: &mut HeaderMap, bodyless: bool, length: Option<u64>) {
    let is_chunked = headers.contains_key(header::TRANSFER_ENCODING);
    strip(headers);
    if bodyless {
        // A length without content is that of what a GET would get.
        if is_chunked || headers.get_all(header::CONTENT_LENGTH).iter().count() > 1 {
            headers.remove(header::CONTENT_LENGTH);
        }
        return;
    }
    headers.remove(header::CONTENT_LENGTH);
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
}

/// Whether a response has no content whatever its fields say (RFC 9112 section 6.3).
pub(crate) fn is_bodyless(request: &http::Method, status: StatusCode) -> bool {
    *request == http::Method::HEAD
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Whether a client waits to be told before it sends its content.
pub(crate) fn expects_continue(request: &Request) -> bool {
    let expect = request.headers.get(header::EXPECT);
    expect.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
        && !request.body.is_empty()
        && request.version != Version::HTTP_10
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn shown(headers: &HeaderMap) -> String {
        let mut fields: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("?")))
            .collect();
        fields.sort();
        fields.join("\n")
    }

    #[test]
    fn what_concerns_the_connection_is_taken_out() {
        let mut fields = headers(&[
            ("connection", "keep-alive, X-Mine"),
            ("connection", "Content-Length, host, Upgrade"),
            ("x-mine", "1"),
            ("host", "h"),
            ("content-length", "3"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("proxy-authorization", "Basic x"),
            ("accept", "*/*"),
        ]);
        let upgrade = strip(&mut fields);
        assert_eq!(upgrade, Some(HeaderValue::from_static("websocket")));
        assert_eq!(shown(&fields), "accept: */*\ncontent-length: 3\nhost: h");
    }

    #[test]
    fn an_upgrade_takes_both_fields_and_a_rule() {
        let websocket = || Some(HeaderValue::from_static("h2c, WebSocket"));
        assert_eq!(strip(&mut headers(&[("upgrade", "websocket")])), None);
        assert_eq!(upgrade(websocket(), None), None);
        assert_eq!(
            upgrade(websocket(), Some("websocket")),
            Some(HeaderValue::from_static("websocket"))
        );
        assert_eq!(upgrade(websocket(), Some("tls")), None);
        assert_eq!(upgrade(websocket(), Some("any")), websocket());
    }

    #[test]
    fn lists_are_one_field() {
        let mut fields = headers(&[
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-for", "192.0.2.2"),
            ("host", "example.org"),
        ]);
        let address = "192.0.2.3:5".parse().expect("an address");
        let peer = Peer::new(address, address, alula_http::Scheme::Http);
        add_forwarded(&mut fields, &peer, "front");
        via(&mut fields, ProxyVia::On, Version::HTTP_11, "front", true);
        via(&mut fields, ProxyVia::On, Version::HTTP_2, "next", true);
        assert_eq!(
            shown(&fields),
            "host: example.org\nvia: 1.1 front, 2.0 next\nx-forwarded-for: 192.0.2.1, 192.0.2.2, 192.0.2.3\n\
             x-forwarded-host: example.org\nx-forwarded-server: front"
        );
        via(
            &mut fields,
            ProxyVia::Block,
            Version::HTTP_11,
            "front",
            true,
        );
        assert!(!fields.contains_key("via"));
    }

    #[test]
    fn lengths_are_the_engines() {
        let mut fields = headers(&[("content-length", "9"), ("transfer-encoding", "chunked")]);
        frame(&mut fields, None);
        assert_eq!(shown(&fields), "");
        let mut fields = headers(&[("content-length", "9"), ("transfer-encoding", "chunked")]);
        clean_response(&mut fields, false, None);
        assert_eq!(shown(&fields), "");
        let mut fields = headers(&[("content-length", "9"), ("connection", "close")]);
        clean_response(&mut fields, true, Some(0));
        assert_eq!(shown(&fields), "content-length: 9");
    }

    #[test]
    fn pieces_of_a_cookie_are_joined() {
        let mut fields = headers(&[("cookie", "a=1"), ("cookie", "b=2")]);
        join_cookies(&mut fields);
        assert_eq!(shown(&fields), "cookie: a=1; b=2");
    }
}
