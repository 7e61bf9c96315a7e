//! The content of a response as a front receives it from a worker: piece by piece, no faster than the client reads.

use super::doors::Borrowed;
use super::link::STREAM_RECEIVE_BYTES;
use super::response;
use alula_http::BodyError;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// See the module.
pub(super) struct Incoming {
    /// `None` when it is over. Dropped before that, it closes the connection, and the worker gives up.
    worker: Option<Borrowed>,
    state: State,
    /// What is still to come, where it is known.
    left: Option<u64>,
    /// Whether the engine has had a turn to send what came before a failure.
    flushed: bool,
    request: u64,
}

enum State {
    /// In the middle of a piece, or of all of it: so many bytes follow.
    Piece(u64),
    /// In the middle of the only piece there is.
    Whole,
    /// Before a piece or the end.
    Between,
    /// It cannot be completed.
    Failed(&'static str),
}

impl Incoming {
    /// Content of a known length that follows the head.
    pub(super) fn whole(worker: Borrowed, length: u64, request: u64) -> Self {
        Self::new(worker, State::Whole, Some(length), request)
    }

    /// Content in pieces.
    pub(super) fn pieces(worker: Borrowed, length: Option<u64>, request: u64) -> Self {
        Self::new(worker, State::Between, length, request)
    }

    fn new(worker: Borrowed, state: State, left: Option<u64>, request: u64) -> Self {
        Self {
            worker: Some(worker),
            state,
            left,
            flushed: false,
            request,
        }
    }

    /// The next bytes, if they have been received.
    fn next(&mut self) -> Option<Bytes> {
        let link = &mut self.worker.as_mut()?.path.link;
        let most = match self.state {
            State::Piece(left) => left,
            State::Whole => self.left.unwrap_or(0),
            State::Between | State::Failed(_) => return None,
        };
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let bytes = link.take(most);
        if bytes.is_empty() {
            return None;
        }
        let length = bytes.len() as u64;
        self.left = self.left.map(|left| left.saturating_sub(length));
        if let State::Piece(left) = &mut self.state {
            *left -= length;
            if *left == 0 {
                self.state = State::Between;
            }
        }
        Some(bytes)
    }

    /// Reads what stands between pieces. `false` when it has not arrived.
    fn pass_between(&mut self) -> bool {
        let Some(worker) = &mut self.worker else {
            return false;
        };
        match worker.path.link.take_piece_head() {
            None => return false,
            Some((response::PIECE, left)) if left > 0 => self.state = State::Piece(left),
            Some((response::END, 0)) => self.finish(),
            Some((response::FAILED, 0)) => {
                self.fail("the application failed in the middle of its response")
            }
            Some(_) => self.fail("the worker's answer is malformed"),
        }
        true
    }

    /// All of it is here: the connection is free for the next request.
    fn finish(&mut self) {
        if let Some(worker) = self.worker.take() {
            worker.give_back();
        }
    }

    fn fail(&mut self, why: &'static str) {
        self.worker = None;
        self.state = State::Failed(why);
    }

    fn is_over(&self) -> bool {
        match self.state {
            State::Whole => self.left == Some(0),
            State::Failed(_) => false,
            State::Piece(_) | State::Between => self.worker.is_none(),
        }
    }
}

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        loop {
            if let State::Failed(why) = this.state {
                if !this.flushed {
                    // An error makes the engine drop what it holds; the client shall see what came before it.
                    this.flushed = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                return Poll::Ready(Some(Err(why.into())));
            }
            if let Some(bytes) = this.next() {
                if matches!(this.state, State::Whole) && this.left == Some(0) {
                    this.finish();
                }
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if this.is_over() {
                return Poll::Ready(None);
            }
            if matches!(this.state, State::Between) && this.pass_between() {
                continue;
            }
            let Some(worker) = &mut this.worker else {
                return Poll::Ready(None);
            };
            let received = ready!(worker.path.link.poll_receive(cx, STREAM_RECEIVE_BYTES));
            if !matches!(received, Ok(count) if count > 0) {
                tracing::error!(
                    "[request {:x}] {} ended in the middle of its response",
                    this.request,
                    worker.name()
                );
                this.fail("the worker ended in the middle of its response");
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
