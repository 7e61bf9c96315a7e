//! Content on its way: a request's to the back end ([`Content`]), and a response's from it ([`Returned`]).
//!
//! What a client is slow with is not held against the back end: its time runs while nothing is awaited from the client.

use crate::pool::Lease;
use alula_http::{Body, BodyError, ContentFailure};
use bytes::Bytes;
use http::StatusCode;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use parking_lot::Mutex;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// How a request's content is getting on.
#[derive(Debug)]
pub(crate) struct Progress(Mutex<State>);

#[derive(Debug)]
struct State {
    /// When something last moved towards the back end.
    moved: Instant,
    /// Nothing has come from the client.
    waits_for_client: bool,
    /// All of it has gone.
    complete: bool,
    /// Nobody wants the rest.
    given_up: bool,
    /// The back end is yet to say whether it wants it (`Expect: 100-continue`).
    held: bool,
    waker: Option<Waker>,
    /// Why the client's content broke off.
    failure: Option<StatusCode>,
}

impl Progress {
    /// `held`: until [`Progress::release`].
    pub(crate) fn new(body: &Body, held: bool) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            moved: Instant::now(),
            waits_for_client: false,
            complete: body.is_empty(),
            given_up: false,
            held,
            waker: None,
            failure: None,
        })))
    }

    /// Lets held content go.
    pub(crate) fn release(&self) {
        let mut state = self.0.lock();
        if std::mem::take(&mut state.held) {
            state.moved = Instant::now();
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
        }
    }

    pub(crate) fn is_held(&self) -> bool {
        self.0.lock().held
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.0.lock().complete
    }

    /// The rest is not wanted any more.
    pub(crate) fn give_up(&self) {
        let mut state = self.0.lock();
        state.given_up = true;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    pub(crate) fn failure(&self) -> Option<StatusCode> {
        self.0.lock().failure
    }

    /// Since when the back end is waited for.
    pub(crate) fn since(&self) -> Instant {
        let state = self.0.lock();
        match state.waits_for_client {
            true => Instant::now(),
            false => state.moved,
        }
    }
}

/// A request's content, as the engine takes it.
#[derive(Debug)]
pub(crate) struct Content {
    body: Body,
    progress: Arc<Progress>,
}

impl Content {
    pub(crate) fn new(body: Body, progress: Arc<Progress>) -> Self {
        Self { body, progress }
    }
}

impl http_body::Body for Content {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let mut state = this.progress.0.lock();
        if state.given_up {
            return Poll::Ready(Some(Err("the response is complete".into())));
        }
        if state.held {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        state.waits_for_client = polled.is_pending();
        match &polled {
            Poll::Pending => state.waker = Some(cx.waker().clone()),
            Poll::Ready(frame) => {
                state.moved = Instant::now();
                match frame {
                    None => state.complete = true,
                    Some(Ok(_)) => state.complete = http_body::Body::is_end_stream(&this.body),
                    Some(Err(error)) => {
                        let failure = error.downcast_ref::<ContentFailure>();
                        let status =
                            failure.map_or(StatusCode::BAD_REQUEST, |failure| failure.status);
                        state.failure = Some(status);
                    }
                }
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        http_body::Body::is_end_stream(&self.body)
    }

    fn size_hint(&self) -> SizeHint {
        http_body::Body::size_hint(&self.body)
    }
}

/// A response's content. When it is complete, its connection goes back.
pub(crate) struct Returned {
    incoming: Incoming,
    lease: Option<Lease>,
    progress: Arc<Progress>,
    timeout: Duration,
    silence: Option<Pin<Box<Sleep>>>,
    /// Whether `silence` runs.
    is_silent: bool,
}

impl Returned {
    pub(crate) fn new(
        incoming: Incoming,
        lease: Lease,
        progress: Arc<Progress>,
        timeout: Duration,
    ) -> Self {
        let mut this = Self {
            incoming,
            lease: Some(lease),
            progress,
            timeout,
            silence: None,
            is_silent: false,
        };
        this.look_for_end();
        this
    }

    /// Whether all of it has come already.
    pub(crate) fn is_complete(&self) -> bool {
        http_body::Body::is_end_stream(&self.incoming)
    }

    fn look_for_end(&mut self) {
        if self.is_complete() {
            self.end();
        }
    }

    fn end(&mut self) {
        let Some(lease) = self.lease.take() else {
            return;
        };
        match self.progress.is_complete() {
            true => lease.give_back(),
            // The back end has not waited for the content.
            false => self.progress.give_up(),
        }
    }

    /// Whether the back end has been silent for too long.
    fn waits(&mut self, cx: &mut Context<'_>) -> bool {
        let deadline = || Instant::now() + self.timeout;
        let silence = match &mut self.silence {
            Some(silence) => {
                if !self.is_silent {
                    silence.as_mut().reset(deadline());
                }
                silence
            }
            none => none.insert(Box::pin(tokio::time::sleep_until(deadline()))),
        };
        self.is_silent = true;
        silence.as_mut().poll(cx).is_ready()
    }
}

impl Drop for Returned {
    fn drop(&mut self) {
        // The client has gone: nobody wants the rest.
        self.progress.give_up();
    }
}

impl http_body::Body for Returned {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        loop {
            let polled = Pin::new(&mut this.incoming).poll_frame(cx);
            if polled.is_ready() {
                this.is_silent = false;
            }
            return match polled {
                Poll::Pending if this.waits(cx) => {
                    tracing::warn!(target: "proxy", "a response ends early: nothing came from the back end for {} ms", this.timeout.as_millis());
                    this.lease = None;
                    Poll::Ready(Some(Err("the back end is silent".into())))
                }
                Poll::Pending => Poll::Pending,
                Poll::Ready(None) => {
                    this.end();
                    Poll::Ready(None)
                }
                Poll::Ready(Some(Ok(frame))) => {
                    this.look_for_end();
                    if frame.is_trailers() {
                        // Dropped, as `Trailer` is.
                        continue;
                    }
                    Poll::Ready(Some(Ok(frame)))
                }
                Poll::Ready(Some(Err(error))) => {
                    tracing::warn!(target: "proxy", "a response ends early: {error}");
                    this.lease = None;
                    Poll::Ready(Some(Err(error.into())))
                }
            };
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_complete()
    }

    fn size_hint(&self) -> SizeHint {
        http_body::Body::size_hint(&self.incoming)
    }
}
