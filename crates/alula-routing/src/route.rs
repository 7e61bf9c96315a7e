//! What a request leads to.
//!
//! A [`Route`] is the sum of all sections that matched; nothing in it depends on the request any more.

use crate::headers::HeaderChanges;
use crate::redirect::{Redirected, Redirects};
use crate::rewrite::Changes;
use alula_config::site::{
    self, Asker, CompressionSettings, DirectoryOptions, ErrorDocument, Expires, FileSettings,
    Forwarding, HandlerName, LogLevelChange, OrderRules, Outcome, Provider, ProxySettings,
    Rewriting, Satisfy, SendFileSettings, SetEnvIf,
};
use alula_http::Caching;
use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Names a virtual host: 0 is the main server, `n` is `site.virtual_hosts[n - 1]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VirtualHostId(pub usize);

/// Names a route. Dense: the n-th route made has n, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(pub usize);

/// What [`RouteTable::find`](crate::RouteTable::find) found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The route.
    pub route: Arc<Route>,
    /// The file the path was translated to; `proxy:` and the URL of a back end, where there is one; `None` when Python answers by
    /// `<Location>` alone.
    pub file: Option<PathBuf>,
    /// `Redirect`: the answer, for whoever [`Route::access`] lets pass.
    pub redirect: Option<Box<Redirected>>,
    /// What rules that look at the request made of it; `None` where there are none.
    pub dynamic: Option<Box<Dynamic>>,
    /// The numbers of the `<If>` sections that hold.
    pub conditions: Box<[u32]>,
    /// How much of the path is `SCRIPT_NAME`; `path[script_name_len..]` is `PATH_INFO`.
    pub script_name_len: usize,
}

/// What rules that look at the request made of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dynamic {
    /// What is changed beside the path.
    pub changes: Changes,
    /// The path instead of the one asked for.
    pub path: Option<Bytes>,
    /// The query instead of the one asked for.
    pub query: Option<Option<Bytes>>,
    /// How often it started again.
    pub rounds: usize,
    /// The path and the query it had before it last did.
    pub before: Option<(Bytes, Option<Bytes>)>,
}

/// The sum of all settings for some requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Its number.
    pub id: RouteId,
    /// The virtual host it was made for.
    pub virtual_host: VirtualHostId,
    /// Who answers.
    pub action: Action,
    /// Who may see it.
    pub access: Access,
    /// `LimitRequestBody`; 0 = unlimited.
    pub body_bytes_max: u64,
    /// `SetEnv` and `PassEnv` for these requests, each name once.
    pub environment: Arc<[(String, String)]>,
    /// `ErrorDocument` by status; no [`ErrorDocument::Default`] is left in it.
    pub error_documents: Arc<BTreeMap<u16, ErrorDocument>>,
    /// Whether one of them is a path, which takes the request's head to ask for.
    pub has_error_page: bool,
    /// mod_expires' directives, where they are active and say something.
    pub expires: Option<Arc<Expires>>,
    /// `Header`.
    pub response_headers: HeaderChanges,
    /// `RequestHeader`.
    pub request_headers: HeaderChanges,
    /// What is compressed, where anything is.
    pub compression: Option<Arc<CompressionSettings>>,
    /// The files that an application may have sent, where it may.
    pub send_file: Option<Arc<SendFileSettings>>,
    /// `SetEnvIf` and its kin in the sections.
    pub set_env_if: Arc<[SetEnvIf]>,
    /// The rules of the sections, where they are on.
    pub rewriting: Option<Arc<Rewriting>>,
    /// Whether an expression decides who may see it.
    pub asks_expressions: bool,
    /// `Redirect` and its kin in the sections, tried for each request.
    pub redirects: Redirects,
    /// `SSLOptions`: which `SSL_*` variables an application sees.
    pub tls_variables: TlsVariables,
    /// `AddDefaultCharset`, for `text/plain` and `text/html` responses that name none.
    pub default_charset: Option<String>,
    /// `LogLevel` in the sections.
    pub log_level: Option<LogLevelChange>,
    /// What is said about requests that are passed on, where something is.
    pub proxy: Option<Arc<ProxySettings>>,
    /// Who answers when a mod_python handler declines: whoever would without it.
    pub when_declined: Option<Arc<Route>>,
    /// `PythonStatic On`: the same route, for what may be a file of the project that only Python can find.
    pub site_files: Option<Arc<Route>>,
    /// It is one of those.
    pub asks_for_site_files: bool,
}

/// Which variables of a TLS connection an application sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsVariables {
    /// `StdEnvVars`.
    pub standard: bool,
    /// `ExportCertData`.
    pub certificates: bool,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// The file [`Found::file`].
    Files(FilesRoute),
    /// mod_python's `PythonHandler`.
    Python(PythonRoute),
    /// A WSGI script.
    Wsgi(WsgiRoute),
    /// The server, about itself.
    ServerStatus,
    /// The back end that [`Found::file`] names.
    Proxy(Forwarding),
    /// Nobody: this status.
    Status(StatusCode),
}

/// What there is to know of a route to run its Python: all that a worker behind fronts is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PythonDefinition {
    /// The virtual host, by its id.
    pub virtual_host: usize,
    /// [`Route::environment`].
    pub environment: Vec<(String, String)>,
    /// What is run.
    pub program: Program,
    /// [`Route::log_level`].
    pub log_level: Option<LogLevelChange>,
    /// `SSLOptions`.
    pub tls_variables: TlsVariables,
    /// [`Route::asks_for_site_files`].
    pub asks_for_site_files: bool,
}

/// What Python runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// A `PythonHandler`.
    Handler(PythonRoute),
    /// A WSGI script.
    Script(WsgiRoute),
    /// A function that is asked who may pass.
    Gate(GateRoute),
}

/// A function of a WSGI script that is asked who may pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateRoute {
    /// The file.
    pub script: PathBuf,
    /// Which function.
    pub question: Question,
    /// The interpreter it runs in.
    pub interpreter: String,
}

/// What such a function is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// `check_password`.
    Password,
    /// `groups_for_user`.
    Groups,
    /// `allow_access`.
    Access,
}

impl Question {
    /// The function's name.
    pub fn function(self) -> &'static str {
        match self {
            Self::Password => "check_password",
            Self::Groups => "groups_for_user",
            Self::Access => "allow_access",
        }
    }
}

impl PythonDefinition {
    /// Of a route that runs Python.
    pub fn of(route: &Route) -> Option<Self> {
        let program = match &route.action {
            Action::Python(python) => Program::Handler(python.clone()),
            Action::Wsgi(wsgi) => Program::Script(wsgi.clone()),
            Action::Files(_) | Action::Proxy(_) | Action::ServerStatus | Action::Status(_) => {
                return None;
            }
        };
        Some(Self {
            virtual_host: route.virtual_host.0,
            tls_variables: route.tls_variables,
            environment: route.environment.to_vec(),
            program,
            log_level: route.log_level.clone(),
            asks_for_site_files: route.asks_for_site_files,
        })
    }

    /// All that a route runs, what is asked who may pass included.
    pub fn all(route: &Route) -> Vec<Self> {
        let basic = route.access.authentication.as_ref();
        let gates = [
            route.access.script.as_ref(),
            basic.and_then(|basic| basic.user_script.as_ref()),
            basic.and_then(|basic| basic.group_script.as_ref()),
        ];
        let gates = gates.into_iter().flatten();
        let gates = gates.map(|definition| Self::clone(definition));
        gates.chain(Self::of(route)).collect()
    }

    /// The interpreter it runs in.
    pub fn interpreter(&self) -> &str {
        match &self.program {
            Program::Gate(gate) => &gate.interpreter,
            Program::Handler(python) => &python.interpreter,
            Program::Script(wsgi) => &wsgi.interpreter,
        }
    }
}

/// How files are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesRoute {
    /// The directory that must hold the file: the document root or the alias's target.
    pub root: PathBuf,
    /// `DirectoryIndex`: names to try in a directory. Empty = none.
    pub directory_index: Vec<String>,
    /// `Options`.
    pub options: DirectoryOptions,
    /// `AddDefaultCharset`.
    pub default_charset: Option<String>,
    /// Types, validators, listings.
    pub settings: Arc<FileSettings>,
    /// `TypesConfig`.
    pub media_types: Arc<BTreeMap<String, String>>,
    /// Which files of a project's tree never change; `None`: nothing is said of it.
    pub caching: Option<Arc<Caching>>,
    /// `SetHandler wsgi-script`: every file says by itself who answers.
    pub are_scripts: bool,
}

/// A `PythonHandler`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PythonRoute {
    /// Called in turn while each returns `OK`. Never empty.
    pub handlers: Vec<HandlerName>,
    /// `PythonOption`, each key once.
    pub options: Vec<(String, String)>,
    /// `PythonDebug`.
    pub debug: bool,
    /// `PythonOption django.root`, without trailing slash.
    pub django_root: Option<String>,
    /// The `<Location>` the handler stands in.
    pub location: Option<String>,
    /// The `<Directory>` the handler stands in, with a trailing slash.
    pub directory: Option<String>,
    /// `PythonAutoReload`.
    pub auto_reload: bool,
    /// `PythonPath`, as written.
    pub path: Option<String>,
    /// `AuthName`, where `AuthType Basic` is in force.
    pub realm: Option<String>,
    /// The interpreter it runs in.
    pub interpreter: String,
}

impl PythonRoute {
    /// Whether the engine speaks to a Django project or a WSGI application, not to mod_python handlers.
    pub fn is_framework(&self) -> bool {
        const FRAMEWORKS: [&str; 3] = [
            "django.core.handlers.modpython",
            "alula.handlers.django",
            "alula.handlers.wsgi",
        ];
        let module = self.handlers.first().map(|handler| handler.module.as_str());
        let names_application = || {
            let mut keys = self.options.iter().map(|(key, _)| key.as_str());
            keys.any(|key| matches!(key, "wsgi.application" | "mod_python.wsgi.application"))
        };
        match module {
            Some(MOD_PYTHON_WSGI) => self.handlers.len() == 1 && names_application(),
            Some(module) => FRAMEWORKS.contains(&module),
            None => false,
        }
    }
}

/// mod_python's handler for a WSGI application.
pub(crate) const MOD_PYTHON_WSGI: &str = "mod_python.wsgi";

/// A `WSGIScriptAlias`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WsgiRoute {
    /// The file.
    pub script: PathBuf,
    /// The URL it is mounted at, without trailing slash; empty at the root.
    pub script_name: String,
    /// The application's name in it.
    pub callable: String,
    /// `PythonDebug`.
    pub debug: bool,
    /// `WSGIPassAuthorization`.
    pub pass_authorization: bool,
    /// The interpreter it runs in.
    pub interpreter: String,
}

/// Who may see a route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// `Require`; `None` = everyone.
    pub require: Option<site::Access>,
    /// `Order`, `Allow`, `Deny`; `None` = everyone.
    pub order: Option<OrderRules>,
    /// `AuthType Basic`; `None` = nobody is asked who they are.
    pub authentication: Option<Basic>,
    /// `SSLRequireSSL`: whatever the rest says.
    pub requires_tls: bool,
    /// `WSGIAccessScript`.
    pub script: Option<Arc<PythonDefinition>>,
}

/// How a client proves who it is (RFC 7617).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basic {
    /// `AuthName`.
    pub realm: Option<String>,
    /// `AuthUserFile`.
    pub user_file: Option<PathBuf>,
    /// `AuthGroupFile`.
    pub group_file: Option<PathBuf>,
    /// `AuthzSendForbiddenOnFailure`.
    pub forbidden_on_failure: bool,
    /// `AuthBasicProvider`, in the order to ask.
    pub providers: Vec<Provider>,
    /// `WSGIAuthUserScript`.
    pub user_script: Option<Arc<PythonDefinition>>,
    /// `WSGIAuthGroupScript`.
    pub group_script: Option<Arc<PythonDefinition>>,
}

/// What is to be done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass.
    Pass,
    /// It may not, whoever it comes from.
    Refuse,
    /// It depends on who it comes from: a user, or a client of whom a script knows.
    AskUser,
}

impl Route {
    /// Whether `SetEnv` names a variable.
    pub fn sets(&self, variable: &str) -> bool {
        self.environment.iter().any(|(name, _)| name == variable)
    }

    /// httpd's name of what answers.
    pub fn handler_name(&self) -> &'static str {
        match &self.action {
            Action::Files(_) => "default-handler",
            Action::Python(_) => "python-program",
            Action::Wsgi(_) => "wsgi-script",
            Action::ServerStatus => "server-status",
            Action::Proxy(_) => "proxy-server",
            Action::Status(_) => "",
        }
    }
}

impl Found {
    /// The variables of the request's environment: what rules set, then `SetEnv`.
    pub fn environment(&self) -> Arc<[(String, String)]> {
        match &self.dynamic {
            Some(dynamic) if !dynamic.changes.variables.as_slice().is_empty() => {
                let all = dynamic.changes.variables.with(&self.route.environment);
                all.as_slice().into()
            }
            _ => self.route.environment.clone(),
        }
    }

    /// The path in force: the one asked for, or what rules made of it.
    pub fn path(&self, asked: &Bytes) -> Bytes {
        let dynamic = self.dynamic.as_ref();
        let made = dynamic.and_then(|dynamic| dynamic.path.clone());
        made.unwrap_or_else(|| asked.clone())
    }

    /// The query in force.
    pub fn query<'q>(&'q self, asked: Option<&'q [u8]>) -> Option<&'q [u8]> {
        let dynamic = self.dynamic.as_ref();
        let made = dynamic.and_then(|dynamic| dynamic.query.as_ref());
        made.map_or(asked, Option::as_deref)
    }

    /// The variables that rules set and `SetEnv` does not, if there are any.
    pub fn request_variables(&self) -> Option<Arc<[(String, String)]>> {
        let set = |name: &String| {
            self.route
                .environment
                .iter()
                .any(|(known, _)| known == name)
        };
        let left = self.variables().iter().filter(|(name, _)| !set(name));
        let mut left: Vec<(String, String)> = left.cloned().collect();
        let before = self
            .dynamic
            .as_ref()
            .and_then(|dynamic| dynamic.before.as_ref());
        if let Some((path, query)) = before {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            left.push(("REDIRECT_URL".to_owned(), text(path)));
            left.extend(
                query
                    .iter()
                    .map(|query| ("REDIRECT_QUERY_STRING".to_owned(), text(query))),
            );
        }
        (!left.is_empty()).then(|| left.into())
    }

    /// The variables that rules set.
    pub fn variables(&self) -> &[(String, String)] {
        let dynamic = self.dynamic.as_ref();
        dynamic.map_or(&[], |dynamic| dynamic.changes.variables.as_slice())
    }
}

impl Access {
    /// Judges a request (httpd's order: `Order` first, then `Require` without a user, then with one).
    pub fn judge(&self, asker: &Asker) -> Verdict {
        if self.requires_tls && !asker.secure {
            return Verdict::Refuse;
        }
        if self.script.is_some() && asker.script.is_none() {
            // Nobody can say yet; whoever can is asked.
            return Verdict::AskUser;
        }
        let order = self.order.as_ref();
        let passes_order =
            order.is_none_or(|order| order.allows(asker)) && asker.script != Some(false);
        let satisfy = order.map(|order| order.satisfy(asker.method));
        match (satisfy.unwrap_or_default(), passes_order) {
            (Satisfy::Any, true) => return Verdict::Pass,
            (Satisfy::All, false) => return Verdict::Refuse,
            (Satisfy::Any, false) | (Satisfy::All, true) => {}
        }
        match self.require.as_ref().map(|require| require.judge(asker)) {
            // An AuthType without any Require is a mistake, and no reason to show the page: 500, as in httpd.
            None if self.authentication.is_some() => Verdict::AskUser,
            None if passes_order => Verdict::Pass,
            Some(Outcome::Granted) => Verdict::Pass,
            Some(Outcome::NeedsUser) => Verdict::AskUser,
            None | Some(Outcome::Denied | Outcome::Neutral) => Verdict::Refuse,
        }
    }
}
