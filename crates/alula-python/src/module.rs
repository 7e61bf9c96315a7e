//! What Python code finds in the `_alula` module.

use pyo3::prelude::*;

/// Writes a line to the error log. `print` and `sys.stderr` end here (`alula.streams`).
#[pyfunction]
fn log_line(text: &str) {
    tracing::error!(target: "python", "{text}");
}

/// Writes a note of Alula's own Python code to the error log.
#[pyfunction]
fn log_note(text: &str) {
    tracing::warn!(target: "python", "{text}");
}

/// Adds this crate's functions and classes to the extension module.
///
/// # Errors
/// What Python says when it has no memory left.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(log_line, module)?)?;
    module.add_function(wrap_pyfunction!(log_note, module)?)?;
    module.add_class::<crate::wsgi::FileWrapper>()?;
    module.add_class::<crate::input::Input>()?;
    Ok(())
}
