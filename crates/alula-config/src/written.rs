//! The directives as they were applied, for whoever wants to show them; kept only when asked for.

use crate::site::{Limited, Origin};

/// A directive that took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The line without blanks around it, its variables replaced.
    pub text: String,
    /// Where it stands.
    pub origin: Origin,
    /// The server it stands in: 0 is the main server, `n` is `site.virtual_hosts[n - 1]`.
    pub server: usize,
    /// Where the innermost `<Directory>`, `<Files>` or `<Location>` around it begins.
    pub section: Option<Origin>,
    /// The methods of the `<Limit>` around it.
    pub limit: Limited<()>,
    /// Whether it may stand in such a section: then it holds for all requests where it stands outside.
    pub for_requests: bool,
}
