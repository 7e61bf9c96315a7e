//! Timeouts: the slow head, the slow content, the silent keep-alive connection, the client that does not read.
//!
//! One sweep over all connections a few times a second, instead of a timer for each request: a request then costs
//! one store of the coarse time. A timeout is late by one tick at most.

use crate::connection::{Connection, Order, Phase};
use alula_routing::site;
use std::time::Duration;

/// A head must be complete within this time, or within `Timeout` where that is shorter
/// (`RequestReadTimeout header=20-40`), unless `RequestReadTimeout` says else.
const HEAD_TIMEOUT_MAX: Duration = Duration::from_secs(40);

/// A TLS handshake must be complete within this time, or within `Timeout` where that is shorter.
const OPENING_TIMEOUT_MAX: Duration = Duration::from_secs(20);

/// An HTTP/2 connection that was told to end has this long for it once nothing is under way, in milliseconds.
const CLOSING_MS: u64 = 2000;

/// Timeouts of connections on one address, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    silence_ms: u64,
    head_ms: u64,
    opening_ms: u64,
    content_ms: u64,
    keep_alive_ms: u64,
}

impl Timeouts {
    pub(crate) fn new(settings: &site::Connection) -> Self {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            silence_ms: ms(settings.timeout),
            opening_ms: ms(settings.timeout.min(OPENING_TIMEOUT_MAX)),
            head_ms: ms(settings
                .head_timeout
                .unwrap_or(settings.timeout.min(HEAD_TIMEOUT_MAX))),
            content_ms: ms(settings.content_timeout.unwrap_or(settings.timeout)),
            keep_alive_ms: ms(settings.keep_alive_timeout),
        }
    }

    /// `Timeout`.
    pub(crate) fn silence(&self) -> Duration {
        Duration::from_millis(self.silence_ms)
    }

    /// How long a connection may wait for a request's first byte. While the server drains, even a new connection
    /// gets no more than the time between two requests, but it does get that: closing at once would meet
    /// requests that are on their way.
    fn idle_ms(&self, connection: &Connection, draining: bool) -> u64 {
        if connection.requests() > 0 || draining {
            self.keep_alive_ms
        } else {
            self.head_ms
        }
    }

    /// Tells a connection to end if it has been too slow.
    pub(crate) fn enforce(&self, connection: &Connection, draining: bool) {
        if connection.order() != Order::None {
            return;
        }
        let elapsed_ms = connection.elapsed_ms();
        let blocked_ms = connection.blocked_ms().max(connection.stalled_ms());
        let order = if blocked_ms > self.silence_ms {
            Order::Abort
        } else if connection.is_closing() {
            match connection.streams() {
                0 if elapsed_ms > CLOSING_MS => Order::Abort,
                _ => Order::None,
            }
        } else if draining && connection.is_http2() {
            // GOAWAY lets it finish what is under way.
            Order::Close
        } else {
            match connection.phase() {
                Phase::Idle if elapsed_ms > self.idle_ms(connection, draining) => Order::Close,
                Phase::Opening if elapsed_ms > self.opening_ms => Order::Close,
                Phase::Head if elapsed_ms > self.head_ms => Order::HeadTimeout,
                Phase::Content if elapsed_ms > self.content_ms => Order::ContentTimeout,
                _ => Order::None,
            }
        };
        if order != Order::None {
            tracing::debug!(target: "core", client = %connection.peer.remote, "{order:?} after {elapsed_ms} ms");
            connection.give(order);
        }
    }
}
