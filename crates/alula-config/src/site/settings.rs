//! Settings that sections can change, as changes: what is `None` was not written there.
//!
//! The router lays the changes of all matching sections over one another ([`DirectorySettings::overlay`]) and reads
//! defaults off the result.

use super::{
    Access, AuthenticationSettings, CompressionSettings, ErrorDocument, Expires, FileSettings,
    HeaderChange, LogLevelChange, Merging, OrderRules, Origin, OverrideSettings, ProxySettings,
    PythonPathLine, Redirect, Rewriting, SendFileSettings, SetEnvIf, Switched, TlsOptions,
    WsgiSettings,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What one section, or the server outside sections, sets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DirectorySettings {
    /// `SetHandler`.
    pub handler: Option<HandlerChoice>,
    /// `Require`.
    pub access: Option<Access>,
    /// `AuthMerging`: how `access` goes with what is inherited. Not inherited itself.
    pub auth_merging: Option<Merging>,
    /// `Order`, `Allow`, `Deny`, which must pass as well.
    pub order: Option<OrderRules>,
    /// `AuthType` and its kin.
    pub authentication: AuthenticationSettings,
    /// `SetEnv`, `PassEnv`, `UnsetEnv` in file order.
    pub environment: Vec<EnvironmentChange>,
    /// `Options`.
    pub options: Option<OptionsChange>,
    /// `DirectoryIndex`; empty = disabled.
    pub directory_index: Option<Vec<String>>,
    /// `AddDefaultCharset`.
    pub default_charset: Option<Switched<String>>,
    /// What is said about files.
    #[serde(default, skip_serializing_if = "FileSettings::is_default")]
    pub files: FileSettings,
    /// What is compressed.
    #[serde(default, skip_serializing_if = "CompressionSettings::is_default")]
    pub compression: CompressionSettings,
    /// What `.htaccess` files may say.
    #[serde(default, skip_serializing_if = "OverrideSettings::is_default")]
    pub overrides: OverrideSettings,
    /// What applications may have sent.
    #[serde(default, skip_serializing_if = "SendFileSettings::is_default")]
    pub send_file: SendFileSettings,
    /// `LimitRequestBody` in bytes; 0 = unlimited.
    pub body_bytes_max: Option<u64>,
    /// `ErrorDocument` by status.
    pub error_documents: BTreeMap<u16, ErrorDocument>,
    /// mod_expires' directives.
    pub expires: Expires,
    /// `Header` in file order.
    pub response_headers: Vec<HeaderChange>,
    /// `RequestHeader` in file order.
    pub request_headers: Vec<HeaderChange>,
    /// `SetEnvIf` and its kin in file order; those outside sections are the server's.
    pub set_env_if: Vec<SetEnvIf>,
    /// mod_rewrite's directives; those outside sections are the server's.
    pub rewriting: Option<Rewriting>,
    /// `Redirect` and its kin in the order to try.
    pub redirects: Vec<Redirect>,
    /// mod_proxy's directives that sections may hold.
    #[serde(default, skip_serializing_if = "ProxySettings::is_default")]
    pub proxy: ProxySettings,
    /// `LogLevel` in a section.
    pub log_level: Option<LogLevelChange>,
    /// `SSLRequireSSL`.
    pub requires_tls: Option<bool>,
    /// `SSLOptions`.
    pub tls_options: TlsOptions,
    /// mod_python's directives.
    pub python: PythonSettings,
}

impl DirectorySettings {
    /// Where WSGI scripts answer for themselves, whether the line that says so is the main server's.
    pub(crate) fn leads_to_scripts(&self) -> Option<bool> {
        let extensions = self.files.extensions.values();
        let named = extensions.filter_map(|extension| extension.handler.as_ref()?.value());
        let mut handlers = self.handler.iter().chain(named);
        handlers.find_map(|handler| match handler {
            HandlerChoice::WsgiScript { in_main_server } => Some(*in_main_server),
            _ => None,
        })
    }

    /// Whether Python answers, for all files or for those whose name says so.
    pub(crate) fn leads_to_python(&self) -> bool {
        let python = Some(Switched::On(HandlerChoice::Python));
        let mut extensions = self.files.extensions.values();
        self.handler == Some(HandlerChoice::Python)
            || extensions.any(|extension| extension.handler == python)
    }
}

/// What `SetHandler` chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HandlerChoice {
    /// `None`: undoes an outer `SetHandler`.
    None,
    /// `default-handler`: files.
    Files,
    /// `server-status`: the server, about itself.
    ServerStatus,
    /// A page of httpd's about itself that there is none of here: 404.
    NotServed,
    /// `python-program` or `mod_python`: whatever `PythonHandler` names.
    Python,
    /// `wsgi-script`: the file is a WSGI script.
    WsgiScript {
        /// Whether it was written in the main server, inside a section or not.
        in_main_server: bool,
    },
}

/// A change of the environment a request sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnvironmentChange {
    /// `SetEnv`, or `PassEnv` with the value the server had at start.
    Set(String, String),
    /// `UnsetEnv`.
    Unset(String),
}

/// `Options`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OptionsChange {
    /// A list without signs replaces everything.
    Replace(DirectoryOptions),
    /// `+x -y` edit what is inherited.
    Edit {
        /// Those with `+`.
        add: DirectoryOptions,
        /// Those with `-`.
        remove: DirectoryOptions,
    },
}

/// A set of `Options`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DirectoryOptions {
    /// `Indexes`: a directory without an index file may be listed.
    pub indexes: bool,
    /// `FollowSymLinks`.
    pub follow_symlinks: bool,
    /// `SymLinksIfOwnerMatch`.
    pub symlinks_if_owner_match: bool,
    /// `ExecCGI`: files may be WSGI scripts.
    pub exec_cgi: bool,
    /// `Includes` or `IncludesNOEXEC`; nothing uses it.
    pub includes: bool,
    /// `MultiViews`; nothing uses it.
    pub multi_views: bool,
}

/// mod_python's directives of one section.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PythonSettings {
    /// `PythonHandler`. An inner list replaces an outer one.
    pub handlers: Option<HandlerList>,
    /// `PythonOption key value` in file order; `None` removes the key.
    pub options: Vec<(String, Option<String>)>,
    /// `PythonPath`.
    pub path: Option<PythonPathLine>,
    /// `PythonDebug`.
    pub debug: Option<bool>,
    /// `PythonAutoReload`.
    pub auto_reload: Option<bool>,
    /// `PythonStatic`.
    pub site_files: Option<bool>,
    /// `PythonInterpreter`, and where it was written.
    pub interpreter: Option<(String, Origin)>,
    /// `PythonHome`, and where it was written.
    pub home: Option<(PathBuf, Origin)>,
    /// mod_wsgi's directives.
    pub wsgi: WsgiSettings,
}

/// `PythonHandler`'s list and the section it stands in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandlerList {
    /// Called in turn while each returns `OK`.
    pub handlers: Vec<HandlerName>,
    /// The `<Location>` it stands in. Files are then never looked at (mod_python skips map-to-storage).
    pub location: Option<String>,
    /// The `<Directory>` it stands in, with a trailing slash; it goes in front of `sys.path` without a `PythonPath`.
    pub directory: Option<String>,
    /// Whether it was written in the main server, inside a section or not.
    pub in_main_server: bool,
    /// Where it was written.
    pub origin: Origin,
}

/// `module::object`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HandlerName {
    /// A dotted module name, or an absolute path.
    pub module: String,
    /// A dotted name in it; `handler` when not written.
    pub object: String,
    /// The extensions of the files it is for, with their dots. None: any file for which no other handler is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<String>,
}
