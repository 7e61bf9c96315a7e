//! Interned names and the constant values of the environ, made once for a worker.

use super::memo::Memo;
use crate::input::Input;
use alula_http::Body;
use http::Version;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// Interned names and constant values, and the memo.
pub(crate) struct Words {
    pub(super) request_method: Py<PyString>,
    pub(super) server_protocol: Py<PyString>,
    pub(super) request_uri: Py<PyString>,
    pub(super) query_string: Py<PyString>,
    pub(super) script_name: Py<PyString>,
    pub(super) path_info: Py<PyString>,
    pub(super) url_scheme: Py<PyString>,
    pub(super) request_scheme: Py<PyString>,
    pub(super) https_name: Py<PyString>,
    pub(super) remote_addr: Py<PyString>,
    pub(super) remote_port: Py<PyString>,
    pub(super) server_addr: Py<PyString>,
    pub(super) server_name: Py<PyString>,
    pub(super) server_port: Py<PyString>,
    pub(super) remote_user: Py<PyString>,
    pub(super) auth_type: Py<PyString>,
    pub(super) content_type: Py<PyString>,
    pub(super) content_length: Py<PyString>,
    pub(super) wsgi_input: Py<PyString>,
    pub(super) http_10: Py<PyString>,
    pub(super) http_11: Py<PyString>,
    pub(super) http_2: Py<PyString>,
    pub(super) empty: Py<PyString>,
    pub(super) slash: Py<PyString>,
    pub(super) https: Py<PyString>,
    pub(super) on: Py<PyString>,
    empty_input: Py<Input>,
    pub(super) memo: Mutex<Memo>,
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
            http_2: word("HTTP/2.0"),
            empty: word(""),
            slash: word("/"),
            https: word("https"),
            on: word("on"),
            empty_input: Py::new(py, Input::new(Body::Empty))?,
            memo: Mutex::default(),
        })
    }

    pub(super) fn protocol<'a, 'py>(
        &'a self,
        py: Python<'py>,
        version: Version,
    ) -> &'a Bound<'py, PyString> {
        match version {
            Version::HTTP_10 => self.http_10.bind(py),
            Version::HTTP_2 => self.http_2.bind(py),
            _ => self.http_11.bind(py),
        }
    }

    /// The content as a file. Requests without content share one: it has no state to share.
    pub(super) fn input<'py>(&self, py: Python<'py>, body: Body) -> PyResult<Bound<'py, Input>> {
        if body.is_empty() {
            Ok(self.empty_input.bind(py).clone())
        } else {
            Bound::new(py, Input::new(body))
        }
    }
}
