//! The extension module `_alula`: what a site's own Python loads to become a template, and then workers.
//!
//! An assembly: it puts the server, Python and files together and decides nothing. Python enters at [`main`],
//! which returns only in a template that is to end; a worker leaves the process from inside.

mod application;
mod assembly;
mod counter;
mod reception;
mod worker;

use alula_config::Site;
use alula_process::error_log::{ErrorLog, ErrorLogs};
use alula_process::template;
use alula_routing::RouteTable;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// The life of a template and, after a fork, of a worker. `description` is the value of `ALULA_TEMPLATE`.
#[pyfunction]
fn main(py: Python<'_>, description: &str) -> PyResult<()> {
    let failed = |error: std::io::Error| PyRuntimeError::new_err(error.to_string());
    let inherited = template::inherited(description).map_err(failed)?;
    let site: Site = inherited.site().parse().map_err(failed)?;
    let logs = ErrorLogs::from(&site);
    ErrorLog::inherited(&logs, inherited.log_files())
        .map_err(failed)?
        .install();
    alula_server::fix_time_zone();
    let interpreter = inherited.interpreter();
    let routes = RouteTable::new(&site);
    let mut application = application::SiteApplication::new(py, &site, interpreter, &routes);
    application.prepare()?;
    let Some(seat) = template::run(inherited, &mut application).map_err(failed)? else {
        return Ok(());
    };
    let applications = application.into_applications();
    worker::run(py, &site, interpreter, routes, applications, seat, &logs)
}

/// The `_alula` module.
#[pymodule]
fn _alula(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(main, module)?)?;
    alula_python::register(module)
}
