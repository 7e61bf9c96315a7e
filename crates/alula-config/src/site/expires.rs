//! mod_expires: how long a response may be kept.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// mod_expires' directives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expires {
    /// `ExpiresActive`.
    pub active: Option<bool>,
    /// `ExpiresDefault`.
    pub default: Option<Expiry>,
    /// `ExpiresByType`, media types in lower case; `image/*` stands for all that start so.
    pub by_type: BTreeMap<String, Expiry>,
}

/// A time after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry {
    /// After what.
    pub base: ExpiryBase,
    /// How long after.
    pub seconds: u64,
}

/// What an [`Expiry`] counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExpiryBase {
    /// `access` or `now`: the request.
    Access,
    /// `modification`: the file's last change.
    Modification,
}

impl Expires {
    /// What holds for a media type without parameters, in lower case.
    pub fn for_type(&self, media_type: &str) -> Option<Expiry> {
        let wildcard = || {
            let (kind, _) = media_type.split_once('/')?;
            self.by_type.get(&format!("{kind}/*"))
        };
        let found = self.by_type.get(media_type).or_else(wildcard);
        found.copied().or(self.default)
    }
}
