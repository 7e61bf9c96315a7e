//! Which content codings a client takes (RFC 9110 section 12.5.3), and what a response says that depends on it.

use http::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, VARY};

/// How much a client likes a coding, in thousandths; 0: it does not take it.
///
/// A client that says nothing is taken for one that knows no coding, as everyone does: its cache or its user will be old.
pub fn quality(headers: &HeaderMap, coding: &str) -> u16 {
    let mut any = 0;
    for value in headers.get_all(ACCEPT_ENCODING) {
        for item in value.as_bytes().split(|&byte| byte == b',') {
            let mut parts = item.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
            let name = parts.next().unwrap_or_default();
            let mut weight = || parts.find_map(weight).unwrap_or(1000);
            let is_named = name.eq_ignore_ascii_case(coding.as_bytes())
                || (coding == "gzip" && name.eq_ignore_ascii_case(b"x-gzip"));
            if is_named {
                return weight();
            }
            if name == b"*" {
                any = weight();
            }
        }
    }
    any
}

/// `q=0.5`; what is no number counts as nothing, so that the coding is left alone.
fn weight(parameter: &[u8]) -> Option<u16> {
    let digits = parameter
        .strip_prefix(b"q=")
        .or_else(|| parameter.strip_prefix(b"Q="))?;
    let text = std::str::from_utf8(digits).unwrap_or_default();
    let weight: f32 = text.parse().unwrap_or(0.0);
    Some((weight.clamp(0.0, 1.0) * 1000.0) as u16)
}

/// Says that another `Accept-Encoding` would have got another response.
pub fn vary(headers: &mut HeaderMap) {
    let mut known = headers.get_all(VARY).iter();
    let said = known.any(|value| {
        let mut names = value.as_bytes().split(|&byte| byte == b',');
        names.any(|name| {
            let name = name.trim_ascii();
            name == b"*" || name.eq_ignore_ascii_case(b"accept-encoding")
        })
    });
    if !said {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_says_what_it_takes() {
        let check = |accept: &'static str, coding: &str, expected: u16| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accept));
            assert_eq!(quality(&headers, coding), expected, "{accept}");
        };
        check("gzip, deflate, br, zstd", "br", 1000);
        check("GZIP", "gzip", 1000);
        check("x-gzip", "gzip", 1000);
        check("gzip;q=0.5, br; q=0", "gzip", 500);
        check("gzip;q=0.5, br; q=0", "br", 0);
        check("*", "zstd", 1000);
        check("*;q=0.1, zstd;q=0", "zstd", 0);
        check("br;q=x", "br", 0);
        check("br;q=7", "br", 1000);
        check("identity", "gzip", 0);
        check("", "gzip", 0);
        assert_eq!(quality(&HeaderMap::new(), "gzip"), 0);
    }

    #[test]
    fn a_response_says_once_what_it_depends_on() {
        let mut headers = HeaderMap::new();
        headers.append(VARY, HeaderValue::from_static("Cookie"));
        vary(&mut headers);
        vary(&mut headers);
        let said: Vec<_> = headers.get_all(VARY).iter().collect();
        assert_eq!(said, ["Cookie", "Accept-Encoding"]);
    }
}
