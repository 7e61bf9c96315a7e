//! A response as messages: a head, and then its content in whichever way suits it.
//!
//! A stream is cut into pieces, each a message of its own, and ends with a message too: what merely stops is truncated.

use super::request::{put_headers, read_headers};
use super::wire::{
    LENGTH_BYTES, Malformed, Rest, begin_message, end_message, put_bytes, put_u16, put_u64,
};
use alula_http::{Onward, OwnPage, Reason};
use http::StatusCode;
use http::response::Parts;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// The kinds of messages from a worker.
pub(super) const HEAD: u8 = 1;
pub(super) const PIECE: u8 = 2;
pub(super) const END: u8 = 3;
/// The content cannot be completed, and the worker has logged why.
pub(super) const FAILED: u8 = 4;

/// What is before the bytes of a piece: its length and its kind.
pub(super) const PIECE_HEAD_BYTES: usize = LENGTH_BYTES + 1;

const OWN_PAGE: u8 = 1;
const HAS_REASON: u8 = 1 << 1;
const DECLINED: u8 = 1 << 2;
const GOES_ON: u8 = 1 << 3;
const IS_FILE: u8 = 1 << 4;

const WHOLE: u8 = 0;
const FILE: u8 = 1;
const STREAM: u8 = 2;
const STREAM_OF_KNOWN_LENGTH: u8 = 3;

/// How the content comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// So many bytes follow the head.
    Whole(u64),
    /// A descriptor came with the head; so many bytes from its position on.
    File(u64),
    /// Pieces follow, and an end; so many bytes together, if that is known.
    Stream(Option<u64>),
}

pub(super) fn put_head(out: &mut Vec<u8>, head: &Parts, content: Content) {
    let start = begin_message(out, HEAD);
    put_u16(out, head.status.as_u16());
    let reason = head.extensions.get::<Reason>();
    let mut flags = 0;
    if head.extensions.get::<OwnPage>().is_some() {
        flags |= OWN_PAGE;
    }
    if reason.is_some() {
        flags |= HAS_REASON;
    }
    let onward = head.extensions.get::<Onward>();
    match onward {
        None => {}
        Some(Onward::Declined) => flags |= DECLINED,
        Some(Onward::To(_)) => flags |= GOES_ON,
        Some(Onward::File(_)) => flags |= IS_FILE,
    }
    out.push(flags);
    let (kind, length) = match content {
        Content::Whole(length) => (WHOLE, length),
        Content::File(length) => (FILE, length),
        Content::Stream(None) => (STREAM, 0),
        Content::Stream(Some(length)) => (STREAM_OF_KNOWN_LENGTH, length),
    };
    out.push(kind);
    put_u64(out, length);
    if let Some(Reason(reason)) = reason {
        put_bytes(out, reason);
    }
    match onward {
        Some(Onward::To(target)) => put_bytes(out, target),
        Some(Onward::File(path)) => put_bytes(out, path.as_os_str().as_bytes()),
        Some(Onward::Declined) | None => {}
    }
    put_headers(out, &head.headers);
    end_message(out, start);
}

/// Reads a message of kind [`HEAD`], of which the kind was read already.
pub(super) fn read_head(mut rest: Rest) -> Result<(Parts, Content), Malformed> {
    let status = StatusCode::from_u16(rest.u16()?).map_err(|_| Malformed)?;
    let flags = rest.u8()?;
    let (kind, length) = (rest.u8()?, rest.u64()?);
    let content = match kind {
        WHOLE => Content::Whole(length),
        FILE => Content::File(length),
        STREAM => Content::Stream(None),
        STREAM_OF_KNOWN_LENGTH => Content::Stream(Some(length)),
        _ => return Err(Malformed),
    };
    let (mut head, ()) = http::Response::new(()).into_parts();
    head.status = status;
    if flags & OWN_PAGE != 0 {
        head.extensions.insert(OwnPage);
    }
    if flags & HAS_REASON != 0 {
        head.extensions.insert(Reason(rest.bytes()?));
    }
    if flags & DECLINED != 0 {
        head.extensions.insert(Onward::Declined);
    }
    if flags & GOES_ON != 0 {
        head.extensions.insert(Onward::To(rest.bytes()?));
    }
    if flags & IS_FILE != 0 {
        let path = OsStr::from_bytes(&rest.bytes()?).into();
        head.extensions.insert(Onward::File(path));
    }
    head.headers = read_headers(&mut rest)?;
    if !rest.is_empty() {
        return Err(Malformed);
    }
    Ok((head, content))
}

/// What stands before a piece of so many bytes.
pub(super) fn piece_head(length: usize) -> [u8; PIECE_HEAD_BYTES] {
    let length = u32::try_from(length + 1).unwrap_or(u32::MAX).to_le_bytes();
    [length[0], length[1], length[2], length[3], PIECE]
}

/// A message that is nothing but its kind.
pub(super) fn put_mark(out: &mut Vec<u8>, kind: u8) {
    let start = begin_message(out, kind);
    end_message(out, start);
}
