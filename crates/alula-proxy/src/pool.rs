//! Connections to one back end: those that wait for a request, and how many there may be.
//!
//! A connection belongs to one request at a time ([`Lease`]) and comes back when both messages are complete. Each process has
//! connections of its own.

use crate::content::Content;
use crate::target::{Address, Origin};
use alula_config::site::BackEndOptions;
use alula_http::Upgraded;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Idle connections of one process to one back end; the oldest goes when there is one more.
const IDLE_CONNECTIONS_MAX: usize = 64;

/// How long an idle connection is kept unless `ttl` says so.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// httpd's `retry`.
const RETRY: Duration = Duration::from_secs(60);

/// What the engine keeps of a back end's head at most, and of content on its way, in bytes.
const ENGINE_BYTES_MAX: usize = 128 * 1024;

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Unreachable {
    /// It could not be reached a moment ago and is left alone.
    LeftAlone,
    /// `max` are in use.
    Busy,
    /// The system's word.
    Failed(std::io::Error),
    /// It does not answer in time.
    Silent(Duration),
    Refused(hyper::Error),
}

impl std::fmt::Display for Unreachable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::LeftAlone => {
                f.write_str("it could not be reached and is left alone for a while (retry=)")
            }
            Self::Busy => f.write_str("all connections are in use (max=)"),
            Self::Failed(error) => write!(f, "{error}"),
            Self::Silent(time) => write!(f, "no connection within {} ms", time.as_millis()),
            Self::Refused(error) => write!(f, "{error}"),
        }
    }
}

/// One back end.
#[derive(Debug)]
pub(crate) struct Pool {
    pub origin: Origin,
    pub options: BackEndOptions,
    /// Longest silence.
    pub timeout: Duration,
    idle: Mutex<Vec<Idle>>,
    permits: Option<Arc<Semaphore>>,
    left_alone_until: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Idle {
    sender: SendRequest<Content>,
    since: Instant,
}

/// A connection while a request has it.
#[derive(Debug)]
pub(crate) struct Lease {
    pub sender: SendRequest<Content>,
    /// Whether it has served before: the back end may have closed it meanwhile.
    pub is_used: bool,
    pool: Arc<Pool>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Pool {
    pub(crate) fn new(origin: Origin, options: BackEndOptions, timeout: Duration) -> Self {
        let permits = options.connections_max;
        Self {
            permits: permits.map(|max| Arc::new(Semaphore::new(max as usize))),
            timeout: options.timeout.unwrap_or(timeout),
            origin,
            options,
            idle: Mutex::default(),
            left_alone_until: Mutex::default(),
        }
    }

    /// Whether connections are kept.
    pub(crate) fn keeps(&self) -> bool {
        self.options.reuse != Some(false)
    }

    /// A connection for one request; a new one if `fresh`.
    pub(crate) async fn lease(self: &Arc<Self>, fresh: bool) -> Result<Lease, Unreachable> {
        let permit = self.permit().await?;
        let kept = (!fresh).then(|| self.kept()).flatten();
        let is_used = kept.is_some();
        let sender = match kept {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        Ok(Lease {
            sender,
            is_used,
            pool: self.clone(),
            _permit: permit,
        })
    }

    async fn permit(&self) -> Result<Option<OwnedSemaphorePermit>, Unreachable> {
        let Some(permits) = &self.permits else {
            return Ok(None);
        };
        let acquired = permits.clone().acquire_owned();
        let acquired = match self.options.acquire {
            None => acquired.await,
            Some(patience) => match tokio::time::timeout(patience, acquired).await {
                Ok(acquired) => acquired,
                Err(_) => return Err(Unreachable::Busy),
            },
        };
        Ok(acquired.ok())
    }

    /// The connection that was used last.
    fn kept(&self) -> Option<SendRequest<Content>> {
        let mut idle = self.idle.lock();
        let old = self.options.idle_max.unwrap_or(IDLE_MAX);
        idle.retain(|idle| !idle.sender.is_closed() && idle.since.elapsed() < old);
        let at = idle.iter().rposition(|idle| idle.sender.is_ready())?;
        Some(idle.remove(at).sender)
    }

    async fn connect(&self) -> Result<SendRequest<Content>, Unreachable> {
        let alone = *self.left_alone_until.lock();
        if alone.is_some_and(|until| Instant::now() < until) {
            return Err(Unreachable::LeftAlone);
        }
        let patience = self.options.connect_timeout.unwrap_or(self.timeout);
        let connected = match tokio::time::timeout(patience, open(&self.origin.address)).await {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) => return Err(self.leave_alone(Unreachable::Failed(error))),
            Err(_) => return Err(self.leave_alone(Unreachable::Silent(patience))),
        };
        if alone.is_some() {
            *self.left_alone_until.lock() = None;
        }
        let engine = http1::Builder::new()
            .title_case_headers(true)
            .max_buf_size(ENGINE_BYTES_MAX)
            .handshake(TokioIo::new(connected));
        let (sender, connection) = engine.await.map_err(Unreachable::Refused)?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(target: "proxy", "a connection to a back end ended: {error}");
            }
        });
        Ok(sender)
    }

    fn leave_alone(&self, fact: Unreachable) -> Unreachable {
        let retry = self.options.retry.unwrap_or(RETRY);
        *self.left_alone_until.lock() = (!retry.is_zero()).then(|| Instant::now() + retry);
        fact
    }
}

async fn open(address: &Address) -> std::io::Result<Upgraded> {
    match address {
        Address::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            // A failure costs latency, nothing else.
            let _ = stream.set_nodelay(true);
            Ok(Box::new(stream))
        }
        Address::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
    }
}

impl Lease {
    /// Both messages are complete: another request may have the connection.
    pub(crate) fn give_back(self) {
        let Self { sender, pool, .. } = self;
        if !pool.keeps() || sender.is_closed() {
            return;
        }
        let max = pool
            .options
            .connections_max
            .map_or(IDLE_CONNECTIONS_MAX, |max| max as usize);
        let mut idle = pool.idle.lock();
        if idle.len() >= max.min(IDLE_CONNECTIONS_MAX) {
            idle.remove(0);
        }
        idle.push(Idle {
            sender,
            since: Instant::now(),
        });
    }
}
