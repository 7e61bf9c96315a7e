//! Apache `httpd.conf` text to a validated [`Site`].
//!
//! Text to lines and words (`syntax`), to the lines that take part (`preprocess`), to directives, each one table entry
//! (`directives`), to what they mean ([`site`], with expressions in [`expression`]). Files, and the addresses of hosts that `<VirtualHost>` names, are
//! asked for through [`Files`]; nothing else outside is touched.
#![forbid(unsafe_code)]

mod diagnostic;
mod directives;
pub mod expression;
pub mod glob;
mod load;
pub mod pattern;
mod preprocess;
pub mod site;
mod syntax;
mod written;

pub use diagnostic::{Diagnostic, Place, Severity};
pub use directives::reference_page;
pub use load::{
    Files, LoadOptions, Loaded, MemoryFiles, htaccess_directives, load, load_htaccess, load_with,
};
pub use pattern::Pattern;
pub use site::Site;
pub use written::Written;

/// The modules whose work Alula does, as `<IfModule>` finds them, without `_module`.
pub fn built_in_modules() -> &'static [&'static str] {
    preprocess::modules::BUILT_IN
}
