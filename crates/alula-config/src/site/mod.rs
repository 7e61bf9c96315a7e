//! What a configuration means: a [`Site`] is complete, checked, and inherits nothing at run time.
//!
//! Everything a virtual host takes from the main server is already merged into it; only the settings of sections
//! (`<Directory>`, `<Location>`, ...) stay apart, because which of them apply depends on the request. Paths are absolute.

mod access;
mod authentication;
mod check;
pub(crate) mod draft;
mod error_document;
mod error_log_format;
mod expires;
mod file_settings;
mod finish;
mod headers;
mod inherit_remote_ip;
mod inherit_tls;
mod interpreter;
mod interpreters;
mod log;
mod log_target;
mod merge;
mod output;
mod overrides;
mod process_group;
mod proxy;
mod redirect;
mod remote_ip;
mod rewrite;
mod section;
mod setenvif;
mod settings;
mod tls;
mod uses;
mod virtual_host;

pub use access::{
    Access, AllowRule, Asker, IpNetwork, Judge, Limited, Merging, Methods, Order, OrderRules,
    Outcome, Requirement, Satisfy, User,
};
pub use authentication::{AuthType, AuthenticationSettings, GateScript, Provider};
pub use error_document::ErrorDocument;
pub use error_log_format::{ErrorLogField, ErrorLogFormat, ErrorLogPiece, ErrorLogTime, Missing};
pub use expires::{Expires, Expiry, ExpiryBase};
pub use file_settings::{
    DirectorySlash, EtagChange, EtagParts, ExtensionSettings, FileSettings, IndexOptions,
    ListingSettings, RangeLimits, Switched,
};
pub use headers::{HeaderChange, HeaderPiece, HeaderVerb};
pub use interpreter::{Import, Interpreter, InterpreterNames, Isolation, PythonPathLine};
pub use log::{
    AccessLog, Condition, DurationUnit, EnvironmentCondition, LogField, LogFormat, LogLevel,
    LogLevelChange, LogLevels, LogPort, LogTime, LogToken, TimeMoment, Which,
};
pub use log_target::{LogProgram, LogTarget, Rotation, Syslog};
pub use output::{Coding, CompressionSettings, EtagAlteration, SendFileSettings};
pub use overrides::{OverrideClass, OverrideSettings};
pub use process_group::{GroupName, ProcessGroup, WsgiSettings};
pub use proxy::{
    BackEnd, BackEndOptions, Forwarding, Proxy, ProxyFrom, ProxyPass, ProxySettings, ProxyTarget,
    ProxyVia,
};
pub use redirect::{Redirect, RedirectFrom};
pub use remote_ip::{KnownProxy, RemoteIp};
pub use rewrite::{
    GroupEscape, QueryFlags, RewriteCondition, RewriteEnd, RewriteFlags, RewriteMap,
    RewriteOptions, RewritePiece, RewriteRule, RewriteTest, RewriteText, RewriteVariable,
    Rewriting,
};
pub use section::{Section, SectionPattern};
pub use setenvif::{Attribute, SetEnvIf, SetEnvIfTest};
pub use settings::{
    DirectoryOptions, DirectorySettings, EnvironmentChange, HandlerChoice, HandlerList,
    HandlerName, OptionsChange, PythonSettings,
};
pub use tls::{ClientCertificate, ClientCertificates, Http2, NamedFile, Protocol, Tls, TlsOptions};
pub use virtual_host::{
    Connection, EncodedSlashes, MappingTarget, UrlMapping, VirtualHost, VirtualHostAddress,
};

pub(crate) use finish::finish;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The whole validated configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// `ServerRoot`: what relative paths were resolved against.
    pub server_root: PathBuf,
    /// `PidFile`.
    pub pid_file: PathBuf,
    /// `User`: a name, or `#` and a number.
    pub user: Option<String>,
    /// `Group`: a name, or `#` and a number.
    pub group: Option<String>,
    /// `Listen`, in file order, without duplicates. Never empty.
    pub listeners: Vec<Listener>,
    /// The server outside every `<VirtualHost>`; answers on addresses that have none.
    pub main_server: VirtualHost,
    /// `<VirtualHost>` sections in file order.
    pub virtual_hosts: Vec<VirtualHost>,
    /// How many processes and threads.
    pub processes: Processes,
    /// `TypesConfig`: media types by extension, before the built-in table.
    pub media_types: Arc<BTreeMap<String, String>>,
    /// The Python interpreters in the order in which the configuration comes to them; none when it has no Python.
    pub interpreters: Vec<Interpreter>,
    /// `PythonIsolation`.
    pub isolation: Isolation,
    /// `ExtendedStatus`: whether requests are on record while they run.
    pub extended_status: bool,
}

/// An address to bind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Where to bind. `Listen 80` is `0.0.0.0:80`.
    pub address: SocketAddr,
    /// Where it was written; `None` when derived because there was no `Listen`.
    pub origin: Option<Origin>,
}

/// How many processes and threads answer requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Processes {
    /// `StartServers`: how many workers. `None` = one for each processor core.
    pub workers: Option<u32>,
    /// `ThreadsPerChild`: Python threads in each worker.
    pub threads: u32,
    /// `MaxConnectionsPerChild` (`MaxRequestsPerChild`): a worker is replaced after so many. 0 = never.
    pub requests_max: u64,
    /// `MaxRequestWorkers` (`MaxClients`): requests answered at the same time, all workers together.
    pub max_request_workers: Option<u32>,
    /// `GracefulShutdownTimeout`: how long a worker may take to finish what it has. `None` = for ever.
    pub graceful_timeout: Option<Duration>,
}

/// The file and line something was written on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The configuration file.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: u32,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl Site {
    /// The main server, then every virtual host in file order.
    pub fn servers(&self) -> impl Iterator<Item = &VirtualHost> {
        std::iter::once(&self.main_server).chain(&self.virtual_hosts)
    }

    /// Whether fronts accept connections: unless a lone interpreter does it itself.
    pub fn has_fronts(&self) -> bool {
        self.interpreters.len() != 1 || self.isolation == Isolation::On
    }
}
