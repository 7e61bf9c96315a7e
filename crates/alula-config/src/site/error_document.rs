//! `ErrorDocument`: what is sent with an error of the server.

use serde::{Deserialize, Serialize};

/// What is sent with an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorDocument {
    /// `default`: the short page that names the status; undoes an outer `ErrorDocument`.
    Default,
    /// This text, as HTML.
    Text(String),
    /// What a `GET` of this path answers, with the error's status.
    Path(String),
    /// A redirect (302) to this URL.
    Url(String),
}
