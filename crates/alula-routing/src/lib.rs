//! A [`Site`](alula_config::Site) to a [`RouteTable`]: which virtual host and which [`Route`] a request has.
//!
//! The table is asked for every request. Sections are matched each time; what the matching ones add up to is
//! computed once for each combination and kept. What depends on more than the path (`<If>`, `SetEnvIf`, `RewriteRule`) is asked for each
//! request of a virtual host that has it, and of no other.
#![forbid(unsafe_code)]

/// The Site's own types, where the router passes them on: log formats, limits of connections.
pub use alula_config::expression::Condition;
pub use alula_config::site;

mod asked;
mod cache;
mod compose;
mod expression;
mod headers;
mod htaccess;
mod layers;
mod mapping;
mod passing;
mod redirect;
mod rewrite;
mod route;
mod section_index;
mod sections;
mod setenvif;
mod site_files;
mod substitution;
mod table;
mod variables;
mod virtual_host;

pub use asked::{Asked, Facts, LocalTime, own_url};
pub use headers::{HeaderChanges, Moment};
pub use htaccess::{Chain, Htaccess, HtaccessError, HtaccessFiles};
pub use redirect::{Redirected, Redirects};
pub use rewrite::Changes;
pub use rewrite::section::ROUNDS_MAX;
pub use route::{
    Access, Action, Basic, Dynamic, FilesRoute, Found, GateRoute, Program, PythonDefinition,
    PythonRoute, Question, Route, RouteId, TlsVariables, Verdict, VirtualHostId, WsgiRoute,
};
pub use site_files::{Mount, SiteFiles};
pub use table::{Applied, Asking, FixUp, RouteTable};
pub use variables::Variables;
