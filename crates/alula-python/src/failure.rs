//! What an application's exception becomes: one record in the error log, and a 500 that tells no more than it may.

use alula_http::{Body, OwnPage, Response, status_response};
use http::{HeaderValue, StatusCode, header};
use pyo3::prelude::*;
use pyo3::types::PyList;

/// The whole traceback, as `traceback.format_exception` writes it, chained exceptions included.
pub(crate) fn traceback(py: Python<'_>, error: &PyErr) -> String {
    format(py, error).unwrap_or_else(|_| error.to_string())
}

fn format(py: Python<'_>, error: &PyErr) -> PyResult<String> {
    let lines = py.import("traceback")?.call_method1(
        "format_exception",
        (error.get_type(py), error.value(py), error.traceback(py)),
    )?;
    let lines: Bound<'_, PyList> = lines.cast_into()?;
    let mut text = String::new();
    for line in lines {
        text.push_str(line.extract::<std::borrow::Cow<'_, str>>()?.as_ref());
    }
    Ok(text.trim_end().to_owned())
}

/// The answer for a failed request: httpd's short page, or the traceback where `PythonDebug` allows it.
pub(crate) fn response(traceback: &str, debug: bool) -> Response {
    let mut response = status_response(StatusCode::INTERNAL_SERVER_ERROR);
    if debug {
        let mut page = String::from(
            "<!DOCTYPE html>\n<html><head><title>500 Internal Server Error</title></head>\n<body><h1>Internal Server Error</h1>\n<pre>\n",
        );
        for character in traceback.chars() {
            match character {
                '&' => page.push_str("&amp;"),
                '<' => page.push_str("&lt;"),
                '>' => page.push_str("&gt;"),
                other => page.push(other),
            }
        }
        page.push_str("\n</pre></body></html>\n");
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        );
        response.extensions_mut().remove::<OwnPage>();
        *response.body_mut() = Body::from(page);
    }
    response
}
