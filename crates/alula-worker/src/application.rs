//! The site's applications as the template sees them: imported once, forked by way of Python.

use crate::assembly;
use alula_config::Site;
use alula_config::site::Interpreter;
use alula_process::Sources;
use alula_process::template::{Application, Forked, LoadError};
use alula_python::{ApplicationSpec, Applications};
use alula_routing::{PythonDefinition, RouteTable};
use pyo3::prelude::*;
use std::io;
use std::path::PathBuf;

/// The applications of a site's interpreter.
pub(crate) struct SiteApplication<'py, 'site> {
    py: Python<'py>,
    interpreter: Option<&'site Interpreter>,
    specs: Vec<ApplicationSpec>,
    applications: Applications,
    servers: String,
}

impl<'py, 'site> SiteApplication<'py, 'site> {
    /// Of the interpreter at this place among the site's; a lone one runs whatever the site has.
    pub(crate) fn new(
        py: Python<'py>,
        site: &'site Site,
        interpreter: usize,
        routes: &RouteTable,
    ) -> Self {
        let lone = site.interpreters.len() == 1;
        let interpreter = site.interpreters.get(interpreter);
        let is_ours = |definition: &PythonDefinition| {
            lone || interpreter.is_some_and(|ours| ours.name == definition.interpreter())
        };
        let mut specs = Vec::new();
        let routes = routes.routes();
        let definitions = routes
            .iter()
            .filter_map(|route| PythonDefinition::of(route));
        for definition in definitions.filter(is_ours) {
            let spec = assembly::application_spec(&definition);
            if !specs.contains(&spec) {
                specs.push(spec);
            }
        }
        Self {
            py,
            interpreter,
            specs,
            applications: Applications::default(),
            servers: assembly::servers(site),
        }
    }

    /// Streams, `sys.path`, `PythonImport`: all that comes before the applications.
    pub(crate) fn prepare(&self) -> PyResult<()> {
        let Some(interpreter) = self.interpreter else {
            return Ok(());
        };
        let paths: Vec<(String, String)> = interpreter
            .paths
            .iter()
            .map(|line| (line.expression.clone(), line.origin.to_string()))
            .collect();
        let imports: Vec<(String, Option<String>, String)> = interpreter
            .imports
            .iter()
            .map(|import| {
                (
                    import.module.clone(),
                    import.function.clone(),
                    import.origin.to_string(),
                )
            })
            .collect();
        self.startup()?.call_method1(
            "prepare",
            (
                paths,
                &interpreter.handler_directories,
                imports,
                &interpreter.django_settings,
                &interpreter.name,
                &self.servers,
                &interpreter.processes.python_path,
            ),
        )?;
        Ok(())
    }

    pub(crate) fn into_applications(self) -> Applications {
        self.applications
    }

    /// Folders of code, folders of templates, and a file that has changed since it was read.
    fn watched(&self) -> PyResult<(Vec<PathBuf>, Vec<PathBuf>, Option<PathBuf>)> {
        let sources = self.py.import("alula.sources")?;
        sources.call_method0("watched")?.extract()
    }

    fn startup(&self) -> PyResult<Bound<'py, PyModule>> {
        self.py.import("alula.startup")
    }
}

impl Application for SiteApplication<'_, '_> {
    fn load(&mut self) -> Result<(), LoadError> {
        let mut failed = None;
        for spec in &self.specs {
            if let Err(reason) = self.applications.load(self.py, spec) {
                failed.get_or_insert(reason);
            }
        }
        let unforkable = self
            .startup()
            .and_then(|startup| startup.call_method0("freeze")?.extract::<Option<String>>());
        match (failed, unforkable) {
            (Some(reason), _) => Err(LoadError::Failed(reason)),
            (None, Ok(Some(reason))) => Err(LoadError::Unforkable(reason)),
            (None, Ok(None)) => Ok(()),
            (None, Err(error)) => Err(LoadError::Failed(error.to_string())),
        }
    }

    fn sources(&mut self) -> Sources {
        let watched = self
            .interpreter
            .filter(|interpreter| interpreter.auto_reload)
            .map(|_| self.watched());
        match watched {
            None => Sources::default(),
            Some(Ok((code, everything, changed))) => Sources {
                code,
                everything,
                changed,
            },
            Some(Err(error)) => {
                tracing::error!(target: "python", "PythonAutoReload: cannot tell what to watch: {error}");
                Sources::default()
            }
        }
    }

    fn fork(&mut self) -> io::Result<Forked> {
        let forked = self
            .py
            .import("os")
            .and_then(|os| os.call_method0("fork")?.extract::<u32>());
        match forked {
            Ok(0) => Ok(Forked::Child),
            Ok(pid) => Ok(Forked::Parent(pid)),
            Err(error) => Err(io::Error::other(error.to_string())),
        }
    }
}
