//! `AllowOverride` and its kin: what files like `.htaccess` in a directory may say about it.

use super::merge::replace;
use serde::{Deserialize, Serialize};

/// A group of directives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OverrideClass {
    /// Users and passwords.
    AuthConfig,
    /// Types, handlers, headers, redirects.
    FileInfo,
    /// Indexes and listings.
    Indexes,
    /// `Order`, `Allow`, `Deny`.
    Limit,
    /// `Options`.
    Options,
}

/// What the files may hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideSettings {
    /// `AllowOverride`; empty: `None`.
    pub classes: Option<Vec<OverrideClass>>,
    /// `AllowOverride Options=...`: those that may be set, in lower case. `None`: all.
    pub options: Option<Vec<String>>,
    /// `AllowOverrideList`: directives by name.
    pub listed: Option<Vec<String>>,
    /// `AccessFileName`.
    pub file_names: Option<Vec<String>>,
}

impl OverrideSettings {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the files are looked for at all.
    pub fn is_active(&self) -> bool {
        let any = |list: Option<bool>| list.unwrap_or(false);
        any(self.classes.as_ref().map(|list| !list.is_empty()))
            || any(self.listed.as_ref().map(|list| !list.is_empty()))
    }

    /// What the files are called.
    pub fn file_names(&self) -> Vec<String> {
        let default = || vec![".htaccess".to_owned()];
        self.file_names.clone().unwrap_or_else(default)
    }

    /// Lays an inner section's settings over these.
    pub fn overlay(&mut self, later: &Self) {
        if later.classes.is_some() {
            // `AllowOverride All` inside `Options=...` allows all options again.
            self.options.clone_from(&later.options);
        }
        replace(&mut self.classes, &later.classes);
        replace(&mut self.listed, &later.listed);
        replace(&mut self.file_names, &later.file_names);
    }
}
