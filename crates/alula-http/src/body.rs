//! Content of a request or a response: nothing, bytes, a file already on disk, or a stream.
//!
//! A [`Body`] is an [`http_body::Body`], so the HTTP engine can send it as it is. The variants stay visible
//! because a handler can do better than polling: Python reads spooled content as a file, the file engine
//! sends a file without copying.

use bytes::Bytes;
use http::StatusCode;
use http_body::{Frame, SizeHint};
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::os::fd::{AsRawFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Why content ended before its end.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// Why streamed content of a request broke off, as a [`BodyError`].
#[derive(Debug, thiserror::Error)]
#[error("{fact}")]
pub struct ContentFailure {
    /// What the client is to be answered.
    pub status: StatusCode,
    /// What happened.
    pub fact: String,
}

/// Content that arrives or is made piece by piece.
pub type BodyStream = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError> + Send>>;

/// Content of a message.
#[derive(Default)]
pub enum Body {
    /// No content.
    #[default]
    Empty,
    /// All of it, in memory.
    Bytes(Bytes),
    /// An open file, positioned where the content starts, and the content's length in bytes: request content
    /// that outgrew memory, or a file a handler leaves to the server to send.
    File(File, u64),
    /// A part of an open file that others may be sending as well.
    Part(FilePart),
    /// Piece by piece.
    Stream(BodyStream),
}

/// A part of an open file.
#[derive(Debug, Clone)]
pub struct FilePart {
    /// The file. Its position does not matter, and is not moved.
    pub file: Arc<OwnedFd>,
    /// Where the part starts, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub length: u64,
}

impl FilePart {
    /// The file opened once more, positioned at the part's start.
    pub fn open(&self) -> std::io::Result<File> {
        // By its descriptor's name: a copy of the descriptor would share its position.
        let mut file = File::open(format!("/proc/self/fd/{}", self.file.as_raw_fd()))?;
        file.seek(SeekFrom::Start(self.offset))?;
        Ok(file)
    }
}

impl Body {
    /// No content.
    pub fn empty() -> Self {
        Self::Empty
    }

    /// Wraps a stream.
    pub fn stream<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes, Error = BodyError> + Send + 'static,
    {
        Self::Stream(Box::pin(body))
    }

    /// The length in bytes where it is known.
    pub fn len(&self) -> Option<u64> {
        match self {
            Self::Empty => Some(0),
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::File(_, length) => Some(*length),
            Self::Part(part) => Some(part.length),
            Self::Stream(stream) => stream.size_hint().exact(),
        }
    }

    /// Whether the content is known to be empty.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self::Empty
        } else {
            Self::Bytes(bytes)
        }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::from(Bytes::from(text))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Self::from(Bytes::from_static(text.as_bytes()))
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::File(_, length) => write!(f, "File({length})"),
            Self::Part(part) => write!(f, "Part({})", part.length),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Bytes(bytes) => {
                let all = std::mem::take(bytes);
                *self = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(all))))
            }
            Self::File(..) | Self::Part(_) => {
                Poll::Ready(Some(Err("a file is read, not polled".into())))
            }
            Self::Stream(stream) => stream.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::File(_, length) => *length == 0,
            Self::Part(part) => part.length == 0,
            Self::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Stream(stream) => stream.size_hint(),
            known => SizeHint::with_exact(known.len().unwrap_or(0)),
        }
    }
}
