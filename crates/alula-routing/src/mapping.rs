//! A URL path to a file or script, by `Alias`, `AliasMatch`, `WSGIScriptAlias` and `DocumentRoot`: purely lexical.
//!
//! Prefixes fit on a segment border, repeated slashes counting as one. The first that fits wins, not the longest.

use crate::substitution::expand;
use alula_config::site::{InterpreterNames, MappingTarget, UrlMapping, VirtualHost};
use alula_config::{Pattern, Site};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Where URLs lead, in the order to try.
#[derive(Debug)]
pub(crate) struct Mappings {
    pub mappings: Vec<Mapping>,
    /// Without it, what no mapping takes is not found.
    pub document_root: Option<PathBuf>,
    /// `TypesConfig`, for the files.
    pub media_types: Arc<BTreeMap<String, String>>,
    /// Whose Python answers where nothing names one.
    pub interpreters: InterpreterNames,
}

/// One `Alias`, `AliasMatch` or `WSGIScriptAlias`.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub url: Box<[u8]>,
    /// `AliasMatch`'s, to be found in the path.
    regex: Option<Pattern>,
    pub target: MappingTarget,
}

/// What a path was mapped to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mapped {
    /// A mapping, and how much of the path its URL took.
    By {
        index: usize,
        length: usize,
    },
    DocumentRoot,
    /// A file that a rewrite rule named, wherever it is.
    Anywhere,
    Nowhere,
}

impl Mappings {
    pub(crate) fn new(site: &Site, server: &VirtualHost) -> Self {
        let compile = |mapping: &UrlMapping| Mapping {
            url: mapping.url.as_bytes().into(),
            regex: match mapping.target {
                // `alula-config` lets no other through.
                MappingTarget::FilesMatch(_) => Pattern::new(&mapping.url).ok(),
                _ => None,
            },
            target: mapping.target.clone(),
        };
        Self {
            mappings: server.url_map.iter().map(compile).collect(),
            document_root: server.document_root.clone(),
            media_types: site.media_types.clone(),
            interpreters: server.interpreters.clone(),
        }
    }

    pub(crate) fn find(&self, path: &[u8]) -> Mapped {
        // `OPTIONS *` asks about the server, not about a file beside the document root.
        if !path.starts_with(b"/") {
            return Mapped::Nowhere;
        }
        for (index, mapping) in self.mappings.iter().enumerate() {
            if let Some(length) = mapping.length(path) {
                return Mapped::By { index, length };
            }
        }
        match self.document_root {
            Some(_) => Mapped::DocumentRoot,
            None => Mapped::Nowhere,
        }
    }

    /// The directory and the URL of the `Alias` that a path goes through.
    pub(crate) fn alias(&self, path: &[u8]) -> Option<(&[u8], &[u8])> {
        let Mapped::By { index, .. } = self.find(path) else {
            return None;
        };
        let mapping = &self.mappings[index];
        match &mapping.target {
            MappingTarget::Files(root) => Some((root.as_bytes(), &mapping.url)),
            MappingTarget::FilesMatch(_) | MappingTarget::WsgiScript { .. } => None,
        }
    }

    /// The file a path leads to; `path` has its slashes merged.
    pub(crate) fn file(&self, mapped: Mapped, path: &[u8]) -> Option<Vec<u8>> {
        let (root, rest) = match mapped {
            Mapped::By { index, length } => match &self.mappings[index].target {
                MappingTarget::Files(root) => (root.as_bytes(), &path[length..]),
                MappingTarget::FilesMatch(template) => {
                    let regex = self.mappings[index].regex.as_ref()?;
                    let groups = regex.captures(path)?;
                    return Some(expand(template, path, &groups, <[u8]>::to_vec));
                }
                MappingTarget::WsgiScript { .. } => return None,
            },
            Mapped::DocumentRoot => (
                self.document_root.as_ref()?.as_os_str().as_encoded_bytes(),
                path,
            ),
            Mapped::Anywhere | Mapped::Nowhere => return None,
        };
        let mut file = Vec::with_capacity(root.len() + rest.len());
        file.extend_from_slice(root);
        let rest = match rest.strip_prefix(b"/") {
            Some(after) if root.ends_with(b"/") => after,
            _ => rest,
        };
        file.extend_from_slice(rest);
        Some(file)
    }
}

impl Mapping {
    /// How much of a path it takes, if it fits.
    fn length(&self, path: &[u8]) -> Option<usize> {
        match &self.regex {
            Some(regex) => regex.is_match(path).then_some(path.len()),
            None => prefix_length(path, &self.url),
        }
    }
}

/// How much of a path a prefix takes, if it fits on a segment border. A run of slashes counts as one.
pub(crate) fn prefix_length(path: &[u8], prefix: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut rest = prefix;
    while let Some((&first, after)) = rest.split_first() {
        if path.get(at) != Some(&first) {
            return None;
        }
        at += 1;
        rest = after;
        if first == b'/' {
            at += leading_slashes(&path[at..]);
            rest = &rest[leading_slashes(rest)..];
        }
    }
    let border = prefix.ends_with(b"/") || matches!(path.get(at), None | Some(b'/'));
    border.then_some(at)
}

fn leading_slashes(text: &[u8]) -> usize {
    text.iter().take_while(|&&c| c == b'/').count()
}

#[cfg(test)]
mod tests {
    use super::prefix_length;

    #[test]
    fn a_prefix_fits_on_a_segment_border() {
        for (path, prefix, expected) in [
            ("/mysite", "/mysite", Some(7)),
            ("/mysite/a", "/mysite", Some(7)),
            ("/mysite2", "/mysite", None),
            ("/mysite/", "/mysite/", Some(8)),
            ("/mysite", "/mysite/", None),
            ("//a///b/c", "/a/b", Some(7)),
            ("/a//", "/a/", Some(4)),
            ("/anything", "/", Some(1)),
            ("*", "/", None),
            ("/", "", Some(0)),
        ] {
            assert_eq!(
                prefix_length(path.as_bytes(), prefix.as_bytes()),
                expected,
                "{path} {prefix}"
            );
        }
    }
}
