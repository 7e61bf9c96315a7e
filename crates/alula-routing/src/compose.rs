//! Settings to a route: who answers, who may see it, what it is given.

use crate::headers::HeaderChanges;
use crate::mapping::{Mapped, Mappings};
use crate::redirect::Redirects;
use crate::route::{
    Access, Action, Basic, FilesRoute, GateRoute, MOD_PYTHON_WSGI, Program, PythonDefinition,
    PythonRoute, Question, Route, RouteId, TlsVariables, VirtualHostId, WsgiRoute,
};
use alula_config::site::{
    self, AuthType, CompressionSettings, DirectorySettings, ErrorDocument, Expires, GateScript,
    HandlerChoice, HandlerList, MappingTarget, Provider, Rewriting, SendFileSettings, Switched,
    WsgiSettings,
};
use http::StatusCode;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// httpd's since 2.4.54.
const BODY_BYTES_DEFAULT: u64 = 1 << 30;

/// The Python handlers in force, when Python answers.
pub(crate) fn python_handlers(settings: &DirectorySettings) -> Option<&HandlerList> {
    // Without a PythonHandler, mod_python declines and the file is served.
    let list = settings.python.handlers.as_ref();
    list.filter(|_| settings.handler == Some(HandlerChoice::Python))
}

pub(crate) fn route(
    host: VirtualHostId,
    settings: &DirectorySettings,
    mapped: Mapped,
    mappings: &Mappings,
    is_dynamic: bool,
) -> Route {
    let environment = settings.environment();
    let error_documents = error_documents(settings);
    let is_page = |document: &ErrorDocument| matches!(document, ErrorDocument::Path(_));
    Route {
        // The cache numbers it.
        id: RouteId(0),
        virtual_host: host,
        action: action(settings, mapped, mappings),
        access: Access {
            require: settings.access.clone(),
            order: settings.order.clone(),
            authentication: authentication(host, settings, mappings),
            requires_tls: settings.requires_tls == Some(true),
            script: settings
                .authentication
                .access_script
                .as_ref()
                .map(|script| gate(host, settings, mappings, script, Question::Access)),
        },
        body_bytes_max: settings.body_bytes_max.unwrap_or(BODY_BYTES_DEFAULT),
        has_error_page: error_documents.values().any(is_page),
        error_documents: Arc::new(error_documents),
        expires: expires(settings),
        response_headers: HeaderChanges::new(&settings.response_headers, &environment, is_dynamic),
        request_headers: HeaderChanges::new(&settings.request_headers, &environment, is_dynamic),
        set_env_if: settings.set_env_if.as_slice().into(),
        rewriting: rewriting(settings),
        asks_expressions: settings
            .access
            .as_ref()
            .is_some_and(site::Access::asks_expressions),
        redirects: Redirects::new(&settings.redirects),
        compression: compression(settings, &environment),
        send_file: send_file(settings),
        tls_variables: tls_variables(settings),
        default_charset: default_charset(settings),
        proxy: (!settings.proxy.is_default()).then(|| Arc::new(settings.proxy.clone())),
        log_level: settings.log_level.clone(),
        environment: environment.into(),
        // The table makes it, and numbers it.
        when_declined: None,
        site_files: None,
        asks_for_site_files: false,
    }
}

/// `SetEnv no-gzip 1` switches compression off, as mod_deflate and mod_brotli have it.
fn compression(
    settings: &DirectorySettings,
    environment: &[(String, String)],
) -> Option<Arc<CompressionSettings>> {
    let mut off = environment.iter();
    let is_off = off.any(|(name, value)| name == "no-gzip" && value != "0");
    let compression = &settings.compression;
    (!is_off && compression.is_active()).then(|| Arc::new(compression.clone()))
}

fn send_file(settings: &DirectorySettings) -> Option<Arc<SendFileSettings>> {
    let send_file = &settings.send_file;
    (send_file.active == Some(true)).then(|| Arc::new(send_file.clone()))
}

fn rewriting(settings: &DirectorySettings) -> Option<Arc<Rewriting>> {
    let rewriting = settings.rewriting.as_ref()?;
    let active = rewriting.is_on() && !rewriting.rules.is_empty();
    active.then(|| Arc::new(rewriting.clone()))
}

fn error_documents(settings: &DirectorySettings) -> BTreeMap<u16, ErrorDocument> {
    let mut documents = settings.error_documents.clone();
    documents.retain(|_, document| *document != ErrorDocument::Default);
    documents
}

fn expires(settings: &DirectorySettings) -> Option<Arc<Expires>> {
    let expires = &settings.expires;
    let says = expires.default.is_some() || !expires.by_type.is_empty();
    (expires.active == Some(true) && says).then(|| Arc::new(expires.clone()))
}

fn tls_variables(settings: &DirectorySettings) -> TlsVariables {
    TlsVariables {
        standard: settings.tls_options.variables == Some(true),
        certificates: settings.tls_options.certificates == Some(true),
    }
}

/// A function of a script that is asked who may pass, where the other scripts of the place run.
fn gate(
    host: VirtualHostId,
    settings: &DirectorySettings,
    mappings: &Mappings,
    script: &GateScript,
    question: Question,
) -> Arc<PythonDefinition> {
    let wsgi = WsgiSettings {
        application_group: script.application_group.clone(),
        ..WsgiSettings::default()
    };
    let names = &mappings.interpreters;
    Arc::new(PythonDefinition {
        virtual_host: host.0,
        environment: settings.environment(),
        program: Program::Gate(GateRoute {
            script: script.script.clone(),
            question,
            interpreter: names.find_script(settings, &wsgi, "", script.in_main_server),
        }),
        log_level: settings.log_level.clone(),
        asks_for_site_files: false,
        tls_variables: tls_variables(settings),
    })
}

fn realm(settings: &DirectorySettings) -> Option<String> {
    let written = &settings.authentication;
    let realm = written.realm.as_ref();
    realm
        .filter(|_| written.kind == Some(AuthType::Basic))
        .cloned()
}

fn authentication(
    host: VirtualHostId,
    settings: &DirectorySettings,
    mappings: &Mappings,
) -> Option<Basic> {
    let written = &settings.authentication;
    let ask = |script: &Option<GateScript>, question| {
        let script = script.as_ref()?;
        Some(gate(host, settings, mappings, script, question))
    };
    (written.kind == Some(AuthType::Basic)).then(|| Basic {
        providers: written
            .providers
            .clone()
            .unwrap_or_else(|| vec![Provider::File]),
        user_script: ask(&written.user_script, Question::Password),
        group_script: ask(&written.group_script, Question::Groups),
        realm: written.realm.clone(),
        user_file: written.user_file.clone(),
        group_file: written.group_file.clone(),
        forbidden_on_failure: written.forbidden_on_failure == Some(true),
    })
}

fn action(settings: &DirectorySettings, mapped: Mapped, mappings: &Mappings) -> Action {
    if let Some(list) = python_handlers(settings) {
        return Action::Python(python(settings, list, mappings));
    }
    match settings.handler {
        Some(HandlerChoice::ServerStatus) => return Action::ServerStatus,
        Some(HandlerChoice::NotServed) => return Action::Status(StatusCode::NOT_FOUND),
        Some(
            HandlerChoice::None
            | HandlerChoice::Files
            | HandlerChoice::Python
            | HandlerChoice::WsgiScript { .. },
        )
        | None => {}
    }
    let root = match mapped {
        Mapped::By { index, .. } => {
            let mapping = &mappings.mappings[index];
            match &mapping.target {
                // SetHandler None does not undo a WSGIScriptAlias, as in httpd. Nor does default-handler: in httpd it
                // would send the script's source.
                MappingTarget::WsgiScript {
                    script,
                    wsgi,
                    in_main_server,
                } => {
                    let url = String::from_utf8_lossy(&mapping.url);
                    let names = &mappings.interpreters;
                    let interpreter = names.find_script(settings, wsgi, &url, *in_main_server);
                    let wsgi = settings.python.wsgi.overlaid(wsgi);
                    return Action::Wsgi(WsgiRoute {
                        script: script.clone(),
                        script_name: url.trim_end_matches('/').to_owned(),
                        callable: wsgi.callable.unwrap_or_else(|| "application".to_owned()),
                        debug: settings.python.debug == Some(true),
                        pass_authorization: wsgi.pass_authorization == Some(true),
                        interpreter,
                    });
                }
                MappingTarget::Files(root) => PathBuf::from(root),
                MappingTarget::FilesMatch(template) => PathBuf::from(fixed_directory(template)),
            }
        }
        Mapped::DocumentRoot => mappings.document_root.clone().unwrap_or_default(),
        Mapped::Anywhere => PathBuf::from("/"),
        Mapped::Nowhere => return Action::Status(StatusCode::NOT_FOUND),
    };
    Action::Files(FilesRoute {
        root,
        directory_index: settings
            .directory_index
            .clone()
            .unwrap_or_else(|| vec!["index.html".to_owned()]),
        options: settings.options(),
        default_charset: default_charset(settings),
        settings: Arc::new(settings.files.clone()),
        media_types: mappings.media_types.clone(),
        caching: None,
        are_scripts: matches!(settings.handler, Some(HandlerChoice::WsgiScript { .. })),
    })
}

/// A file that is a WSGI script: its URL is where it stands, which each request tells.
pub(crate) fn script_action(
    settings: &DirectorySettings,
    file: &Path,
    in_main_server: bool,
    mappings: &Mappings,
) -> Action {
    if !settings.options().exec_cgi {
        return Action::Status(StatusCode::FORBIDDEN);
    }
    let wsgi = &settings.python.wsgi;
    let names = &mappings.interpreters;
    let default = WsgiSettings::default();
    Action::Wsgi(WsgiRoute {
        script: file.to_owned(),
        script_name: String::new(),
        callable: wsgi
            .callable
            .clone()
            .unwrap_or_else(|| "application".to_owned()),
        debug: settings.python.debug == Some(true),
        pass_authorization: wsgi.pass_authorization == Some(true),
        interpreter: names.find_script(settings, &default, "", in_main_server),
    })
}

fn default_charset(settings: &DirectorySettings) -> Option<String> {
    settings
        .default_charset
        .as_ref()
        .and_then(Switched::value)
        .cloned()
}

/// Who a file's name says answers for it (`AddHandler`); the rightmost extension that says something decides.
pub(crate) fn handler_by_name(settings: &DirectorySettings, file: &[u8]) -> Option<HandlerChoice> {
    let name = file.rsplit(|&byte| byte == b'/').next()?;
    let mut extensions = name.rsplit(|&byte| byte == b'.');
    let count = extensions.clone().count();
    extensions.by_ref().take(count - 1).find_map(|extension| {
        let extension = std::str::from_utf8(extension).ok()?.to_ascii_lowercase();
        let known = settings.files.extensions.get(&extension)?;
        known.handler.as_ref()?.value().copied()
    })
}

/// The part of an `AliasMatch`'s file path that no request changes, as a directory.
fn fixed_directory(template: &str) -> &str {
    match template.find('$') {
        Some(at) => {
            let slash = template[..at].rfind('/').unwrap_or(0);
            &template[..=slash]
        }
        None => template,
    }
}

fn python(settings: &DirectorySettings, list: &HandlerList, mappings: &Mappings) -> PythonRoute {
    let interpreter = mappings.interpreters.find(settings, list.in_main_server);
    let options = settings.python.options();
    let option = |name: &str| {
        let found = options.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone())
    };
    let location = list.location.as_deref().map(|at| at.trim_end_matches('/'));
    let root = match list.handlers.first() {
        // Its application's root is the <Location> unless it is named.
        Some(first) if first.module == MOD_PYTHON_WSGI => {
            option("mod_python.wsgi.base_uri").or(location.map(str::to_owned))
        }
        _ => option("django.root"),
    };
    PythonRoute {
        handlers: list.handlers.clone(),
        debug: settings.python.debug == Some(true),
        django_root: root,
        location: list.location.clone(),
        directory: list.directory.clone(),
        auto_reload: settings.python.auto_reload == Some(true),
        path: settings
            .python
            .path
            .as_ref()
            .map(|line| line.expression.clone()),
        realm: realm(settings),
        interpreter: interpreter.to_owned(),
        options,
    }
}
