//! How a request proves who it comes from: `AuthType` and what goes with it.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What one section sets; each on its own replaces what is inherited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthenticationSettings {
    /// `AuthType`.
    pub kind: Option<AuthType>,
    /// `AuthName`.
    pub realm: Option<String>,
    /// `AuthUserFile`.
    pub user_file: Option<PathBuf>,
    /// `AuthGroupFile`.
    pub group_file: Option<PathBuf>,
    /// `AuthzSendForbiddenOnFailure`.
    pub forbidden_on_failure: Option<bool>,
}

/// `AuthType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthType {
    /// `None`: undoes an outer `AuthType`.
    None,
    /// `Basic` (RFC 7617).
    Basic,
}
