//! A worker's side: what comes by its door, and what all connections that came by it share. Each is a
//! [`Conversation`].
//!
//! It does here what the HTTP engine does in a worker that accepts connections itself, on the same loop, and calls the
//! same handlers.

mod conversation;

use super::link::Link;
use crate::messages::Channel;
use crate::scoreboard::{Slot, WaitingMark};
use alula_http::{Begun, Glimpse, Handler, Peer, Scheme};
use bytes::Bytes;
use conversation::Conversation;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::io::Interest;
use tokio::sync::Notify;

/// How long a worker that has no descriptor left waits before it takes the next connection.
const RECEIVE_PAUSE: Duration = Duration::from_millis(50);

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
