//! CPython as a [`alula_http::Handler`]: requests in, Python calls, responses out.
//!
//! The surprise is in [`dispatch`]: there is no I/O thread beside the Python threads. The thread that runs
//! Python drives the I/O loop in between, and is relieved of it only while a call blocks or computes for long.
//! Nothing of Python leaves this crate: no `Py<...>` in another crate's signature but the worker's assembly.

mod application;
mod dispatch;
mod django;
mod environ;
mod exchange;
mod failure;
mod fields;
mod input;
mod mod_python;
mod module;
mod site_files;
mod spool;
mod text;
mod wsgi;

pub use application::{ApplicationSpec, Applications, Handlers};
pub use dispatch::{DispatchSettings, Dispatcher, Watch};
pub use environ::RouteSettings;
pub use module::register;
