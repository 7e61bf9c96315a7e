//! A worker's side: what comes by its door, and the answers.
//!
//! It does here what the HTTP engine does in a worker that accepts connections itself, on the same loop, and calls the
//! same handlers.

use super::link::Link;
use super::request::{Content, DEFINITION, REQUEST, Received, read_request};
use super::response::{self, END, FAILED, PIECE_HEAD_BYTES, piece_head, put_head, put_mark};
use super::wire::{Malformed, Rest};
use crate::messages::Channel;
use crate::scoreboard::{Slot, WaitingMark};
use alula_http::{Begun, Body, Glimpse, Handler, Peer, Request, Response, Scheme};
use bytes::Bytes;
use http_body::Body as _;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fs::File;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::io::Interest;
use tokio::sync::Notify;

/// Pieces of a stream up to this size are put together and sent at once, in bytes.
const SMALL_PIECE_BYTES_MAX: usize = 4 * 1024;

/// How much of small pieces is put together.
const TOGETHER_BYTES_MAX: usize = 32 * 1024;

/// How long a worker that has no descriptor left waits before it takes the next connection.
const RECEIVE_PAUSE: Duration = Duration::from_millis(50);

/// How long a request whose client has left already has to begin.
const BEGIN_GRACE: Duration = Duration::from_millis(5);

/// How many ends of connections are remembered, with what handlers keep beside them.
const PEERS_MAX: usize = 512;

/// What a worker's assembly makes of what comes in.
pub trait Reception: Send + Sync + 'static {
    /// The handler that a front has defined; `None` when the definition makes no sense.
    fn handler(&self, definition: &[u8]) -> Option<Arc<dyn Handler>>;
    /// A request has come. Returns a number to give back at its end.
    fn request_started(&self, request: &Glimpse) -> u32;
    /// Its response is out, so many bytes of content, or given up.
    fn request_finished(&self, ticket: u32, bytes: u64);
}

/// A worker behind fronts. Cheap to clone.
#[derive(Clone)]
pub struct Answering {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Answering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let connections = self.inner.connections.lock().open;
        f.debug_struct("Answering")
            .field("connections", &connections)
            .finish()
    }
}

struct Inner {
    reception: Arc<dyn Reception>,
    slot: Slot,
    /// By definition. Fronts define the routes of a site, and each of them defines the same.
    handlers: Mutex<HashMap<Bytes, Arc<dyn Handler>>>,
    peers: Mutex<Vec<Option<Arc<Peer>>>>,
    connections: Mutex<Connections>,
    /// No new request is taken.
    closing: AtomicBool,
    close: Notify,
    empty: Notify,
}

#[derive(Default)]
struct Connections {
    open: usize,
    /// Numbers that connections had which are closed.
    free: Vec<usize>,
    /// Below this all numbers are taken or free.
    numbered: usize,
}

impl Answering {
    /// A worker that sits in `slot`.
    pub fn new(slot: Slot, reception: Arc<dyn Reception>) -> Self {
        Self {
            inner: Arc::new(Inner {
                reception,
                slot,
                handlers: Mutex::default(),
                peers: Mutex::new(vec![None; PEERS_MAX]),
                connections: Mutex::default(),
                closing: AtomicBool::new(false),
                close: Notify::new(),
                empty: Notify::new(),
            }),
        }
    }

    /// Takes what comes by the door from now on. Must be called on a runtime.
    ///
    /// # Errors
    /// When the door cannot be registered with the runtime.
    pub fn serve(&self, door: OwnedFd) -> io::Result<()> {
        let door = Channel::new(door);
        door.set_nonblocking()?;
        // tokio has no type for packets; this one only waits.
        let readable = std::os::unix::net::UnixStream::from(door.as_fd().try_clone_to_owned()?);
        let readable = tokio::net::UnixStream::from_std(readable)?;
        tokio::spawn(self.inner.clone().receive(door, readable));
        Ok(())
    }

    /// Takes no more requests: connections are closed as soon as nothing is on them. A request that a front has sent
    /// meanwhile comes back to it unread, and goes to another worker.
    pub fn close_after_requests(&self) {
        self.inner.closing.store(true, Ordering::SeqCst);
        self.inner.close.notify_waiters();
    }

    /// Takes no more requests, and returns when those that run are answered.
    pub async fn drain(&self) {
        loop {
            let emptied = self.inner.empty.notified();
            self.close_after_requests();
            if self.inner.connections.lock().open == 0 {
                return;
            }
            emptied.await;
        }
    }
}

impl Inner {
    async fn receive(self: Arc<Self>, door: Channel, readable: tokio::net::UnixStream) {
        while !self.closing.load(Ordering::SeqCst) {
            let mut closed = std::pin::pin!(self.close.notified());
            let mut ready = std::pin::pin!(readable.readable());
            let waited = poll_fn(|cx| {
                if closed.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Ok(()));
                }
                ready.as_mut().poll(cx)
            });
            if waited.await.is_err() {
                return;
            }
            let received = readable.try_io(Interest::READABLE, || {
                let mut byte = [0];
                door.receive_packet(&mut byte)
            });
            match received {
                Ok(Some((_, descriptors))) => {
                    descriptors.into_iter().for_each(|socket| self.open(socket))
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Nobody can come any more: fronts and supervisor are gone.
                Ok(None) => return,
                Err(error) => {
                    tracing::error!("cannot take a front's connection: {error}");
                    tokio::time::sleep(RECEIVE_PAUSE).await;
                }
            }
        }
    }

    fn open(self: &Arc<Self>, socket: OwnedFd) {
        let link = match Link::new(socket) {
            Ok(link) => link,
            Err(error) => {
                tracing::error!("cannot take a front's connection: {error}");
                return;
            }
        };
        let number = {
            let mut connections = self.connections.lock();
            connections.open += 1;
            connections.free.pop().unwrap_or_else(|| {
                connections.numbered += 1;
                connections.numbered - 1
            })
        };
        let mark = self.slot.mark(number);
        let is_begun = Arc::new(AtomicBool::new(false));
        let begun: Begun = Arc::new({
            let (mark, is_begun) = (mark.clone(), is_begun.clone());
            move || {
                mark.iter().for_each(WaitingMark::begins);
                is_begun.store(true, Ordering::Relaxed);
            }
        });
        let conversation = Conversation {
            _open: Open {
                inner: self.clone(),
                number,
            },
            inner: self.clone(),
            link,
            handlers: Vec::new(),
            mark,
            begun,
            is_begun,
            out: Vec::new(),
        };
        tokio::spawn(conversation.run());
    }

    fn handler(&self, definition: &Bytes) -> Option<Arc<dyn Handler>> {
        if let Some(known) = self.handlers.lock().get(definition) {
            return Some(known.clone());
        }
        let handler = self.reception.handler(definition)?;
        let mut handlers = self.handlers.lock();
        // Copied: the message is part of a buffer that is otherwise free to go.
        let definition = Bytes::copy_from_slice(definition);
        Some(handlers.entry(definition).or_insert(handler).clone())
    }

    /// The ends of a client's connection, the same as last time where they are remembered.
    fn peer(&self, local: SocketAddr, remote: SocketAddr, scheme: Scheme) -> Arc<Peer> {
        let mut peers = self.peers.lock();
        // Ports of clients are what differs; the rest is for clients behind one proxy each.
        let last_octet = match remote.ip() {
            std::net::IpAddr::V4(ip) => ip.octets()[3],
            std::net::IpAddr::V6(ip) => ip.octets()[15],
        };
        let place = (usize::from(remote.port()) + 31 * usize::from(last_octet)) % PEERS_MAX;
        let place = &mut peers[place];
        let same = |peer: &&Arc<Peer>| {
            peer.remote == remote && peer.local == local && peer.scheme == scheme
        };
        if let Some(known) = place.as_ref().filter(same) {
            return known.clone();
        }
        place
            .insert(Arc::new(Peer::new(local, remote, scheme)))
            .clone()
    }
}

/// A connection among the open ones.
struct Open {
    inner: Arc<Inner>,
    number: usize,
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut connections = self.inner.connections.lock();
        connections.open -= 1;
        connections.free.push(self.number);
        let last = connections.open == 0;
        drop(connections);
        if last {
            self.inner.empty.notify_one();
        }
    }
}

/// A connection from a front.
struct Conversation {
    inner: Arc<Inner>,
    link: Link,
    /// What the front has defined, by its numbers.
    handlers: Vec<Option<Arc<dyn Handler>>>,
    mark: Option<WaitingMark>,
    begun: Begun,
    is_begun: Arc<AtomicBool>,
    /// Messages are put together here.
    out: Vec<u8>,
    _open: Open,
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
    async fn run(mut self) {
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

    /// Sends the response. `Ok(true)`: the connection can be used again.
    async fn send(&mut self, response: Response, running: &mut Running) -> io::Result<bool> {
        let (head, body) = response.into_parts();
        self.out.clear();
        let body = match body {
            Body::Part(part) => Body::File(part.open()?, part.length),
            other => other,
        };
        if !matches!(body, Body::Stream(_)) {
            running.bytes = body.len().unwrap_or(0);
            running.hand_back();
        }
        match body {
            // A part has just become a file.
            Body::Empty | Body::Part(_) => {
                put_head(&mut self.out, &head, response::Content::Whole(0));
                self.link.send([&self.out, &[]], None).await?;
            }
            Body::Bytes(bytes) => {
                let content = response::Content::Whole(bytes.len() as u64);
                put_head(&mut self.out, &head, content);
                self.link.send([&self.out, &bytes], None).await?;
            }
            Body::File(file, length) => {
                put_head(&mut self.out, &head, response::Content::File(length));
                let file = Some(file.as_fd());
                self.link.send([&self.out, &[]], file).await?;
            }
            Body::Stream(stream) => {
                let content = response::Content::Stream(stream.size_hint().exact());
                put_head(&mut self.out, &head, content);
                return self.send_stream(stream, running).await;
            }
        }
        Ok(true)
    }

    async fn send_stream(
        &mut self,
        mut stream: alula_http::BodyStream,
        running: &mut Running,
    ) -> io::Result<bool> {
        loop {
            // What is there already goes with what waits to be sent; before waiting for more, that is sent.
            let frame = match poll_now(&mut stream).await {
                Some(frame) => frame,
                None => {
                    self.flush().await?;
                    let Some(frame) = self.next_frame(&mut stream).await else {
                        return Ok(false);
                    };
                    frame
                }
            };
            match frame {
                Some(Ok(frame)) => {
                    let Ok(piece) = frame.into_data() else {
                        continue;
                    };
                    running.bytes += piece.len() as u64;
                    self.send_piece(&piece).await?;
                }
                None => {
                    put_mark(&mut self.out, END);
                    running.hand_back();
                    self.flush().await?;
                    return Ok(true);
                }
                Some(Err(error)) => {
                    tracing::debug!("a response cannot be completed: {error}");
                    put_mark(&mut self.out, FAILED);
                    self.flush().await?;
                    return Ok(false);
                }
            }
        }
    }

    /// The next piece of a stream; `None` when the front closes the connection before.
    async fn next_frame(&mut self, stream: &mut alula_http::BodyStream) -> Option<StreamFrame> {
        poll_fn(|cx| {
            if let Poll::Ready(frame) = stream.as_mut().poll_frame(cx) {
                return Poll::Ready(Some(frame));
            }
            self.link.poll_receive(cx, 1).map(|_| None)
        })
        .await
    }

    async fn send_piece(&mut self, piece: &Bytes) -> io::Result<()> {
        if piece.is_empty() {
            return Ok(());
        }
        self.out.extend_from_slice(&piece_head(piece.len()));
        if piece.len() <= SMALL_PIECE_BYTES_MAX {
            self.out.extend_from_slice(piece);
            if self.out.len() + PIECE_HEAD_BYTES < TOGETHER_BYTES_MAX {
                return Ok(());
            }
            return self.flush().await;
        }
        self.link.send([&self.out, piece], None).await?;
        self.out.clear();
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.link.send([&self.out, &[]], None).await?;
        self.out.clear();
        Ok(())
    }
}

type StreamFrame = Option<Result<http_body::Frame<Bytes>, alula_http::BodyError>>;

/// What a stream has ready; the outer `None` when it has to be waited for.
async fn poll_now(
    stream: &mut Pin<Box<dyn http_body::Body<Data = Bytes, Error = alula_http::BodyError> + Send>>,
) -> Option<StreamFrame> {
    poll_fn(|cx| match stream.as_mut().poll_frame(cx) {
        Poll::Ready(frame) => Poll::Ready(Some(frame)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
