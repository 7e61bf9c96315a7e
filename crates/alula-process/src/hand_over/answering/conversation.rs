//! One connection from a front: a request comes in whole, is answered, and the response goes out; then the next one.

mod sending;

use super::{Inner, Open};
use crate::hand_over::link::Link;
use crate::hand_over::request::{Content, DEFINITION, REQUEST, Received, read_request};
use crate::hand_over::wire::{Malformed, Rest};
use crate::scoreboard::WaitingMark;
use alula_http::{Begun, Body, Glimpse, Handler, Peer, Request, Response};
use std::fs::File;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

/// How long a request whose client has left already has to begin.
const BEGIN_GRACE: Duration = Duration::from_millis(5);

/// A connection from a front.
pub(super) struct Conversation {
    pub(super) inner: Arc<Inner>,
    pub(super) link: Link,
    /// What the front has defined, by its numbers.
    pub(super) handlers: Vec<Option<Arc<dyn Handler>>>,
    pub(super) mark: Option<WaitingMark>,
    pub(super) begun: Begun,
    pub(super) is_begun: Arc<AtomicBool>,
    /// Messages are put together here.
    pub(super) out: Vec<u8>,
    pub(super) _open: Open,
}

/// A request from its arrival to the end of its response.
struct Running {
    inner: Arc<Inner>,
    begun: Begun,
    counted: bool,
    ticket: u32,
    /// Bytes of content sent.
    bytes: u64,
}

impl Running {
    /// The worker is free for the next request. Said before the end of the response is sent: the front may have the next one
    /// ready when it arrives, and must not find this worker busy.
    fn hand_back(&mut self) {
        if std::mem::take(&mut self.counted) {
            self.inner.slot.handed_back();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Also for a request that never began: nobody waits for it any more.
        (self.begun)();
        self.inner
            .reception
            .request_finished(self.ticket, self.bytes);
        self.hand_back();
    }
}

fn glimpse(request: &Request) -> Glimpse<'_> {
    let authority = request.headers.get(http::header::HOST);
    Glimpse {
        id: request.id,
        method: request.method.as_str(),
        authority: authority.map_or(&[], |authority| authority.as_bytes()),
        target: &request.target,
        client: request.peer.remote,
    }
}

impl Conversation {
    pub(super) async fn run(mut self) {
        let inner = self.inner.clone();
        loop {
            let received = match self.next_request().await {
                Ok(Some(received)) => received,
                Ok(None) => return,
                Err(Malformed) => {
                    tracing::error!("{Malformed}");
                    inner.slot.handed_back();
                    return;
                }
            };
            let ticket = inner.reception.request_started(&glimpse(&received.request));
            let mut running = Running {
                inner: inner.clone(),
                begun: self.begun.clone(),
                counted: true,
                ticket,
                bytes: 0,
            };
            let handler = self
                .handlers
                .get(received.handler as usize)
                .cloned()
                .flatten();
            let Some(response) = self.answer(handler, received.request).await else {
                // The front has gone, and its client with it.
                return;
            };
            let sent = self.send(response, &mut running).await;
            drop(running);
            if !matches!(sent, Ok(true)) {
                return;
            }
        }
    }

    /// The next request with its content; `None` when there will be none.
    async fn next_request(&mut self) -> Result<Option<Received>, Malformed> {
        loop {
            let message = match self.link.take_message()? {
                Ok(message) => message,
                Err(missing) => {
                    if !self.receive(missing).await {
                        return Ok(None);
                    }
                    continue;
                }
            };
            let mut rest = Rest::new(message);
            match rest.u8()? {
                DEFINITION => self.define(rest)?,
                REQUEST => {
                    let inner = &self.inner;
                    let mut received =
                        read_request(rest, |local, remote, scheme, tls| match tls {
                            None => inner.peer(local, remote, scheme),
                            Some(tls) => {
                                let peer = Peer::new(local, remote, scheme);
                                let _ = peer.tls.set(Arc::new(tls));
                                Arc::new(peer)
                            }
                        })?;
                    let Some(body) = self.content(received.content).await? else {
                        return Ok(None);
                    };
                    received.request.body = body;
                    return Ok(Some(received));
                }
                _ => return Err(Malformed),
            }
        }
    }

    fn define(&mut self, mut rest: Rest) -> Result<(), Malformed> {
        let number = rest.u32()? as usize;
        let handler = self.inner.handler(&rest.all()).ok_or(Malformed)?;
        if self.handlers.len() <= number {
            self.handlers.resize(number + 1, None);
        }
        self.handlers[number] = Some(handler);
        Ok(())
    }

    async fn content(&mut self, content: Content) -> Result<Option<Body>, Malformed> {
        match content {
            Content::Bytes(length) => {
                while self.link.received() < length {
                    if !self.receive(length - self.link.received()).await {
                        return Ok(None);
                    }
                }
                Ok(Some(Body::from(self.link.take(length))))
            }
            Content::File(length) => {
                let file = File::from(self.link.take_descriptor().ok_or(Malformed)?);
                Ok(Some(Body::File(file, length)))
            }
        }
    }

    /// Receives more; `false` when the connection is over: the front has closed it, or nothing is on it and this
    /// worker takes nothing more.
    async fn receive(&mut self, missing: usize) -> bool {
        let Self { inner, link, .. } = self;
        let nothing_yet = link.received() == 0;
        let mut closed = std::pin::pin!(inner.close.notified());
        let received = poll_fn(|cx| {
            // Asked each time, and before anything is read: what stays unread goes back to the front.
            if nothing_yet
                && (closed.as_mut().poll(cx).is_ready() || inner.closing.load(Ordering::SeqCst))
            {
                return Poll::Ready(None);
            }
            link.poll_receive(cx, missing).map(Some)
        });
        match received.await {
            Some(Ok(count)) if count > 0 => true,
            Some(_) if !nothing_yet => {
                // The front has counted a request that it did not send to its end.
                inner.slot.handed_back();
                false
            }
            None | Some(_) => false,
        }
    }

    /// Has the request answered; `None` when the front closes the connection before.
    async fn answer(
        &mut self,
        handler: Option<Arc<dyn Handler>>,
        request: Request,
    ) -> Option<Response> {
        let Some(handler) = handler else {
            tracing::error!("[request {:x}] {Malformed}", request.id);
            return None;
        };
        self.is_begun.store(false, Ordering::Relaxed);
        if let Some(mark) = &self.mark {
            mark.waits(request.id);
        }
        let mut answer = handler.handle_when_begun(request, self.begun.clone());
        let response = poll_fn(|cx| {
            if let Poll::Ready(response) = answer.as_mut().poll(cx) {
                return Poll::Ready(Some(response));
            }
            // A front sends nothing before it has its answer, so this can only be the end.
            self.link.poll_receive(cx, 1).map(|_| None)
        })
        .await;
        if response.is_none() && !self.is_begun.load(Ordering::Relaxed) {
            // A client that sends and leaves is served all the same, unless it would have had to wait.
            tokio::time::sleep(BEGIN_GRACE).await;
        }
        response
    }
}
