//! Applications, loaded once, and the handler that sends requests to them.
//!
//! The template process loads applications before it forks; a worker finds them here as they were.

use crate::dispatch::{Dispatcher, Job};
use crate::environ::{PathText, RouteSettings, Template, Words};
use crate::{django, failure, mod_python, site_files, wsgi};
use alula_http::{Answer, Begun, BodyMode, Handler, Request, Response, status_response};
use bytes::Bytes;
use http::{Method, StatusCode};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

/// What to load.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ApplicationSpec {
    /// A file that defines a WSGI callable (`WSGIScriptAlias`).
    WsgiScript {
        /// The file.
        path: String,
        /// The callable's name, `application`.
        callable: String,
    },
    /// A function of a WSGI script that is asked who may pass (`WSGIAuthUserScript` and its kin).
    Gate {
        /// The file.
        path: String,
        /// The function's name, `check_password`.
        function: &'static str,
    },
    /// A WSGI callable in a module (`PythonHandler alula.handlers.wsgi`).
    WsgiObject {
        /// The module's dotted name.
        module: String,
        /// The callable's name in it; dots are followed.
        callable: String,
    },
    /// A `PythonHandler`.
    Handler {
        /// The module's dotted name.
        module: String,
        /// The object after `::`; its directive's default otherwise.
        object: String,
    },
    /// mod_python handlers, called in turn.
    ModPython {
        /// Their names as written, for log lines.
        names: String,
        /// What the configuration says about them, as JSON for `alula.mod_python.chain`.
        settings: String,
    },
}

#[derive(Clone, Copy)]
enum Protocol {
    Wsgi,
    Django,
    ModPython,
}

/// A loaded application, or the traceback of the attempt.
pub(crate) struct Application {
    loaded: Result<(Protocol, Py<PyAny>), String>,
}

/// All applications of an interpreter. Cheap to clone.
#[derive(Clone, Default)]
pub struct Applications {
    known: Arc<Mutex<HashMap<ApplicationSpec, Arc<Application>>>>,
}

impl std::fmt::Debug for Applications {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.known.lock().keys()).finish()
    }
}

impl Applications {
    /// Loads an application, once. A failure is logged with its traceback and remembered: the server goes
    /// on, and requests for it are answered 500.
    ///
    /// # Errors
    /// The traceback, for whoever started the server. The log has it already.
    pub fn load(&self, py: Python<'_>, spec: &ApplicationSpec) -> Result<(), String> {
        match &self.get(py, spec).loaded {
            Ok(_) => Ok(()),
            Err(traceback) => Err(traceback.clone()),
        }
    }

    fn get(&self, py: Python<'_>, spec: &ApplicationSpec) -> Arc<Application> {
        if let Some(known) = self.known.lock().get(spec) {
            return known.clone();
        }
        // Not under the lock: importing runs Python, which may switch threads.
        let loaded = load(py, spec).map_err(|error| {
            let traceback = failure::traceback(py, &error);
            tracing::error!(target: "python", "cannot load {}; its requests are answered 500\n{traceback}", spec.name());
            traceback
        });
        let mut known = self.known.lock();
        known
            .entry(spec.clone())
            .or_insert_with(|| Arc::new(Application { loaded }))
            .clone()
    }
}

impl ApplicationSpec {
    fn name(&self) -> String {
        match self {
            Self::WsgiScript { path, .. } => format!("WSGI script {path:?}"),
            Self::Gate { path, function } => format!("{function} of WSGI script {path:?}"),
            Self::WsgiObject { module, callable } => {
                format!("WSGI application {module}:{callable}")
            }
            Self::Handler { module, object } => format!("PythonHandler {module}::{object}"),
            Self::ModPython { names, .. } => format!("PythonHandler {names}"),
        }
    }
}

fn load(py: Python<'_>, spec: &ApplicationSpec) -> PyResult<(Protocol, Py<PyAny>)> {
    let loader = py.import("alula.loader")?;
    let (protocol, callable): (String, Py<PyAny>) = match spec {
        ApplicationSpec::WsgiScript { path, callable } => {
            loader.call_method1("wsgi_script", (path, callable))?
        }
        ApplicationSpec::Gate { path, function } => {
            loader.call_method1("gate", (path, *function))?
        }
        ApplicationSpec::WsgiObject { module, callable } => {
            loader.call_method1("wsgi_object", (module, callable))?
        }
        ApplicationSpec::Handler { module, object } => {
            loader.call_method1("handler", (module, object))?
        }
        ApplicationSpec::ModPython { settings, .. } => {
            loader.call_method1("mod_python", (settings,))?
        }
    }
    .extract()?;
    match protocol.as_str() {
        "django" => Ok((Protocol::Django, callable)),
        "mod_python" => Ok((Protocol::ModPython, callable)),
        _ => Ok((Protocol::Wsgi, callable)),
    }
}

/// A route's way into Python: what each of its calls shares.
pub(crate) struct Call {
    settings: RouteSettings,
    applications: Applications,
    words: Arc<OnceLock<Words>>,
    ready: OnceLock<Ready>,
}

struct Ready {
    application: Arc<Application>,
    template: Template,
}

/// Who asked for what, for log lines.
pub(crate) struct Client {
    remote: SocketAddr,
    method: Method,
    target: Bytes,
    id: u64,
}

impl Client {
    pub(crate) fn of(request: &Request) -> Self {
        Self {
            remote: request.peer.remote,
            method: request.method.clone(),
            target: request.target.clone(),
            id: request.id,
        }
    }
}

impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "[client {}] [request {:x}] {} {}",
            self.remote,
            self.id,
            self.method,
            self.target.escape_ascii()
        )
    }
}

impl Call {
    fn ready(&self, py: Python<'_>) -> PyResult<&Ready> {
        if let Some(ready) = self.ready.get() {
            return Ok(ready);
        }
        let ready = Ready {
            application: self.applications.get(py, &self.settings.application),
            template: Template::new(py, &self.settings)?,
        };
        Ok(self.ready.get_or_init(|| ready))
    }

    fn words(&self, py: Python<'_>) -> PyResult<&Words> {
        if let Some(words) = self.words.get() {
            return Ok(words);
        }
        let words = Words::new(py)?;
        Ok(self.words.get_or_init(|| words))
    }

    pub(crate) fn environ<'py>(
        &self,
        py: Python<'py>,
        request: &mut Request,
        path_text: PathText,
    ) -> PyResult<Bound<'py, PyDict>> {
        let words = self.words(py)?;
        self.ready(py)?
            .template
            .environ(py, words, request, path_text)
    }

    /// Logs an application's exception, with its traceback, once.
    pub(crate) fn log_failure(&self, py: Python<'_>, client: &Client, error: &PyErr) {
        self.failure(py, client, error);
    }

    /// Logs an application's exception and makes the answer for its client.
    pub(crate) fn failure(&self, py: Python<'_>, client: &Client, error: &PyErr) -> Response {
        let traceback = failure::traceback(py, error);
        tracing::error!(target: "python", "{client}: {} raised\n{traceback}", self.settings.application.name());
        failure::response(&traceback, self.settings.debug)
    }
}

impl Job {
    /// What the events of this request happen in.
    pub(crate) fn log(&self) -> tracing::Span {
        self.call.settings.log.clone()
    }

    /// Runs the request. The caller is attached and holds a place among the running ones.
    pub(crate) fn run(mut self: Box<Self>, py: Python<'_>) {
        if self.reply.is_closed() {
            // The client left while the request waited for Python.
            return;
        }
        if let Some(begun) = &self.begun {
            begun();
        }
        let (call, request, reply) = (&self.call, &mut self.request, self.reply);
        let ready = match call.ready(py) {
            Ok(ready) => ready,
            Err(error) => {
                let response = call.failure(py, &Client::of(request), &error);
                reply.send(response);
                return;
            }
        };
        if call.settings.asks_for_site_files
            && ready.application.loaded.is_ok()
            && matches!(request.method, Method::GET | Method::HEAD)
        {
            match site_files::find(py, request) {
                Ok(None) => {}
                Ok(Some(onward)) => return reply.send(onward),
                Err(error) => {
                    let response = call.failure(py, &Client::of(request), &error);
                    return reply.send(response);
                }
            }
        }
        match &ready.application.loaded {
            Ok((Protocol::Wsgi, application)) => {
                wsgi::run(py, call, application.bind(py), request, reply);
            }
            Ok((Protocol::Django, handler)) => {
                django::run(py, call, handler.bind(py), request, reply);
            }
            Ok((Protocol::ModPython, chain)) => {
                mod_python::run(py, call, chain.bind(py), request, reply);
            }
            Err(traceback) => {
                reply.send(failure::response(traceback, call.settings.debug));
            }
        }
    }
}

/// Sends a route's requests to Python.
struct PythonHandler {
    dispatcher: Dispatcher,
    call: Arc<Call>,
}

impl std::fmt::Debug for PythonHandler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PythonHandler")
            .field(&self.call.settings.application)
            .finish()
    }
}

impl Handler for PythonHandler {
    fn body_mode(&self) -> BodyMode {
        BodyMode::Spooled
    }

    fn handle(&self, request: Request) -> Answer {
        self.submit(request, None)
    }

    fn handle_when_begun(&self, request: Request, begun: Begun) -> Answer {
        self.submit(request, Some(begun))
    }
}

impl PythonHandler {
    fn submit(&self, request: Request, begun: Option<Begun>) -> Answer {
        let id = request.id;
        match self.dispatcher.submit(request, &self.call, begun) {
            Ok(answer) if self.dispatcher.gives_up() => {
                let answered = self.dispatcher.answer_in_time(id, answer);
                Box::pin(async move { answered.await.unwrap_or_else(status_response) })
            }
            Ok(answer) => Box::pin(async move {
                match answer.await {
                    Ok(response) => response,
                    Err(_) => status_response(StatusCode::INTERNAL_SERVER_ERROR),
                }
            }),
            Err(request) => {
                tracing::error!(target: "python", "{}: the queue for Python is full, answered 503", Client::of(&request));
                Box::pin(std::future::ready(status_response(
                    StatusCode::SERVICE_UNAVAILABLE,
                )))
            }
        }
    }
}

/// Makes handlers for routes; they share names, applications and the dispatcher.
#[derive(Clone)]
pub struct Handlers {
    dispatcher: Dispatcher,
    applications: Applications,
    words: Arc<OnceLock<Words>>,
}

impl std::fmt::Debug for Handlers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Handlers").field(&self.applications).finish()
    }
}

impl Handlers {
    /// Handlers whose requests `dispatcher` runs.
    pub fn new(dispatcher: Dispatcher, applications: Applications) -> Self {
        Self {
            dispatcher,
            applications,
            words: Arc::default(),
        }
    }

    /// The handler of a route. The application is loaded by the first request if it has not been before.
    pub fn handler(&self, settings: RouteSettings) -> Arc<dyn Handler> {
        Arc::new(PythonHandler {
            dispatcher: self.dispatcher.clone(),
            call: Arc::new(Call {
                settings,
                applications: self.applications.clone(),
                words: self.words.clone(),
                ready: OnceLock::new(),
            }),
        })
    }
}
