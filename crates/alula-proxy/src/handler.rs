//! Passes a request on and its response back.

use crate::content::{Content, Progress, Returned};
use crate::exchange::{Failed, exchange};
use crate::headers;
use crate::pool::{Lease, Pool, Unreachable};
use crate::reverse;
use crate::target::{Origin, Target};
use crate::tunnel;
use alula_config::site::{BackEndOptions, Forwarding, ProxySettings};
use alula_http::{
    Answer, Body, BodyMode, Handler, Reason, Request, Response, Takeover, path, status_response,
};
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode, Uri, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// How requests of one route are passed on. Back ends that are not named are spoken to as well; of those nothing is kept.
#[derive(Debug)]
pub struct ProxyHandlerSettings {
    /// Where to, and with what patience.
    pub forwarding: Forwarding,
    /// What sections say.
    pub rules: Option<Arc<ProxySettings>>,
    /// `SetEnv proxy-nokeepalive`: each request has a connection of its own.
    pub one_request_each: bool,
}

type PoolKey = (Origin, BackEndOptions, Duration);

/// The back ends of a process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct BackEnds(Arc<Mutex<HashMap<PoolKey, Arc<Pool>>>>);

/// The handler of one route.
#[derive(Debug)]
pub struct Proxy {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    forwarding: Forwarding,
    rules: Arc<ProxySettings>,
    known: Vec<Known>,
}

/// A back end of the configuration.
#[derive(Debug)]
struct Known {
    start: String,
    options: BackEndOptions,
    /// `None` where the host is only known with the request.
    pool: Option<(String, Arc<Pool>)>,
}

impl BackEnds {
    /// A handler; back ends that others have as well are shared with them.
    pub fn handler(&self, settings: ProxyHandlerSettings) -> Proxy {
        let known = settings.forwarding.back_ends.iter().map(|end| {
            let mut options = end.options.clone();
            if settings.one_request_each {
                options.reuse = Some(false);
            }
            Known {
                pool: self.pool(&end.url, &options, settings.forwarding.timeout),
                start: end.url.clone(),
                options,
            }
        });
        let known = known.collect();
        Proxy {
            inner: Arc::new(Inner {
                rules: settings.rules.clone().unwrap_or_default(),
                forwarding: settings.forwarding,
                known,
            }),
        }
    }

    fn pool(
        &self,
        url: &str,
        options: &BackEndOptions,
        timeout: Duration,
    ) -> Option<(String, Arc<Pool>)> {
        let origin = Target::parse(url)?.origin;
        let key = (Origin::parse(&origin)?, options.clone(), timeout);
        let mut pools = self.0.lock();
        let pool = pools.entry(key.clone());
        let pool = pool.or_insert_with(|| Arc::new(Pool::new(key.0, key.1, key.2)));
        Some((origin, pool.clone()))
    }
}

impl Handler for Proxy {
    fn body_mode(&self) -> BodyMode {
        BodyMode::Streamed
    }

    fn handle(&self, request: Request) -> Answer {
        let inner = self.inner.clone();
        Box::pin(async move { inner.pass_on(request).await })
    }
}

/// What is kept of a request for its response.
struct Asked {
    method: Method,
    upgrade: Option<HeaderValue>,
    progress: Arc<Progress>,
    tunnel_timeout: Option<Duration>,
}

impl Inner {
    async fn pass_on(&self, mut request: Request) -> Response {
        let (client, id) = (request.peer.remote, request.id);
        let found = self.target(&request);
        let found = found.and_then(|target| Some((self.pool(&target)?, target)));
        let Some((pool, target)) = found else {
            let file = request
                .file
                .as_deref()
                .unwrap_or("nothing".as_ref())
                .display();
            tracing::error!(target: "proxy", %client, request = id, "{file} is not the URL of a back end");
            return status_response(StatusCode::BAD_REQUEST);
        };
        let Ok(uri) = Uri::try_from(&target.path) else {
            tracing::debug!(target: "proxy", %client, request = id, "{:?} cannot be asked for", target.path);
            return status_response(StatusCode::BAD_REQUEST);
        };
        let held = headers::expects_continue(&request) && self.rules.awaits_continue != Some(false);
        let upgrade = self.prepare_headers(&mut request, &target, &pool, held);
        let progress = Progress::new(&request.body, held);
        let asked = Asked {
            method: request.method.clone(),
            upgrade,
            progress: progress.clone(),
            tunnel_timeout: pool.options.timeout.or(self.forwarding.tunnel_timeout),
        };
        let mut outgoing = http::Request::new(Content::new(request.body, progress.clone()));
        *outgoing.method_mut() = request.method;
        *outgoing.uri_mut() = uri;
        *outgoing.headers_mut() = request.headers;
        if held {
            let progress = progress.clone();
            hyper::ext::on_informational(&mut outgoing, move |response| {
                if response.status() == StatusCode::CONTINUE {
                    progress.release();
                }
            });
        }
        match exchange(&pool, outgoing, &progress).await {
            Ok((response, lease)) => match self.response(response, lease, &pool, &asked) {
                Some(response) => response,
                None => {
                    tracing::error!(target: "proxy", %client, request = id, "{}: answered 101 without being asked to", target.origin);
                    status_response(StatusCode::BAD_GATEWAY)
                }
            },
            Err(failed) => {
                progress.give_up();
                let (status, fact) = judge(&failed);
                match &failed {
                    Failed::Client(_) | Failed::Unreachable(Unreachable::LeftAlone) => {
                        tracing::debug!(target: "proxy", %client, request = id, "{}: {fact}", target.origin);
                    }
                    _ => {
                        tracing::error!(target: "proxy", %client, request = id, "{}: {fact}", target.origin);
                    }
                }
                status_response(status)
            }
        }
    }

    /// Where a request goes.
    fn target(&self, request: &Request) -> Option<Target> {
        let file = request.file.as_deref()?.to_str()?;
        let url = file.strip_prefix("proxy:")?;
        let raw = self.forwarding.raw.as_ref();
        let raw = raw.and_then(|(from, to)| Some(format!("{to}{}", raw_rest(request, from)?)));
        let mut target = Target::parse(raw.as_deref().unwrap_or(url))?;
        if let Some(query) = &request.query
            && !self.forwarding.without_query
        {
            let joint = if target.path.contains('?') { '&' } else { '?' };
            target.path.push(joint);
            push_visible(&mut target.path, query);
        }
        Some(target)
    }

    /// The back end of a URL: the one with the longest start that fits, else one of its own for this request.
    fn pool(&self, target: &Target) -> Option<Arc<Pool>> {
        let url = target.url();
        let fitting = self.known.iter().filter(|known| {
            let other = known
                .pool
                .as_ref()
                .is_some_and(|(origin, _)| *origin != target.origin);
            url.starts_with(&known.start) && !other
        });
        let known = fitting.max_by_key(|known| known.start.len());
        if let Some((_, pool)) = known.and_then(|known| known.pool.as_ref()) {
            return Some(pool.clone());
        }
        let options = BackEndOptions {
            reuse: Some(false),
            retry: Some(Duration::ZERO),
            connections_max: None,
            ..known.map(|known| known.options.clone()).unwrap_or_default()
        };
        let origin = Origin::parse(&target.origin)?;
        Some(Arc::new(Pool::new(
            origin,
            options,
            self.forwarding.timeout,
        )))
    }

    /// Makes a request's fields those that the back end is to see. Returns the protocol that it is asked to change to.
    fn prepare_headers(
        &self,
        request: &mut Request,
        target: &Target,
        pool: &Pool,
        held: bool,
    ) -> Option<HeaderValue> {
        let fields = &mut request.headers;
        let asked = headers::strip(fields);
        let asked = asked.filter(|_| request.version == Version::HTTP_11);
        let allowed = match target.is_websocket {
            true => Some("websocket"),
            false => pool.options.upgrade.as_deref(),
        };
        let upgrade = headers::upgrade(asked, allowed);
        headers::join_cookies(fields);
        headers::frame(fields, request.body.len());
        if !held {
            fields.remove(header::EXPECT);
        }
        let server = self.forwarding.server_name.as_str();
        headers::via(fields, self.forwarding.via, request.version, server, true);
        if self.rules.add_headers != Some(false) {
            headers::add_forwarded(fields, &request.peer, &self.forwarding.server_name);
        }
        let keeps_host =
            self.rules.preserve_host == Some(true) && fields.contains_key(header::HOST);
        if !keeps_host && let Ok(host) = HeaderValue::from_str(&pool.origin.authority) {
            fields.insert(header::HOST, host);
        }
        if let Some(upgrade) = &upgrade {
            fields.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            fields.insert(header::UPGRADE, upgrade.clone());
        } else if !pool.keeps() {
            fields.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        upgrade
    }

    /// A back end's response as the client's; `None` if it changes to what nobody asked for.
    fn response(
        &self,
        response: http::Response<Incoming>,
        lease: Lease,
        pool: &Pool,
        asked: &Asked,
    ) -> Option<Response> {
        let (mut head, incoming) = response.into_parts();
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            let back_end = head.extensions.remove::<OnUpgrade>()?;
            return self.upgraded(head.headers, back_end, lease, asked);
        }
        let replaced = self.rules.error_override.as_ref();
        if replaced.is_some_and(|statuses| statuses.contains(&head.status.as_u16())) {
            asked.progress.give_up();
            let mut response = status_response(head.status);
            for challenge in head.headers.get_all(header::WWW_AUTHENTICATE) {
                let name = header::WWW_AUTHENTICATE;
                response.headers_mut().append(name, challenge.clone());
            }
            return Some(response);
        }
        let bodyless = headers::is_bodyless(&asked.method, head.status);
        let length = http_body::Body::size_hint(&incoming).exact();
        headers::clean_response(&mut head.headers, bodyless, length);
        self.change(&mut head.headers, head.version);
        let unknown = bodyless
            && asked.method == Method::HEAD
            && !head.headers.contains_key(header::CONTENT_LENGTH);
        let returned = Returned::new(incoming, lease, asked.progress.clone(), pool.timeout);
        let body = match returned.is_complete() || bodyless {
            true if unknown => Body::stream(OfUnknownLength),
            true => Body::Empty,
            false => Body::stream(returned),
        };
        let mut made = http::Response::new(body);
        *made.status_mut() = head.status;
        *made.headers_mut() = head.headers;
        if let Some(reason) = head.extensions.get::<hyper::ext::ReasonPhrase>() {
            let reason = Reason(Bytes::copy_from_slice(reason.as_bytes()));
            made.extensions_mut().insert(reason);
        }
        Some(made)
    }

    fn change(&self, fields: &mut HeaderMap, version: Version) {
        headers::via(
            fields,
            self.forwarding.via,
            version,
            &self.forwarding.server_name,
            false,
        );
        reverse::apply(fields, &self.rules);
    }

    /// The response after which bytes are passed in both directions.
    fn upgraded(
        &self,
        mut fields: HeaderMap,
        back_end: OnUpgrade,
        lease: Lease,
        asked: &Asked,
    ) -> Option<Response> {
        let wanted = asked.upgrade.as_ref()?;
        let agreed = fields.get(header::UPGRADE).unwrap_or(wanted).clone();
        headers::clean_response(&mut fields, true, None);
        fields.remove(header::CONTENT_LENGTH);
        self.change(&mut fields, Version::HTTP_11);
        fields.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        fields.insert(header::UPGRADE, agreed);
        let timeout = asked.tunnel_timeout;
        let takeover = Takeover::new(move |client| {
            Box::pin(async move {
                tunnel::pass(client, back_end, timeout).await;
                drop(lease);
            })
        });
        let mut response = http::Response::new(Body::Empty);
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *response.headers_mut() = fields;
        response.extensions_mut().insert(takeover);
        Some(response)
    }
}

/// What a client is answered, and what is said in the log.
fn judge(failed: &Failed) -> (StatusCode, String) {
    match failed {
        Failed::Unreachable(fact) => (StatusCode::SERVICE_UNAVAILABLE, fact.to_string()),
        Failed::Silent(time) => (
            StatusCode::GATEWAY_TIMEOUT,
            format!("no response within {} ms", time.as_millis()),
        ),
        Failed::Broken(error) => (StatusCode::BAD_GATEWAY, format!("no response: {error}")),
        Failed::Client(status) => (*status, "the client's content broke off".to_owned()),
    }
}

/// What follows a prefix in the path as the client wrote it: unless a rule has made another path of it, or it could mean a path
/// outside the prefix to somebody else.
fn raw_rest(request: &Request, prefix: &str) -> Option<String> {
    let mut decoded = path::decode(&request.target).ok()?;
    let same = decoded.path == request.path || {
        path::keep_encoded_slashes(&request.target, &mut decoded).ok()?;
        decoded.path == request.path
    };
    let target = std::str::from_utf8(&request.target).ok()?;
    let written = target.split('?').next()?;
    let rest = written.strip_prefix(prefix)?;
    let on_border = prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/');
    let lower = rest.to_ascii_lowercase();
    let goes_up = lower.starts_with('.') || lower.contains("/.") || lower.contains("%2e");
    (same && on_border && !goes_up).then(|| rest.to_owned())
}

/// Appends a query; what cannot stand in a URL is percent-encoded.
fn push_visible(url: &mut String, query: &[u8]) {
    for &byte in query {
        match byte {
            b'"' | b'#' | b'<' | b'>' => url.push_str(&format!("%{byte:02X}")),
            0x21..=0x7e => url.push(char::from(byte)),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
}

/// No content, for a HEAD of which nobody knows how long a GET's would be.
struct OfUnknownLength;

impl http_body::Body for OfUnknownLength {
    type Data = Bytes;
    type Error = alula_http::BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        Poll::Ready(None)
    }
}
