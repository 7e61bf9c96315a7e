//! The environ dictionary of a request (PEP 3333, "environ Variables"), which is Django's `META` too.
//!
//! It starts as a copy of the route's template, so what is the same for each request is set once. Names are
//! interned, and a header's value is a new `str` only when it differs from the last one of that name: clients
//! say the same thing again and again.

mod memo;
mod words;

pub(crate) use words::Words;

use crate::text::latin1;
use alula_http::{Request, Scheme};
use http::HeaderMap;
use http::header::{self, HeaderName};
use memo::{Ends, Memo};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// What a route tells each of its requests.
#[derive(Debug, Clone)]
pub struct RouteSettings {
    /// What answers.
    pub application: crate::ApplicationSpec,
    /// Whether a client may see tracebacks (`PythonDebug`).
    pub debug: bool,
    /// `SetEnv` and the like, for the environ.
    pub environment: Vec<(String, String)>,
    /// `ServerName`, for requests without `Host`.
    pub server_name: String,
    /// The port `SERVER_PORT` says when neither `Host` nor the connection tells.
    pub server_port: Option<u16>,
    /// `ServerAdmin`.
    pub server_admin: Option<String>,
    /// `DocumentRoot`.
    pub document_root: Option<String>,
    /// The script's file, for WSGI scripts.
    pub script_file: Option<String>,
    /// Which `SSL_*` variables a request over TLS brings: `StdEnvVars`, `ExportCertData`.
    pub tls_variables: (bool, bool),
    /// Whether the application sees `Authorization`.
    pub pass_authorization: bool,
    /// Whether other processes run the same application (`wsgi.multiprocess`).
    pub multiprocess: bool,
    /// Whether `alula.site_files` is asked first: the path may be one of a file.
    pub asks_for_site_files: bool,
    /// What events of its requests happen in: it says which error log they belong to.
    pub log: tracing::Span,
}

/// How a path's bytes become a `str`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathText {
    /// PEP 3333: each byte a character.
    Latin1,
    /// Django's `META` after `WSGIRequest`: UTF-8. Invalid bytes stay percent-encoded.
    Utf8,
}

/// A route's template dictionary.
pub(crate) struct Template {
    base: Py<PyDict>,
    server_name: String,
    server_port: Option<u16>,
    tls_variables: (bool, bool),
    /// `SetEnv HTTPS on`.
    is_tls: bool,
    pass_authorization: bool,
}

impl Template {
    pub(crate) fn new(py: Python<'_>, route: &RouteSettings) -> PyResult<Self> {
        let base = PyDict::new(py);
        // What every request sets has its place already, so that the copy need not grow.
        for name in [
            "REQUEST_METHOD",
            "SERVER_PROTOCOL",
            "REQUEST_URI",
            "QUERY_STRING",
            "PATH_INFO",
            "REMOTE_ADDR",
            "REMOTE_PORT",
            "SERVER_ADDR",
            "SERVER_NAME",
            "SERVER_PORT",
            "wsgi.input",
        ] {
            base.set_item(PyString::intern(py, name), py.None())?;
        }
        for (name, value) in &route.environment {
            base.set_item(PyString::intern(py, name), value)?;
        }
        base.set_item("GATEWAY_INTERFACE", "CGI/1.1")?;
        base.set_item(
            "SERVER_SOFTWARE",
            concat!("Alula/", env!("CARGO_PKG_VERSION")),
        )?;
        base.set_item("SCRIPT_NAME", "")?;
        if let Some(admin) = &route.server_admin {
            base.set_item("SERVER_ADMIN", admin)?;
        }
        if let Some(root) = &route.document_root {
            base.set_item("DOCUMENT_ROOT", root)?;
        }
        if let Some(script) = &route.script_file {
            base.set_item("SCRIPT_FILENAME", script)?;
        }
        base.set_item("wsgi.version", (1, 0))?;
        base.set_item("wsgi.url_scheme", "http")?;
        base.set_item("REQUEST_SCHEME", "http")?;
        base.set_item("wsgi.errors", py.import("sys")?.getattr("stderr")?)?;
        base.set_item("wsgi.multithread", true)?;
        base.set_item("wsgi.multiprocess", route.multiprocess)?;
        base.set_item("wsgi.run_once", false)?;
        base.set_item("wsgi.input_terminated", true)?;
        base.set_item(
            "wsgi.file_wrapper",
            py.get_type::<crate::wsgi::FileWrapper>(),
        )?;
        Ok(Self {
            base: base.unbind(),
            server_name: route.server_name.clone(),
            server_port: route.server_port,
            tls_variables: route.tls_variables,
            is_tls: route
                .environment
                .iter()
                .any(|(name, value)| name == "HTTPS" && says_on(value)),
            pass_authorization: route.pass_authorization,
        })
    }

    /// The environ of `request`, whose content moves into `wsgi.input`.
    pub(crate) fn environ<'py>(
        &self,
        py: Python<'py>,
        words: &Words,
        request: &mut Request,
        path_text: PathText,
    ) -> PyResult<Bound<'py, PyDict>> {
        let environ = self.base.bind(py).copy()?;
        let content_length = request.body.len().unwrap_or(0);
        let input = words.input(py, std::mem::take(&mut request.body))?;
        let set = |name: &Py<PyString>, value: &Bound<'py, PyString>| {
            environ.set_item(name.bind(py), value)
        };
        // First, so that none can pass for what the server itself says.
        let mut is_tls = self.is_tls;
        for (name, value) in request.variables.as_deref().unwrap_or_default() {
            environ.set_item(PyString::intern(py, name), latin1(py, value.as_bytes()))?;
            if name == "HTTPS" {
                is_tls = says_on(value);
            }
        }

        // Another thread may hold the memo only while it waits for the GIL in here; then do without.
        let mut own_memo = None;
        let mut shared_memo = words.memo.try_lock();
        let memo: &mut Memo = match &mut shared_memo {
            Some(memo) => memo,
            None => own_memo.insert(Memo::default()),
        };

        set(&words.request_method, &memo.method(py, &request.method))?;
        set(&words.server_protocol, words.protocol(py, request.version))?;
        set(&words.request_uri, &latin1(py, &request.target))?;
        let query = request.query.as_deref().unwrap_or_default();
        if query.is_empty() {
            set(&words.query_string, words.empty.bind(py))?;
        } else {
            set(&words.query_string, &latin1(py, query))?;
        }
        let (script_name, path_info) = request
            .path
            .split_at(request.script_name_len.min(request.path.len()));
        if !script_name.is_empty() {
            set(&words.script_name, &path_str(py, script_name, path_text))?;
        }
        if path_info.is_empty() && path_text == PathText::Utf8 {
            set(&words.path_info, words.slash.bind(py))?;
        } else {
            set(&words.path_info, &path_str(py, path_info, path_text))?;
        }
        if request.peer.scheme == Scheme::Https {
            set(&words.url_scheme, words.https.bind(py))?;
            set(&words.request_scheme, words.https.bind(py))?;
            set(&words.https_name, words.on.bind(py))?;
            self.tls(&environ, request)?;
        } else if is_tls {
            // Behind a proxy: `SetEnvIf X-Forwarded-Proto https HTTPS=on`, as mod_wsgi reads it.
            set(&words.url_scheme, words.https.bind(py))?;
        }
        {
            let peer = &request.peer;
            let kept = peer.kept.get_or_init(|| Box::new(Ends::new(py, peer)));
            // Only this crate keeps anything there; another handler's note would cost a fresh one each time.
            let fresh;
            let ends = match kept.downcast_ref::<Ends>() {
                Some(ends) => ends,
                None => {
                    fresh = Ends::new(py, peer);
                    &fresh
                }
            };
            set(&words.remote_addr, ends.remote_addr.bind(py))?;
            set(&words.remote_port, ends.remote_port.bind(py))?;
            set(&words.server_addr, ends.server_addr.bind(py))?;
        }
        {
            let server = memo.server(
                py,
                self,
                request
                    .headers
                    .get(header::HOST)
                    .map(http::HeaderValue::as_bytes),
                &request.peer,
            );
            set(&words.server_name, server.name.bind(py))?;
            set(&words.server_port, server.port.bind(py))?;
        }
        if let Some(user) = &request.user {
            set(&words.remote_user, &PyString::new(py, user))?;
            set(&words.auth_type, &PyString::new(py, "Basic"))?;
        }
        if !self.pass_authorization {
            request.headers.remove(header::AUTHORIZATION);
        }
        headers(py, words, memo, &environ, &request.headers)?;
        if content_length > 0 || request.headers.contains_key(header::CONTENT_LENGTH) {
            set(
                &words.content_length,
                &PyString::new(py, &content_length.to_string()),
            )?;
        }
        environ.set_item(words.wsgi_input.bind(py), input)?;
        Ok(environ)
    }
}

impl Template {
    /// mod_ssl's variables. The name a client gave in the handshake is always there, as in httpd.
    fn tls(&self, environ: &Bound<'_, PyDict>, request: &Request) -> PyResult<()> {
        let Some(session) = request.peer.tls() else {
            return Ok(());
        };
        let (standard, certificates) = self.tls_variables;
        if standard {
            for (name, value) in session.standard() {
                environ.set_item(name, value)?;
            }
        } else if let Some(name) = session.variable("SSL_TLS_SNI") {
            environ.set_item("SSL_TLS_SNI", name)?;
        }
        if certificates {
            for (name, value) in session.certificates() {
                environ.set_item(name, value)?;
            }
        }
        Ok(())
    }
}

/// mod_wsgi's reading of `HTTPS`.
fn says_on(value: &str) -> bool {
    value == "1" || value.eq_ignore_ascii_case("on")
}

/// Sets `HTTP_*` and `CONTENT_TYPE`. Repeated fields are joined as RFC 9110 section 5.3 says.
fn headers(
    py: Python<'_>,
    words: &Words,
    memo: &mut Memo,
    environ: &Bound<'_, PyDict>,
    fields: &HeaderMap,
) -> PyResult<()> {
    let mut fields = fields.iter().peekable();
    while let Some((name, first)) = fields.next() {
        // The map yields a repeated field's values one after the other, with one and the same name.
        let mut joined: Option<Vec<u8>> = None;
        while let Some((_, value)) = fields.next_if(|(next, _)| std::ptr::eq(*next, name)) {
            let separator: &[u8] = if name == header::COOKIE { b"; " } else { b", " };
            let joined = joined.get_or_insert_with(|| first.as_bytes().to_vec());
            joined.extend_from_slice(separator);
            joined.extend_from_slice(value.as_bytes());
        }
        let value = joined.as_deref().unwrap_or(first.as_bytes());
        if let Some((key, value)) = memo.header(py, words, name, value) {
            environ.set_item(key, value)?;
        }
    }
    Ok(())
}

/// Fields an application never sees: `Proxy` would become `HTTP_PROXY` (CVE-2016-5385), a name with an
/// underscore would pass for the one with a hyphen, and the length and coding of the content as received are
/// not those of `wsgi.input`.
fn is_withheld(name: &HeaderName) -> bool {
    *name == header::CONTENT_LENGTH
        || *name == header::TRANSFER_ENCODING
        || name.as_str() == "proxy"
        || name
            .as_str()
            .bytes()
            .any(|byte| !byte.is_ascii_alphanumeric() && byte != b'-')
}

fn path_str<'py>(py: Python<'py>, path: &[u8], path_text: PathText) -> Bound<'py, PyString> {
    match path_text {
        PathText::Latin1 => latin1(py, path),
        PathText::Utf8 => match std::str::from_utf8(path) {
            Ok(path) => PyString::new(py, path),
            Err(_) => PyString::new(py, &repercent(path)),
        },
    }
}

/// Percent-encodes the bytes that are not UTF-8, as `django.core.handlers.wsgi.get_path_info` does.
fn repercent(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len() + 8);
    for chunk in path.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_pass_for_others_are_withheld() {
        let withheld = |name: &'static str| is_withheld(&HeaderName::from_static(name));
        assert!(withheld("x_forwarded_for"));
        assert!(withheld("proxy"));
        assert!(withheld("x.y"));
        assert!(!withheld("x-forwarded-for"));
        assert!(!withheld("proxy-authorization"));
    }

    #[test]
    fn bytes_that_are_not_utf8_stay_encoded() {
        assert_eq!(repercent(b"/caf\xe9"), "/caf%E9");
        assert_eq!(repercent("/café".as_bytes()), "/café");
    }
}
