//! A server: the main one or a `<VirtualHost>`, with everything it inherits already in it.
//!
//! Its sections are only the ones written in it; the main server's sections apply before them, in the order
//! the router knows.

use super::{
    AccessLog, DirectorySettings, ErrorLogFormat, Http2, InterpreterNames, LogLevels, LogTarget,
    Origin, Protocol, Proxy, Redirect, RemoteIp, Rewriting, Section, SetEnvIf, Tls, WsgiSettings,
};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The main server or one `<VirtualHost>`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VirtualHost {
    /// `<VirtualHost address...>`; empty for the main server.
    pub addresses: Vec<VirtualHostAddress>,
    /// `ServerName`, lower case, without scheme and port.
    pub server_name: Option<String>,
    /// The port of `ServerName host:port`.
    pub port: Option<u16>,
    /// The scheme of `ServerName scheme://host`.
    pub scheme: Option<String>,
    /// `ServerAlias`, lower case; may hold `*` and `?`.
    pub aliases: Vec<String>,
    /// Timeouts and limits of its connections.
    pub connection: Connection,
    /// `SSLEngine On`; `None` where connections are not TLS.
    pub tls: Option<Tls>,
    /// `RemoteIPHeader`, `RemoteIPProxyProtocol` and their kin.
    pub remote_ip: Option<RemoteIp>,
    /// `ErrorLog`.
    pub error_log: LogTarget,
    /// `ErrorLogFormat`; `None` = httpd's usual one.
    pub error_log_format: Option<ErrorLogFormat>,
    /// `LogLevel`.
    pub log_level: LogLevels,
    /// `CustomLog`s: its own, or the main server's when it has none; then every `GlobalLog`.
    pub access_logs: Vec<AccessLog>,
    /// `DocumentRoot`.
    pub document_root: Option<PathBuf>,
    /// `AllowEncodedSlashes`.
    pub encoded_slashes: EncodedSlashes,
    /// `ServerAdmin`.
    pub server_admin: Option<String>,
    /// `Redirect` and its kin in the order to try, before everything else: its own before the main server's.
    pub redirects: Vec<Redirect>,
    /// `SetEnvIf` and its kin outside sections, the main server's before its own.
    pub set_env_if: Vec<SetEnvIf>,
    /// mod_rewrite's directives outside sections.
    pub rewriting: Option<Rewriting>,
    /// `Alias` and `WSGIScriptAlias` in the order to try: first match wins. Aliases come before scripts and its own
    /// before the main server's, as in httpd.
    pub url_map: Vec<UrlMapping>,
    /// `ProxyPass` and its kin.
    #[serde(default, skip_serializing_if = "Proxy::is_default")]
    pub proxy: Proxy,
    /// Which interpreters answer for it where no `PythonInterpreter` does.
    pub interpreters: InterpreterNames,
    /// Settings outside every section: the main server's with its own laid over.
    pub settings: DirectorySettings,
    /// Its own sections, in file order.
    pub sections: Vec<Section>,
    /// Where `<VirtualHost>` was written; `None` for the main server.
    pub origin: Option<Origin>,
}

/// One address of a `<VirtualHost>`; `None` stands for `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct VirtualHostAddress {
    /// The local address, or any.
    pub ip: Option<IpAddr>,
    /// The local port, or any.
    pub port: Option<u16>,
}

impl std::fmt::Display for VirtualHostAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.ip {
            Some(IpAddr::V6(ip)) => write!(f, "[{ip}]")?,
            Some(IpAddr::V4(ip)) => write!(f, "{ip}")?,
            None => f.write_str("*")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => f.write_str(":*"),
        }
    }
}

/// `AllowEncodedSlashes`: what becomes of `%2F` in a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EncodedSlashes {
    /// Nothing has such a path: 404.
    #[default]
    Off,
    /// It is a slash like others.
    Decode,
    /// It stays as it is written.
    Keep,
}

/// Timeouts and limits of connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// `Timeout`: longest silence while a message is under way.
    pub timeout: Duration,
    /// `RequestReadTimeout header=`: how long a head may take; `None`: `Timeout`, and 40 seconds at most.
    pub head_timeout: Option<Duration>,
    /// `RequestReadTimeout body=`: longest silence while content is read; `None`: `Timeout`.
    pub content_timeout: Option<Duration>,
    /// `KeepAlive`.
    pub keep_alive: bool,
    /// `KeepAliveTimeout`: longest silence between two requests.
    pub keep_alive_timeout: Duration,
    /// `MaxKeepAliveRequests`; 0 = unlimited.
    pub keep_alive_requests_max: u32,
    /// `LimitRequestLine`.
    pub request_line_bytes_max: usize,
    /// `LimitRequestFields`; 0 = unlimited.
    pub request_fields_max: usize,
    /// `LimitRequestFieldSize`.
    pub request_field_bytes_max: usize,
    /// `Protocols`, the preferred one first.
    pub protocols: Vec<Protocol>,
    /// Limits of HTTP/2.
    pub http2: Http2,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            head_timeout: None,
            content_timeout: None,
            keep_alive: true,
            keep_alive_timeout: Duration::from_secs(5),
            keep_alive_requests_max: 1000,
            request_line_bytes_max: 8190,
            request_fields_max: 100,
            request_field_bytes_max: 8190,
            protocols: vec![Protocol::Http1],
            http2: Http2::default(),
        }
    }
}

/// A URL prefix that leads somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UrlMapping {
    /// The prefix as written, `/static/`: matched on a path-segment boundary, repeated slashes counting as one.
    pub url: String,
    /// Where it leads.
    pub target: MappingTarget,
    /// Where it was written.
    pub origin: Origin,
}

/// Where a [`UrlMapping`] leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MappingTarget {
    /// `Alias`: what follows the prefix is appended to this text, a trailing slash included where written.
    Files(String),
    /// `AliasMatch`: the URL is a regular expression to find, this the whole file path with `$1` in it.
    FilesMatch(String),
    /// `WSGIScriptAlias`: this script answers.
    WsgiScript {
        /// The file.
        script: PathBuf,
        /// What the line's options say.
        wsgi: WsgiSettings,
        /// Whether it was written in the main server.
        in_main_server: bool,
    },
}
