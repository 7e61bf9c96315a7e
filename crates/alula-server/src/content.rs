//! Receives a request's content before a handler sees it: memory first, then a temporary file. For a handler that wants it while
//! it arrives, content comes piece by piece instead.

use crate::connection::{Connection, Phase};
use alula_http::{Body, BodyError, ContentFailure};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use std::future::Future;
use std::io::{Seek, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::{Instant, Sleep};

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

/// Content that is handed on while it arrives. `length` is what the head announced; `bytes_max` of 0 means no limit.
pub(crate) fn stream(
    incoming: Incoming,
    length: Option<u64>,
    bytes_max: u64,
    connection: &Arc<Connection>,
) -> Body {
    if length == Some(0) {
        return Body::Empty;
    }
    connection.open_content();
    Body::stream(Streamed {
        incoming,
        length,
        received: 0,
        bytes_max,
        connection: connection.clone(),
        ended: false,
        patience: None,
    })
}

struct Streamed {
    incoming: Incoming,
    length: Option<u64>,
    received: u64,
    bytes_max: u64,
    connection: Arc<Connection>,
    ended: bool,
    /// How long the client of an HTTP/2 stream may go on being silent.
    patience: Option<Pin<Box<Sleep>>>,
}

impl Streamed {
    fn fail(&mut self, error: &ContentError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.ended = true;
        Poll::Ready(Some(Err(Box::new(ContentFailure {
            status: error.status(),
            fact: error.to_string(),
        }))))
    }

    fn complete(&mut self) {
        self.ended = true;
        self.connection.raw_head.lock().content_complete();
        self.connection.close_content();
    }

    /// Nothing has come; whether the client has been silent for too long.
    fn waits(&mut self, cx: &mut Context<'_>) -> bool {
        if self.connection.phase() == Phase::Answering {
            // From here on the sweep looks at how long the client is silent.
            self.connection.enter(Phase::Content);
        }
        let Some(patience) = self.connection.stream_patience() else {
            return false;
        };
        let sleep = self
            .patience
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + patience)));
        sleep.as_mut().poll(cx).is_ready()
    }
}

impl http_body::Body for Streamed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        loop {
            if this.ended {
                return Poll::Ready(None);
            }
            let polled = Pin::new(&mut this.incoming).poll_frame(cx);
            if polled.is_ready() {
                this.patience = None;
                if this.connection.phase() == Phase::Content {
                    this.connection.enter(Phase::Answering);
                }
            }
            match polled {
                Poll::Pending if this.waits(cx) => return this.fail(&ContentError::TooSlow),
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => this.complete(),
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers are dropped, as above.
                    let Ok(piece) = frame.into_data() else {
                        continue;
                    };
                    this.received += piece.len() as u64;
                    if this.bytes_max > 0 && this.received > this.bytes_max {
                        return this.fail(&ContentError::TooLong(this.bytes_max));
                    }
                    if this.length == Some(this.received) {
                        this.complete();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                Poll::Ready(Some(Err(error))) => {
                    let slow = this.connection.order() == crate::connection::Order::ContentTimeout;
                    let error = match slow {
                        true => ContentError::TooSlow,
                        false => ContentError::Broken(error),
                    };
                    return this.fail(&error);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        match self.length {
            Some(length) => SizeHint::with_exact(length.saturating_sub(self.received)),
            None => SizeHint::default(),
        }
    }
}
