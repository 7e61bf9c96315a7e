//! From routes to handlers: which application a Python route names, which tree a file route serves.

use alula_config::Site;
use alula_config::site::{LogLevel, LogLevelChange, LogTarget, VirtualHost};
use alula_http::{Body, FilePart, Handler};
use alula_process::StatusPage;
use alula_process::error_log::ErrorLogs;
use alula_proxy::{BackEnds, ProxyHandlerSettings};
use alula_python::{ApplicationSpec, Handlers, RouteSettings};
use alula_routing::{Action, FilesRoute, Program, PythonDefinition, PythonRoute, Route};
use alula_server::{Assembly, Warm};
use alula_static::{FileCache, Files, FilesSettings, Symlinks};
use std::path::Path;
use std::sync::Arc;

/// The handler an option of which names the WSGI application.
const WSGI_HANDLER: &str = "alula.handlers.wsgi";
/// That option: `module:callable`, or mod_python's `module::callable`.
const WSGI_OPTIONS: [&str; 2] = ["wsgi.application", "mod_python.wsgi.application"];

/// The application that is to be loaded.
pub(crate) fn application_spec(definition: &PythonDefinition) -> ApplicationSpec {
    match &definition.program {
        Program::Handler(python) => python_spec(definition, python),
        Program::Script(wsgi) => ApplicationSpec::WsgiScript {
            path: wsgi.script.to_string_lossy().into_owned(),
            callable: wsgi.callable.clone(),
        },
        Program::Gate(gate) => ApplicationSpec::Gate {
            path: gate.script.to_string_lossy().into_owned(),
            function: gate.question.function(),
        },
    }
}

fn python_spec(definition: &PythonDefinition, python: &PythonRoute) -> ApplicationSpec {
    if !python.is_framework() {
        return mod_python_spec(definition, python);
    }
    let handler = &python.handlers[0];
    if handler.module == WSGI_HANDLER || handler.module == "mod_python.wsgi" {
        let named = python
            .options
            .iter()
            .find(|(key, _)| WSGI_OPTIONS.contains(&key.as_str()));
        if let Some((_, application)) = named {
            let (module, callable) = application
                .split_once("::")
                .or_else(|| application.split_once(':'))
                .unwrap_or((application, "application"));
            return ApplicationSpec::WsgiObject {
                module: module.to_owned(),
                callable: callable.to_owned(),
            };
        }
    }
    ApplicationSpec::Handler {
        module: handler.module.clone(),
        object: handler.object.clone(),
    }
}

fn mod_python_spec(definition: &PythonDefinition, python: &PythonRoute) -> ApplicationSpec {
    let names: Vec<String> = python
        .handlers
        .iter()
        .map(|handler| format!("{}::{}", handler.module, handler.object))
        .collect();
    let settings = serde_json::json!({
        "host": definition.virtual_host,
        "handlers": python.handlers,
        "options": python.options,
        "environment": definition.environment,
        "debug": python.debug,
        "auto_reload": python.auto_reload,
        "path": python.path,
        "location": python.location,
        "directory": python.directory,
        "realm": python.realm,
        "interpreter": python.interpreter,
    });
    ApplicationSpec::ModPython {
        names: names.join(" "),
        settings: settings.to_string(),
    }
}

/// What handlers may ask about the server and its virtual hosts (`req.server`, `apache.main_server`), as JSON.
pub(crate) fn servers(site: &Site) -> String {
    let servers = site.servers().map(|host| {
        let level = match host.log_level.default {
            LogLevel::Emerg => 0,
            LogLevel::Alert => 1,
            LogLevel::Crit => 2,
            LogLevel::Error => 3,
            LogLevel::Warn => 4,
            LogLevel::Notice => 5,
            LogLevel::Info => 6,
            LogLevel::Debug | LogLevel::Trace(_) => 7,
        };
        let error_log = match &host.error_log {
            LogTarget::File(file) => Some(text(file)),
            _ => None,
        };
        let connection = &host.connection;
        let python = &host.settings.python;
        serde_json::json!({
            "name": host.server_name,
            "port": host.port.unwrap_or(0),
            "admin": host.server_admin,
            "aliases": host.aliases,
            "document_root": host.document_root.as_deref().map(text),
            "error_log": error_log,
            "log_level": level,
            "is_virtual": host.origin.is_some(),
            "origin": host.origin.as_ref().map(ToString::to_string),
            "timeout": connection.timeout.as_secs_f64(),
            "keep_alive": connection.keep_alive,
            "keep_alive_timeout": connection.keep_alive_timeout.as_secs_f64(),
            "keep_alive_max": connection.keep_alive_requests_max,
            "request_line_bytes_max": connection.request_line_bytes_max,
            "request_field_bytes_max": connection.request_field_bytes_max,
            "request_fields_max": connection.request_fields_max,
            "options": python.options(),
            "debug": python.debug,
            "auto_reload": python.auto_reload,
            "path": python.path.as_ref().map(|line| &line.expression),
            "interpreter": python.interpreter.as_ref().map(|(name, _)| name),
            "server_root": text(&site.server_root),
        })
    });
    serde_json::Value::from_iter(servers).to_string()
}

/// Makes handlers for what a worker's Python runs.
pub(crate) struct PythonAssembly {
    python: Handlers,
    hosts: Vec<VirtualHost>,
    multiprocess: bool,
    logs: ErrorLogs,
}

impl PythonAssembly {
    pub(crate) fn new(site: &Site, python: Handlers, workers: usize, logs: ErrorLogs) -> Self {
        Self {
            python,
            hosts: site.servers().cloned().collect(),
            multiprocess: workers > 1,
            logs,
        }
    }

    /// What a section's `LogLevel` changes for the requests in it.
    fn section_span(&self, host: usize, change: Option<&LogLevelChange>) -> Option<tracing::Span> {
        Some(self.logs.section_span(host, change?))
    }

    /// `None` when there is no such virtual host.
    pub(crate) fn handler(&self, definition: PythonDefinition) -> Option<Arc<dyn Handler>> {
        let host = self.hosts.get(definition.virtual_host)?;
        let application = application_spec(&definition);
        let (debug, pass_authorization, script_file) = match &definition.program {
            Program::Handler(python) => (python.debug, true, None),
            Program::Script(wsgi) => {
                let file = Some(text(&wsgi.script));
                (wsgi.debug, wsgi.pass_authorization, file)
            }
            Program::Gate(gate) => (false, true, Some(text(&gate.script))),
        };
        // What its requests happen in, also outside the loop.
        let log = self
            .section_span(definition.virtual_host, definition.log_level.as_ref())
            .or_else(|| self.logs.host_span(definition.virtual_host));
        Some(self.python.handler(RouteSettings {
            application,
            debug,
            environment: definition.environment,
            server_name: host.server_name.clone().unwrap_or_default(),
            server_port: host.port,
            server_admin: host.server_admin.clone(),
            document_root: host.document_root.as_deref().map(text),
            script_file,
            tls_variables: (
                definition.tls_variables.standard,
                definition.tls_variables.certificates,
            ),
            pass_authorization,
            multiprocess: self.multiprocess,
            asks_for_site_files: definition.asks_for_site_files,
            log: log.unwrap_or_else(tracing::Span::none),
        }))
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The handlers of a worker that accepts connections itself.
pub(crate) struct WorkerAssembly {
    python: PythonAssembly,
    cache: FileCache,
    status: StatusPage,
    back_ends: BackEnds,
}

impl WorkerAssembly {
    pub(crate) fn new(python: PythonAssembly, status: StatusPage) -> Self {
        Self {
            python,
            status,
            cache: FileCache::default(),
            back_ends: BackEnds::default(),
        }
    }
}

impl Assembly for WorkerAssembly {
    fn handler(&self, route: &Route) -> Arc<dyn Handler> {
        let handler = match &route.action {
            Action::Files(files) => {
                return Arc::new(Files::new(files_settings(files, &self.cache)));
            }
            Action::Proxy(proxy) => {
                return Arc::new(self.back_ends.handler(ProxyHandlerSettings {
                    forwarding: proxy.clone(),
                    rules: route.proxy.clone(),
                    one_request_each: route.sets("proxy-nokeepalive"),
                }));
            }
            Action::Status(status) => return Arc::new(alula_http::StatusHandler(*status)),
            Action::ServerStatus => return Arc::new(self.status.clone()),
            Action::Python(_) | Action::Wsgi(_) => {
                PythonDefinition::of(route).and_then(|definition| self.python.handler(definition))
            }
        };
        handler.unwrap_or_else(|| {
            Arc::new(alula_http::StatusHandler(
                http::StatusCode::INTERNAL_SERVER_ERROR,
            ))
        })
    }

    fn python(&self, definition: &PythonDefinition) -> Arc<dyn Handler> {
        let handler = self.python.handler(definition.clone());
        handler.unwrap_or_else(|| {
            Arc::new(alula_http::StatusHandler(
                http::StatusCode::INTERNAL_SERVER_ERROR,
            ))
        })
    }

    fn files(&self, root: &Path) -> Arc<dyn Handler> {
        Arc::new(Files::new(FilesSettings {
            cache: self.cache.clone(),
            ..FilesSettings::new(root)
        }))
    }

    fn part_content(&self, part: FilePart) -> Body {
        alula_static::part_body(part)
    }

    fn warm(&self) -> Warm {
        alula_static::warm
    }

    fn log(&self, route: &Route) -> Option<tracing::Span> {
        self.python
            .section_span(route.virtual_host.0, route.log_level.as_ref())
    }
}

fn files_settings(files: &FilesRoute, cache: &FileCache) -> FilesSettings {
    FilesSettings {
        directory_index: files.directory_index.clone(),
        symlinks: Symlinks::from_options(
            files.options.follow_symlinks,
            files.options.symlinks_if_owner_match,
        ),
        root: files.root.clone(),
        indexes: files.options.indexes,
        files: files.settings.clone(),
        media_types: files.media_types.clone(),
        default_charset: files.default_charset.clone(),
        caching: files.caching.clone(),
        are_scripts: files.are_scripts,
        cache: cache.clone(),
    }
}
