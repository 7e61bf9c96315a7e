//! Receives a request's content before a handler sees it: memory first, then a temporary file.

use crate::connection::{Connection, Phase};
use alula_http::Body;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use hyper::body::Incoming;
use std::io::{Seek, Write};

/// Content up to this size stays in memory, in bytes.
const CONTENT_MEMORY_BYTES_MAX: usize = 512 * 1024;

/// Why content could not be received.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContentError {
    /// More than `LimitRequestBody`.
    #[error("content is longer than {0} bytes (LimitRequestBody)")]
    TooLong(u64),
    /// The client stopped sending for longer than `Timeout`.
    #[error("content came too slowly")]
    TooSlow,
    /// The client left, or its framing is broken.
    #[error("content ended early: {0}")]
    Broken(hyper::Error),
    /// The temporary file cannot be written.
    #[error("content cannot be written to a temporary file: {0}")]
    Spool(std::io::Error),
}

impl ContentError {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken(_) => StatusCode::BAD_REQUEST,
            Self::Spool(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Receives all of `incoming`. `bytes_max` of 0 means no limit.
pub(crate) async fn receive(
    mut incoming: Incoming,
    bytes_max: u64,
    connection: &Connection,
) -> Result<Body, ContentError> {
    connection.enter(Phase::Content);
    let mut received = Received::default();
    while let Some(frame) = next_frame(&mut incoming, connection).await? {
        let Ok(piece) = frame.into_data() else {
            // Trailers are dropped, as httpd does (MergeTrailers off).
            continue;
        };
        received.length += piece.len() as u64;
        if bytes_max > 0 && received.length > bytes_max {
            return Err(ContentError::TooLong(bytes_max));
        }
        received.add(piece).map_err(ContentError::Spool)?;
    }
    connection.raw_head.lock().content_complete();
    received.into_body().map_err(ContentError::Spool)
}

async fn next_frame(
    incoming: &mut Incoming,
    connection: &Connection,
) -> Result<Option<hyper::body::Frame<Bytes>>, ContentError> {
    use hyper::body::Body as _;
    let next = std::future::poll_fn(|cx| std::pin::Pin::new(&mut *incoming).poll_frame(cx));
    let frame = match connection.stream_patience() {
        None => next.await,
        Some(patience) => match tokio::time::timeout(patience, next).await {
            Ok(frame) => frame,
            Err(_) => return Err(ContentError::TooSlow),
        },
    };
    match frame {
        None => Ok(None),
        Some(Ok(frame)) => Ok(Some(frame)),
        Some(Err(_)) if connection.order() == crate::connection::Order::ContentTimeout => {
            Err(ContentError::TooSlow)
        }
        Some(Err(error)) => Err(ContentError::Broken(error)),
    }
}

#[derive(Default)]
struct Received {
    first: Bytes,
    memory: BytesMut,
    file: Option<std::fs::File>,
    length: u64,
}

impl Received {
    fn add(&mut self, piece: Bytes) -> std::io::Result<()> {
        if let Some(file) = &mut self.file {
            return file.write_all(&piece);
        }
        if self.first.is_empty() && self.memory.is_empty() {
            // One piece is the common case, and needs no copy.
            self.first = piece;
            return Ok(());
        }
        if !self.first.is_empty() {
            self.memory
                .extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.memory.extend_from_slice(&piece);
        if self.memory.len() > CONTENT_MEMORY_BYTES_MAX {
            let mut file = tempfile::tempfile()?;
            file.write_all(&self.memory)?;
            self.memory = BytesMut::new();
            self.file = Some(file);
        }
        Ok(())
    }

    fn into_body(self) -> std::io::Result<Body> {
        if let Some(mut file) = self.file {
            file.rewind()?;
            return Ok(Body::File(file, self.length));
        }
        if self.memory.is_empty() {
            return Ok(Body::from(self.first));
        }
        Ok(Body::from(self.memory.freeze()))
    }
}
