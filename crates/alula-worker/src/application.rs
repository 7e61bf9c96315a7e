//! The site's applications as the template sees them: imported once, forked by way of Python.

use crate::assembly;
use alula_config::Site;
use alula_config::site::Interpreter;
use alula_process::Sources;
use alula_process::template::{Application, Forked, LoadError};
use alula_python::{ApplicationSpec, Applications};
use alula_routing::{Mount, Program, PythonDefinition, RouteTable, SiteFiles};
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
    routes: &'site RouteTable,
    /// Whether a route serves files of the project (`PythonStatic`).
    has_site_files: bool,
    site_files: Option<SiteFiles>,
    /// The root of all its Django routes; `None`: they have several.
    django_root: Option<String>,
}

impl<'py, 'site> SiteApplication<'py, 'site> {
    /// Of the interpreter at this place among the site's; a lone one runs whatever the site has.
    pub(crate) fn new(
        py: Python<'py>,
        site: &'site Site,
        interpreter: usize,
        routes: &'site RouteTable,
    ) -> Self {
        let lone = site.interpreters.len() == 1;
        let interpreter = site.interpreters.get(interpreter);
        let is_ours = |definition: &PythonDefinition| {
            lone || interpreter.is_some_and(|ours| ours.name == definition.interpreter())
        };
        let mut specs = Vec::new();
        let all = routes.routes();
        let definitions = all.iter().flat_map(|route| PythonDefinition::all(route));
        let mut has_site_files = false;
        let mut django_roots = Vec::new();
        for definition in definitions.filter(is_ours) {
            has_site_files |= definition.asks_for_site_files;
            if let Program::Handler(python) = &definition.program {
                let root = python.django_root.clone().unwrap_or_default();
                if !django_roots.contains(&root) {
                    django_roots.push(root);
                }
            }
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
            routes,
            has_site_files,
            site_files: None,
            django_root: match django_roots.as_slice() {
                [root] => Some(root.clone()),
                _ => None,
            },
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

    /// What the project says of its files: workers have it from here, fronts are told.
    fn learn_site_files(&mut self) {
        let Some(interpreter) = self.interpreter.filter(|_| self.has_site_files) else {
            return;
        };
        let reported = self
            .py
            .import("alula.site_files")
            .and_then(|module| module.call_method0("report")?.extract());
        match reported {
            Ok(mounts) => {
                let mounts: Vec<(String, Option<PathBuf>, Vec<String>)> = mounts;
                let mounts = mounts.into_iter();
                let mounts = mounts.map(|(url, root, hashed)| Mount { url, root, hashed });
                let files = SiteFiles {
                    mounts: mounts.collect(),
                };
                self.routes.set_site_files(&interpreter.name, files.clone());
                self.site_files = Some(files);
            }
            Err(error) => {
                tracing::error!(target: "python", "PythonStatic: cannot tell where static files are: {error}");
            }
        }
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
        if let Some(root) = &self.django_root {
            let set = self.startup();
            let set = set.and_then(|startup| startup.setattr("django_root", root));
            set.map_err(|error| LoadError::Failed(error.to_string()))?;
        }
        let mut failed = None;
        for spec in &self.specs {
            if let Err(reason) = self.applications.load(self.py, spec) {
                failed.get_or_insert(reason);
            }
        }
        if failed.is_none() {
            self.learn_site_files();
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

    fn site_files(&mut self) -> Option<Vec<u8>> {
        serde_json::to_vec(self.site_files.as_ref()?).ok()
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
