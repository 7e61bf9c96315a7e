//! Timeouts: the slow head, the slow content, the silent keep-alive connection, the client that does not read.
//!
//! One sweep over all connections a few times a second, instead of a timer for each request: a request then costs
//! one store of the coarse time. A timeout is late by one tick at most.

use crate::connection::{Connection, Order, Phase};
use alula_routing::site;
use std::time::Duration;

/// A head must be complete within this time, or within `Timeout` where that is shorter
/// (`RequestReadTimeout header=20-40`).
const HEAD_TIMEOUT_MAX: Duration = Duration::from_secs(40);

/// Timeouts of connections on one address, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    silence_ms: u64,
    head_ms: u64,
    keep_alive_ms: u64,
}

impl Timeouts {
    pub(crate) fn new(settings: &site::Connection) -> Self {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            silence_ms: ms(settings.timeout),
            head_ms: ms(settings.timeout.min(HEAD_TIMEOUT_MAX)),
            keep_alive_ms: ms(settings.keep_alive_timeout),
        }
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
        let order = if connection.blocked_ms() > self.silence_ms {
            Order::Abort
        } else {
            match connection.phase() {
                Phase::Idle if elapsed_ms > self.idle_ms(connection, draining) => Order::Close,
                Phase::Head if elapsed_ms > self.head_ms => Order::HeadTimeout,
                Phase::Content if elapsed_ms > self.silence_ms => Order::ContentTimeout,
                _ => Order::None,
            }
        };
        if order != Order::None {
            tracing::debug!(target: "core", client = %connection.peer.remote, "{order:?} after {elapsed_ms} ms");
            connection.give(order);
        }
    }
}
