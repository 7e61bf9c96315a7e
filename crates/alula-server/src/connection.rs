//! What is known of one connection: its ends, what it is doing since when, and how it is told to end.
//!
//! The connection's task, the socket inside the HTTP engine and the timeouts' sweep share it; all of it is atomics
//! but the raw head and the waker, which have locks nobody contends for.

use crate::clock::Clock;
use crate::file_sending::FileOnWire;
use crate::server::Observer;
use crate::strict::{HeadLimits, Overlong, RawHead};
use crate::tls::Agreed;
use alula_http::{Afterwards, Peer};
use parking_lot::{Mutex, MutexGuard};
use std::ops::Deref;
use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed,
};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Waker};
use std::time::Duration;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Waiting for a request; nothing of it has come.
    Idle,
    /// Part of a head has come.
    Head,
    /// Content is coming.
    Content,
    /// A handler has the request, or its response is on its way.
    Answering,
    /// What comes before HTTP: a TLS handshake, the beginning of HTTP/2.
    Opening,
}

/// How a connection is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Order {
    /// Go on.
    None,
    /// As if the client had closed: for idle connections.
    Close,
    /// Answer 408, then close: the head came too slowly.
    HeadTimeout,
    /// Answer 414, then close: the request line does not end.
    LineTooLong,
    /// Answer 431, then close: a field does not end.
    FieldTooLong,
    /// Reading fails: the content came too slowly.
    ContentTimeout,
    /// Everything fails: the client does not read.
    Abort,
}

/// A connection as a request sees it: by the word of a proxy, one connection may have another client for each request.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) peer: Arc<Peer>,
    state: Arc<State>,
}

impl Deref for Connection {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

/// One connection's shared state.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) clock: Arc<Clock>,
    /// Whether what is written goes to the client as it is, so that the kernel may write a file.
    takes_files: AtomicBool,
    /// The file of the response under way.
    file: Mutex<Option<FileOnWire>>,
    /// Whether there is one: asked for each write.
    has_file: AtomicBool,
    pub(crate) raw_head: Mutex<RawHead>,
    head_limits: HeadLimits,
    phase: AtomicU8,
    since_ms: AtomicU64,
    /// Since when the client has not read; 0 when it does.
    blocked_since_ms: AtomicU64,
    order: AtomicU8,
    requests: AtomicU32,
    /// The observer's ticket of the request under way, and one more; 0: there is none.
    ticket: AtomicU32,
    /// Whether the response under way is the connection's last.
    last: AtomicBool,
    waker: Mutex<Option<Waker>>,
    /// Whether content of the request under way is still to come: a response that does not wait for it is the last.
    content_open: AtomicBool,
    /// What is done once it is no longer HTTP.
    afterwards: Mutex<Option<Then>>,
    /// Where it stands in the server's list.
    place: AtomicUsize,
    /// For which hosts its TLS handshake was.
    agreed: OnceLock<Agreed>,
    /// What HTTP/2 needs; `None` otherwise.
    http2: OnceLock<Http2>,
}

struct Then(Afterwards);

impl std::fmt::Debug for Then {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Then")
    }
}

/// An HTTP/2 connection, or one of its streams.
#[derive(Debug)]
enum Http2 {
    Connection {
        /// Requests under way.
        streams: AtomicU32,
        /// Since when a client lets a response wait that it could have; 0 when it does not.
        stalled_since_ms: AtomicU64,
        /// GOAWAY was sent.
        closing: AtomicBool,
    },
    Stream {
        connection: Arc<State>,
        /// How long the client may be silent while its content is awaited.
        patience: Duration,
    },
}

impl Connection {
    pub(crate) fn new(peer: Peer, clock: Arc<Clock>, head_limits: HeadLimits) -> Self {
        Self {
            peer: Arc::new(peer),
            state: Arc::new(State::new(clock, head_limits, Phase::Idle)),
        }
    }

    /// One stream of an HTTP/2 connection, which is a connection of its own as far as a request is concerned.
    pub(crate) fn stream(connection: &Self, patience: Duration) -> Arc<Self> {
        let whole = &connection.state;
        let stream = State {
            agreed: whole.agreed.clone(),
            http2: OnceLock::from(Http2::Stream {
                connection: whole.clone(),
                patience,
            }),
            ..State::new(whole.clock.clone(), whole.head_limits, Phase::Answering)
        };
        if let Some(Http2::Connection { streams, .. }) = whole.http2.get() {
            streams.fetch_add(1, Relaxed);
        }
        whole.enter(Phase::Answering);
        Arc::new(Self {
            peer: connection.peer.clone(),
            state: Arc::new(stream),
        })
    }

    /// The same connection, with the client that a proxy speaks for.
    pub(crate) fn behind(&self, peer: Peer) -> Arc<Self> {
        Arc::new(Self {
            peer: Arc::new(peer),
            state: self.state.clone(),
        })
    }
}

impl State {
    fn new(clock: Arc<Clock>, head_limits: HeadLimits, phase: Phase) -> Self {
        Self {
            takes_files: AtomicBool::new(false),
            file: Mutex::default(),
            has_file: AtomicBool::new(false),
            since_ms: AtomicU64::new(clock.now_ms()),
            clock,
            raw_head: Mutex::default(),
            head_limits,
            phase: AtomicU8::new(phase as u8),
            blocked_since_ms: AtomicU64::new(0),
            order: AtomicU8::new(Order::None as u8),
            requests: AtomicU32::new(0),
            ticket: AtomicU32::new(0),
            last: AtomicBool::new(false),
            waker: Mutex::new(None),
            content_open: AtomicBool::new(false),
            afterwards: Mutex::new(None),
            place: AtomicUsize::new(0),
            agreed: OnceLock::new(),
            http2: OnceLock::new(),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Idle,
            1 => Phase::Head,
            2 => Phase::Content,
            3 => Phase::Answering,
            _ => Phase::Opening,
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
        self.since_ms.store(self.clock.now_ms(), Relaxed);
    }

    /// The response is complete as far as the handler goes: the next request may come.
    pub(crate) fn answered(&self) {
        if let Some(Http2::Stream { connection, .. }) = self.http2.get() {
            return connection.stream_answered();
        }
        let pending = !self.raw_head.lock().is_empty();
        self.enter(if pending { Phase::Head } else { Phase::Idle });
    }

    /// A request is under way.
    pub(crate) fn request_under_way(&self, ticket: u32) {
        self.ticket.store(ticket + 1, Relaxed);
    }

    /// It is over: tells the observer, once.
    pub(crate) fn request_over(&self, observer: &dyn Observer, bytes: u64) {
        let ticket = self.ticket.load(Relaxed);
        if ticket != 0 {
            self.ticket.store(0, Relaxed);
            observer.request_finished(ticket - 1, bytes);
        }
    }

    /// Milliseconds since the phase began, or since its last progress.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        self.clock
            .now_ms()
            .saturating_sub(self.since_ms.load(Relaxed))
    }

    /// Milliseconds for which the client has not read what waits for it.
    pub(crate) fn blocked_ms(&self) -> u64 {
        match self.blocked_since_ms.load(Relaxed) {
            0 => 0,
            since => self.clock.now_ms().saturating_sub(since),
        }
    }

    /// Counts a request; returns how many there have been, this one included.
    pub(crate) fn count_request(&self) -> u32 {
        self.whole().requests.fetch_add(1, Relaxed) + 1
    }

    /// The connection a stream is part of; itself otherwise.
    fn whole(&self) -> &Self {
        match self.http2.get() {
            Some(Http2::Stream { connection, .. }) => connection,
            _ => self,
        }
    }

    pub(crate) fn requests(&self) -> u32 {
        self.whole().requests.load(Relaxed)
    }

    pub(crate) fn order(&self) -> Order {
        match self.order.load(Relaxed) {
            0 => Order::None,
            1 => Order::Close,
            2 => Order::HeadTimeout,
            3 => Order::LineTooLong,
            4 => Order::FieldTooLong,
            5 => Order::ContentTimeout,
            _ => Order::Abort,
        }
    }

    /// Tells the connection to end, and wakes its task to hear it.
    pub(crate) fn give(&self, order: Order) {
        self.order.store(order as u8, Relaxed);
        if let Some(waker) = self.waker.lock().take() {
            waker.wake();
        }
    }

    /// Bytes have come.
    pub(crate) fn received(&self, bytes: &[u8]) {
        if self.http2.get().is_some() {
            // Frames are the engine's to judge; what a request does shows on its stream.
            return;
        }
        match self.phase() {
            Phase::Idle => self.enter(Phase::Head),
            Phase::Content => self.enter(Phase::Content),
            Phase::Head | Phase::Answering | Phase::Opening => {}
        }
        let mut raw_head = self.raw_head.lock();
        raw_head.received(bytes);
        let order = match raw_head.overlong(self.head_limits) {
            None => return,
            Some(Overlong::Line) => Order::LineTooLong,
            Some(Overlong::Field) => Order::FieldTooLong,
        };
        // A complete head is the pipeline's to judge, and while a request is answered the wire is not free.
        if self.phase() == Phase::Head {
            self.order.store(order as u8, Relaxed);
        }
    }

    /// The socket waits for the client to send.
    pub(crate) fn waits_to_read(&self, cx: &Context<'_>) {
        self.remember(cx);
    }

    /// The socket waits for the client to read.
    pub(crate) fn waits_to_write(&self, cx: &Context<'_>) {
        if self.blocked_since_ms.load(Relaxed) == 0 {
            self.blocked_since_ms.store(self.clock.now_ms(), Relaxed);
        }
        self.remember(cx);
    }

    /// Bytes have gone.
    pub(crate) fn sent(&self) {
        if self.blocked_since_ms.load(Relaxed) != 0 {
            self.blocked_since_ms.store(0, Relaxed);
        }
    }

    /// What is written goes to the client as it is, over HTTP/1.1: the kernel may write files.
    pub(crate) fn allow_files(&self) {
        self.takes_files.store(true, Relaxed);
    }

    pub(crate) fn takes_files(&self) -> bool {
        self.takes_files.load(Relaxed)
    }

    /// The response under way is a file from here on.
    pub(crate) fn start_file(&self, file: FileOnWire) {
        *self.file.lock() = Some(file);
        self.has_file.store(true, Relaxed);
    }

    /// The file of the response under way, or of the last one.
    pub(crate) fn file(&self) -> Option<MutexGuard<'_, Option<FileOnWire>>> {
        self.has_file.load(Relaxed).then(|| self.file.lock())
    }

    /// The file is of no more use.
    pub(crate) fn end_file(&self) {
        if self.has_file.swap(false, Relaxed) {
            *self.file.lock() = None;
        }
    }

    /// The phase goes on: something has moved.
    pub(crate) fn moved(&self) {
        self.since_ms.store(self.clock.now_ms(), Relaxed);
    }

    fn remember(&self, cx: &Context<'_>) {
        let mut waker = self.waker.lock();
        if !waker
            .as_ref()
            .is_some_and(|known| known.will_wake(cx.waker()))
        {
            *waker = Some(cx.waker().clone());
        }
    }

    pub(crate) fn place(&self) -> usize {
        self.place.load(Relaxed)
    }

    pub(crate) fn set_place(&self, place: usize) {
        self.place.store(place, Relaxed);
    }

    /// The response under way ends the connection.
    pub(crate) fn make_last(&self) {
        self.last.store(true, Relaxed);
    }

    /// Content is handed on while it arrives.
    pub(crate) fn open_content(&self) {
        self.content_open.store(true, Relaxed);
    }

    /// All of it has come.
    pub(crate) fn close_content(&self) {
        self.content_open.store(false, Relaxed);
    }

    pub(crate) fn has_open_content(&self) -> bool {
        self.content_open.load(Relaxed)
    }

    pub(crate) fn set_afterwards(&self, afterwards: Afterwards) {
        *self.afterwards.lock() = Some(Then(afterwards));
    }

    pub(crate) fn take_afterwards(&self) -> Option<Afterwards> {
        self.afterwards
            .lock()
            .take()
            .map(|Then(afterwards)| afterwards)
    }

    pub(crate) fn is_last(&self) -> bool {
        self.last.load(Relaxed)
    }

    /// Notes what a TLS handshake was for.
    pub(crate) fn set_agreed(&self, agreed: Agreed) {
        let _ = self.agreed.set(agreed);
    }

    pub(crate) fn agreed(&self) -> Option<Agreed> {
        self.agreed.get().copied()
    }

    /// From here on it speaks HTTP/2.
    pub(crate) fn become_http2(&self) {
        let _ = self.http2.set(Http2::Connection {
            streams: AtomicU32::new(0),
            stalled_since_ms: AtomicU64::new(0),
            closing: AtomicBool::new(false),
        });
    }

    /// Whether it speaks HTTP/2, as a whole or as one of its streams.
    pub(crate) fn is_http2(&self) -> bool {
        self.http2.get().is_some()
    }

    /// How long a stream waits for content; connections are looked after by the sweep.
    pub(crate) fn stream_patience(&self) -> Option<Duration> {
        match self.http2.get() {
            Some(Http2::Stream { patience, .. }) => Some(*patience),
            _ => None,
        }
    }

    fn stream_answered(&self) {
        if let Some(Http2::Connection { streams, .. }) = self.http2.get()
            && streams.fetch_sub(1, Relaxed) == 1
        {
            self.enter(Phase::Idle);
        }
    }

    /// An HTTP/2 connection's requests under way.
    pub(crate) fn streams(&self) -> u32 {
        match self.http2.get() {
            Some(Http2::Connection { streams, .. }) => streams.load(Relaxed),
            _ => 0,
        }
    }

    /// Whether the end has been announced on an HTTP/2 connection.
    pub(crate) fn is_closing(&self) -> bool {
        match self.http2.get() {
            Some(Http2::Connection { closing, .. }) => closing.load(Relaxed),
            _ => false,
        }
    }

    /// Takes the order to close, once: an HTTP/2 connection says GOAWAY and finishes what it has.
    pub(crate) fn take_close(&self) -> bool {
        let ordered = self.order() == Order::Close;
        if ordered {
            self.order.store(Order::None as u8, Relaxed);
            if let Some(Http2::Connection { closing, .. }) = self.http2.get() {
                closing.store(true, Relaxed);
            }
            self.since_ms.store(self.clock.now_ms(), Relaxed);
        }
        ordered
    }

    /// A piece of a stream's response is ready to go, or was taken (`since` the client lets it wait).
    pub(crate) fn stalls(&self, waits: bool) {
        if let Some(Http2::Stream { connection, .. }) = self.http2.get()
            && let Some(Http2::Connection {
                stalled_since_ms, ..
            }) = connection.http2.get()
        {
            let since = if waits { self.clock.now_ms().max(1) } else { 0 };
            stalled_since_ms.store(since, Relaxed);
        }
    }

    /// Milliseconds for which the client has let responses wait that it could have.
    pub(crate) fn stalled_ms(&self) -> u64 {
        match self.http2.get() {
            Some(Http2::Connection {
                stalled_since_ms, ..
            }) => match stalled_since_ms.load(Relaxed) {
                0 => 0,
                since => self.clock.now_ms().saturating_sub(since),
            },
            _ => 0,
        }
    }
}
