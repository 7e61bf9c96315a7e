//! What a worker behind fronts makes of a route's definition, and how it counts.

use crate::assembly::PythonAssembly;
use crate::counter::Counter;
use alula_http::{Glimpse, Handler};
use alula_process::hand_over::Reception;
use std::sync::Arc;

struct Desk {
    counter: Arc<Counter>,
    python: PythonAssembly,
}

pub(crate) fn reception(counter: Arc<Counter>, python: PythonAssembly) -> Arc<dyn Reception> {
    Arc::new(Desk { counter, python })
}

impl Reception for Desk {
    fn handler(&self, definition: &[u8]) -> Option<Arc<dyn Handler>> {
        let definition = serde_json::from_slice(definition).ok()?;
        self.python.handler(definition)
    }

    fn request_started(&self, request: &Glimpse) -> u32 {
        self.counter.request_started(request)
    }

    fn request_finished(&self, ticket: u32, bytes: u64) {
        self.counter.request_finished(ticket, bytes);
    }
}
