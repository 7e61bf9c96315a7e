//! Counts in the scoreboard, and asks for a replacement when the worker has served its share.

use crate::worker::Service;
use alula_http::Glimpse;
use alula_process::{Control, Slot, Tally, Turns};
use alula_python::Dispatcher;
use alula_server::Observer;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

pub(crate) struct Counter {
    slot: Slot,
    tally: Tally,
    control: Control,
    requests: AtomicU64,
    /// `MaxConnectionsPerChild`, counted in requests; 0 for no limit.
    requests_max: u64,
    service: OnceLock<Service>,
}

impl Counter {
    pub(crate) fn new(slot: Slot, tally: Tally, control: Control, requests_max: u64) -> Self {
        Self {
            slot,
            tally,
            control,
            requests: AtomicU64::new(0),
            requests_max,
            service: OnceLock::new(),
        }
    }

    /// The service that takes no more requests when the share is served.
    pub(crate) fn watch(&self, service: Service) {
        let _ = self.service.set(service);
    }

    /// Counts for a server that accepts connections.
    pub(crate) fn observer(
        self: &Arc<Self>,
        turns: Turns,
        dispatcher: Dispatcher,
    ) -> impl Observer {
        Accepting {
            counter: Arc::clone(self),
            turns,
            dispatcher,
        }
    }

    pub(crate) fn request_started(&self, request: &Glimpse) -> u32 {
        if self.requests_max > 0 {
            self.count();
        }
        self.tally.started(request)
    }

    fn count(&self) {
        let served = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        if served == self.requests_max {
            if let Some(service) = self.service.get() {
                service.close_after_requests();
                if let Service::BehindFronts(_) = service {
                    // Nobody shall try in vain.
                    self.control.closing();
                }
            }
            if let Err(error) = self.control.leaving(&format!("served {served} requests")) {
                tracing::error!(target: "core", "cannot ask for a replacement: {error}");
            }
        }
    }

    pub(crate) fn request_finished(&self, ticket: u32, bytes: u64) {
        self.tally.finished(ticket, bytes);
    }
}

struct Accepting {
    counter: Arc<Counter>,
    turns: Turns,
    dispatcher: Dispatcher,
}

impl Observer for Accepting {
    fn may_accept(&self) -> bool {
        let (running, _) = self.dispatcher.load();
        self.turns.may_accept(running)
    }

    fn connection_opened(&self) {
        self.counter.slot.connection_opened();
    }

    fn connection_closed(&self) {
        self.counter.slot.connection_closed();
    }

    fn request_started(&self, request: &Glimpse) -> u32 {
        self.counter.request_started(request)
    }

    fn request_client(&self, ticket: u32, client: SocketAddr) {
        self.counter.tally.client(ticket, client);
    }

    fn request_finished(&self, ticket: u32, bytes: u64) {
        self.counter.request_finished(ticket, bytes);
    }
}
