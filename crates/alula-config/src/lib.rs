//! Apache `httpd.conf` text to a validated [`Site`].
//!
//! Text → lines ([`syntax`](crate::syntax)) → what `Include`, `Define` and `<IfModule>` leave of them (`preprocess`) → directives,
//! each one table entry (`directives`) → [`site`]. The network is never touched; files are read through [`Files`].
#![forbid(unsafe_code)]

mod diagnostic;
mod load;
pub mod site;

pub use diagnostic::{Diagnostic, Place, Severity};
pub use load::{Files, LoadOptions, Loaded, load, load_with};
pub use site::Site;
