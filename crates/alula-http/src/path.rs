//! Turns a request target as received into the path everything else works with.
//!
//! Percent-decoding comes before removing dot segments, so `%2e%2e` and `..%2F` climb exactly as far as `..`
//! and `../` do: nothing behind this file can meet a dot segment. Slashes stay as they are: an application may give
//! `//` a meaning; files and routing merge them with [`merge_slashes`].
//!
//! A decoded path may hold `%`, `?` and `#` as plain characters: it must never be decoded twice.

use bytes::Bytes;
use http::StatusCode;
use memchr::{memchr, memchr_iter, memchr2, memrchr};
use std::borrow::Cow;

/// A request target taken apart (RFC 9112 section 3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The path, percent-decoded, dot segments removed, slashes not merged; `*` for the asterisk form.
    /// Any bytes but NUL.
    pub path: Bytes,
    /// What follows the first `?`, as received.
    pub query: Option<Bytes>,
    /// The authority of an absolute-form target; it takes the place of `Host` (RFC 9112 section 3.2.2).
    pub authority: Option<Bytes>,
    /// Whether a `/` of the path was written `%2F`. httpd answers 404 then, unless `AllowEncodedSlashes` says else.
    pub has_encoded_slash: bool,
}

/// Why a target is no path of ours. Each is the client's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// `%` without two hexadecimal digits.
    #[error("bad percent escape in the request target")]
    BadEscape,
    /// A NUL character, plain or as `%00`: no file and no view can have such a name.
    #[error("NUL character in the request target")]
    Nul,
    /// More `..` than there is path.
    #[error("request target climbs above the root")]
    AboveRoot,
    /// `#`, which a client must keep to itself (RFC 9110 section 4.2.5).
    #[error("fragment in the request target")]
    Fragment,
    /// Neither `/...`, nor `*`, nor `scheme://...`.
    #[error("request target is not a path")]
    NotAPath,
}

impl PathError {
    /// The status httpd answers with.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Nul => StatusCode::NOT_FOUND,
            Self::BadEscape | Self::AboveRoot | Self::Fragment | Self::NotAPath => {
                StatusCode::BAD_REQUEST
            }
        }
    }
}

/// Takes a request target apart and decodes its path.
///
/// A path with nothing to decode is a slice of `target`, not a copy: this runs for every request.
pub fn decode(target: &Bytes) -> Result<Target, PathError> {
    if target.first() == Some(&b'/') {
        return decode_from(target, 0);
    }
    if target.as_ref() == b"*" {
        return Ok(Target {
            path: target.clone(),
            query: None,
            authority: None,
            has_encoded_slash: false,
        });
    }
    decode_absolute(target)
}

/// The same for a target that has been decoded once, leaving `%2F` as it is (`AllowEncodedSlashes NoDecode`).
pub fn keep_encoded_slashes(target: &Bytes, decoded: &mut Target) -> Result<(), PathError> {
    let start = decoded.authority.as_ref().map_or(0, |authority| {
        let scheme_end = memchr(b':', target).unwrap_or(0);
        scheme_end + "://".len() + authority.len()
    });
    let rest = target.get(start..).unwrap_or_default();
    let raw = &rest[..memchr(b'?', rest).unwrap_or(rest.len())];
    let mut marked = Vec::with_capacity(raw.len() + 8);
    let mut at = 0;
    // `%2F` becomes `%252F`, of which decoding makes `%2F` again.
    while let Some(escape) = memchr(b'%', &raw[at..]) {
        let escape = at + escape;
        marked.extend_from_slice(&raw[at..=escape]);
        if raw[escape + 1..]
            .get(..2)
            .is_some_and(|digits| digits.eq_ignore_ascii_case(b"2f"))
        {
            marked.extend_from_slice(b"25");
        }
        at = escape + 1;
    }
    marked.extend_from_slice(&raw[at..]);
    let plain = percent_decode(&marked, &mut false)?;
    decoded.path = Bytes::from(remove_dot_segments(&plain)?);
    Ok(())
}

/// `a//b///c` to `a/b/c`: borrowed when there is nothing to merge.
///
/// httpd does this before it matches `<Location>` and maps files (`MergeSlashes`, on by default).
pub fn merge_slashes(path: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr_iter(b'/', path).find(|&at| path.get(at + 1) == Some(&b'/')) else {
        return Cow::Borrowed(path);
    };
    let mut merged = Vec::with_capacity(path.len() - 1);
    merged.extend_from_slice(&path[..=first]);
    for &byte in &path[first + 1..] {
        if byte != b'/' || merged.last() != Some(&b'/') {
            merged.push(byte);
        }
    }
    Cow::Owned(merged)
}

/// Percent-encodes a decoded path for use in a URL, `Location` for one.
///
/// Everything that RFC 3986 does not allow in a path as it is gets encoded, the backslash too:
/// browsers take it for a slash, and `/\host` for another server.
pub fn encode(path: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(path.len() + 8);
    for &byte in path {
        if byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(HEX[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    encoded
}

/// `http://host/path?query`. Clients of proxies send it; every server must understand it (RFC 9112 section 3.2.2).
fn decode_absolute(target: &Bytes) -> Result<Target, PathError> {
    let scheme_len = memchr(b':', target).ok_or(PathError::NotAPath)?;
    let scheme = &target[..scheme_len];
    let known = scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    if !known || !target[scheme_len..].starts_with(b"://") {
        return Err(PathError::NotAPath);
    }
    let host_at = scheme_len + 3;
    let host_len = target[host_at..]
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
        .unwrap_or(target.len() - host_at);
    if host_len == 0 {
        return Err(PathError::NotAPath);
    }
    let mut decoded = decode_from(target, host_at + host_len)?;
    decoded.authority = Some(target.slice(host_at..host_at + host_len));
    if decoded.path.is_empty() {
        decoded.path = Bytes::from_static(b"/");
    }
    Ok(decoded)
}

/// Decodes path and query, which begin at `start`.
fn decode_from(target: &Bytes, start: usize) -> Result<Target, PathError> {
    let mut path_end = target.len();
    let mut query = None;
    if let Some(found) = memchr2(b'?', b'#', &target[start..]) {
        path_end = start + found;
        if memchr(b'#', &target[path_end..]).is_some() {
            return Err(PathError::Fragment);
        }
        query = Some(target.slice(path_end + 1..));
    }
    let raw = &target[start..path_end];
    let mut has_encoded_slash = false;
    let path = if memchr2(b'%', 0, raw).is_none() && !has_dot_segment(raw) {
        target.slice(start..path_end)
    } else {
        let plain = percent_decode(raw, &mut has_encoded_slash)?;
        Bytes::from(remove_dot_segments(&plain)?)
    };
    Ok(Target {
        path,
        query,
        authority: None,
        has_encoded_slash,
    })
}

/// A bad escape is told before a NUL, in httpd's order.
fn percent_decode(raw: &[u8], has_encoded_slash: &mut bool) -> Result<Vec<u8>, PathError> {
    let mut plain = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr(b'%', rest) {
        plain.extend_from_slice(&rest[..at]);
        let byte = rest
            .get(at + 1..at + 3)
            .and_then(hex_byte)
            .ok_or(PathError::BadEscape)?;
        *has_encoded_slash |= byte == b'/';
        plain.push(byte);
        rest = &rest[at + 3..];
    }
    plain.extend_from_slice(rest);
    if memchr(0, &plain).is_some() {
        return Err(PathError::Nul);
    }
    Ok(plain)
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = digit(digits[0])? * 16 + digit(digits[1])?;
    u8::try_from(value).ok()
}

/// Whether a segment is `.` or `..`.
fn has_dot_segment(path: &[u8]) -> bool {
    memchr_iter(b'.', path).any(|at| {
        let starts_segment = at > 0 && path[at - 1] == b'/';
        starts_segment && matches!(&path[at + 1..], [] | [b'/', ..] | [b'.'] | [b'.', b'/', ..])
    })
}

/// RFC 3986 section 5.2.4, except that climbing above the root is an error and not forgiven, as in httpd.
fn remove_dot_segments(path: &[u8]) -> Result<Vec<u8>, PathError> {
    let mut kept: Vec<u8> = Vec::with_capacity(path.len());
    // Each segment is kept with the slash before it. A dot segment at the end leaves its slash: it names a directory.
    let mut segments = path.split(|&byte| byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            b"." => {}
            b".." => kept.truncate(memrchr(b'/', &kept).ok_or(PathError::AboveRoot)?),
            name => {
                kept.push(b'/');
                kept.extend_from_slice(name);
                continue;
            }
        }
        if segments.peek().is_none() {
            kept.push(b'/');
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_slashes_can_stay() {
        let check = |target: &'static str, expected: &str| {
            let target = Bytes::from_static(target.as_bytes());
            let mut decoded = decode(&target).expect("a good target");
            assert!(decoded.has_encoded_slash);
            keep_encoded_slashes(&target, &mut decoded).expect("still good");
            assert_eq!(decoded.path, expected, "{target:?}");
        };
        check("/a%2Fb%20c", "/a%2Fb c");
        check("/a%2f..%2Fb?q=%2F", "/a%2f..%2Fb");
        check("http://x/%2F%2541", "/%2F%41");
        check("/%25%2F", "/%%2F");
    }

    fn parts(target: &str) -> Result<(Bytes, Option<Bytes>, bool), PathError> {
        let decoded = decode(&Bytes::copy_from_slice(target.as_bytes()))?;
        Ok((decoded.path, decoded.query, decoded.has_encoded_slash))
    }

    #[track_caller]
    fn check(target: &str, path: &[u8]) {
        let found = parts(target).map(|(path, ..)| path);
        assert_eq!(found.as_deref(), Ok(path), "{target}");
    }

    #[track_caller]
    fn check_error(target: &str, error: PathError, status: u16) {
        assert_eq!(parts(target), Err(error), "{target}");
        assert_eq!(error.status(), status, "{target}");
    }

    #[test]
    fn decodes() {
        check("/", b"/");
        check("/a/b.css", b"/a/b.css");
        check("/a%20b", b"/a b");
        check("/%C3%a9", "/é".as_bytes());
        check("/%ff%FE", b"/\xff\xfe");
        check("/é", "/é".as_bytes());
        check("/a%25b", b"/a%b");
        check("/a%2525", b"/a%25");
        check("/a%3Fb%23", b"/a?b#");
        check("/a+b", b"/a+b");
        check("/a\\b", b"/a\\b");
        check("/a%5c..", b"/a\\..");
        check("/w;p=1", b"/w;p=1");
        check("*", b"*");
    }

    #[test]
    fn removes_dot_segments() {
        check("/.", b"/");
        check("/./", b"/");
        check("/a/.", b"/a/");
        check("/a/..", b"/");
        check("/a/b/..", b"/a/");
        check("/a/../b", b"/b");
        check("/a/./b/../c", b"/a/c");
        check("/a/%2e%2e/b", b"/b");
        check("/a/.%2E/b", b"/b");
        check("/a%2f..%2fb", b"/b");
        check("/%2e", b"/");
        check("/.a", b"/.a");
        check("/..a/...", b"/..a/...");
        check("/a./b../.well-known", b"/a./b../.well-known");
    }

    #[test]
    fn keeps_slashes() {
        check("//a///b/", b"//a///b/");
        check("//../a", b"/a");
        check("/a//../b", b"/a/b");
    }

    #[test]
    fn refuses() {
        use PathError::{AboveRoot, BadEscape, Fragment, NotAPath, Nul};
        for target in ["/..", "/../a", "/a/../..", "/%2e%2e/a", "/a/%2e%2e%2f.."] {
            check_error(target, AboveRoot, 400);
        }
        for target in ["/%", "/%2", "/%zz", "/a%2", "/%+1", "/%%41", "/%00%g0"] {
            check_error(target, BadEscape, 400);
        }
        for target in ["/%00", "/a%00.html", "/\0"] {
            check_error(target, Nul, 404);
        }
        for target in ["/#", "/a#b", "/a?b#c", "http://h#x"] {
            check_error(target, Fragment, 400);
        }
        for target in [
            "",
            "a",
            "?a",
            "**",
            "host:80",
            "ftp://h/",
            "http:/h/",
            "http:///a",
        ] {
            check_error(target, NotAPath, 400);
        }
    }

    #[test]
    fn splits_the_query_and_leaves_it_alone() {
        let query = |target| parts(target).map(|(_, query, _)| query);
        assert_eq!(query("/a"), Ok(None));
        assert_eq!(query("/a?"), Ok(Some(Bytes::new())));
        assert_eq!(
            query("/a?b=%zz?/../c"),
            Ok(Some(Bytes::from("b=%zz?/../c")))
        );
        check("/a/..?/..", b"/");
    }

    #[test]
    fn tells_encoded_slashes() {
        let flag = |target| parts(target).map(|(.., flag)| flag);
        assert_eq!(flag("/a/b?%2f"), Ok(false));
        assert_eq!(flag("/a%2Fb"), Ok(true));
        assert_eq!(flag("/a%2f"), Ok(true));
        assert_eq!(flag("/a%252f"), Ok(false));
    }

    #[test]
    fn understands_the_absolute_form() {
        let check = |target: &'static str, authority: &'static str, path: &'static str| {
            let decoded = decode(&Bytes::from(target)).expect("a good target");
            assert_eq!(decoded.authority, Some(Bytes::from(authority)), "{target}");
            assert_eq!(decoded.path, path, "{target}");
        };
        check("http://h/a/../b", "h", "/b");
        check("HTTPS://h:1", "h:1", "/");
        check("http://[::1]:80?q", "[::1]:80", "/");
    }

    #[test]
    fn plain_paths_are_not_copied() {
        let target = Bytes::from("/static/css/.x/site.min.css?v=1..2/../");
        let decoded = decode(&target).expect("a good target");
        assert_eq!(decoded.path.as_ptr(), target.as_ptr());
    }

    #[test]
    fn merges_slashes() {
        let check = |path: &str, merged: &str| {
            assert_eq!(merge_slashes(path.as_bytes()), merged.as_bytes(), "{path}");
        };
        check("", "");
        check("/", "/");
        check("//", "/");
        check("///a//b/", "/a/b/");
        check("/a/b//", "/a/b/");
        assert!(matches!(merge_slashes(b"/a/b"), Cow::Borrowed(_)));
    }

    #[test]
    fn encodes() {
        let all: Vec<u8> = (1..=255).collect();
        let mut path = b"/".to_vec();
        path.extend(all.iter().filter(|byte| **byte != b'/' && **byte != b'.'));
        check(&encode(&path), &path);
        assert_eq!(
            encode("/a b\\é?#%\r\n".as_bytes()),
            "/a%20b%5C%C3%A9%3F%23%25%0D%0A"
        );
    }

    /// Targets made of the pieces that matter, from a fixed seed (xorshift64).
    fn random_targets(count: usize) -> impl Iterator<Item = Bytes> {
        const PIECES: &[&[u8]] = &[
            b"/",
            b"/",
            b"/",
            b".",
            b"..",
            b"%2e",
            b"%2E",
            b"%2f",
            b"%5c",
            b"%25",
            b"%",
            b"%0",
            b"%00",
            b"a",
            b"b.c",
            b"?",
            b"#",
            b"\xff",
            b"%c3%a9",
            b"http://h",
            b":",
            b"*",
            b"\\",
            b";",
            b" ",
        ];
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below as u64).expect("below a usize")
        };
        (0..count).map(move |_| {
            let mut target = if next(8) == 0 {
                Vec::new()
            } else {
                b"/".to_vec()
            };
            for _ in 0..next(12) {
                target.extend_from_slice(PIECES[next(PIECES.len())]);
            }
            Bytes::from(target)
        })
    }

    #[test]
    fn any_target_gives_a_clean_path_or_an_error() {
        let mut clean = 0;
        for target in random_targets(200_000) {
            let Ok(decoded) = decode(&target) else {
                continue;
            };
            if decoded.path == "*" {
                continue;
            }
            clean += 1;
            let path = decoded.path;
            assert_eq!(path.first(), Some(&b'/'), "{target:?}");
            assert!(!has_dot_segment(&path), "{target:?} gives {path:?}");
            assert!(
                !path.split(|b| *b == b'/').any(|s| s == b"." || s == b".."),
                "{target:?}"
            );
            assert!(memchr(0, &path).is_none(), "{target:?}");
            assert_eq!(
                remove_dot_segments(&path).as_deref(),
                Ok(&path[..]),
                "{target:?}"
            );
            let merged = merge_slashes(&path);
            assert!(!has_dot_segment(&merged), "{target:?}");
            assert_eq!(merge_slashes(&merged), merged, "{target:?}");
            let again = decode(&Bytes::from(encode(&path))).map(|again| again.path);
            assert_eq!(again.as_ref(), Ok(&path), "{target:?}");
        }
        assert!(clean > 20_000, "the pieces make {clean} good targets");
    }
}
