//! How a request proves who it comes from: `AuthType` and what goes with it.

use super::{GroupName, Origin};
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
    /// `AuthBasicProvider`, in the order to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub providers: Option<Vec<Provider>>,
    /// `WSGIAuthUserScript`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_script: Option<GateScript>,
    /// `WSGIAuthGroupScript`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_script: Option<GateScript>,
    /// `WSGIAccessScript`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_script: Option<GateScript>,
}

impl AuthenticationSettings {
    /// The scripts that are asked.
    pub fn scripts(&self) -> impl Iterator<Item = &GateScript> {
        let scripts = [&self.user_script, &self.group_script, &self.access_script];
        scripts.into_iter().flatten()
    }
}

/// Who knows passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Provider {
    /// `file`: `AuthUserFile`.
    File,
    /// `wsgi`: `WSGIAuthUserScript`.
    Wsgi,
}

/// A WSGI script whose functions are asked who may pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateScript {
    /// The file.
    pub script: PathBuf,
    /// `application-group=`.
    pub application_group: Option<GroupName>,
    /// Whether it was written in the main server, inside a section or not.
    pub in_main_server: bool,
    /// Where it was written.
    pub origin: Origin,
}

/// `AuthType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthType {
    /// `None`: undoes an outer `AuthType`.
    None,
    /// `Basic` (RFC 7617).
    Basic,
}
