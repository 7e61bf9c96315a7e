//! Looks at request heads as they came, for what the HTTP engine forgives and a server must not.
//!
//! The engine accepts lone line feeds, drops the `Content-Length` beside a `Transfer-Encoding`, and collapses
//! repeated lengths. Each is how requests are smuggled past a proxy that reads them differently (RFC 9112
//! sections 2.2, 6.3 and 11.2), so each is answered 400 and the connection is closed. The engine still does the
//! parsing; this file only keeps the bytes of the head it is about to parse and judges them.

use http::header::{CONTENT_LENGTH, HOST};
use http::request::Parts;

/// More of a head than this is not kept; the engine refuses such a head by itself.
const HEAD_BYTES_MAX: usize = 256 * 1024;

/// What was received and not yet taken by the engine as a request.
#[derive(Debug, Default)]
pub(crate) struct RawHead {
    bytes: Vec<u8>,
    /// Bytes of a request's content still to come before the next head.
    content_left: u64,
    /// Inside chunked content: where the next head starts is not known.
    in_chunks: bool,
    /// The start of the next head may have come together with the end of chunked content.
    may_lack_start: bool,
}

/// How a request's content is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(u64),
    Chunked,
}

/// `LimitRequestLine` and `LimitRequestFieldSize`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadLimits {
    pub(crate) line_bytes_max: usize,
    pub(crate) field_bytes_max: usize,
}

/// Which line of a head is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overlong {
    /// The request line.
    Line,
    /// A field.
    Field,
}

/// What is wrong with a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault(pub(crate) &'static str);

impl RawHead {
    /// Takes note of received bytes.
    pub(crate) fn received(&mut self, mut new: &[u8]) {
        if self.in_chunks {
            return;
        }
        if self.content_left > 0 {
            let content = new
                .len()
                .min(usize::try_from(self.content_left).unwrap_or(usize::MAX));
            self.content_left -= content as u64;
            new = &new[content..];
        }
        if self.bytes.len() + new.len() <= HEAD_BYTES_MAX {
            self.bytes.extend_from_slice(new);
        }
    }

    /// Whether the head under way has a line that is too long already, so that waiting for its end is no use.
    pub(crate) fn overlong(&self, limits: HeadLimits) -> Option<Overlong> {
        if self.bytes.len() <= limits.line_bytes_max.min(limits.field_bytes_max) {
            return None;
        }
        let mut lines = self.bytes.split(|&byte| byte == b'\n');
        let request_line = lines.next().unwrap_or_default();
        if request_line.len() > limits.line_bytes_max + 1 {
            return Some(Overlong::Line);
        }
        for line in lines {
            if line == b"\r" {
                // The rest is content, or the next request's.
                return None;
            }
            if line.len() > limits.field_bytes_max + 1 {
                return Some(Overlong::Field);
            }
        }
        None
    }

    /// Whether nothing of a next request has been received.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Judges the head of the request the engine has just parsed, and steps over it.
    pub(crate) fn judge(&mut self, framing: Framing) -> Result<(), Fault> {
        let incomplete = std::mem::take(&mut self.may_lack_start);
        let verdict = match head_end(&self.bytes) {
            Ok(Some(end)) => {
                let verdict = fields(&self.bytes[..end], framing);
                self.step_over(end, framing);
                verdict
            }
            Ok(None) | Err(_) if incomplete => {
                self.bytes.clear();
                Ok(())
            }
            Ok(None) => Err(Fault("the head does not end in an empty line")),
            Err(fault) => Err(fault),
        };
        self.in_chunks = framing == Framing::Chunked;
        verdict
    }

    /// What comes is no HTTP any more.
    pub(crate) fn stop(&mut self) {
        self.in_chunks = true;
        self.bytes = Vec::new();
    }

    /// The request's content has been received completely.
    pub(crate) fn content_complete(&mut self) {
        if self.in_chunks {
            self.in_chunks = false;
            self.may_lack_start = true;
            self.bytes.clear();
        }
    }

    fn step_over(&mut self, end: usize, framing: Framing) {
        let content = match framing {
            Framing::Length(length) => length,
            Framing::None | Framing::Chunked => 0,
        };
        let rest = (self.bytes.len() - end) as u64;
        let held = content.min(rest);
        self.content_left = content - held;
        let taken = end + held as usize;
        if taken == self.bytes.len() {
            self.bytes.clear();
        } else {
            self.bytes.drain(..taken);
        }
    }
}

/// Judges a request of HTTP/2, whose engine has made sure that there are no fields about the connection, that each pseudo-header
/// is there once and first, and that the content is as long as announced (RFC 9113 sections 8.2 and 8.3).
///
/// Left is what could be read in two ways: an authority that is not the `Host`, and lengths that only agree. The scheme a client
/// claims is not looked at by anybody: what the connection is counts.
pub(crate) fn judge_http2(head: &Parts) -> Result<(), Fault> {
    if head.headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
        return Err(Fault("Content-Length is repeated"));
    }
    let mut hosts = head.headers.get_all(HOST).iter();
    match (head.uri.authority(), hosts.next()) {
        (None, None) => Err(Fault("there is neither :authority nor Host")),
        (Some(authority), _) if authority.as_str().contains('@') => {
            Err(Fault(":authority has a user in it"))
        }
        (Some(authority), Some(host))
            if !host
                .as_bytes()
                .eq_ignore_ascii_case(authority.as_str().as_bytes()) =>
        {
            Err(Fault("Host is not :authority"))
        }
        _ => Ok(()),
    }
}

/// Where the head ends, behind its empty line. Every line must end in CR LF.
fn head_end(bytes: &[u8]) -> Result<Option<usize>, Fault> {
    let mut line = 0;
    let mut seen_text = false;
    for newline in memchr::memchr_iter(b'\n', bytes) {
        if newline == line || bytes[newline - 1] != b'\r' {
            return Err(Fault("a line ends in a lone line feed"));
        }
        if newline - line == 1 {
            // Empty lines before the request line are skipped (RFC 9112 section 2.2).
            if seen_text {
                return Ok(Some(newline + 1));
            }
        } else {
            seen_text = true;
        }
        line = newline + 1;
    }
    Ok(None)
}

/// Judges what the engine's own result hides.
fn fields(head: &[u8], framing: Framing) -> Result<(), Fault> {
    let first = head
        .split(|&byte| byte == b'\n')
        .find(|line| line.len() > 1)
        .unwrap_or_default();
    if memchr::memchr(b'#', first).is_some() {
        return Err(Fault("the request target has a fragment"));
    }
    if framing == Framing::None {
        return Ok(());
    }
    let named = |name: &[u8]| {
        head.split(|&byte| byte == b'\n')
            .filter(|line| {
                line.len() > name.len()
                    && line[name.len()] == b':'
                    && line[..name.len()].eq_ignore_ascii_case(name)
            })
            .count()
    };
    let lengths = named(b"content-length");
    if lengths > 1 {
        return Err(Fault("Content-Length is repeated"));
    }
    if framing == Framing::Chunked && lengths > 0 {
        return Err(Fault("Content-Length stands beside Transfer-Encoding"));
    }
    if framing == Framing::Chunked && named(b"transfer-encoding") > 1 {
        return Err(Fault("Transfer-Encoding is repeated"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(bytes: &[u8], framing: Framing) -> Result<(), Fault> {
        let mut head = RawHead::default();
        head.received(bytes);
        head.judge(framing)
    }

    #[test]
    fn smuggling_shapes_are_faults() {
        let check = |head: &str, framing, well: bool| {
            assert_eq!(judge(head.as_bytes(), framing).is_ok(), well, "{head:?}");
        };
        check("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Framing::None, true);
        check("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Framing::None, true);
        check("GET / HTTP/1.1\nHost: a\r\n\r\n", Framing::None, false);
        check("GET / HTTP/1.1\r\nHost: a\n\n", Framing::None, false);
        check("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", Framing::None, false);
        check(
            "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc",
            Framing::Length(3),
            true,
        );
        check(
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
            Framing::Length(3),
            false,
        );
        check(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
            Framing::Chunked,
            false,
        );
        check(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            Framing::Chunked,
            true,
        );
    }

    #[test]
    fn pipelined_heads_are_judged_one_by_one() {
        let mut head = RawHead::default();
        head.received(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\na\nb\nc");
        head.received(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\n\n");
        assert_eq!(head.judge(Framing::Length(5)), Ok(()));
        assert_eq!(head.judge(Framing::None), Ok(()));
        assert!(head.judge(Framing::None).is_err());
    }

    #[test]
    fn content_that_comes_later_is_no_head() {
        let mut head = RawHead::default();
        head.received(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\na\n");
        assert_eq!(head.judge(Framing::Length(5)), Ok(()));
        head.received(b"b\ncGET / HTTP/1.1\r\n\r\n");
        assert_eq!(head.judge(Framing::None), Ok(()));
        assert!(head.is_empty());
    }

    #[test]
    fn after_chunks_the_next_head_may_have_been_missed() {
        let mut head = RawHead::default();
        head.received(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        assert_eq!(head.judge(Framing::Chunked), Ok(()));
        head.received(b"0\r\n\r\nGET / HT");
        head.content_complete();
        head.received(b"TP/1.1\r\n\r\n");
        assert_eq!(head.judge(Framing::None), Ok(()));
    }
}
