//! A [`Site`](alula_config::Site) to a [`RouteTable`]: which virtual host and which [`Route`] a request has.
//!
//! The table is asked for every request. Sections are matched each time; what the matching ones add up to is
//! computed once for each combination and kept.
#![forbid(unsafe_code)]

/// The Site's own types, where the router passes them on: log formats, limits of connections.
pub use alula_config::site;

mod cache;
mod compose;
mod headers;
mod htaccess;
mod mapping;
mod redirect;
mod route;
mod section_index;
mod sections;
mod substitution;
mod table;
mod virtual_host;

pub use headers::{HeaderChanges, Moment};
pub use htaccess::{Chain, Htaccess, HtaccessError, HtaccessFiles};
pub use redirect::{Redirected, Redirects};
pub use route::{
    Access, Action, Basic, FilesRoute, Found, Program, PythonDefinition, PythonRoute, Route,
    RouteId, TlsVariables, Verdict, VirtualHostId, WsgiRoute,
};
pub use table::RouteTable;
