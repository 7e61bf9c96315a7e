//! Requests that are given up: inside Python for longer than they may be. Their clients get an answer without it.

use alula_http::Response;
use http::StatusCode;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::Poll;
use tokio::sync::{Notify, oneshot};

/// Set in a seat's call when that was given up.
pub(super) const GIVEN_UP: u64 = 1 << 63;

/// The calls that were given up, and the clients that can be told.
#[derive(Default)]
pub(super) struct GivenUp {
    /// How many such calls are inside Python still.
    pub(super) running: AtomicUsize,
    /// What clients are told instead of an answer, by their requests. Only those that wait are here, so there are never more
    /// than are queued or inside Python.
    waiting: Mutex<HashMap<u64, Option<StatusCode>>>,
    told: Notify,
}

impl GivenUp {
    /// Answers a request with a status, if its client still waits for the head of a response.
    pub(super) fn tell(&self, request: u64, status: StatusCode) {
        if let Some(told) = self.waiting.lock().get_mut(&request) {
            told.get_or_insert(status);
            self.told.notify_waiters();
        }
    }

    /// From now on the client of this request can be told.
    pub(super) fn wait(self: &Arc<Self>, request: u64) -> Waiting {
        self.waiting.lock().insert(request, None);
        Waiting {
            given_up: Arc::clone(self),
            request,
        }
    }
}

/// A client that waits for its answer. Dropped, it waits no more.
pub(super) struct Waiting {
    given_up: Arc<GivenUp>,
    request: u64,
}

impl Waiting {
    /// The answer; only a status when the request is given up before.
    pub(super) async fn answer(
        self,
        answer: oneshot::Receiver<Response>,
    ) -> Result<Response, StatusCode> {
        let mut answer = pin!(answer);
        loop {
            let mut told = pin!(self.given_up.told.notified());
            told.as_mut().enable();
            if let Some(status) = self.status() {
                return Err(status);
            }
            let answered = poll_fn(|cx| match answer.as_mut().poll(cx) {
                Poll::Ready(answered) => Poll::Ready(Some(answered)),
                Poll::Pending => told.as_mut().poll(cx).map(|()| None),
            });
            if let Some(answered) = answered.await {
                return answered.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR);
            }
        }
    }

    fn status(&self) -> Option<StatusCode> {
        *self.given_up.waiting.lock().get(&self.request)?
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.given_up.waiting.lock().remove(&self.request);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_for_clients_that_do_not_wait() {
        const STATUS: StatusCode = StatusCode::GATEWAY_TIMEOUT;
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.build().unwrap();
        let given_up = Arc::new(GivenUp::default());
        // It has its response's head, or has left.
        given_up.tell(1, STATUS);
        drop(given_up.wait(2));
        given_up.tell(2, STATUS);
        assert!(given_up.waiting.lock().is_empty());

        let (_sender, answer) = oneshot::channel();
        let waiting = given_up.wait(3);
        given_up.tell(3, STATUS);
        // The first word counts.
        given_up.tell(3, StatusCode::SERVICE_UNAVAILABLE);
        let answered = runtime.block_on(waiting.answer(answer));
        assert_eq!(answered.err(), Some(STATUS));
        assert!(given_up.waiting.lock().is_empty());
    }
}
