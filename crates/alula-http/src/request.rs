//! A request as the server hands it to a handler: parsed, mapped, with its content already received.

use crate::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Version};
use std::any::Any;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// What a handler returns.
pub type Response = http::Response<Body>;

/// The scheme a request came in with (RFC 9110 section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// What is known of a TLS connection, in the words of mod_ssl's variables.
pub trait TlsSession: Send + Sync + std::fmt::Debug {
    /// The value of one variable: `SSL_PROTOCOL`, `SSL_CLIENT_S_DN`.
    fn variable(&self, name: &str) -> Option<String>;

    /// The variables of `SSLOptions StdEnvVars`.
    fn standard(&self) -> &[(String, String)];

    /// Those of `SSLOptions ExportCertData`.
    fn certificates(&self) -> Vec<(String, String)>;

    /// Whether the client has shown a certificate that an authority vouches for.
    fn has_client_certificate(&self) -> bool;
}

/// The two ends of the connection a request arrived on; one for all requests of a connection.
#[derive(Debug)]
pub struct Peer {
    /// Our end.
    pub local: SocketAddr,
    /// The client's end: what a known proxy says it is, where one is believed.
    pub remote: SocketAddr,
    /// The other end of the connection itself.
    pub connected: SocketAddr,
    /// Plain or TLS.
    pub scheme: Scheme,
    /// What the handshake came to, once it is done.
    pub tls: OnceLock<Arc<dyn TlsSession>>,
    /// What a handler has made of the above and wants to find again at the connection's next request.
    pub kept: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Peer {
    /// The same connection, with a client that a proxy speaks for.
    pub fn behind(&self, remote: SocketAddr) -> Self {
        Self {
            local: self.local,
            remote,
            connected: self.connected,
            scheme: self.scheme,
            tls: self.tls.clone(),
            kept: OnceLock::new(),
        }
    }

    /// The TLS connection, where it is one.
    pub fn tls(&self) -> Option<&dyn TlsSession> {
        self.tls.get().map(|session| &**session)
    }

    /// A connection's ends.
    pub fn new(local: SocketAddr, remote: SocketAddr, scheme: Scheme) -> Self {
        Self {
            local,
            remote,
            connected: remote,
            scheme,
            tls: OnceLock::new(),
            kept: OnceLock::new(),
        }
    }
}

/// A request, mapped to a handler.
#[derive(Debug)]
pub struct Request {
    /// The method (RFC 9110 section 9).
    pub method: Method,
    /// HTTP/1.0, HTTP/1.1 or HTTP/2.
    pub version: Version,
    /// The request target's path and query as received: never decoded, `/a%20b?x=1`.
    pub target: Bytes,
    /// The path, percent-decoded, dot segments removed, slashes NOT merged. Any bytes but NUL.
    pub path: Bytes,
    /// The query after `?` as received, without the `?`; `None` when there is no `?`.
    pub query: Option<Bytes>,
    /// The header fields. `Host` is the authority the client asked for, an absolute-form target's included
    /// (RFC 9112 section 3.2.2).
    pub headers: HeaderMap,
    /// The file the path was translated to (httpd's `r->filename`), for handlers that serve files; `proxy:` and a URL for those that
    /// pass requests on.
    pub file: Option<PathBuf>,
    /// The length of the leading part of [`Request::path`] that is the script's name (`SCRIPT_NAME`).
    /// `path[script_name_len..]` is `PATH_INFO`.
    pub script_name_len: usize,
    /// The user the server authenticated (`REMOTE_USER`).
    pub user: Option<Arc<str>>,
    /// Variables of the environment that depend on the request; those of the route are not among them.
    pub variables: Option<Arc<[(String, String)]>>,
    /// The connection's ends.
    pub peer: Arc<Peer>,
    /// The content, received according to the handler's [`crate::BodyMode`].
    pub body: Body,
    /// Names the request in logs.
    pub id: u64,
}

/// What is on record of a request while it runs.
#[derive(Debug, Clone, Copy)]
pub struct Glimpse<'r> {
    /// [`Request::id`].
    pub id: u64,
    /// The method.
    pub method: &'r str,
    /// The host that was named; empty when none was.
    pub authority: &'r [u8],
    /// Path and query as received.
    pub target: &'r [u8],
    /// The client.
    pub client: SocketAddr,
}

/// A response with httpd's small HTML page for a status, and nothing else.
///
/// The text names the status only; whoever knows more logs it.
pub fn status_response(status: StatusCode) -> Response {
    let reason = status.canonical_reason().unwrap_or("Unknown");
    let mut response = http::Response::new(Body::empty());
    *response.status_mut() = status;
    if status == StatusCode::NOT_MODIFIED
        || status == StatusCode::NO_CONTENT
        || status.is_informational()
    {
        return response;
    }
    let code = status.as_str();
    let page = format!(
        "<!DOCTYPE html>\n<html><head><title>{code} {reason}</title></head>\n<body><h1>{reason}</h1></body></html>\n"
    );
    response.extensions_mut().insert(OwnPage);
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("text/html; charset=utf-8"),
    );
    *response.body_mut() = Body::from(page);
    response
}

/// Marks a [`Response`] that [`status_response`] made, as an extension: nobody has anything to say but the status.
#[derive(Debug, Clone, Copy)]
pub struct OwnPage;

/// Where a request goes on, as an extension of a [`Response`]: a handler has not answered it. The response's fields come with
/// whatever answer it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Onward {
    /// To whoever would have answered without the handler (mod_python's `DECLINED`).
    Declined,
    /// To another path and query, as if they had been asked for (httpd's internal redirect).
    To(Bytes),
    /// To this file, for whoever would have answered without the handler: one of the project's own (`PythonStatic`).
    File(PathBuf),
}

/// A reason phrase that is not the registered one, as an extension of a [`Response`] (RFC 9112 section 4).
#[derive(Debug, Clone)]
pub struct Reason(pub Bytes);
