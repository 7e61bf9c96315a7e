//! `X-Sendfile` and `X-Accel-Redirect`: an application names a file, and the file engine sends it.
//!
//! So does a response that is an open file under an `XSendFilePath`. The file comes with its own validators, and with ranges;
//! every other field is the application's. What lies elsewhere is not sent, whatever the application says.

use crate::pipeline::Pipeline;
use crate::targets;
use alula_http::{Body, Handler, OwnPage, Request, Response, status_response};
use alula_routing::VirtualHostId;
use alula_routing::site::SendFileSettings;
use http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, HeaderValue,
    LAST_MODIFIED, TRANSFER_ENCODING,
};
use http::{Method, StatusCode};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Seek;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

const X_SENDFILE: HeaderName = HeaderName::from_static("x-sendfile");
const X_ACCEL_REDIRECT: HeaderName = HeaderName::from_static("x-accel-redirect");

/// What the file says itself.
const OF_THE_FILE: [HeaderName; 7] = [
    ACCEPT_RANGES,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    ETAG,
    LAST_MODIFIED,
    TRANSFER_ENCODING,
];

impl Pipeline {
    /// The response itself, unless it names a file. `request` is the one it answers, without content.
    pub(crate) async fn named_file(
        &self,
        host: VirtualHostId,
        settings: &SendFileSettings,
        mut response: Response,
        mut request: Box<Request>,
    ) -> Response {
        let id = request.id;
        let headers = response.headers_mut();
        let named = headers.remove(X_SENDFILE);
        let redirected = headers.remove(X_ACCEL_REDIRECT);
        let path = match (named, redirected) {
            (Some(path), _) => Some(self::path(&path, settings)),
            (None, Some(url)) => match self.mapped(host, &url) {
                Some(path) => Some(path),
                None => {
                    tracing::error!(target: "xsendfile", "[request {id:x}] X-Accel-Redirect {url:?} is mapped to no file");
                    return status_response(StatusCode::NOT_FOUND);
                }
            },
            (None, None) => None,
        };
        let (path, root) = match path {
            Some(path) => match root(settings, &path) {
                Some(root) => (root.join(path), root),
                None => {
                    tracing::error!(target: "xsendfile", "[request {id:x}] {path:?} is in no XSendFilePath");
                    return status_response(StatusCode::NOT_FOUND);
                }
            },
            None => match open_file(&response, settings) {
                Some(found) => found,
                None => return response,
            },
        };
        if request.method != Method::HEAD {
            request.method = Method::GET;
        }
        // Not the path of a directory.
        request.path = "/file".into();
        request.file = Some(path);
        let mut sent = self.files_in(root).handle(*request).await;
        if sent.extensions().get::<OwnPage>().is_some() && !sent.status().is_success() {
            return sent;
        }
        for name in response.headers().keys() {
            if !OF_THE_FILE.contains(name) {
                sent.headers_mut().remove(name);
            }
        }
        for (name, value) in response.headers() {
            if !OF_THE_FILE.contains(name) {
                sent.headers_mut().append(name.clone(), value.clone());
            }
        }
        sent
    }

    /// The file that a URL path is mapped to; who may ask for it does not matter, the application has decided.
    fn mapped(&self, host: VirtualHostId, url: &HeaderValue) -> Option<PathBuf> {
        let (_, decoded) = targets::decode(url.to_str().ok()?).ok()?;
        self.routes.find(host, &decoded.path).file
    }

    /// The file engine for a root; there are as many as the configuration has.
    fn files_in(&self, root: &Path) -> Arc<dyn Handler> {
        let mut known = self.sent_files.lock();
        if let Some((_, files)) = known.iter().find(|(known, _)| known == root) {
            return files.clone();
        }
        let files = self.assembly.files(root);
        known.push((root.to_owned(), files.clone()));
        files
    }
}

fn path(value: &HeaderValue, settings: &SendFileSettings) -> PathBuf {
    let bytes = match settings.unescape {
        Some(false) => Cow::Borrowed(value.as_bytes()),
        _ => unescape(value.as_bytes()),
    };
    PathBuf::from(OsStr::from_bytes(&bytes))
}

/// A percent sign that starts no escape stands for itself.
fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let digit = |at: usize| {
            after
                .get(at)
                .and_then(|&byte| char::from(byte).to_digit(16))
        };
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    Cow::Owned(bytes)
}

/// The root that holds a path; for a relative one the first.
fn root<'s>(settings: &'s SendFileSettings, path: &Path) -> Option<&'s Path> {
    if path.components().any(|part| part == Component::ParentDir) {
        return None;
    }
    let mut roots = settings.roots.iter();
    let found = roots.find(|root| path.is_relative() || path.starts_with(root));
    found.map(PathBuf::as_path)
}

/// The name of the file that is the response's content from its start on, if it is under a root.
fn open_file<'s>(
    response: &Response,
    settings: &'s SendFileSettings,
) -> Option<(PathBuf, &'s Path)> {
    let Body::File(file, _) = response.body() else {
        return None;
    };
    let is_plain = response.status() == StatusCode::OK
        && !response.headers().contains_key(CONTENT_ENCODING)
        && !response.headers().contains_key(CONTENT_RANGE);
    let mut file: &File = file;
    if !is_plain || file.stream_position().ok()? != 0 {
        return None;
    }
    // The kernel's name for it; a file that was removed has one that is nowhere.
    let path = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    let root = root(settings, &path)?;
    path.is_file().then_some((path, root))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_must_lie_under_a_root() {
        let settings = SendFileSettings {
            roots: vec!["/srv/a".into(), "/srv/b".into()],
            ..SendFileSettings::default()
        };
        let check = |path: &str, expected: Option<&str>| {
            let found = root(&settings, Path::new(path));
            assert_eq!(found, expected.map(Path::new), "{path}");
        };
        check("/srv/b/x", Some("/srv/b"));
        check("/srv/a", Some("/srv/a"));
        check("x/y", Some("/srv/a"));
        check("/srv/bc/x", None);
        check("/srv/a/../c", None);
        check("../c", None);
        check("/etc/passwd", None);
    }

    #[test]
    fn escapes_are_taken_back() {
        let check = |text: &str, expected: &str| {
            assert_eq!(&*unescape(text.as_bytes()), expected.as_bytes(), "{text}");
        };
        check("/a b", "/a b");
        check("/a%20b%C3%A9", "/a bé");
        check("100%", "100%");
        check("%zz%2", "%zz%2");
    }
}
