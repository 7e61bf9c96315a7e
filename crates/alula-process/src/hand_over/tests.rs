//! Both sides in one process, over real sockets.

use super::request::{self, put_request, read_request};
use super::response::{self, put_head, read_head};
use super::wire::{Malformed, Rest};
use super::{Answering, Doors, Reception, TlsWanted};
use crate::messages::Channel;
use crate::scoreboard::{Place, Scoreboard, Slot};
use crate::worker::Door;
use alula_http::{
    Answer, Begun, Body, BodyError, Glimpse, Handler, Onward, OwnPage, Peer, Reason, Request,
    Response, Scheme, TlsSession,
};
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, Version};
use http_body::Frame;
use std::io::{Read, Seek, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

fn request(target: &'static str, body: Body) -> Request {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.into())),
        None => (target, None),
    };
    let address = "127.0.0.1:80".parse().unwrap();
    Request {
        method: Method::POST,
        version: Version::HTTP_11,
        target: target.into(),
        path: path.into(),
        query,
        headers: http::HeaderMap::new(),
        file: None,
        script_name_len: 0,
        user: None,
        variables: Some([("tag".to_owned(), "é".to_owned())].into()),
        peer: Arc::new(Peer::new(address, address, Scheme::Http)),
        body,
        id: 7,
    }
}

fn peer(
    local: SocketAddr,
    remote: SocketAddr,
    scheme: Scheme,
    tls: Option<request::TlsTold>,
) -> Arc<Peer> {
    let peer = Peer::new(local, remote, scheme);
    if let Some(tls) = tls {
        peer.tls.set(Arc::new(tls)).unwrap();
    }
    Arc::new(peer)
}

/// A TLS connection of a client with a certificate.
#[derive(Debug)]
struct Session(Vec<(String, String)>);

impl TlsSession for Session {
    fn variable(&self, _name: &str) -> Option<String> {
        None
    }

    fn standard(&self) -> &[(String, String)] {
        &self.0
    }

    fn certificates(&self) -> Vec<(String, String)> {
        panic!("nobody wants them")
    }

    fn has_client_certificate(&self) -> bool {
        true
    }
}

fn sent(request: &Request) -> Result<request::Received, Malformed> {
    let mut out = Vec::new();
    put_request(
        &mut out,
        3,
        TlsWanted {
            standard: true,
            certificates: false,
        },
        request,
    );
    read_request(Rest::new(Bytes::from(out).slice(5..)), peer)
}

#[test]
fn a_request_arrives_as_it_was() {
    let mut sample = request("/a%20b/c?x=1&y", Body::from("content"));
    sample.version = Version::HTTP_10;
    sample.path = Bytes::from_static(b"/a b/c");
    sample.script_name_len = 4;
    sample.user = Some("ren\u{e9}".into());
    sample.file = Some("/srv/a b".into());
    sample.headers.append("x-a", HeaderValue::from_static("1"));
    sample.headers.append("host", HeaderValue::from_static("h"));
    sample
        .headers
        .append("x-a", HeaderValue::from_bytes(b"\xff").unwrap());
    let remote = "[2001:db8::1]:4711".parse().unwrap();
    sample.peer = Arc::new(Peer::new(
        "10.0.0.1:443".parse().unwrap(),
        remote,
        Scheme::Https,
    ));

    let variable = ("SSL_CLIENT_S_DN".to_owned(), "CN=me".to_owned());
    let session = Session(vec![variable]);
    sample.peer.tls.set(Arc::new(session)).unwrap();

    let received = sent(&sample).unwrap();
    assert_eq!(
        (received.handler, received.content),
        (3, request::Content::Bytes(7))
    );
    let back = received.request;
    assert_eq!(
        (
            &back.method,
            back.version,
            &back.target,
            &back.path,
            &back.query
        ),
        (
            &sample.method,
            sample.version,
            &sample.target,
            &sample.path,
            &sample.query
        )
    );
    assert_eq!(
        (
            &back.file,
            back.script_name_len,
            &back.user,
            &back.variables,
            &back.headers,
            back.id
        ),
        (
            &sample.file,
            4,
            &sample.user,
            &sample.variables,
            &sample.headers,
            7
        )
    );
    assert_eq!(
        (back.peer.local, back.peer.remote, back.peer.scheme),
        (sample.peer.local, remote, Scheme::Https)
    );
    let tls = back.peer.tls().unwrap();
    assert_eq!(tls.standard(), sample.peer.tls().unwrap().standard());
    assert_eq!(tls.variable("SSL_CLIENT_S_DN").as_deref(), Some("CN=me"));
    assert!(tls.has_client_certificate() && tls.certificates().is_empty());
}

#[test]
fn a_query_is_told_from_none() {
    for target in ["/", "/?", "/?a", "*"] {
        let sample = request(target, Body::Empty);
        let back = sent(&sample).unwrap().request;
        assert_eq!(
            (back.path, back.query),
            (sample.path, sample.query),
            "{target}"
        );
    }
    // Rewritten on the way.
    let mut sample = request("/old?a", Body::Empty);
    sample.path = "/new".into();
    sample.query = Some("b".into());
    let back = sent(&sample).unwrap().request;
    assert_eq!((back.path, back.query), (sample.path, sample.query));
}

#[test]
fn what_is_cut_off_is_malformed() {
    let mut out = Vec::new();
    put_request(
        &mut out,
        0,
        TlsWanted::default(),
        &request("/x?y", Body::Empty),
    );
    for length in 5..out.len() {
        let cut = Rest::new(Bytes::copy_from_slice(&out[5..length]));
        assert_eq!(read_request(cut, peer).unwrap_err(), Malformed, "{length}");
    }
}

#[test]
fn a_head_arrives_as_it_was() {
    let mut sample = Response::new(Body::Empty);
    *sample.status_mut() = StatusCode::NOT_FOUND;
    sample
        .headers_mut()
        .append("set-cookie", HeaderValue::from_static("a=1"));
    sample
        .headers_mut()
        .append("set-cookie", HeaderValue::from_static("b=2"));
    sample.extensions_mut().insert(OwnPage);
    sample
        .extensions_mut()
        .insert(Reason("Gone Fishing".into()));
    let (head, _) = sample.into_parts();
    for content in [
        response::Content::Whole(5),
        response::Content::File(u64::MAX),
        response::Content::Stream(None),
        response::Content::Stream(Some(0)),
    ] {
        let mut out = Vec::new();
        put_head(&mut out, &head, content);
        let (back, back_content) = read_head(Rest::new(Bytes::from(out).slice(5..))).unwrap();
        assert_eq!((back.status, &back.headers), (head.status, &head.headers));
        assert_eq!(back_content, content);
        assert!(back.extensions.get::<OwnPage>().is_some());
        assert_eq!(back.extensions.get::<Reason>().unwrap().0, "Gone Fishing");
    }
}

#[test]
fn where_a_request_goes_on_arrives_too() {
    for onward in [
        Onward::Declined,
        Onward::To("/x?y".into()),
        Onward::File("/srv/a b".into()),
    ] {
        let mut sample = Response::new(Body::Empty);
        sample.extensions_mut().insert(onward.clone());
        let (head, _) = sample.into_parts();
        let mut out = Vec::new();
        put_head(&mut out, &head, response::Content::Whole(0));
        let (back, _) = read_head(Rest::new(Bytes::from(out).slice(5..))).unwrap();
        assert_eq!(back.extensions.get::<Onward>(), Some(&onward));
    }
}

/// What a worker does with a request, named by the route's definition.
#[derive(Debug)]
struct Told(String);

impl Handler for Told {
    fn handle(&self, request: Request) -> Answer {
        self.handle_when_begun(request, Arc::new(|| {}))
    }

    fn handle_when_begun(&self, request: Request, begun: Begun) -> Answer {
        let what = self.0.clone();
        Box::pin(async move {
            begun();
            match what.as_str() {
                "echo" => Response::new(request.body),
                "run" => std::future::pending().await,
                "hash" => {
                    let Body::File(mut file, length) = request.body else {
                        return alula_http::status_response(StatusCode::BAD_REQUEST);
                    };
                    let mut sum = 0_u64;
                    let mut content = Vec::new();
                    file.read_to_end(&mut content).unwrap();
                    content.iter().for_each(|&byte| sum += u64::from(byte));
                    Response::new(Body::from(format!("{length} {sum}")))
                }
                other => Response::new(Body::stream(Pieces::new(other))),
            }
        })
    }
}

/// `a,b,END`, `a,b,FAIL`: pieces, each ready at the second look, and how they end.
struct Pieces {
    left: Vec<Bytes>,
    fails: bool,
    looked: bool,
}

impl Pieces {
    fn new(text: &str) -> Self {
        let mut left: Vec<&str> = text.split(',').rev().collect();
        let fails = left.remove(0) == "FAIL";
        let piece = |text: &str| match text.strip_prefix("big ") {
            Some(letter) => Bytes::from(letter.repeat(300_000)),
            None => Bytes::copy_from_slice(text.as_bytes()),
        };
        Self {
            left: left.into_iter().map(piece).collect(),
            fails,
            looked: false,
        }
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.looked = !self.looked;
        if self.looked {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.left.pop() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None if self.fails => Poll::Ready(Some(Err("it failed".into()))),
            None => Poll::Ready(None),
        }
    }
}

struct Desk;

impl Reception for Desk {
    fn handler(&self, definition: &[u8]) -> Option<Arc<dyn Handler>> {
        Some(Arc::new(Told(String::from_utf8(definition.to_vec()).ok()?)))
    }

    fn request_started(&self, _: &Glimpse) -> u32 {
        0
    }

    fn request_finished(&self, _: u32, _: u64) {}
}

/// A front, and workers in the same process.
struct Stage {
    scoreboard: Scoreboard,
    doors: Arc<Doors>,
}

impl Stage {
    fn new() -> Self {
        let scoreboard = Scoreboard::new(4).unwrap();
        let doors = Doors::new(vec!["mysite".to_owned()], scoreboard.clone());
        Self { scoreboard, doors }
    }

    /// One that nobody answers for yet: its row, and the inner end of its door.
    fn door(&self, worker: u64) -> (Slot, OwnedFd) {
        let slot = self.scoreboard.seat(worker, 1, &Place::default()).unwrap();
        slot.serving();
        let (door, inside) = Channel::pair().unwrap();
        self.doors.open(Door {
            interpreter: 0,
            worker,
            slot: slot.index(),
            socket: door.into(),
        });
        (slot, inside)
    }

    fn worker(&self, worker: u64) -> (Slot, Answering) {
        let (slot, inside) = self.door(worker);
        let answering = Answering::new(slot.clone(), Arc::new(Desk));
        answering.serve(inside).unwrap();
        (slot, answering)
    }

    fn ask(&self, what: &str, body: Body) -> Answer {
        let handler = self
            .doors
            .handler(0, what.as_bytes().to_vec(), TlsWanted::default());
        handler.handle(request("/", body))
    }

    async fn text(&self, what: &str, body: Body) -> String {
        let response = self.ask(what, body).await;
        assert_eq!(response.status(), StatusCode::OK, "{what}");
        let (content, end) = read(response.into_body()).await;
        end.unwrap();
        String::from_utf8(content).unwrap()
    }
}

async fn read(mut body: Body) -> (Vec<u8>, Result<(), BodyError>) {
    let mut content = Vec::new();
    loop {
        let next = std::future::poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut body), cx));
        match next.await {
            None => return (content, Ok(())),
            Some(Ok(frame)) => content.extend_from_slice(&frame.into_data().unwrap()),
            Some(Err(error)) => return (content, Err(error)),
        }
    }
}

fn run(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(test);
}

#[test]
fn content_comes_back_however_it_goes() {
    run(async {
        let stage = Stage::new();
        let (slot, _worker) = stage.worker(1);
        assert_eq!(stage.text("echo", Body::Empty).await, "");
        assert_eq!(stage.text("echo", Body::from("short")).await, "short");
        let long = "x".repeat(512 * 1024);
        assert_eq!(stage.text("echo", Body::from(long.clone())).await, long);
        assert_eq!(stage.text("a,b,c,END", Body::Empty).await, "abc");
        assert_eq!(stage.text("END", Body::Empty).await, "");
        let big = stage.text("big a,b,big c,END", Body::Empty).await;
        assert_eq!(big.len(), 600_001);
        assert_eq!(slot.row().requests_handed_over, 0);
    });
}

#[test]
fn a_file_is_passed_on_as_it_is() {
    run(async {
        let stage = Stage::new();
        let _worker = stage.worker(1);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[1; 100_000]).unwrap();
        file.rewind().unwrap();
        let again = file.try_clone().unwrap();
        assert_eq!(
            stage.text("hash", Body::File(file, 100_000)).await,
            "100000 100000"
        );

        let mut file = again;
        file.rewind().unwrap();
        let response = stage.ask("echo", Body::File(file, 100_000)).await;
        let Body::File(mut file, 100_000) = response.into_body() else {
            panic!()
        };
        assert_eq!(file.read_to_end(&mut Vec::new()).unwrap(), 100_000);
    });
}

#[test]
fn a_response_that_fails_is_seen_to_be_truncated() {
    run(async {
        let stage = Stage::new();
        let (slot, _worker) = stage.worker(1);
        let response = stage.ask("some,FAIL", Body::Empty).await;
        let (content, end) = read(response.into_body()).await;
        assert_eq!((content.as_slice(), end.is_err()), (&b"some"[..], true));
        assert_eq!(stage.text("echo", Body::from("on")).await, "on");
        assert_eq!(slot.row().requests_handed_over, 0);
    });
}

#[test]
fn what_a_worker_has_not_read_goes_to_the_next() {
    run(async {
        let stage = Stage::new();
        // It has a door and will never look behind it.
        let (slot, inside) = stage.door(1);
        let mut waiting = stage.ask("echo", Body::from("precious"));
        assert!(is_pending(&mut waiting).await);
        let _second = stage.worker(2);
        slot.free();
        drop(inside);
        let (content, _) = read(waiting.await.into_body()).await;
        assert_eq!(content, b"precious");
    });
}

#[test]
fn what_waits_in_a_dead_worker_goes_to_the_next_and_what_runs_is_lost() {
    for (waits, status) in [(true, StatusCode::OK), (false, StatusCode::BAD_GATEWAY)] {
        run(async {
            let stage = Stage::new();
            let (slot, inside) = stage.door(1);
            let mut lost = stage.ask("echo", Body::Empty);
            assert!(is_pending(&mut lost).await);
            let _second = stage.worker(2);
            let door = Channel::new(inside);
            let (_, mut links) = door.receive_packet(&mut [0]).unwrap().unwrap();
            // All of it is read, so only the mark can tell.
            assert!(rustix::io::read(&links[0], &mut [0; 4096]).unwrap() < 4096);
            if waits {
                slot.mark(3).unwrap().waits(7);
            }
            slot.free();
            links.clear();
            assert_eq!(lost.await.status(), status);
        });
    }
}

#[test]
fn nobody_there_is_a_503_that_says_when_to_come_again() {
    run(async {
        tokio::time::pause();
        let stage = Stage::new();
        let response = stage.ask("echo", Body::Empty).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key("retry-after"));
    });
}

#[test]
fn the_least_busy_worker_is_asked_and_equals_take_turns() {
    run(async {
        let stage = Stage::new();
        let (first, _one) = stage.worker(1);
        let (second, _two) = stage.worker(2);
        let mut held = Vec::new();
        for _ in 0..4 {
            let mut answer = stage.ask("run", Body::Empty);
            assert!(is_pending(&mut answer).await);
            held.push(answer);
        }
        let loads = || {
            (
                first.row().requests_handed_over,
                second.row().requests_handed_over,
            )
        };
        assert_eq!(loads(), (2, 2));
        // A client that leaves frees its place.
        held.clear();
        while loads() != (0, 0) {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    });
}

#[test]
fn a_worker_that_closes_is_left_alone() {
    run(async {
        let stage = Stage::new();
        let (slot, first) = stage.worker(1);
        assert_eq!(stage.text("echo", Body::from("1")).await, "1");
        first.close_after_requests();
        let _second = stage.worker(2);
        // The connection that was kept is closed under the request, which goes to the second.
        for _ in 0..3 {
            assert_eq!(stage.text("echo", Body::from("2")).await, "2");
        }
        first.drain().await;
        slot.draining();
        assert_eq!(stage.text("echo", Body::from("3")).await, "3");
    });
}

async fn is_pending(answer: &mut Answer) -> bool {
    let mut pending = false;
    for _ in 0..50 {
        pending =
            std::future::poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx).is_pending())).await;
        tokio::task::yield_now().await;
    }
    pending
}
