//! A response's content on its way out, with what has to happen when it is out: count, log, wait for the next request.

use crate::access_log::Entry;
use crate::connection::Connection;
use crate::server::Observer;
use alula_http::{Body, BodyError};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Content the HTTP engine polls.
pub(crate) struct Outgoing {
    body: Body,
    sent: Option<Box<Sent>>,
}

impl Outgoing {
    pub(crate) fn new(body: Body, sent: Option<Sent>) -> Self {
        Self {
            body,
            sent: sent.map(Box::new),
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
        self.observer.request_finished();
        if let Some(entry) = self.entry.take() {
            entry.log(self.bytes, self.complete);
        }
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Some(sent) = &this.sent {
            sent.connection.stalls(false);
        }
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        if let Some(sent) = &mut this.sent {
            match &polled {
                Poll::Ready(Some(Ok(frame))) => {
                    sent.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                    sent.complete = this.body.is_end_stream();
                    sent.connection.stalls(!sent.complete);
                }
                Poll::Ready(None) => sent.complete = true,
                _ => {}
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
