//! How a worker counts its requests in its row, and puts them on record while they run (`ExtendedStatus`).

use std::net::SocketAddr;

use alula_http::Glimpse;

use super::Slot;
use super::record::Records;

/// One for each worker, used by whoever drives its loop.
#[derive(Debug)]
pub struct Tally {
    slot: Slot,
    /// `None` with `ExtendedStatus Off`.
    records: Option<Records>,
}

/// The ticket of a request that is not on record.
const UNRECORDED: u32 = u32::MAX - 1;

impl Tally {
    /// For the worker that sits in `slot`.
    #[must_use]
    pub fn new(slot: Slot, extended: bool) -> Self {
        let records = extended.then(|| Records::new(slot.clone()));
        Self { slot, records }
    }

    /// A request begins to run. Returns what is to be given back at its end.
    pub fn started(&self, request: &Glimpse) -> u32 {
        self.slot.request_started();
        let records = self.records.as_ref();
        let recorded = records.and_then(|records| records.begin(request));
        recorded.unwrap_or(UNRECORDED)
    }

    /// By the word of a proxy, the client is another.
    pub fn client(&self, ticket: u32, client: SocketAddr) {
        if let Some(records) = self.records.as_ref().filter(|_| ticket != UNRECORDED) {
            records.correct_client(ticket, client);
        }
    }

    /// A request is answered, with so many bytes of content, or given up.
    pub fn finished(&self, ticket: u32, bytes: u64) {
        let micros = match &self.records {
            Some(records) if ticket != UNRECORDED => records.end(ticket),
            _ => 0,
        };
        self.slot.request_finished(bytes, micros);
    }
}
