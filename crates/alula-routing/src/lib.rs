//! A [`Site`](alula_config::Site) to a [`RouteTable`]: which virtual host and which [`Route`] a request has.
//!
//! The table is asked for every request. Sections are matched each time; what the matching ones add up to is
//! computed once for each combination and kept.
#![forbid(unsafe_code)]

pub use alula_config::site;

mod route;
mod table;

pub use route::{
    Access, Action, FilesRoute, Found, PythonRoute, Route, RouteId, VirtualHostId, WsgiRoute,
};
pub use table::RouteTable;
