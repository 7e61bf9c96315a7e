//! Tells what a file is from its name: media type, charset, encoding, languages.
//!
//! As in httpd's mod_mime every extension counts and of two that say different things the right one wins: `a.html.bak` is HTML,
//! `a.js.gz` with `AddEncoding gzip .gz` is JavaScript that is packed. A name with no known extension gets no type at all, which
//! RFC 9110 section 8.3 prefers to a guess.

use alula_config::site::{ExtensionSettings, FileSettings, Switched};
use alula_http::etag::Facts;
use http::HeaderValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// What the configuration says about types.
#[derive(Debug)]
pub(crate) struct Mime {
    settings: Arc<FileSettings>,
    /// `TypesConfig`.
    table: Arc<BTreeMap<String, String>>,
    default_charset: Option<String>,
}

/// What a file is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) content_type: Option<HeaderValue>,
    pub(crate) encoding: Option<HeaderValue>,
    pub(crate) language: Option<HeaderValue>,
}

impl Mime {
    pub(crate) fn new(
        settings: Arc<FileSettings>,
        table: Arc<BTreeMap<String, String>>,
        default_charset: Option<String>,
    ) -> Self {
        Self {
            settings,
            table,
            default_charset,
        }
    }

    /// What a file's name says.
    pub(crate) fn of(&self, file: &Path) -> Described {
        let Some(name) = file.file_name() else {
            return Described::default();
        };
        let (mut media_type, mut charset) = (None, None);
        let mut encodings: Vec<&str> = Vec::new();
        let mut languages: Vec<&str> = Vec::new();
        // From right to left, so that the first that says something wins.
        for extension in extensions(name).rev() {
            let said = self.said(extension);
            let said_type = value(said.and_then(|said| said.media_type.as_ref()));
            let encoding = value(said.and_then(|said| said.encoding.as_ref()));
            if media_type.is_none() {
                // An extension that names an encoding names no type unless it is told to: `gz` is in the table.
                let known = || self.known(extension).filter(|_| encoding.is_none());
                media_type = said_type.map(Cow::Borrowed).or_else(known);
            }
            let Some(said) = said else { continue };
            charset = charset.or(value(said.charset.as_ref()));
            encodings.extend(encoding);
            languages.extend(value(said.language.as_ref()));
        }
        if let Some(Switched::On(forced)) = &self.settings.forced_type {
            (media_type, charset) = (Some(Cow::Borrowed(forced.as_str())), None);
        }
        if languages.is_empty() {
            languages.extend(self.settings.default_language.as_deref());
        }
        encodings.reverse();
        languages.reverse();
        Described {
            content_type: media_type.and_then(|media_type| self.content_type(&media_type, charset)),
            encoding: list(&encodings),
            language: list(&languages),
        }
    }

    /// Whether an extension of the name says who answers (`AddHandler`).
    pub(crate) fn names_handler(&self, file: &Path) -> bool {
        let handler = |extension| self.said(extension)?.handler.as_ref()?.value();
        file.file_name()
            .is_some_and(|name| extensions(name).any(|extension| handler(extension).is_some()))
    }

    /// What a file's tag is made of (`FileETag`).
    pub(crate) fn facts(&self, inode: u64, size: u64, modified: SystemTime) -> Facts {
        let parts = self.settings.etag_parts();
        Facts {
            inode: parts.inode.then_some(inode),
            size: parts.size.then_some(size),
            modified: parts.modified.then_some(modified),
        }
    }

    fn said(&self, extension: &str) -> Option<&ExtensionSettings> {
        let extensions = &self.settings.extensions;
        (!extensions.is_empty()).then_some(())?;
        extensions.get(&*lower(extension))
    }

    /// The type in the tables.
    fn known(&self, extension: &str) -> Option<Cow<'_, str>> {
        if let Some(known) = self.table.get(&*lower(extension)) {
            return Some(Cow::Borrowed(known));
        }
        mime_guess::from_ext(extension)
            .first_raw()
            .map(Cow::Borrowed)
    }

    /// `AddDefaultCharset` counts for `text/plain` and `text/html` that name none, in httpd and so here.
    fn content_type(&self, media_type: &str, charset: Option<&str>) -> Option<HeaderValue> {
        let is_plain = matches!(media_type, "text/plain" | "text/html");
        let default = self.default_charset.as_deref().filter(|_| is_plain);
        match charset.or(default) {
            Some(charset) => HeaderValue::try_from(format!("{media_type};charset={charset}")).ok(),
            None => HeaderValue::try_from(media_type).ok(),
        }
    }
}

/// The extensions of a name, from left to right. The dots of a hidden file start none.
fn extensions(name: &OsStr) -> impl DoubleEndedIterator<Item = &str> {
    let name = name.as_bytes();
    let hidden = name.iter().take_while(|byte| **byte == b'.').count();
    let first_dot = name[hidden..].iter().position(|byte| *byte == b'.');
    let all = first_dot.map_or(&[][..], |dot| &name[hidden + dot + 1..]);
    all.split(|byte| *byte == b'.')
        .filter_map(|extension| std::str::from_utf8(extension).ok())
}

/// Extensions know no case.
fn lower(extension: &str) -> Cow<'_, str> {
    if extension.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(extension.to_ascii_lowercase())
    } else {
        Cow::Borrowed(extension)
    }
}

fn value(setting: Option<&Switched<String>>) -> Option<&str> {
    setting.and_then(Switched::value).map(String::as_str)
}

fn list(values: &[&str]) -> Option<HeaderValue> {
    let some = !values.is_empty();
    some.then(|| HeaderValue::try_from(values.join(", ")).ok())?
}

#[cfg(test)]
mod tests;
