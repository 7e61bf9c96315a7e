//! The named Python worlds of a site, and which of them answers where.
//!
//! mod_python names an interpreter after the virtual host that answers. Here a handler that virtual hosts inherit from
//! the main server stays in `main_interpreter` for all of them, so that it is one world and not one for each host; a
//! host that names another Django project or another Python gets its own after all.

use super::{DirectorySettings, EnvironmentChange, Origin, ProcessGroup, WsgiSettings};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A Python interpreter: one group of processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interpreter {
    /// `PythonInterpreter`, else the virtual host's `ServerName`, else `main_interpreter`.
    pub name: String,
    /// `PythonHome`: the virtualenv or prefix whose Python runs it. `None`: `VIRTUAL_ENV`, else `python3` of `PATH`.
    pub home: Option<PathBuf>,
    /// `SetEnv`/`PassEnv` that reach it, for `os.environ`, before Python starts. Names are unique.
    pub environment: Vec<(String, String)>,
    /// `PythonPath` expressions in file order, each distinct text once.
    pub paths: Vec<PythonPathLine>,
    /// `<Directory>`s with a `PythonHandler` and no `PythonPath`: mod_python puts them in front of `sys.path`.
    pub handler_directories: Vec<String>,
    /// `PythonImport` in file order.
    pub imports: Vec<Import>,
    /// Whether the application is imported once before workers are forked. Not with `MaxRequestsPerChild 1`,
    /// the how-to's development setting, where every request sees fresh code.
    pub preload: bool,
    /// Whether files are watched and an edit replaces template and workers (`PythonAutoReload On`).
    pub auto_reload: bool,
    /// `DJANGO_SETTINGS_MODULE`, from `SetEnv` or `PythonOption`.
    pub django_settings: Option<String>,
    /// How many workers. `None` = one for each processor core.
    pub workers: Option<u32>,
    /// Python threads in each worker.
    pub threads: u32,
    /// A worker is replaced after so many requests. 0 = never.
    pub requests_max: u64,
    /// What else a `PythonGroup` says of its processes.
    pub processes: ProcessGroup,
}

/// mod_python's name for the interpreter of the main server.
pub(crate) const MAIN: &str = "main_interpreter";

/// The interpreters of a server where no `PythonInterpreter` names one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterpreterNames {
    /// For what is written in the server itself.
    pub own: String,
    /// For what a virtual host inherits from the main server.
    pub inherited: String,
}

impl InterpreterNames {
    /// The names for a server; a virtual host is given the settings written in it, outside its sections.
    pub(crate) fn new(server_name: Option<&str>, virtual_host: Option<&DirectorySettings>) -> Self {
        let Some(settings) = virtual_host else {
            return Self {
                own: MAIN.to_owned(),
                inherited: MAIN.to_owned(),
            };
        };
        let own = server_name.unwrap_or(MAIN).to_owned();
        let inherited = if names_another_world(settings) {
            &own
        } else {
            MAIN
        };
        Self {
            inherited: inherited.to_owned(),
            own,
        }
    }

    /// The interpreter where these settings are in force, for a handler or script written in the main server or not.
    pub fn find<'a>(&'a self, settings: &'a DirectorySettings, in_main_server: bool) -> &'a str {
        match &settings.python.interpreter {
            Some((name, _)) => name,
            None if in_main_server => &self.inherited,
            None => &self.own,
        }
    }

    /// The same for a WSGI script at a URL, with what its line says. mod_wsgi's names count where `PythonInterpreter` says nothing.
    pub fn find_script(
        &self,
        settings: &DirectorySettings,
        wsgi: &WsgiSettings,
        url: &str,
        in_main_server: bool,
    ) -> String {
        let default = self.find(settings, in_main_server);
        if settings.python.interpreter.is_some() && wsgi.process_group.is_none() {
            return default.to_owned();
        }
        let wsgi = settings.python.wsgi.overlaid(wsgi);
        let resource = format!("{}|{}", self.own, url.trim_end_matches('/'));
        let named = wsgi.interpreter(settings, default, &self.own, &resource);
        named.unwrap_or_else(|| default.to_owned())
    }
}

fn names_another_world(settings: &DirectorySettings) -> bool {
    const SETTINGS: &str = "DJANGO_SETTINGS_MODULE";
    let mut environment = settings.environment.iter();
    let mut options = settings.python.options.iter();
    settings.python.home.is_some()
        || environment
            .any(|change| matches!(change, EnvironmentChange::Set(name, _) if name == SETTINGS))
        || options.any(|(key, value)| key == SETTINGS && value.is_some())
}

/// Whether a lone interpreter answers behind fronts (`PythonIsolation`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Isolation {
    /// `Auto`: only where several interpreters need it.
    #[default]
    Auto,
    /// `On`: always, so that a crash costs the one request that caused it.
    On,
    /// `Off`: as `Auto`, and it stays so.
    Off,
}

/// One `PythonPath`: a Python expression that replaces `sys.path`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PythonPathLine {
    /// As written, without the quotes around it. Python evaluates it; nobody has checked it.
    pub expression: String,
    /// Where it was written, for the error when Python refuses it.
    pub origin: Origin,
}

/// One `PythonImport`: a module to import when a worker starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// A dotted module name or a file.
    pub module: String,
    /// A function in it to call without arguments (`module::function`).
    pub function: Option<String>,
    /// The interpreter it belongs to.
    pub interpreter: String,
    /// Where it was written.
    pub origin: Origin,
}
