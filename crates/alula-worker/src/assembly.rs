//! From routes to handlers: which application a Python route names, which tree a file route serves.

use alula_config::Site;
use alula_config::site::VirtualHost;
use alula_http::{Body, Handler};
use alula_process::error_log::ErrorLogs;
use alula_python::{ApplicationSpec, Handlers, RouteSettings};
use alula_routing::{Action, FilesRoute, PythonRoute, Route, VirtualHostId};
use alula_server::Assembly;
use alula_static::{FileCache, Files, FilesSettings, Symlinks};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// The handler an option of which names the WSGI application.
const WSGI_HANDLER: &str = "alula.handlers.wsgi";
/// That option: `module:callable`, or mod_python's `module::callable`.
const WSGI_OPTIONS: [&str; 2] = ["wsgi.application", "mod_python.wsgi.application"];

/// The application a route runs, if it runs one.
pub(crate) fn application_spec(route: &Route) -> Option<ApplicationSpec> {
    match &route.action {
        Action::Python(python) => Some(python_spec(python)),
        Action::Wsgi(wsgi) => Some(ApplicationSpec::WsgiScript {
            path: wsgi.script.to_string_lossy().into_owned(),
            callable: wsgi.callable.clone(),
        }),
        Action::Files(_) | Action::Status(_) => None,
    }
}

fn python_spec(python: &PythonRoute) -> ApplicationSpec {
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

/// The handlers of a worker.
pub(crate) struct WorkerAssembly {
    python: Handlers,
    hosts: Vec<VirtualHost>,
    cache: FileCache,
    multiprocess: bool,
    logs: ErrorLogs,
}

impl WorkerAssembly {
    pub(crate) fn new(site: &Site, python: Handlers, workers: usize, logs: ErrorLogs) -> Self {
        Self {
            python,
            hosts: site.servers().cloned().collect(),
            cache: FileCache::default(),
            multiprocess: workers > 1,
            logs,
        }
    }

    /// What a route's requests happen in, also outside the loop.
    fn span(&self, route: &Route) -> Option<tracing::Span> {
        self.log(route)
            .or_else(|| self.logs.host_span(route.virtual_host.0))
    }

    fn python(&self, route: &Route, debug: bool, script: Option<String>) -> Option<RouteSettings> {
        let VirtualHostId(index) = route.virtual_host;
        let host = self.hosts.get(index)?;
        Some(RouteSettings {
            application: application_spec(route)?,
            debug,
            environment: route.environment.to_vec(),
            server_name: host.server_name.clone().unwrap_or_default(),
            server_port: host.port,
            server_admin: host.server_admin.clone(),
            document_root: host
                .document_root
                .as_ref()
                .map(|root| root.to_string_lossy().into_owned()),
            script_file: script,
            multiprocess: self.multiprocess,
            log: self.span(route).unwrap_or_else(tracing::Span::none),
        })
    }
}

impl Assembly for WorkerAssembly {
    fn handler(&self, route: &Route) -> Arc<dyn Handler> {
        let settings = match &route.action {
            Action::Files(files) => {
                return Arc::new(Files::new(files_settings(files, &self.cache)));
            }
            Action::Status(status) => return Arc::new(alula_http::StatusHandler(*status)),
            Action::Python(python) => self.python(route, python.debug, None),
            Action::Wsgi(wsgi) => {
                let script = wsgi.script.to_string_lossy().into_owned();
                self.python(route, wsgi.debug, Some(script))
            }
        };
        match settings {
            Some(settings) => self.python.handler(settings),
            None => Arc::new(alula_http::StatusHandler(
                http::StatusCode::INTERNAL_SERVER_ERROR,
            )),
        }
    }

    fn files(&self, root: &Path) -> Arc<dyn Handler> {
        Arc::new(Files::new(FilesSettings {
            cache: self.cache.clone(),
            ..FilesSettings::new(root)
        }))
    }

    fn file_content(&self, file: File, length: u64) -> Body {
        alula_static::file_body(file, length)
    }

    fn log(&self, route: &Route) -> Option<tracing::Span> {
        let change = route.log_level.as_ref()?;
        Some(self.logs.section_span(route.virtual_host.0, change))
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
        cache: cache.clone(),
    }
}
