//! The one trait between the server and whatever answers a request.

use crate::{Request, Response};
use bytes::Bytes;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

/// A handler's answer: a future, since a file may have to be read and Python may have to run.
///
/// It never fails: what goes wrong becomes a response (and a log line) where it is understood.
pub type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;

/// Called when work on a request begins; calling it again changes nothing.
pub type Begun = Arc<dyn Fn() + Send + Sync>;

/// How a handler wants the request's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyMode {
    /// The handler never looks at it: the server discards it.
    Discard,
    /// The whole content is received first, in memory up to a bound and then in a temporary file,
    /// so that a slow client never holds the handler.
    Spooled,
    /// As a [`crate::Body::Stream`], while it arrives: the client is read as fast as the handler polls. What breaks it off is a
    /// [`crate::ContentFailure`].
    Streamed,
}

/// Where a request leads once the file system was looked at.
#[derive(Debug)]
pub enum Lead {
    /// To the handler that was asked.
    Here,
    /// Another path answers as if it had been asked for: a directory's index, a fallback. Decoded, absolute.
    To(Bytes),
    /// A file whose name says who answers, at the end of the first `path_len` bytes of the path.
    Named {
        /// The file.
        file: PathBuf,
        /// How much of the path led to it.
        path_len: usize,
    },
    /// The answer is known already.
    Answered(Response),
}

/// A [`Lead`] to come.
pub type Leading = Pin<Box<dyn Future<Output = Lead> + Send>>;

/// Makes the listing of a directory, as an extension of a [`Response`] whose content it is to be: only the server
/// knows which of the names the client may see.
#[derive(Debug, Clone)]
pub struct Listing(pub Arc<dyn ListingPage>);

/// See [`Listing`].
pub trait ListingPage: Send + Sync + std::fmt::Debug {
    /// The page with those names of the directory that `may_see` lets pass.
    fn page(&self, may_see: &dyn Fn(&[u8]) -> bool) -> Response;
}

/// Anything that turns a [`Request`] into a [`Response`].
pub trait Handler: Send + Sync + std::fmt::Debug {
    /// How the request's content should arrive in [`Request::body`].
    fn body_mode(&self) -> BodyMode {
        BodyMode::Discard
    }

    /// Looks where a request for `path`, mapped to `file`, leads. `None`: here, and there was nothing to look at.
    fn lead(&self, _path: &Bytes, _file: &Path) -> Option<Leading> {
        None
    }

    /// The answer, if it is there without waiting for anything; [`Handler::handle`] is not called then.
    fn handle_at_once(&self, _request: &Request) -> Option<Response> {
        None
    }

    /// Answers the request.
    fn handle(&self, request: Request) -> Answer;

    /// As [`Handler::handle`], and says so when the request is begun: a handler may keep it waiting first, and until then
    /// another could do it as well.
    fn handle_when_begun(&self, request: Request, begun: Begun) -> Answer {
        begun();
        self.handle(request)
    }
}

/// Answers every request with one status and httpd's small page for it.
#[derive(Debug, Clone, Copy)]
pub struct StatusHandler(pub http::StatusCode);

impl Handler for StatusHandler {
    fn handle(&self, _request: Request) -> Answer {
        Box::pin(std::future::ready(crate::status_response(self.0)))
    }
}
