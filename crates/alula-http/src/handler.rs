//! The one trait between the server and whatever answers a request.

use crate::{Request, Response};
use std::future::Future;
use std::pin::Pin;

/// A handler's answer: a future, since a file may have to be read and Python may have to run.
///
/// It never fails: what goes wrong becomes a response (and a log line) where it is understood.
pub type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;

/// How a handler wants the request's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyMode {
    /// The handler never looks at it: the server discards it.
    Discard,
    /// The whole content is received first, in memory up to a bound and then in a temporary file,
    /// so that a slow client never holds the handler.
    Spooled,
}

/// Anything that turns a [`Request`] into a [`Response`].
pub trait Handler: Send + Sync + std::fmt::Debug {
    /// How the request's content should arrive in [`Request::body`].
    fn body_mode(&self) -> BodyMode {
        BodyMode::Discard
    }

    /// Answers the request.
    fn handle(&self, request: Request) -> Answer;
}

/// Answers every request with one status and httpd's small page for it.
#[derive(Debug, Clone, Copy)]
pub struct StatusHandler(pub http::StatusCode);

impl Handler for StatusHandler {
    fn handle(&self, _request: Request) -> Answer {
        Box::pin(std::future::ready(crate::status_response(self.0)))
    }
}
