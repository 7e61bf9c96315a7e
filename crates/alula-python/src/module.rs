//! What Python code finds in the `_alula` module.

use pyo3::prelude::*;
use std::cell::Cell;

thread_local! {
    /// Whether this thread has printed the beginning of a line.
    static UNENDED_LINE: Cell<bool> = const { Cell::new(false) };
}

/// Writes a line to the error log. `print` and `sys.stderr` end here (`alula.streams`).
#[pyfunction]
fn log_line(text: &str) {
    tracing::error!(target: "python", "{text}");
}

/// Writes a line to the error log at one of syslog's levels, as `apache.log_error` names them.
#[pyfunction]
fn log_at(level: u8, text: &str) {
    match level & 7 {
        0..=3 => tracing::error!(target: "python", "{text}"),
        4 => tracing::warn!(target: "python", "{text}"),
        5 | 6 => tracing::info!(target: "python", "{text}"),
        _ => tracing::debug!(target: "python", "{text}"),
    }
}

/// Writes a note of Alula's own Python code to the error log.
#[pyfunction]
fn log_note(text: &str) {
    tracing::warn!(target: "python", "{text}");
}

/// Says that the calling thread has printed the beginning of a line and nothing after it yet.
#[pyfunction]
fn note_unended_line() {
    UNENDED_LINE.set(true);
}

/// Logs the line this thread's request has left unended, if it has.
pub(crate) fn end_line(py: Python<'_>) {
    if UNENDED_LINE.replace(false) {
        let flushed = py
            .import("alula.streams")
            .and_then(|streams| streams.call_method0("flush"));
        if let Err(error) = flushed {
            tracing::error!(target: "python", "what a request printed cannot be logged: {error}");
        }
    }
}

/// Adds this crate's functions and classes to the extension module.
///
/// # Errors
/// What Python says when it has no memory left.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(log_line, module)?)?;
    module.add_function(wrap_pyfunction!(log_note, module)?)?;
    module.add_function(wrap_pyfunction!(log_at, module)?)?;
    module.add_function(wrap_pyfunction!(note_unended_line, module)?)?;
    module.add_class::<crate::wsgi::FileWrapper>()?;
    module.add_class::<crate::input::Input>()?;
    module.add_class::<crate::mod_python::Output>()?;
    Ok(())
}
