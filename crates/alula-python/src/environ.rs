//! The environ dictionary of a request (PEP 3333, "environ Variables"), which is Django's `META` too.
//!
//! It starts as a copy of the route's template, so what is the same for each request is set once. Names are
//! interned, and a header's value is a new `str` only when it differs from the last one of that name: clients
//! say the same thing again and again.

use crate::input::Input;
use crate::text::latin1;
use alula_http::{Body, Peer, Request, Scheme};
use http::header::{self, HeaderName};
use http::{HeaderMap, Method, Version};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use rustc_hash::FxHashMap;
use std::net::SocketAddr;

/// How many header names are remembered; clients may invent more, and those cost a little more.
const HEADER_NAMES_MAX: usize = 256;
/// Longer values are not remembered, in bytes.
const MEMO_VALUE_BYTES_MAX: usize = 512;

/// What a route tells each of its requests.
#[derive(Debug, Clone)]
pub struct RouteSettings {
    /// What answers.
    pub application: crate::ApplicationSpec,
    /// Whether a client may see tracebacks (`PythonDebug`).
    pub debug: bool,
    /// `PythonOption`s.
    pub options: Vec<(String, String)>,
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
    /// Whether other processes run the same application (`wsgi.multiprocess`).
    pub multiprocess: bool,
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

/// Interned names and constant values, and the memo.
pub(crate) struct Words {
    request_method: Py<PyString>,
    server_protocol: Py<PyString>,
    request_uri: Py<PyString>,
    query_string: Py<PyString>,
    script_name: Py<PyString>,
    path_info: Py<PyString>,
    url_scheme: Py<PyString>,
    request_scheme: Py<PyString>,
    https_name: Py<PyString>,
    remote_addr: Py<PyString>,
    remote_port: Py<PyString>,
    server_addr: Py<PyString>,
    server_name: Py<PyString>,
    server_port: Py<PyString>,
    remote_user: Py<PyString>,
    auth_type: Py<PyString>,
    content_type: Py<PyString>,
    content_length: Py<PyString>,
    wsgi_input: Py<PyString>,
    http_10: Py<PyString>,
    http_11: Py<PyString>,
    empty: Py<PyString>,
    slash: Py<PyString>,
    https: Py<PyString>,
    on: Py<PyString>,
    empty_input: Py<Input>,
    memo: Mutex<Memo>,
}

impl Words {
    pub(crate) fn new(py: Python<'_>) -> PyResult<Self> {
        let word = |text: &str| PyString::intern(py, text).unbind();
        Ok(Self {
            request_method: word("REQUEST_METHOD"),
            server_protocol: word("SERVER_PROTOCOL"),
            request_uri: word("REQUEST_URI"),
            query_string: word("QUERY_STRING"),
            script_name: word("SCRIPT_NAME"),
            path_info: word("PATH_INFO"),
            url_scheme: word("wsgi.url_scheme"),
            request_scheme: word("REQUEST_SCHEME"),
            https_name: word("HTTPS"),
            remote_addr: word("REMOTE_ADDR"),
            remote_port: word("REMOTE_PORT"),
            server_addr: word("SERVER_ADDR"),
            server_name: word("SERVER_NAME"),
            server_port: word("SERVER_PORT"),
            remote_user: word("REMOTE_USER"),
            auth_type: word("AUTH_TYPE"),
            content_type: word("CONTENT_TYPE"),
            content_length: word("CONTENT_LENGTH"),
            wsgi_input: word("wsgi.input"),
            http_10: word("HTTP/1.0"),
            http_11: word("HTTP/1.1"),
            empty: word(""),
            slash: word("/"),
            https: word("https"),
            on: word("on"),
            empty_input: Py::new(py, Input::new(Body::Empty))?,
            memo: Mutex::default(),
        })
    }

    fn protocol<'a, 'py>(&'a self, py: Python<'py>, version: Version) -> &'a Bound<'py, PyString> {
        if version == Version::HTTP_10 {
            self.http_10.bind(py)
        } else {
            self.http_11.bind(py)
        }
    }

    /// The content as a file. Requests without content share one: it has no state to share.
    fn input<'py>(&self, py: Python<'py>, body: Body) -> PyResult<Bound<'py, Input>> {
        if body.is_empty() {
            Ok(self.empty_input.bind(py).clone())
        } else {
            Bound::new(py, Input::new(body))
        }
    }
}

/// The last values seen, as Python strings.
#[derive(Default)]
struct Memo {
    methods: FxHashMap<Method, Py<PyString>>,
    headers: FxHashMap<HeaderName, HeaderMemo>,
    server: Option<(Vec<u8>, ServerNames)>,
}

struct HeaderMemo {
    /// `None`: withheld.
    key: Option<Py<PyString>>,
    value: Option<(Vec<u8>, Py<PyString>)>,
}

/// A connection's ends as text, kept with the connection.
struct Ends {
    remote_addr: Py<PyString>,
    remote_port: Py<PyString>,
    server_addr: Py<PyString>,
}

impl Ends {
    fn new(py: Python<'_>, peer: &Peer) -> Self {
        let text = |text: String| PyString::new(py, &text).unbind();
        Self {
            remote_addr: text(plain_address(peer.remote)),
            remote_port: text(peer.remote.port().to_string()),
            server_addr: text(plain_address(peer.local)),
        }
    }
}

struct ServerNames {
    name: Py<PyString>,
    port: Py<PyString>,
}

impl Memo {
    fn method<'py>(&mut self, py: Python<'py>, method: &Method) -> Bound<'py, PyString> {
        if let Some(known) = self.methods.get(method) {
            return known.bind(py).clone();
        }
        let text = PyString::new(py, method.as_str());
        if self.methods.len() < 32 {
            self.methods.insert(method.clone(), text.clone().unbind());
        }
        text
    }

    /// The environ's name and value for a header field; `None` for those an application never sees.
    fn header<'py>(
        &mut self,
        py: Python<'py>,
        words: &Words,
        name: &HeaderName,
        value: &[u8],
    ) -> Option<(Bound<'py, PyString>, Bound<'py, PyString>)> {
        if let Some(entry) = self.headers.get_mut(name) {
            let key = entry.key.as_ref()?.bind(py).clone();
            if let Some((bytes, known)) = &entry.value
                && bytes == value
            {
                return Some((key, known.bind(py).clone()));
            }
            let text = latin1(py, value);
            if value.len() <= MEMO_VALUE_BYTES_MAX {
                entry.value = Some((value.to_vec(), text.clone().unbind()));
            }
            return Some((key, text));
        }
        let key = if is_withheld(name) {
            None
        } else if *name == header::CONTENT_TYPE {
            Some(words.content_type.bind(py).clone())
        } else {
            Some(PyString::intern(py, &environ_name(name)))
        };
        if self.headers.len() < HEADER_NAMES_MAX {
            let entry = HeaderMemo {
                key: key.clone().map(Bound::unbind),
                value: None,
            };
            self.headers.insert(name.clone(), entry);
        }
        Some((key?, latin1(py, value)))
    }

    /// `SERVER_NAME` and `SERVER_PORT`, after httpd with `UseCanonicalName Off`: from the request's authority.
    fn server(
        &mut self,
        py: Python<'_>,
        template: &Template,
        authority: Option<&[u8]>,
        peer: &Peer,
    ) -> &ServerNames {
        let known = match (&self.server, authority) {
            (Some((known, _)), Some(authority)) => known == authority,
            _ => false,
        };
        if !known {
            let scheme_port = match peer.scheme {
                Scheme::Http => 80,
                Scheme::Https => 443,
            };
            let (name, port) = match authority {
                Some(authority) => split_authority(authority),
                None => (template.server_name.as_bytes(), None),
            };
            let port = port.unwrap_or_else(|| match authority {
                Some(_) => template.server_port.unwrap_or(scheme_port),
                None => template.server_port.unwrap_or(peer.local.port()),
            });
            let names = ServerNames {
                name: latin1(py, name).unbind(),
                port: PyString::new(py, &port.to_string()).unbind(),
            };
            self.server = Some((authority.unwrap_or_default().to_vec(), names));
        }
        &self.server.as_ref().expect("filled above").1
    }
}

fn environ_name(name: &HeaderName) -> String {
    let mut key = String::with_capacity(5 + name.as_str().len());
    key.push_str("HTTP_");
    for character in name.as_str().chars() {
        key.push(match character {
            '-' => '_',
            other => other.to_ascii_uppercase(),
        });
    }
    key
}

/// An address without a port; an IPv4 client on an IPv6 socket is shown as the IPv4 client it is.
fn plain_address(address: SocketAddr) -> String {
    address.ip().to_canonical().to_string()
}

/// Splits `host[:port]`; an IPv6 literal keeps its brackets, as `SERVER_NAME` has them in httpd.
fn split_authority(authority: &[u8]) -> (&[u8], Option<u16>) {
    let search_from = memchr::memchr(b']', authority).unwrap_or(0);
    match memchr::memchr(b':', &authority[search_from..]) {
        None => (authority, None),
        Some(colon) => {
            let (host, port) = authority.split_at(search_from + colon);
            let port = std::str::from_utf8(&port[1..])
                .ok()
                .and_then(|port| port.parse().ok());
            (host, port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_split_at_the_port() {
        let check = |text: &'static str, host: &str, port: Option<u16>| {
            assert_eq!(split_authority(text.as_bytes()), (host.as_bytes(), port));
        };
        check("example.org", "example.org", None);
        check("example.org:8080", "example.org", Some(8080));
        check("[::1]", "[::1]", None);
        check("[::1]:8443", "[::1]", Some(8443));
        check("example.org:", "example.org", None);
    }

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
