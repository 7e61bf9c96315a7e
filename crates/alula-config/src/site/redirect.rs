//! `Redirect`: URLs answered with another URL, or with a status alone.

use super::Origin;
use serde::{Deserialize, Serialize};

/// One `Redirect`, `RedirectMatch`, `RedirectPermanent` or `RedirectTemp`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    /// Which paths.
    pub from: RedirectFrom,
    /// The status to answer with.
    pub status: u16,
    /// Where to: a URL, or a path on this server. `None` for a status that is no redirection.
    pub to: Option<String>,
    /// Where it was written.
    pub origin: Origin,
}

/// Which paths a [`Redirect`] is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RedirectFrom {
    /// Those that start with this on a segment border; what follows is appended to the target.
    Prefix(String),
    /// Those in which this regular expression is found; `$1` in the target is what its first group matched.
    Match(String),
    /// All that the section around is for.
    All,
}
