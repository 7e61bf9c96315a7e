//! `SetEnvIf` and its kin: variables that depend on the request.

use crate::expression::Condition;
use crate::pattern::Pattern;
use serde::{Deserialize, Serialize};

/// One `SetEnvIf`, `SetEnvIfNoCase`, `BrowserMatch`, `BrowserMatchNoCase` or `SetEnvIfExpr`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetEnvIf {
    /// When.
    pub test: SetEnvIfTest,
    /// What is set: a name and its value with `$1` in it, or nothing to remove the name.
    pub changes: Vec<(String, Option<String>)>,
}

/// When a [`SetEnvIf`] sets something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SetEnvIfTest {
    /// The pattern is found in what the attribute says; an attribute that is not there says nothing, which is searched as well.
    Attribute(Attribute, Pattern),
    /// `SetEnvIfExpr`.
    Expression(Condition),
}

/// What of a request is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attribute {
    /// `Remote_Addr`, and `Remote_Host`, which is the same since names are never looked up.
    RemoteAddress,
    /// `Server_Addr`.
    ServerAddress,
    /// `Request_Method`.
    Method,
    /// `Request_Protocol`.
    Protocol,
    /// `Request_URI`: the path, decoded, without the query.
    Path,
    /// A header field; without one, a variable already set.
    Named(String),
    /// The first header field whose name fits.
    HeaderLike(Pattern),
}
