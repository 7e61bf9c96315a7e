//! A section whose settings apply to some requests only.
//!
//! Patterns are texts that were tried at load: a regular expression here is known to compile.

use super::{DirectorySettings, Origin};
use crate::expression::Condition;
use serde::{Deserialize, Serialize};

/// `<Directory>`, `<Files>`, `<Location>` and their kin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// What it applies to.
    pub pattern: SectionPattern,
    /// What it sets.
    pub settings: DirectorySettings,
    /// `<Files>` and `<FilesMatch>` inside a `<Directory>`, `<If>` inside any, in file order.
    pub inner: Vec<Section>,
    /// Where it was written.
    pub origin: Origin,
}

/// What a [`Section`] applies to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SectionPattern {
    /// `<Directory /path>`: this directory and everything below. Absolute, without trailing slash (`/` itself aside).
    Directory(String),
    /// `<Directory /home/*/www>`: shell wildcards that do not cross `/`.
    DirectoryGlob(String),
    /// `<DirectoryMatch re>` and `<Directory ~ re>`: searched in the whole file path; a directory's ends with a slash.
    DirectoryMatch(String),
    /// `<Files name>`: the base name.
    Files(String),
    /// `<Files *.py>`: the base name, shell wildcards.
    FilesGlob(String),
    /// `<FilesMatch re>` and `<Files ~ re>`: searched in the base name.
    FilesMatch(String),
    /// `<Location /path>`: on a path-segment boundary. `/a/` does not match `/a`.
    Location(String),
    /// `<Location /a/*>`: shell wildcards that do not cross `/`, for the whole path: `/a/b` fits, `/a/b/c` does not.
    LocationGlob(String),
    /// `<LocationMatch re>` and `<Location ~ re>`: searched in the path.
    LocationMatch(String),
    /// `<Proxy http://example.org/>`: the start of a back end's URL.
    Proxy(String),
    /// `<Proxy *>`: shell wildcards for the whole URL.
    ProxyGlob(String),
    /// `<ProxyMatch re>` and `<Proxy ~ re>`: searched in the URL.
    ProxyMatch(String),
    /// `<If>`, `<ElseIf>`, `<Else>`: requests for which this is true and nothing of the other. No condition: true.
    If {
        /// What must be true.
        condition: Option<Condition>,
        /// The conditions of the sections before it.
        unless: Vec<Condition>,
    },
}

impl SectionPattern {
    /// Whether it looks at the directory of a file.
    pub fn is_directory(&self) -> bool {
        matches!(
            self,
            Self::Directory(_) | Self::DirectoryGlob(_) | Self::DirectoryMatch(_)
        )
    }

    /// Whether it looks at the URL path.
    pub fn is_location(&self) -> bool {
        matches!(
            self,
            Self::Location(_) | Self::LocationGlob(_) | Self::LocationMatch(_)
        )
    }

    /// Whether it looks at the URL of a back end.
    pub fn is_proxy(&self) -> bool {
        matches!(
            self,
            Self::Proxy(_) | Self::ProxyGlob(_) | Self::ProxyMatch(_)
        )
    }

    /// The line a section of this kind begins with.
    pub fn heading(&self) -> String {
        match self {
            Self::Directory(path) | Self::DirectoryGlob(path) => format!("<Directory {path:?}>"),
            Self::DirectoryMatch(regex) => format!("<DirectoryMatch {regex:?}>"),
            Self::Files(name) | Self::FilesGlob(name) => format!("<Files {name:?}>"),
            Self::FilesMatch(regex) => format!("<FilesMatch {regex:?}>"),
            Self::Location(path) | Self::LocationGlob(path) => format!("<Location {path:?}>"),
            Self::LocationMatch(regex) => format!("<LocationMatch {regex:?}>"),
            Self::Proxy(url) | Self::ProxyGlob(url) => format!("<Proxy {url:?}>"),
            Self::ProxyMatch(regex) => format!("<ProxyMatch {regex:?}>"),
            Self::If {
                condition: Some(_),
                unless,
            } if unless.is_empty() => "<If>".to_owned(),
            Self::If {
                condition: Some(_), ..
            } => "<ElseIf>".to_owned(),
            Self::If {
                condition: None, ..
            } => "<Else>".to_owned(),
        }
    }

    /// The path, name or regular expression as written; empty for `<If>`.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Directory(text)
            | Self::DirectoryGlob(text)
            | Self::DirectoryMatch(text)
            | Self::Files(text)
            | Self::FilesGlob(text)
            | Self::FilesMatch(text)
            | Self::Location(text)
            | Self::LocationGlob(text)
            | Self::LocationMatch(text)
            | Self::Proxy(text)
            | Self::ProxyGlob(text)
            | Self::ProxyMatch(text) => text,
            Self::If { .. } => "",
        }
    }

    pub(crate) fn section_name(&self) -> &'static str {
        match self {
            Self::Directory(_) | Self::DirectoryGlob(_) => "in <Directory> context",
            Self::DirectoryMatch(_) => "in <DirectoryMatch> context",
            Self::Files(_) | Self::FilesGlob(_) => "in <Files> context",
            Self::FilesMatch(_) => "in <FilesMatch> context",
            Self::Location(_) | Self::LocationGlob(_) => "in <Location> context",
            Self::LocationMatch(_) => "in <LocationMatch> context",
            Self::Proxy(_) | Self::ProxyGlob(_) => "in <Proxy> context",
            Self::ProxyMatch(_) => "in <ProxyMatch> context",
            Self::If { .. } => "in <If> context",
        }
    }
}
