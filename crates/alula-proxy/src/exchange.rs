//! One request to a back end, until the head of its response is there.
//!
//! A connection that was kept may have been closed by the back end at the moment it is used. Then the request goes out once more over
//! a new one: if nothing of it was sent, or if sending it twice is the same as once (RFC 9110 section 9.2.2).

use crate::content::{Content, Progress};
use crate::pool::{Lease, Pool, Unreachable};
use alula_http::Body;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use std::future::Future;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;

/// How long content that a client holds back waits for the back end's word (RFC 9110 section 10.1.1).
const HOLD_MAX: Duration = Duration::from_secs(1);

/// Why there is no response.
#[derive(Debug)]
pub(crate) enum Failed {
    Unreachable(Unreachable),
    /// No head within the time.
    Silent(Duration),
    /// What came is no response.
    Broken(hyper::Error),
    /// The client's content broke off.
    Client(StatusCode),
}

/// A request that can be sent again.
struct Spare {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Spare {
    fn of(request: &Request<Content>) -> Option<Self> {
        let twice_is_once = request.method().is_idempotent();
        let has_content = !http_body::Body::is_end_stream(request.body());
        (twice_is_once && !has_content).then(|| Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
        })
    }

    fn request(self, progress: &Arc<Progress>) -> Request<Content> {
        let mut request = Request::new(Content::new(Body::Empty, progress.clone()));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        request
    }
}

/// Sends a request, and waits for the head of its response.
pub(crate) async fn exchange(
    pool: &Arc<Pool>,
    mut request: Request<Content>,
    progress: &Arc<Progress>,
) -> Result<(Response<Incoming>, Lease), Failed> {
    let mut fresh = false;
    loop {
        let mut lease = pool.lease(fresh).await.map_err(Failed::Unreachable)?;
        let spare = lease.is_used.then(|| Spare::of(&request)).flatten();
        let mut error = match send(&mut lease.sender, request, progress, pool.timeout).await {
            Ok(response) => return Ok((response, lease)),
            Err(None) => return Err(Failed::Silent(pool.timeout)),
            Err(Some(error)) => error,
        };
        if let Some(status) = progress.failure() {
            return Err(Failed::Client(status));
        }
        let unsent = error.unsent.take();
        let again = unsent.or_else(|| spare.map(|spare| spare.request(progress)));
        match again.filter(|_| lease.is_used) {
            Some(again) => request = again,
            None => return Err(Failed::Broken(error.fact)),
        }
        fresh = true;
    }
}

struct NotSent {
    fact: hyper::Error,
    /// The request, if nothing of it has gone.
    unsent: Option<Request<Content>>,
}

/// `Err(None)`: the back end is silent.
async fn send(
    sender: &mut SendRequest<Content>,
    request: Request<Content>,
    progress: &Progress,
    timeout: Duration,
) -> Result<Response<Incoming>, Option<Box<NotSent>>> {
    let answered = sender.try_send_request(request);
    let mut answered = std::pin::pin!(answered);
    let patience = match progress.is_held() {
        true => HOLD_MAX.min(timeout),
        false => timeout,
    };
    let mut timer = std::pin::pin!(tokio::time::sleep(patience));
    std::future::poll_fn(|cx| {
        if let Poll::Ready(answer) = answered.as_mut().poll(cx) {
            return Poll::Ready(answer.map_err(|mut error| {
                let unsent = error.take_message();
                Some(Box::new(NotSent {
                    fact: error.into_error(),
                    unsent,
                }))
            }));
        }
        while timer.as_mut().poll(cx).is_ready() {
            // A back end that knows nothing of it says nothing.
            progress.release();
            let deadline = progress.since() + timeout;
            if deadline <= Instant::now() {
                return Poll::Ready(Err(None));
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    })
    .await
}
