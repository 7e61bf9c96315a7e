//! A request's way from a parsed head to a finished response; read [`Pipeline::respond`] from top to bottom.
//!
//! Steps that may refuse come first, cheapest first: shape of the head, size, target, virtual host, access,
//! content. A refusal that leaves content unread ends the connection.

use crate::access_log::AccessLogs;
use crate::asking::{self, Kept, Late};
use crate::assembly::{Assembly, HostSettings, Logged};
use crate::authentication::Authenticator;
use crate::compression;
use crate::connection::{Connection, Phase};
use crate::content;
use crate::finishing::part;
use crate::gate::Gates;
use crate::leading::{Led, Way};
use crate::onward::Went;
use crate::redirect;
use crate::remote_ip::RemoteAddresses;
use crate::sending::Outgoing;
use crate::server::Observer;
use crate::strict::{self, Framing};
use crate::survey::Survey;
use crate::targets::{self, Destination, Targets};
use crate::tls::{Misdirected, Tls};
use crate::upgrade;
use alula_http::path::{self, PathError, Target};
use alula_http::{
    Body, BodyMode, Glimpse, Handler, Listing, Onward, Request, Response, connection_fields,
    status_response,
};
use alula_routing::{
    Action, Asked, Found, Moment, Route, RouteId, RouteTable, SiteFiles, Verdict, VirtualHostId,
    site,
};
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode, Uri};
use hyper::body::Incoming;
use parking_lot::{Mutex, RwLock};
use std::convert::Infallible;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;
use tracing::{Instrument, Span};

pub(crate) struct Pipeline {
    pub(crate) routes: RouteTable,
    pub(crate) hosts: Box<[HostSettings]>,
    pub(crate) logs: AccessLogs,
    pub(crate) assembly: Box<dyn Assembly>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) draining: AtomicBool,
    /// `RemoteIPHeader` by virtual host.
    remote_addresses: Box<[Option<RemoteAddresses>]>,
    /// `None` where no server is TLS.
    pub(crate) tls: Option<Tls>,
    pub(crate) authenticator: Authenticator,
    pub(crate) gates: Gates,
    handlers: RwLock<Vec<Option<Arc<dyn Handler>>>>,
    targets: Targets<Found>,
    /// The handlers for `XSendFilePath`s.
    pub(crate) sent_files: Mutex<Vec<(PathBuf, Arc<dyn Handler>)>>,
    next_id: AtomicU64,
}

/// A refusal, or a handler's answer with who answered.
pub(crate) struct Answered {
    pub(crate) response: Response,
    pub(crate) host: VirtualHostId,
    pub(crate) found: Option<Found>,
    /// When the request arrived, where a `Header` tells.
    pub(crate) received: Option<SystemTime>,
    /// Who it came from, or claimed to: for the access log.
    pub(crate) user: Option<Arc<str>>,
    /// The request's head, where something asks for it later.
    pub(crate) kept: Option<Box<Kept>>,
}

impl Pipeline {
    pub(crate) fn new(
        routes: RouteTable,
        hosts: Vec<HostSettings>,
        assembly: Box<dyn Assembly>,
        observer: Arc<dyn Observer>,
        log_files: Vec<(site::LogTarget, File)>,
        tls: Option<Tls>,
    ) -> Self {
        Self {
            tls,
            routes,
            logs: AccessLogs::open(&hosts, log_files),
            remote_addresses: hosts
                .iter()
                .map(|host| RemoteAddresses::new(host.remote_ip.as_ref()?))
                .collect(),
            hosts: hosts.into(),
            assembly,
            observer,
            draining: AtomicBool::new(false),
            authenticator: Authenticator::default(),
            gates: Gates::default(),
            handlers: RwLock::default(),
            targets: Targets::new(),
            sent_files: Mutex::default(),
            next_id: AtomicU64::new(u64::from(std::process::id()) << 32),
        }
    }

    /// Answers one request. Never fails: what goes wrong is a response.
    ///
    /// The engine copies this future for each request, so it is one level of `async` and what is rare in it is boxed.
    pub(crate) async fn respond(
        self: Arc<Self>,
        mut request: http::Request<Incoming>,
        mut connection: Arc<Connection>,
    ) -> Result<http::Response<Outgoing>, Infallible> {
        connection.enter(Phase::Answering);
        let named = authority(request.uri(), request.headers());
        let host = self.routes.virtual_host(connection.peer.local, || named);
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let ticket = self.observer.request_started(&Glimpse {
            id,
            method: request.method().as_str(),
            authority: named.unwrap_or_default(),
            target: target(request.uri()).as_bytes(),
            client: connection.peer.remote,
        });
        connection.request_under_way(ticket);
        if let Some(addresses) = &self.remote_addresses[host.0]
            && let Some(peer) = addresses.peer(&connection.peer, request.headers_mut())
        {
            self.observer.request_client(ticket, peer.remote);
            connection = connection.behind(peer);
        }
        let requests = connection.count_request();
        let entry = self.logs.entry(host, &request, &connection, id);
        let head_only = request.method() == Method::HEAD;
        let version = request.version();

        let mut kept = None;
        let mut answered = match &self.hosts[host.0].log {
            None => self.answer(request, &connection, host, id, &mut kept).await,
            Some(span) => {
                let answer = Box::pin(self.answer(request, &connection, host, id, &mut kept));
                answer.instrument(span.clone()).await
            }
        };
        answered.kept = kept;
        let documented = |found: &Found| !found.route.error_documents.is_empty();
        if answered.found.as_ref().is_some_and(documented) {
            let span = self.hosts[host.0].log.clone().unwrap_or_else(Span::none);
            let document = Box::pin(self.error_document(answered, &connection));
            answered = document.instrument(span).await;
        }

        let settings = &self.hosts[answered.host.0].connection;
        let keep_alive = settings.keep_alive
            && (settings.keep_alive_requests_max == 0
                || requests < settings.keep_alive_requests_max)
            && !self.draining.load(Ordering::Relaxed)
            && !connection.is_last();
        Ok(self.finish(answered, entry, &connection, keep_alive, head_only, version))
    }

    /// Takes a target apart, as far as `AllowEncodedSlashes` lets, and says where it leads if its path alone decides that.
    fn lead(
        &self,
        host: VirtualHostId,
        target: &str,
    ) -> Result<(Bytes, Target, Option<Found>), PathError> {
        if self.routes.is_dynamic(host) {
            let (target, mut decoded) = targets::decode(target)?;
            self.keep_encoded_slashes(host, &target, &mut decoded)?;
            return Ok((target, decoded, None));
        }
        let find = |path: &[u8]| self.routes.find(host, path);
        let Destination {
            target,
            mut decoded,
            found,
        } = self.targets.lead(host, target, find)?;
        let kept = self.keep_encoded_slashes(host, &target, &mut decoded)?;
        Ok((target, decoded, (!kept).then_some(found)))
    }

    /// `AllowEncodedSlashes NoDecode`; whether it has changed the path.
    fn keep_encoded_slashes(
        &self,
        host: VirtualHostId,
        target: &Bytes,
        decoded: &mut Target,
    ) -> Result<bool, PathError> {
        let keeps = decoded.has_encoded_slash
            && self.hosts[host.0].encoded_slashes == site::EncodedSlashes::Keep;
        if keeps {
            path::keep_encoded_slashes(target, decoded)?;
        }
        Ok(keeps)
    }

    async fn answer(
        &self,
        request: http::Request<Incoming>,
        connection: &Arc<Connection>,
        host: VirtualHostId,
        id: u64,
        kept: &mut Option<Box<Kept>>,
    ) -> Answered {
        let (mut head, incoming) = request.into_parts();
        let refuse = |status: StatusCode, close: bool, found: Option<Found>| {
            if close {
                connection.make_last();
            }
            Answered {
                response: status_response(status),
                host,
                found,
                received: None,
                user: None,
                kept: None,
            }
        };

        let Survey { framing, verdict } =
            Survey::new(&head, &incoming, &self.hosts[host.0].connection);
        let judged = match connection.is_http2() {
            false => connection.raw_head.lock().judge(framing),
            true => strict::judge_http2(&head),
        };
        if let Err(fault) = judged {
            tracing::debug!(target: "core", client = %connection.peer.remote, request = id, "refused: {}", fault.0);
            return refuse(StatusCode::BAD_REQUEST, true, None);
        }
        if let Err(status) = verdict {
            return refuse(status, true, None);
        }
        if head.uri.authority().is_some() && head.uri.scheme().is_none() {
            // A bare authority is for CONNECT only (RFC 9112 section 3.2.3).
            return refuse(StatusCode::BAD_REQUEST, true, None);
        }
        let has_content = framing != Framing::None;
        if let Some(tls) = &self.tls
            && let Some(agreed) = connection.agreed()
            && let Err(misdirected) = tls.judge(agreed, host)
        {
            tracing::debug!(target: "ssl", client = %connection.peer.remote, request = id, "refused: {misdirected:?}");
            let status = match misdirected {
                Misdirected::OtherServer => StatusCode::MISDIRECTED_REQUEST,
                Misdirected::NotShown => StatusCode::FORBIDDEN,
            };
            return refuse(status, has_content, None);
        }
        let target = target(&head.uri);
        let (target, decoded, led) = match self.lead(host, target) {
            Ok(led) => led,
            Err(error) => {
                tracing::debug!(target: "core", client = %connection.peer.remote, request = id, "{error}");
                let close = has_content || error.status() == StatusCode::BAD_REQUEST;
                return refuse(error.status(), close, None);
            }
        };
        if target.as_ref() == b"*" {
            let status = match head.method {
                Method::OPTIONS => StatusCode::OK,
                _ => StatusCode::BAD_REQUEST,
            };
            return refuse(status, has_content || status.is_client_error(), None);
        }
        if head.method == Method::TRACE || head.method == Method::CONNECT {
            return refuse(StatusCode::METHOD_NOT_ALLOWED, has_content, None);
        }

        let asked = || asking::asked(&head, &target, &decoded, connection, id);
        let mut found = led.unwrap_or_else(|| self.look_up(host, &asked()));
        if self.routes.allow_overrides() {
            let files = self.htaccess(host, &found, &connection.peer, id);
            match Box::pin(files).await {
                Ok(None) => {}
                Ok(Some(files)) => found = self.look_up_with(host, &asked(), None, &files),
                Err(response) => {
                    let mut answered = refuse(response.status(), has_content, Some(found));
                    answered.response = *response;
                    return answered;
                }
            }
        }
        if found.route.has_error_page || found.route.response_headers.asks() || self.logs.asks(host)
        {
            let (head, target, decoded) = (head.clone(), target.clone(), decoded.clone());
            *kept = Some(Box::new(Kept {
                head,
                target,
                decoded,
                id,
            }));
        }
        let leads_to_files = found.file.is_some() || found.redirect.is_some();
        if decoded.has_encoded_slash
            && leads_to_files
            && self.hosts[host.0].encoded_slashes == site::EncodedSlashes::Off
        {
            return refuse(StatusCode::NOT_FOUND, has_content, Some(found));
        }
        let mut user = None;
        loop {
            match self.judge(host, &found, &asked()) {
                Verdict::Pass => {}
                Verdict::AskUser => {
                    // In a box: requests that need no user shall not carry the room for it.
                    let admitted = Box::pin(async {
                        let asked = asked();
                        self.admit_user(host, &found, &asked).await
                    });
                    match admitted.await {
                        Ok(name) => user = name,
                        Err(refusal) => {
                            refusal.log(&connection.peer, id);
                            let mut answered = refuse(refusal.status, has_content, Some(found));
                            refusal.challenge(answered.response.headers_mut());
                            answered.user = refusal.claimed;
                            return answered;
                        }
                    }
                }
                Verdict::Refuse => {
                    tracing::debug!(target: "authz_core", client = %connection.peer.remote, request = id, "denied by configuration");
                    return refuse(StatusCode::FORBIDDEN, has_content, Some(found));
                }
            }
            if found.route.rewriting.is_none() {
                break;
            }
            let asked = Asked {
                user: user.as_deref(),
                ..asked()
            };
            match self.fix_up(host, &mut found, &asked) {
                None => break,
                Some(dynamic) => {
                    found = self.look_up_with(host, &asked, Some(dynamic.clone()), &[]);
                    if self.routes.allow_overrides() {
                        let files = self.htaccess(host, &found, &connection.peer, id);
                        match Box::pin(files).await {
                            Ok(None) => {}
                            Ok(Some(files)) => {
                                found = self.look_up_with(host, &asked, Some(dynamic), &files);
                            }
                            Err(response) => {
                                let mut answered =
                                    refuse(response.status(), has_content, Some(found));
                                answered.response = *response;
                                return answered;
                            }
                        }
                    }
                }
            }
        }
        let route = &found.route;
        if let Some(redirected) = &found.redirect {
            if has_content {
                connection.make_last();
            }
            let base = redirect::Base {
                asked: authority(&head.uri, &head.headers),
                server_name: &self.hosts[host.0].server_name,
                peer: &connection.peer,
            };
            return Answered {
                response: redirect::response(
                    redirected,
                    &base,
                    found.query(decoded.query.as_deref()),
                ),
                host,
                found: Some(found),
                received: None,
                user,
                kept: None,
            };
        }

        let mut handler = self.handler(route);
        let lead = found.file.as_deref();
        let lead = lead.and_then(|file| handler.lead(&found.path(&decoded.path), file));
        let mut path = found.path(&decoded.path);
        let query = found
            .query(decoded.query.as_deref())
            .map(Bytes::copy_from_slice);
        if let Some(lead) = lead {
            let way = Way {
                host,
                found,
                handler,
                path,
                user,
            };
            let led = Led {
                asked: asked(),
                query: query.as_deref(),
                base: redirect::Base {
                    asked: authority(&head.uri, &head.headers),
                    server_name: &self.hosts[host.0].server_name,
                    peer: &connection.peer,
                },
                peer: &connection.peer,
                id,
            };
            // In a box, as above.
            match Box::pin(self.follow(lead, way, &led)).await {
                Ok(way) => {
                    (found, handler, path, user) = (way.found, way.handler, way.path, way.user)
                }
                Err(end) => {
                    if has_content {
                        connection.make_last();
                    }
                    return Answered {
                        response: end.response,
                        host,
                        found: Some(end.found),
                        received: None,
                        user: end.user,
                        kept: None,
                    };
                }
            }
        }
        let route = &found.route;
        let body = match framing {
            Framing::None => Body::Empty,
            Framing::Length(length)
                if route.body_bytes_max > 0 && length > route.body_bytes_max =>
            {
                tracing::debug!(target: "core", client = %connection.peer.remote, request = id, "Content-Length {length} is over LimitRequestBody {}", route.body_bytes_max);
                return refuse(StatusCode::PAYLOAD_TOO_LARGE, true, Some(found));
            }
            _ if handler.body_mode() == BodyMode::Discard => {
                connection.make_last();
                Body::Empty
            }
            _ if handler.body_mode() == BodyMode::Streamed => {
                let length = match framing {
                    Framing::Length(length) => Some(length),
                    Framing::None | Framing::Chunked => None,
                };
                content::stream(incoming, length, route.body_bytes_max, connection)
            }
            _ => match content::receive(incoming, route.body_bytes_max, connection).await {
                Ok(body) => {
                    connection.enter(Phase::Answering);
                    body
                }
                Err(error) => {
                    if error.status().is_server_error() {
                        tracing::error!(target: "core", request = id, "{error}");
                    } else {
                        tracing::debug!(target: "core", client = %connection.peer.remote, request = id, "{error}");
                    }
                    return refuse(error.status(), true, Some(found));
                }
            },
        };

        let listing = route.when_declined.as_ref().unwrap_or(route);
        // Only a directory is listed, and its path ends with a slash.
        let listed = matches!(&listing.action, Action::Files(files) if files.options.indexes)
            && path.ends_with(b"/");
        let listed = listed.then(|| {
            let (head, target, decoded) = (head.clone(), target.clone(), decoded.clone());
            let kept = Kept {
                head,
                target,
                decoded,
                id,
            };
            (path.clone(), Box::new(kept))
        });
        let received = route.response_headers.tells_time().then(SystemTime::now);
        let changes = &route.request_headers;
        let own_host = head.uri.authority().map(|authority| authority.as_str());
        let own_host = own_host.and_then(|host| HeaderValue::from_str(host).ok());
        let passes_on = matches!(route.action, Action::Proxy(_));
        let prepare = |headers: &mut HeaderMap| {
            if let Some(host) = &own_host {
                headers.insert(header::HOST, host.clone());
            }
            if passes_on {
                // Before the configuration adds its own: a client must not be able to name those as the connection's.
                connection_fields::take_named(headers);
            }
        };
        let changed = changes.asks().then(|| {
            let mut headers = head.headers.clone();
            prepare(&mut headers);
            let asked = Asked {
                user: user.as_deref(),
                ..asked()
            };
            self.routes.with_facts(host, Some(&found), &asked, |facts| {
                changes.apply_to_request(&mut headers, &Moment::from(received).of(facts));
            });
            headers
        });
        let mut headers = match changed {
            Some(changed) => changed,
            None => {
                let mut headers = head.headers;
                prepare(&mut headers);
                if !changes.is_empty() {
                    changes.apply_to_request(&mut headers, &Moment::from(received));
                }
                headers
            }
        };
        let wanted = compression::Wanted::new(&found, &head.method, &mut headers);
        let request = Request {
            method: head.method,
            version: head.version,
            target,
            path,
            query,
            headers,
            file: found.file.clone(),
            script_name_len: found.script_name_len,
            user: user.clone(),
            variables: found.request_variables(),
            peer: connection.peer.clone(),
            body,
            id,
        };
        let send_file = route.send_file.as_deref();
        let again = send_file.map(|settings| (settings, Box::new(without_content(&request))));
        let onward = &route.when_declined;
        let onward = onward
            .as_ref()
            .map(|declined| (declined, Box::new(without_content(&request))));
        let mut response = match handler.handle_at_once(&request) {
            Some(response) => response,
            None => handler.handle(request).await,
        };
        if connection.has_open_content() {
            connection.make_last();
        }
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            upgrade::prepare(&mut response, &mut head.extensions, connection);
        }
        if let Some((declined, request)) = onward
            && response.extensions().get::<Onward>().is_some()
        {
            let went = Went {
                host,
                declined,
                file: found.file.as_deref(),
                connection,
            };
            response = Box::pin(self.go_on(went, response, request)).await;
        }
        if let Some((settings, request)) = again {
            let sent = self.named_file(host, settings, response, request);
            response = Box::pin(sent).await;
        }
        if let Some((path, kept)) = listed
            && let Some(Listing(listing)) = response.extensions_mut().remove()
        {
            let late = Late {
                kept: &kept,
                connection,
                user: user.as_deref(),
            };
            let fields = response.headers().clone();
            let asked = late.asked((&fields, response.status()));
            response = listing.page(&|name| self.may_see(host, &found, &path, name, &asked));
        }
        if let Some(wanted) = wanted {
            let body = part(std::mem::take(response.body_mut()));
            *response.body_mut() = match body {
                Body::Part(part) => self.assembly.part_content(part),
                other => other,
            };
            response = Box::pin(wanted.apply(response, &found)).await;
        }
        Answered {
            response,
            host,
            found: Some(found),
            received,
            user,
            kept: None,
        }
    }

    /// Files of a project that are known from here on.
    pub(crate) fn set_site_files(&self, interpreter: &str, files: SiteFiles) {
        self.routes.set_site_files(interpreter, files);
        // What is looked up from here on is looked up with them.
        self.targets.forget();
    }

    pub(crate) fn handler(&self, route: &Arc<Route>) -> Arc<dyn Handler> {
        let RouteId(index) = route.id;
        if let Some(Some(handler)) = self.handlers.read().get(index) {
            return handler.clone();
        }
        let made = self.assembly.handler(route);
        let made = match self.assembly.log(route) {
            Some(span) => Arc::new(Logged { inner: made, span }) as Arc<dyn Handler>,
            None => made,
        };
        let mut handlers = self.handlers.write();
        if handlers.len() <= index {
            handlers.resize_with(index + 1, || None);
        }
        handlers[index].get_or_insert(made).clone()
    }
}

/// The same request, as far as a file's answer depends on it.
pub(crate) fn without_content(request: &Request) -> Request {
    Request {
        method: request.method.clone(),
        version: request.version,
        target: request.target.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        headers: request.headers.clone(),
        file: None,
        script_name_len: 0,
        user: request.user.clone(),
        variables: None,
        peer: request.peer.clone(),
        body: Body::Empty,
        id: request.id,
    }
}

/// The authority asked for: the target's, else `Host` (RFC 9112 section 3.2.2).
pub(crate) fn authority<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r [u8]> {
    target_authority(uri).or_else(|| headers.get(header::HOST).map(HeaderValue::as_bytes))
}

/// The authority in a target in absolute form.
pub(crate) fn target_authority(uri: &Uri) -> Option<&[u8]> {
    uri.authority()
        .map(|authority| authority.as_str().as_bytes())
}

/// Path and query.
fn target(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |target| target.as_str())
}
