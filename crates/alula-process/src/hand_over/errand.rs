//! What becomes of a request that a front hands over: the way there, the way back, and what is lost on it.

use super::doors::{Borrowed, Doors};
use super::incoming::Incoming;
use super::request::{TlsWanted, put_definition, put_request};
use super::response::{Content, HEAD, read_head};
use super::wire::{Malformed, Rest};
use alula_http::{Answer, Body, BodyMode, Handler, Request, Response, status_response};
use http::response::Parts;
use http::{HeaderValue, StatusCode, header};
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, Seek};
use std::os::fd::AsFd;
use std::sync::Arc;

/// Longer content than this is passed on as it comes, not received first; in bytes.
const WHOLE_BYTES_MAX: u64 = 64 * 1024;

/// How often a request that was not begun is handed to yet another worker.
const ATTEMPTS_MAX: u32 = 8;

/// When to come again while no worker is there, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// The handler of a route whose Python is behind this front.
pub(super) struct Errand {
    inner: Arc<Inner>,
}

struct Inner {
    doors: Arc<Doors>,
    interpreter: usize,
    /// Names the route on every connection of this front.
    number: u32,
    /// What a worker must know of the route.
    definition: Box<[u8]>,
    /// What its handler wants to know of the client's connection.
    tls: TlsWanted,
}

/// Why there is no response.
enum Lost {
    /// Nothing was done: another worker may be asked.
    NotBegun,
    /// It may have been done, in part or in whole.
    Begun(&'static str),
}

impl Errand {
    pub(super) fn new(
        doors: Arc<Doors>,
        interpreter: usize,
        number: u32,
        definition: Vec<u8>,
        tls: TlsWanted,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                doors,
                interpreter,
                number,
                definition: definition.into(),
                tls,
            }),
        }
    }
}

impl std::fmt::Debug for Errand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.inner.doors.name(self.inner.interpreter);
        f.debug_tuple("Errand").field(&name).finish()
    }
}

impl Handler for Errand {
    fn body_mode(&self) -> BodyMode {
        BodyMode::Spooled
    }

    fn handle(&self, request: Request) -> Answer {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { inner.answer(request).await })
    }
}

impl Inner {
    async fn answer(&self, mut request: Request) -> Response {
        for _ in 0..ATTEMPTS_MAX {
            let Some(mut worker) = self.doors.borrow_or_wait(self.interpreter).await else {
                return self.nobody_there(&request);
            };
            match worker.ask(self, &mut request).await {
                Ok((head, content)) => return respond(worker, head, content, request.id).await,
                Err(Lost::NotBegun) => worker.take_back(),
                Err(Lost::Begun(why)) => {
                    let name = worker.name();
                    let Request { id, method, .. } = &request;
                    let target = request.target.escape_ascii();
                    tracing::error!(
                        "[request {id:x}] {method} {target}: {name} gave no answer: {why}"
                    );
                    return status_response(StatusCode::BAD_GATEWAY);
                }
            }
            if let Body::File(file, _) = &mut request.body {
                // Not read by anyone, but whoever had it may have moved it.
                let _ = file.rewind();
            }
        }
        self.nobody_there(&request)
    }

    fn nobody_there(&self, request: &Request) -> Response {
        let name = self.doors.name(self.interpreter);
        let (id, method) = (request.id, &request.method);
        let target = request.target.escape_ascii();
        tracing::error!(
            "[request {id:x}] {method} {target}: {name} has no worker to take it, answered 503"
        );
        let mut response = status_response(StatusCode::SERVICE_UNAVAILABLE);
        let absence = self.doors.absence(self.interpreter);
        let again = absence.map_or(RETRY_AFTER, |absence| (absence.as_secs() + 1).into());
        response.headers_mut().insert(header::RETRY_AFTER, again);
        response
    }
}

impl Borrowed {
    /// Sends a request and receives the head of its response.
    async fn ask(
        &mut self,
        errand: &Inner,
        request: &mut Request,
    ) -> Result<(Parts, Content), Lost> {
        match self.send(errand, request).await {
            Ok(()) => self.receive(request.id).await,
            // What is not read whole is not begun.
            Err(_) => Err(Lost::NotBegun),
        }
    }

    async fn send(&mut self, errand: &Inner, request: &mut Request) -> io::Result<()> {
        let path = &mut self.path;
        let number = errand.number as usize;
        path.out.clear();
        if !path.defined.get(number).is_some_and(|&defined| defined) {
            put_definition(&mut path.out, errand.number, &errand.definition);
            if path.defined.len() <= number {
                path.defined.resize(number + 1, false);
            }
            path.defined[number] = true;
        }
        put_request(&mut path.out, errand.number, errand.tls, request);
        let (content, file): (&[u8], _) = match &request.body {
            Body::Bytes(bytes) => (bytes, None),
            Body::File(file, _) => (&[], Some(file.as_fd())),
            // Content is received before it is handed over: memory or a file.
            Body::Empty | Body::Part(_) | Body::Stream(_) => (&[], None),
        };
        path.link.send([&path.out, content], file).await
    }

    async fn receive(&mut self, request: u64) -> Result<(Parts, Content), Lost> {
        let malformed = |Malformed| Lost::Begun("its answer is malformed");
        loop {
            match self.path.link.take_message().map_err(malformed)? {
                Ok(message) => {
                    let mut rest = Rest::new(message);
                    let kind = rest.u8().map_err(malformed)?;
                    let head = if kind == HEAD {
                        read_head(rest)
                    } else {
                        Err(Malformed)
                    };
                    return head.map_err(malformed);
                }
                Err(missing) => {
                    let received = poll_fn(|cx| self.path.link.poll_receive(cx, missing)).await;
                    if let Some(lost) = self.lost(&received, request) {
                        return Err(lost);
                    }
                }
            }
        }
    }

    /// What the end of the connection means for the request on it.
    fn lost(&self, received: &io::Result<usize>, request: u64) -> Option<Lost> {
        match received {
            Ok(0) if self.slot.left_waiting(self.worker, request) => Some(Lost::NotBegun),
            Ok(0) => Some(Lost::Begun("it ended")),
            Ok(_) => None,
            // The other end was closed with something unread in it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Some(Lost::NotBegun),
            Err(_) => Some(Lost::Begun("it cannot be heard")),
        }
    }
}

/// The response, with as much of its content as suits it.
async fn respond(mut worker: Borrowed, head: Parts, content: Content, request: u64) -> Response {
    let body = match content {
        Content::Whole(0) => {
            worker.give_back();
            Body::Empty
        }
        Content::Whole(length) if length <= WHOLE_BYTES_MAX => {
            match receive_whole(&mut worker, length).await {
                Some(body) => {
                    worker.give_back();
                    body
                }
                None => return cut_off(&worker, request),
            }
        }
        Content::Whole(length) => Body::stream(Incoming::whole(worker, length, request)),
        Content::Stream(length) => Body::stream(Incoming::pieces(worker, length, request)),
        Content::File(length) => match worker.path.link.take_descriptor().map(File::from) {
            Some(file) if file.metadata().is_ok_and(|metadata| metadata.is_file()) => {
                worker.give_back();
                Body::File(file, length)
            }
            // Anything else might never end, or never begin.
            _ => return cut_off(&worker, request),
        },
    };
    Response::from_parts(head, body)
}

async fn receive_whole(worker: &mut Borrowed, length: u64) -> Option<Body> {
    let length = usize::try_from(length).ok()?;
    let link = &mut worker.path.link;
    while link.received() < length {
        let missing = length - link.received();
        match poll_fn(|cx| link.poll_receive(cx, missing)).await {
            Ok(count) if count > 0 => {}
            _ => return None,
        }
    }
    Some(Body::from(link.take(length)))
}

fn cut_off(worker: &Borrowed, request: u64) -> Response {
    let name = worker.name();
    tracing::error!("[request {request:x}] {name} ended in the middle of its response");
    status_response(StatusCode::BAD_GATEWAY)
}
