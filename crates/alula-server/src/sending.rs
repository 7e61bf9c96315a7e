//! A response's content on its way out, with what has to happen when it is out: count, log, wait for the next request.

use crate::access_log::Entry;
use crate::connection::Connection;
use crate::file_sending::{OutgoingFile, Piece};
use crate::server::Observer;
use alula_http::{Body, BodyError};
use bytes::Buf;
use http_body::{Body as _, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Content the HTTP engine polls.
pub(crate) struct Outgoing {
    content: Content,
    sent: Option<Box<Sent>>,
}

enum Content {
    Body(Body),
    File(Box<OutgoingFile>),
}

impl Outgoing {
    pub(crate) fn new(body: Body, sent: Option<Sent>) -> Self {
        Self {
            content: Content::Body(body),
            sent: sent.map(Box::new),
        }
    }

    /// A file for the kernel to send.
    pub(crate) fn file(file: OutgoingFile, sent: Option<Sent>) -> Self {
        Self {
            content: Content::File(Box::new(file)),
            sent: sent.map(Box::new),
        }
    }
}

impl Content {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Piece>, BodyError>>> {
        match self {
            Self::Body(body) => Pin::new(body)
                .poll_frame(cx)
                .map_ok(|frame| frame.map_data(Piece::Bytes)),
            Self::File(file) => file.poll(cx).map_ok(Frame::data),
        }
    }

    fn is_end(&self) -> bool {
        match self {
            Self::Body(body) => body.is_end_stream(),
            Self::File(file) => file.left() == 0,
        }
    }
}

/// Runs when the content is out, or given up.
pub(crate) struct Sent {
    entry: Option<Box<Entry>>,
    connection: Arc<Connection>,
    observer: Arc<dyn Observer>,
    bytes: u64,
    complete: bool,
}

impl Sent {
    pub(crate) fn logged(
        entry: Box<Entry>,
        connection: &Arc<Connection>,
        observer: &Arc<dyn Observer>,
    ) -> Self {
        let mut sent = Self::plain(connection, observer);
        sent.entry = Some(entry);
        sent
    }

    pub(crate) fn plain(connection: &Arc<Connection>, observer: &Arc<dyn Observer>) -> Self {
        Self {
            entry: None,
            connection: connection.clone(),
            observer: observer.clone(),
            bytes: 0,
            complete: false,
        }
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.connection.stalls(false);
        self.connection.answered();
        self.connection.request_over(&*self.observer, self.bytes);
        if let Some(entry) = self.entry.take() {
            entry.log(self.bytes, self.complete);
        }
    }
}

impl http_body::Body for Outgoing {
    type Data = Piece;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, BodyError>>> {
        let this = &mut *self;
        if let Some(sent) = &this.sent {
            sent.connection.stalls(false);
        }
        let polled = this.content.poll(cx);
        if let Some(sent) = &mut this.sent {
            match &polled {
                Poll::Ready(Some(Ok(frame))) => {
                    sent.bytes += frame.data_ref().map_or(0, |data| data.remaining() as u64);
                    sent.complete = this.content.is_end();
                    sent.connection.stalls(!sent.complete);
                }
                Poll::Ready(None) => sent.complete = true,
                _ => {}
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Body(body) => body.size_hint(),
            Content::File(file) => SizeHint::with_exact(file.left()),
        }
    }
}
