//! Reads files without ever making the serving thread wait for a disk.
//!
//! Every read is first tried with `RWF_NOWAIT`, which gives only what is already in memory; the rest is read by the
//! runtime's blocking pool. A file system that does not know the flag (some network ones) is read by the pool always.
//!
//! [`part`] is the one place that decides how content travels: short content is read and goes out with its head; of longer
//! content the server is told where it is. It has the kernel send it, after [`warm`] has seen to it that it is in memory, or
//! reads it by [`part_body`].

use crate::found::{Content, Found};
use alula_http::range::ByteRange;
use alula_http::{Body, BodyError, FilePart, Response};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use http_body::{Frame, SizeHint};
use rustix::io::{Errno, ReadWriteFlags};
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, IoSliceMut};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::task::JoinHandle;

/// Up to here content is read whole and sent with its head in one write.
const WHOLE_BYTES_MAX: u64 = 64 * 1024;
/// How much of a larger file is read at a time. Tried with 64 KiB and 256 KiB too: reading costs the same, and a slow
/// reader holds a few of these.
const CHUNK_BYTES: usize = 128 * 1024;

/// Content of an open file that is long enough for the server to be told where it is; `None`: it is to be read.
pub(crate) fn part(file: &Arc<OwnedFd>, offset: u64, length: u64) -> Option<Body> {
    let part = || FilePart {
        file: Arc::clone(file),
        offset,
        length,
    };
    (length > WHOLE_BYTES_MAX).then(|| Body::Part(part()))
}

/// `multipart/byteranges` (RFC 9110 section 14.6): `described` with so many parts of a file.
pub(crate) fn multipart(
    mut described: Response,
    found: &Arc<Found>,
    parts: &[ByteRange],
) -> Response {
    let boundary = boundary();
    let headers = described.headers_mut();
    let media_type = headers.get(CONTENT_TYPE).cloned();
    let mut pieces = VecDeque::with_capacity(2 * parts.len() + 1);
    let mut length = 0;
    let mut text = |text: Vec<u8>, pieces: &mut VecDeque<Piece>| {
        length += text.len() as u64;
        pieces.push_back(Piece::Text(text.into()));
    };
    for part in parts {
        let mut head = format!("\r\n--{boundary}\r\n").into_bytes();
        if let Some(media_type) = &media_type {
            head.extend_from_slice(b"Content-Type: ");
            head.extend_from_slice(media_type.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"Content-Range: ");
        head.extend_from_slice(part.content_range(found.size).as_bytes());
        head.extend_from_slice(b"\r\n\r\n");
        text(head, &mut pieces);
        pieces.push_back(Piece::Part(*part));
    }
    text(format!("\r\n--{boundary}--\r\n").into_bytes(), &mut pieces);
    length += parts.iter().map(|part| part.len()).sum::<u64>();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    if let Ok(media_type) = format!("multipart/byteranges; boundary={boundary}").try_into() {
        headers.insert(CONTENT_TYPE, media_type);
    }
    *described.status_mut() = StatusCode::PARTIAL_CONTENT;
    *described.body_mut() = Body::stream(Multipart {
        found: Arc::clone(found),
        pieces,
        current: Body::Empty,
        left: length,
    });
    described
}

/// Cannot be foreseen, so no file can hold it on purpose.
fn boundary() -> String {
    let random = RandomState::new().hash_one(0);
    format!("{random:016x}")
}

/// Parts of a file with heads between them.
struct Multipart {
    found: Arc<Found>,
    pieces: VecDeque<Piece>,
    current: Body,
    left: u64,
}

enum Piece {
    Text(Bytes),
    Part(ByteRange),
}

impl http_body::Body for Multipart {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        loop {
            match ready!(Pin::new(&mut this.current).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    this.left -= frame.data_ref().map_or(0, |data| data.len() as u64);
                    return Poll::Ready(Some(Ok(frame)));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {}
            }
            this.current = match (this.pieces.pop_front(), &this.found.content) {
                (None, _) => return Poll::Ready(None),
                (Some(Piece::Text(text)), _) => Body::from(text),
                (Some(Piece::Part(part)), Content::Memory(whole)) => {
                    // What is in memory is small, so offsets into it fit.
                    Body::from(whole.slice(part.first as usize..=part.last as usize))
                }
                (Some(Piece::Part(part)), Content::Disk(file)) => {
                    Body::stream(FileStream::new(Arc::clone(file), part.first, part.len()))
                }
            };
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// The content of a part of a file, read piece by piece.
pub fn part_body(part: FilePart) -> Body {
    Body::stream(FileStream::new(part.file, part.offset, part.length))
}

/// Work that ends when a stretch of a file has been read from the disk.
pub type Warming = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// Sees to it that a stretch of a file is in memory, so that sending it waits for no disk. `None`: it is, as far as can be told
/// from one page of every [`CHUNK_BYTES`], which is what the kernel reads ahead at least.
pub fn warm(file: &Arc<OwnedFd>, offset: u64, length: usize) -> Option<Warming> {
    let end = offset + length as u64;
    let mut probe = [0];
    let is_there = (offset..end)
        .step_by(CHUNK_BYTES)
        .all(|at| matches!(read_from_memory(file, &mut probe, at), Ok(Some(_))));
    if is_there {
        return None;
    }
    let file = Arc::clone(file);
    let work = tokio::task::spawn_blocking(move || {
        let mut at = offset;
        let mut buffer = BytesMut::zeroed(CHUNK_BYTES);
        while at < end {
            let piece = read_some(&file, std::mem::take(&mut buffer), at)?;
            if piece.is_empty() {
                break;
            }
            at += piece.len() as u64;
            buffer = piece
                .try_into_mut()
                .unwrap_or_else(|_| BytesMut::zeroed(CHUNK_BYTES));
            buffer.resize(CHUNK_BYTES, 0);
        }
        Ok(())
    });
    Some(Box::pin(async move { work.await? }))
}

/// Reads exactly `length` bytes, few enough to be held in memory.
///
/// Ends with [`io::ErrorKind::UnexpectedEof`] when the file has become shorter.
pub(crate) async fn read(file: &Arc<OwnedFd>, offset: u64, length: u64) -> io::Result<Bytes> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let mut buffer = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match read_from_memory(file, &mut buffer[filled..], offset + filled as u64)? {
            Some(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Some(count) => filled += count,
            None => {
                let file = Arc::clone(file);
                let read = move || read_exactly(&file, buffer, filled, offset).map(Bytes::from);
                return tokio::task::spawn_blocking(read).await?;
            }
        }
    }
    Ok(buffer.into())
}

/// The content of a file as a stream of chunks. Its length is promised, so a file that has become shorter is an
/// error: the engine then closes the connection and the client sees that it has not got everything.
struct FileStream {
    file: Arc<OwnedFd>,
    offset: u64,
    end: u64,
    pending: Option<JoinHandle<io::Result<Bytes>>>,
    /// The chunks sent last: once the engine has let go of one its memory is used again.
    sent: [Bytes; 2],
}

impl FileStream {
    fn new(file: Arc<OwnedFd>, offset: u64, length: u64) -> Self {
        Self {
            file,
            offset,
            end: offset + length,
            pending: None,
            sent: [Bytes::new(), Bytes::new()],
        }
    }

    /// A buffer for the next chunk, with that length.
    fn buffer(&mut self) -> BytesMut {
        let remaining = usize::try_from(self.end - self.offset).unwrap_or(usize::MAX);
        let length = remaining.min(CHUNK_BYTES);
        for sent in &mut self.sent {
            match std::mem::take(sent).try_into_mut() {
                Ok(mut buffer) if buffer.len() >= length => {
                    buffer.truncate(length);
                    return buffer;
                }
                Ok(_) => {}
                Err(in_use) => *sent = in_use,
            }
        }
        BytesMut::zeroed(length)
    }

    /// Hands a chunk to the engine, or ends with an error if there is none.
    fn send(&mut self, chunk: Bytes) -> Result<Frame<Bytes>, BodyError> {
        if chunk.is_empty() {
            tracing::error!(
                target: "core",
                missing_bytes = self.end - self.offset,
                "a file became shorter while it was sent"
            );
            self.end = self.offset;
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        self.offset += chunk.len() as u64;
        self.sent.swap(0, 1);
        self.sent[0] = chunk.clone();
        Ok(Frame::data(chunk))
    }

    /// Ends with an error.
    fn fail(&mut self, error: io::Error) -> Result<Frame<Bytes>, BodyError> {
        tracing::error!(%error, "cannot read a file while it is sent");
        self.end = self.offset;
        Err(error.into())
    }
}

impl http_body::Body for FileStream {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if this.pending.is_none() {
            if this.offset >= this.end {
                return Poll::Ready(None);
            }
            let mut buffer = this.buffer();
            match read_from_memory(&this.file, &mut buffer, this.offset) {
                Ok(Some(count)) => {
                    // What a short read leaves of the buffer is lost for reuse; it happens at the edge of the
                    // page cache only.
                    buffer.truncate(count);
                    return Poll::Ready(Some(this.send(buffer.freeze())));
                }
                Ok(None) => {
                    let (file, offset) = (Arc::clone(&this.file), this.offset);
                    let read = move || read_some(&file, buffer, offset);
                    this.pending = Some(tokio::task::spawn_blocking(read));
                }
                Err(error) => return Poll::Ready(Some(this.fail(error))),
            }
        }
        let Some(pending) = &mut this.pending else {
            return Poll::Ready(None);
        };
        let read = ready!(Pin::new(pending).poll(cx));
        this.pending = None;
        Poll::Ready(Some(match read {
            Ok(Ok(chunk)) => this.send(chunk),
            Ok(Err(error)) => this.fail(error),
            Err(stopped) => this.fail(stopped.into()),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.offset >= self.end
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.end - self.offset)
    }
}

/// Reads what is in memory; `None` if the disk would have to be asked.
fn read_from_memory(file: &OwnedFd, buffer: &mut [u8], offset: u64) -> io::Result<Option<usize>> {
    loop {
        let parts = &mut [IoSliceMut::new(buffer)];
        match rustix::io::preadv2(file, parts, offset, ReadWriteFlags::NOWAIT) {
            Ok(count) => return Ok(Some(count)),
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(None),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Reads once, and waits. What comes is not empty unless the file has ended.
fn read_some(file: &OwnedFd, mut buffer: BytesMut, offset: u64) -> io::Result<Bytes> {
    loop {
        match rustix::io::pread(file, &mut buffer[..], offset) {
            Ok(count) => {
                buffer.truncate(count);
                return Ok(buffer.freeze());
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Fills the buffer from `filled` on, and waits.
fn read_exactly(
    file: &OwnedFd,
    mut buffer: Vec<u8>,
    mut filled: usize,
    offset: u64,
) -> io::Result<Vec<u8>> {
    while filled < buffer.len() {
        match rustix::io::pread(file, &mut buffer[filled..], offset + filled as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(buffer)
}
