//! Asks `alula.site_files` whether a path is one of the project's own files (`PythonStatic`), where the routes do not know.
//!
//! Python only finds the file; the file engine sends it.

use alula_http::{Body, Onward, Request, Response};
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;

/// Leads to the file that a path is for; `None`: it is for the application.
pub(crate) fn find(py: Python<'_>, request: &Request) -> PyResult<Option<Response>> {
    let path = PyBytes::new(py, &request.path);
    let script_name = &request.path[..request.script_name_len.min(request.path.len())];
    let script_name = PyBytes::new(py, script_name);
    let found: Option<(PathBuf, bool)> = py
        .import("alula.site_files")?
        .call_method1("find", (script_name, path))?
        .extract()?;
    Ok(found.map(|(file, is_hashed)| {
        let mut response = http::Response::new(Body::Empty);
        let caching: HeaderValue = match is_hashed {
            true => alula_http::FOR_EVER,
            false => alula_http::REVALIDATED,
        };
        response.headers_mut().insert(CACHE_CONTROL, caching);
        response.extensions_mut().insert(Onward::File(file));
        response
    }))
}
