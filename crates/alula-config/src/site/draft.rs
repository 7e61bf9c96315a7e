//! A site while it is being read: what was written, before servers inherit and defaults apply.

use super::{
    ClientCertificate, Connection, DirectorySettings, EncodedSlashes, EnvironmentCondition,
    ErrorLogFormat, Http2, Import, IpNetwork, Isolation, KnownProxy, LogFormat, LogLevelChange,
    LogTarget, Origin, ProcessGroup, Protocol, Proxy, PythonPathLine, Redirect, Rewriting, Section,
    SectionPattern, SetEnvIf, UrlMapping, VirtualHostAddress,
};
use crate::Written;
use crate::diagnostic::{Diagnostic, Severity};
use crate::expression::Condition;
use crate::load::{Files, LoadOptions};
use crate::syntax::span::{Sources, Span};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) struct Draft<'a> {
    pub options: &'a LoadOptions,
    pub files: &'a dyn Files,
    pub sources: Sources,
    pub diagnostics: Vec<Diagnostic>,
    pub server_root: PathBuf,
    pub pid_file: Option<PathBuf>,
    /// `TypesConfig`'s table.
    pub media_types: BTreeMap<String, String>,
    pub user: Option<String>,
    pub group: Option<String>,
    pub listeners: Vec<(SocketAddr, Span)>,
    pub workers: Option<u32>,
    pub threads: Option<u32>,
    pub requests_max: Option<u64>,
    pub max_request_workers: Option<u32>,
    pub isolation: Isolation,
    pub extended_status: Option<bool>,
    pub graceful_timeout: Option<Duration>,
    /// Every directive, when the options ask for it.
    pub written: Vec<Written>,
    /// `PythonGroup` and `WSGIDaemonProcess`.
    pub groups: Vec<(String, ProcessGroup, Origin)>,
    /// Every process group that a line of mod_wsgi's names.
    pub groups_asked_for: Vec<(String, Span)>,
    /// `WSGIPythonPath`.
    pub wsgi_python_path: Vec<PathBuf>,
    /// The main server, then the virtual hosts.
    pub servers: Vec<ServerDraft>,
    /// In file order.
    pub python_paths: Vec<(PythonPathLine, Span)>,
    pub imports: Vec<Import>,
    pub django_roots: Vec<DjangoRoot>,
    /// Every value given to `DJANGO_SETTINGS_MODULE`.
    pub settings_modules: Vec<(String, Span)>,
    /// The variables of each `Require env`.
    pub required_variables: Vec<(Vec<String>, Span)>,
    /// The first `PythonDebug On`.
    pub debug_on: Option<Span>,
}

/// One `PythonOption django.root` and where it stands.
pub(crate) struct DjangoRoot {
    pub value: String,
    pub span: Span,
    pub server: usize,
    pub section: Option<SectionPattern>,
}

#[derive(Default)]
pub(crate) struct ServerDraft {
    pub addresses: Vec<VirtualHostAddress>,
    pub server_name: Option<String>,
    pub port: Option<u16>,
    pub scheme: Option<String>,
    pub aliases: Vec<String>,
    pub connection: ConnectionDraft,
    pub tls: TlsDraft,
    pub remote_ip: RemoteIpDraft,
    pub error_log: Option<LogTarget>,
    pub error_log_format: Option<ErrorLogFormat>,
    pub log_level: LogLevelChange,
    pub access_logs: Vec<AccessLogDraft>,
    /// `GlobalLog`s.
    pub global_logs: Vec<AccessLogDraft>,
    /// `LogFormat`s by nickname; the empty nickname is the default format.
    pub formats: BTreeMap<String, LogFormat>,
    pub document_root: Option<PathBuf>,
    pub encoded_slashes: Option<EncodedSlashes>,
    pub server_admin: Option<String>,
    pub redirects: Vec<Redirect>,
    pub set_env_if: Vec<SetEnvIf>,
    pub rewriting: Option<Rewriting>,
    pub url_map: Vec<UrlMapping>,
    pub proxy: Proxy,
    pub settings: DirectorySettings,
    pub sections: Vec<Section>,
    pub span: Option<Span>,
}

/// A `CustomLog` whose nickname, if it is one, may be defined later in the file.
#[derive(Clone)]
pub(crate) struct AccessLogDraft {
    pub target: LogTarget,
    /// Empty: the default format.
    pub format: String,
    pub span: Span,
    pub condition: Option<EnvironmentCondition>,
    pub expression: Option<Condition>,
}

#[derive(Clone, Default)]
pub(crate) struct ConnectionDraft {
    pub timeout: Option<Duration>,
    pub head_timeout: Option<Duration>,
    pub content_timeout: Option<Duration>,
    pub keep_alive: Option<bool>,
    pub keep_alive_timeout: Option<Duration>,
    pub keep_alive_requests_max: Option<u32>,
    pub request_line_bytes_max: Option<usize>,
    pub request_fields_max: Option<usize>,
    pub request_field_bytes_max: Option<usize>,
    pub protocols: Option<Vec<Protocol>>,
    pub h2_direct: Option<bool>,
    pub h2_streams_max: Option<u32>,
    pub h2_window_bytes: Option<u32>,
    pub h2_head_bytes_max: Option<u32>,
    pub h2_frame_bytes_max: Option<u32>,
    pub h2_stream_errors_max: Option<u32>,
}

/// mod_remoteip's directives of one server.
#[derive(Clone, Default)]
pub(crate) struct RemoteIpDraft {
    pub header: Option<(String, Span)>,
    pub proxies_header: Option<String>,
    pub proxies: Vec<KnownProxy>,
    pub proxy_protocol: Option<bool>,
    pub exceptions: Vec<IpNetwork>,
}

/// mod_ssl's directives of one server. What a virtual host does not say it takes from the main server.
#[derive(Clone, Default)]
pub(crate) struct TlsDraft {
    pub engine: Option<(bool, Span)>,
    pub certificates: Vec<(PathBuf, Span)>,
    pub keys: Vec<(PathBuf, Span)>,
    pub chain: Option<(PathBuf, Span)>,
    /// TLS 1.2, TLS 1.3.
    pub protocols: Option<(bool, bool)>,
    pub own_cipher_order: Option<bool>,
    pub session_tickets: Option<bool>,
    pub strict_names: Option<bool>,
    pub demand: Option<(ClientCertificate, Span)>,
    pub depth: Option<u8>,
    pub authorities: Option<(PathBuf, Span)>,
    pub authority_directory: Option<(PathBuf, Span)>,
}

impl ServerDraft {
    pub(crate) fn new(span: Option<Span>) -> Self {
        Self {
            span,
            ..Self::default()
        }
    }
}

impl ConnectionDraft {
    /// What was written, over what is inherited.
    pub(crate) fn over(&self, inherited: &Connection) -> Connection {
        let http2 = &inherited.http2;
        Connection {
            timeout: self.timeout.unwrap_or(inherited.timeout),
            head_timeout: self.head_timeout.or(inherited.head_timeout),
            content_timeout: self.content_timeout.or(inherited.content_timeout),
            keep_alive: self.keep_alive.unwrap_or(inherited.keep_alive),
            keep_alive_timeout: self
                .keep_alive_timeout
                .unwrap_or(inherited.keep_alive_timeout),
            keep_alive_requests_max: self
                .keep_alive_requests_max
                .unwrap_or(inherited.keep_alive_requests_max),
            request_line_bytes_max: self
                .request_line_bytes_max
                .unwrap_or(inherited.request_line_bytes_max),
            request_fields_max: self
                .request_fields_max
                .unwrap_or(inherited.request_fields_max),
            request_field_bytes_max: self
                .request_field_bytes_max
                .unwrap_or(inherited.request_field_bytes_max),
            protocols: self
                .protocols
                .clone()
                .unwrap_or_else(|| inherited.protocols.clone()),
            http2: Http2 {
                streams_max: self.h2_streams_max.unwrap_or(http2.streams_max),
                window_bytes: self.h2_window_bytes.unwrap_or(http2.window_bytes),
                head_bytes_max: self.h2_head_bytes_max.unwrap_or(http2.head_bytes_max),
                frame_bytes_max: self.h2_frame_bytes_max.unwrap_or(http2.frame_bytes_max),
                stream_errors_max: self.h2_stream_errors_max.unwrap_or(http2.stream_errors_max),
                direct: self.h2_direct.unwrap_or(http2.direct),
            },
        }
    }
}

impl Draft<'_> {
    pub(crate) fn report(
        &mut self,
        severity: Severity,
        span: Span,
        message: String,
        hint: Option<&str>,
    ) {
        let mut diagnostic = self.sources.diagnostic(severity, span, message);
        diagnostic.hint = hint.map(str::to_owned);
        self.diagnostics.push(diagnostic);
    }

    /// Something that concerns no line.
    pub(crate) fn report_unplaced(
        &mut self,
        severity: Severity,
        message: String,
        hint: Option<&str>,
    ) {
        self.diagnostics.push(Diagnostic {
            severity,
            message,
            place: None,
            included_from: Vec::new(),
            hint: hint.map(str::to_owned),
        });
    }
}
