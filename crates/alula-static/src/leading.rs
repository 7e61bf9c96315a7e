//! What the file system says about where a request leads: a directory's index, a fallback, a file whose name says who answers.

use crate::containment::{Opened, Refusal};
use crate::files::{Shared, refuse};
use crate::finder::Target;
use alula_config::site::Switched;
use alula_http::{Lead, path, status_response};
use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderValue, LOCATION};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is at a path.
enum Kind {
    File,
    Directory,
    Nothing,
    /// Something that may not be looked at.
    Refused,
}

impl Shared {
    /// Whether a path can lead anywhere else: most cannot, and cost nothing.
    pub(crate) fn has_lead(&self, path: &[u8]) -> bool {
        (path.ends_with(b"/") && !self.directory_index.is_empty())
            || self.has_handlers
            || self.fallback().is_some()
    }

    fn fallback(&self) -> Option<&String> {
        self.settings.fallback.as_ref().and_then(Switched::value)
    }

    pub(crate) async fn lead(self: Arc<Self>, path: Bytes, file: PathBuf) -> Lead {
        if self.has_handlers
            && let Some(lead) = self.named(&path, &file).await
        {
            return lead;
        }
        if path.ends_with(b"/")
            && let Some(lead) = self.index(&path, &file).await
        {
            return lead;
        }
        let fallback = self.fallback();
        let fallback = fallback.filter(|fallback| fallback.as_bytes() != path);
        if let Some(fallback) = fallback {
            let slash = path.ends_with(b"/");
            match self.kind(&file).await {
                Kind::Nothing => return Lead::To(fallback.clone().into()),
                Kind::Directory if slash => return Lead::To(fallback.clone().into()),
                _ => {}
            }
        }
        Lead::Here
    }

    /// A file at the path or at the start of it (the rest is `PATH_INFO`), if its name says who answers.
    async fn named(&self, path: &[u8], file: &Path) -> Option<Lead> {
        let whole = file.as_os_str().as_bytes();
        let mut start = whole;
        loop {
            let here = Path::new(std::ffi::OsStr::from_bytes(start));
            match self.kind(here).await {
                Kind::File if self.are_scripts || self.finder.mime.names_handler(here) => break,
                Kind::Nothing => {}
                _ => return None,
            }
            let slash = memchr::memrchr(b'/', start)?;
            start = &start[..slash];
            if start.len() <= self.finder.root.as_os_str().len() {
                return None;
            }
        }
        // What is left over is the end of both; the path may have more slashes than the file.
        let mut rest = &whole[start.len()..];
        let mut path_len = path.len();
        while let (Some(&byte), true) = (rest.last(), path_len > 0) {
            if path[path_len - 1] == byte {
                rest = &rest[..rest.len() - 1];
            } else if path[path_len - 1] != b'/' {
                return None;
            }
            path_len -= 1;
        }
        while path_len > 0 && path[path_len - 1] == b'/' {
            path_len -= 1;
        }
        Some(Lead::Named {
            file: Path::new(std::ffi::OsStr::from_bytes(start)).to_owned(),
            path_len,
        })
    }

    /// As in mod_dir the first index that can be served is, and one that exists but is refused makes the refusal.
    async fn index(&self, path: &[u8], directory: &Path) -> Option<Lead> {
        let mut refused = None;
        for name in &self.directory_index {
            if name.starts_with('/') {
                return Some(self.index_at(name.clone().into()));
            }
            let file = directory.join(name);
            match self.finder.find(&file).await {
                Ok(Target::File(_)) => {
                    return Some(self.index_at([path, name.as_bytes()].concat().into()));
                }
                Ok(Target::Directory) | Err(Refusal::Missing) => {}
                Err(refusal) => refused = Some((refusal, file)),
            }
        }
        let (refusal, file) = refused?;
        // Not for a directory that is itself missing or closed: its own refusal says more.
        matches!(self.kind(directory).await, Kind::Directory)
            .then(|| Lead::Answered(refuse(0, refusal, &file)))
    }

    fn index_at(&self, path: Bytes) -> Lead {
        let redirect = self.settings.index_redirect.as_ref();
        let status = redirect.and_then(Switched::value);
        let Some(status) = status.and_then(|status| StatusCode::from_u16(*status).ok()) else {
            return Lead::To(path);
        };
        let location = path::encode(&path::merge_slashes(&path));
        let mut response = status_response(status);
        if let Ok(location) = HeaderValue::try_from(location) {
            response.headers_mut().insert(LOCATION, location);
        }
        Lead::Answered(response)
    }

    async fn kind(&self, file: &Path) -> Kind {
        match self.finder.open(file).await {
            Ok(Opened::File(..)) => Kind::File,
            Ok(Opened::Directory) => Kind::Directory,
            Err(Refusal::Missing) => Kind::Nothing,
            Err(_) => Kind::Refused,
        }
    }
}
