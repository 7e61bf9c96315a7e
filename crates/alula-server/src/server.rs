//! Accepts connections, serves them, and drains.
//!
//! `serve` and `drain` are called once each; everything else happens in tasks on the runtime of the caller.

use crate::assembly::{Assembly, HostSettings};
use crate::clock::{Clock, TICK};
use crate::connection::Connection;
use crate::limits::Timeouts;
use crate::opening;
use crate::pipeline::Pipeline;
use crate::socket::{Socket, Wire};
use crate::strict::HeadLimits;
use crate::tls::{Tls, TlsMaterial};
use crate::upgrade;
use alula_http::{Glimpse, Peer, Scheme};
use alula_routing::site::{self, Protocol};
use alula_routing::{RouteTable, SiteFiles, VirtualHostId};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::fs::File;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// The engine's buffers for one connection may grow to this, in bytes: the longest head it can take, and about as
/// much of a response as it holds for a client that does not read.
const ENGINE_BYTES_MAX: usize = 128 * 1024;
/// How long accepting pauses when the process has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a worker leaves waiting connections to others before it looks again.
const DECLINE_PAUSE: Duration = Duration::from_millis(1);

/// Hears of connections and requests, to count them.
pub trait Observer: Send + Sync + 'static {
    /// Whether to take the connection that waits. A worker that is full, or has many more connections than another,
    /// leaves it to that one.
    fn may_accept(&self) -> bool {
        true
    }
    /// A connection was accepted.
    fn connection_opened(&self);
    /// It was closed.
    fn connection_closed(&self);
    /// A request's head is complete. Returns a number to give back at its end.
    fn request_started(&self, request: &Glimpse) -> u32;
    /// By the word of a proxy, its client is another.
    fn request_client(&self, _ticket: u32, _client: SocketAddr) {}
    /// Its response is out, so many bytes of content, or given up.
    fn request_finished(&self, ticket: u32, bytes: u64);
}

/// A running server. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) pipeline: Arc<Pipeline>,
    clock: Arc<Clock>,
    engine: http1::Builder,
    pub(crate) timeouts: Timeouts,
    /// Whether anything may come before HTTP/1.1: TLS, or HTTP/2.
    has_openings: bool,
    head_limits: HeadLimits,
    connections: Mutex<Vec<Arc<Connection>>>,
    /// Someone has connected, or the server drains: the sweep has something to do.
    stir: Notify,
    accepting: AtomicBool,
    stop_accepting: Notify,
    empty: Notify,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("connections", &self.inner.connections.lock().len())
            .finish()
    }
}

impl Server {
    /// A server that answers by `routes` with the assembly's handlers. `hosts` are the main server and the
    /// virtual hosts in the order of the table's ids; there is at least the main server. `log_files` are access
    /// logs that are open already; others are opened here. `material` is what the hosts' TLS needs.
    ///
    /// # Errors
    /// When certificates and keys cannot be used; the text says file, line and fact.
    pub fn new(
        routes: RouteTable,
        hosts: Vec<HostSettings>,
        assembly: Box<dyn Assembly>,
        observer: Arc<dyn Observer>,
        log_files: Vec<(site::LogTarget, File)>,
        material: &TlsMaterial,
    ) -> Result<Self, String> {
        let tls = Tls::of_hosts(&hosts, material)?;
        let has_h2c = |host: &HostSettings| host.connection.protocols.contains(&Protocol::H2c);
        let has_proxy_protocol = |host: &HostSettings| {
            let remote_ip = host.remote_ip.as_ref();
            remote_ip.is_some_and(|remote_ip| remote_ip.proxy_protocol)
        };
        let has_openings = tls.is_some()
            || hosts
                .iter()
                .any(|host| has_h2c(host) || has_proxy_protocol(host));
        // Before the host of a request is known, the main server's settings hold.
        let limits = hosts
            .first()
            .map_or_else(Default::default, |main| main.connection.clone());
        let mut engine = http1::Builder::new();
        // No `pipeline_flush`: with it the engine buffers a response without bound.
        engine
            .max_buf_size(ENGINE_BYTES_MAX)
            .header_read_timeout(None);
        Ok(Self {
            inner: Arc::new(Inner {
                pipeline: Arc::new(Pipeline::new(
                    routes, hosts, assembly, observer, log_files, tls,
                )),
                clock: Arc::new(Clock::new()),
                engine,
                timeouts: Timeouts::new(&limits),
                head_limits: HeadLimits {
                    line_bytes_max: limits.request_line_bytes_max,
                    field_bytes_max: limits.request_field_bytes_max,
                },
                connections: Mutex::default(),
                stir: Notify::new(),
                accepting: AtomicBool::new(true),
                stop_accepting: Notify::new(),
                empty: Notify::new(),
                has_openings,
            }),
        })
    }

    /// Starts accepting from `listeners`. Must be called on a runtime.
    ///
    /// # Errors
    /// When a listener cannot be registered with the runtime.
    pub fn serve(&self, listeners: Vec<std::net::TcpListener>) -> std::io::Result<()> {
        for listener in listeners {
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            tokio::spawn(self.inner.clone().accept(listener));
        }
        tokio::spawn(self.inner.clone().sweep());
        Ok(())
    }

    /// The files of the project that an interpreter has imported (`PythonStatic`).
    pub fn set_site_files(&self, interpreter: &str, files: SiteFiles) {
        self.inner.pipeline.set_site_files(interpreter, files);
    }

    /// Accepts no more connections; those that are open go on.
    pub fn stop_accepting(&self) {
        self.inner.accepting.store(false, Ordering::SeqCst);
        self.inner.stop_accepting.notify_waiters();
    }

    /// Accepts no more connections, and makes every response the last of its connection.
    pub fn close_after_requests(&self) {
        self.inner.pipeline.draining.store(true, Ordering::SeqCst);
        self.stop_accepting();
    }

    /// Stops accepting, closes idle connections, and returns when the others are done.
    pub async fn drain(&self) {
        self.close_after_requests();
        self.inner.stir.notify_one();
        loop {
            let emptied = self.inner.empty.notified();
            {
                let open = self.inner.connections.lock();
                if open.is_empty() {
                    break;
                }
                for connection in open.iter() {
                    self.inner.timeouts.enforce(connection, true);
                }
            }
            emptied.await;
        }
        self.inner.pipeline.logs.flush();
    }

    /// Writes out what the access logs hold back.
    pub fn flush_logs(&self) {
        self.inner.pipeline.logs.flush();
    }
}

impl Inner {
    async fn accept(self: Arc<Self>, listener: TcpListener) {
        while self.accepting.load(Ordering::SeqCst) {
            let mut stopped = std::pin::pin!(self.stop_accepting.notified());
            let mut declined = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
            let accepted = std::future::poll_fn(|cx| {
                if stopped.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                // Asked now that a connection waits, not before: it stays in the queue all workers share.
                while !self.pipeline.observer.may_accept() {
                    declined
                        .as_mut()
                        .reset(tokio::time::Instant::now() + DECLINE_PAUSE);
                    if declined.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
                listener.poll_accept(cx).map(Some)
            });
            match accepted.await {
                None => {}
                Some(Ok((stream, remote))) => self.start(stream, remote),
                Some(Err(error)) => {
                    tracing::error!(target: "core", "cannot accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn start(self: &Arc<Self>, stream: TcpStream, remote: SocketAddr) {
        let Ok(local) = stream.local_addr() else {
            // The client is gone already.
            return;
        };
        // A failure costs latency, nothing else.
        let _ = stream.set_nodelay(true);
        let scheme = match &self.pipeline.tls {
            Some(tls) if tls.is_spoken_at(&self.pipeline.routes, local) => Scheme::Https,
            _ => Scheme::Http,
        };
        let peer = Peer::new(local, remote, scheme);
        let connection = {
            let mut connections = self.connections.lock();
            if connections.is_empty() {
                // The clock stood still while nobody was connected.
                self.clock.tick();
                self.stir.notify_one();
            }
            let connection = Arc::new(Connection::new(peer, self.clock.clone(), self.head_limits));
            connection.set_place(connections.len());
            connections.push(connection.clone());
            connection
        };
        self.pipeline.observer.connection_opened();
        tokio::spawn(self.clone().run(stream, connection));
    }

    async fn run(self: Arc<Self>, stream: TcpStream, connection: Arc<Connection>) {
        let _open = Open {
            inner: self.clone(),
            connection: connection.clone(),
        };
        if self.has_openings {
            // In a box: connections that begin with HTTP/1.1 shall not carry the room for it.
            Box::pin(opening::serve(self.clone(), stream, connection)).await;
        } else {
            self.serve_http1(stream, connection).await;
        }
    }

    pub(crate) async fn serve_http1<W: Wire>(&self, wire: W, connection: Arc<Connection>) {
        if wire.bare().is_some() {
            connection.allow_files();
        }
        let socket = Socket::new(wire, connection.clone());
        let service =
            service_fn(|request| self.pipeline.clone().respond(request, connection.clone()));
        let served = self
            .engine
            .serve_connection(TokioIo::new(socket), service)
            .with_upgrades();
        match served.await {
            Ok(()) => upgrade::go_on(&connection).await,
            Err(error) => {
                tracing::debug!(target: "core", client = %connection.peer.remote, "connection ended: {error}");
            }
        }
    }

    /// The settings of the first host at an address, which hold before a request names another.
    pub(crate) fn settings_at(&self, local: SocketAddr) -> &HostSettings {
        let VirtualHostId(index) = self.pipeline.routes.virtual_host(local, || None);
        &self.pipeline.hosts[index]
    }

    /// Moves the clock, enforces timeouts and flushes logs while there are connections.
    async fn sweep(self: Arc<Self>) {
        loop {
            let quiet = self.connections.lock().is_empty();
            if quiet {
                self.pipeline.logs.flush();
                self.stir.notified().await;
            }
            self.clock.tick();
            let draining = self.pipeline.draining.load(Ordering::SeqCst);
            for connection in self.connections.lock().iter() {
                self.timeouts.enforce(connection, draining);
            }
            self.pipeline.logs.flush();
            tokio::time::sleep(TICK).await;
        }
    }
}

/// A connection's place among the open ones.
struct Open {
    inner: Arc<Inner>,
    connection: Arc<Connection>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut connections = self.inner.connections.lock();
        let place = self.connection.place();
        connections.swap_remove(place);
        if let Some(moved) = connections.get(place) {
            moved.set_place(place);
        }
        let last = connections.is_empty();
        drop(connections);
        let observer = &self.inner.pipeline.observer;
        // One whose client left before it was answered.
        self.connection.request_over(&**observer, 0);
        observer.connection_closed();
        if last {
            self.inner.empty.notify_one();
        }
    }
}
