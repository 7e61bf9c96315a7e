//! The named Python world of a site.
//!
//! All Python of a configuration shares one interpreter for now; which name it has decides nothing but log lines
//! and the error message when two names arise.

use super::Origin;
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
    /// `DJANGO_SETTINGS_MODULE`, from `SetEnv` or `PythonOption`.
    pub django_settings: Option<String>,
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
