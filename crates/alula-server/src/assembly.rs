//! What the server is given by whoever puts it together: handlers for routes, settings of virtual hosts.

use crate::file_sending::Warm;
use alula_http::{Answer, Body, BodyMode, FilePart, Handler, Leading, Request, Response};
use alula_routing::{PythonDefinition, Route, site};
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;
use tracing::{Instrument, Span};

/// What the server asks of whoever put it together.
pub trait Assembly: Send + Sync + 'static {
    /// The handler of a route; asked once for each.
    fn handler(&self, route: &Route) -> Arc<dyn Handler>;

    /// What runs a Python program that no route leads to: one that is asked who may pass.
    fn python(&self, definition: &PythonDefinition) -> Arc<dyn Handler>;

    /// A handler for the files in a directory, with httpd's defaults.
    fn files(&self, root: &Path) -> Arc<dyn Handler>;

    /// The content of a part of an open file, as something that can be polled.
    fn part_content(&self, part: FilePart) -> Body;

    /// What reads a stretch of a file before the kernel is asked to send it.
    fn warm(&self) -> Warm;

    /// What events about a route's requests happen in, where the route has a `LogLevel` of its own.
    fn log(&self, _route: &Route) -> Option<Span> {
        None
    }
}

/// What the server needs to know of a virtual host; the main server is the first.
#[derive(Debug, Clone)]
pub struct HostSettings {
    /// `ServerName`, for the access log.
    pub server_name: String,
    /// Timeouts and limits.
    pub connection: site::Connection,
    /// `AllowEncodedSlashes`.
    pub encoded_slashes: site::EncodedSlashes,
    /// `CustomLog`s.
    pub access_logs: Vec<site::AccessLog>,
    /// What events about its requests happen in, where its error log is not the main server's.
    pub log: Option<Span>,
    /// `SSLEngine` with all that belongs to it.
    pub tls: Option<site::Tls>,
    /// `RemoteIPHeader` and the like.
    pub remote_ip: Option<site::RemoteIp>,
}

impl From<&site::VirtualHost> for HostSettings {
    fn from(host: &site::VirtualHost) -> Self {
        Self {
            server_name: host.server_name.clone().unwrap_or_default(),
            connection: host.connection.clone(),
            encoded_slashes: host.encoded_slashes,
            access_logs: host.access_logs.clone(),
            log: None,
            tls: host.tls.clone(),
            remote_ip: host.remote_ip.clone(),
        }
    }
}

/// A handler whose events have levels of their own.
#[derive(Debug)]
pub(crate) struct Logged {
    pub(crate) inner: Arc<dyn Handler>,
    pub(crate) span: Span,
}

impl Handler for Logged {
    fn body_mode(&self) -> BodyMode {
        self.inner.body_mode()
    }

    fn lead(&self, path: &Bytes, file: &Path) -> Option<Leading> {
        let lead = self.span.in_scope(|| self.inner.lead(path, file))?;
        Some(Box::pin(lead.instrument(self.span.clone())))
    }

    fn handle_at_once(&self, request: &Request) -> Option<Response> {
        self.span.in_scope(|| self.inner.handle_at_once(request))
    }

    fn handle(&self, request: Request) -> Answer {
        let answer = self.span.in_scope(|| self.inner.handle(request));
        Box::pin(answer.instrument(self.span.clone()))
    }
}
