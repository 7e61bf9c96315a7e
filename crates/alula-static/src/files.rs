//! Answers a request for a file.
//!
//! [`Shared::respond`] reads from top to bottom: method, file, directory, conditions, range, content. The method
//! comes first, so a PUT learns nothing about which files exist.
//!
//! A POST gets 405, where httpd would send the file as for a GET.

use crate::cache::FileCache;
use crate::containment::{Refusal, Symlinks};
use crate::content_type::ContentTypes;
use crate::finder::{Finder, Target};
use crate::found::{Content, Found};
use crate::sending;
use alula_http::conditional::{self, Verdict};
use alula_http::range::{self, ByteRange, Selection};
use alula_http::{Answer, Body, Handler, Request, Response, path, status_response};
use bytes::Bytes;
use http::header::{ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use http::header::{ETAG, LAST_MODIFIED, LOCATION, RANGE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// What the configuration says about a tree of files.
#[derive(Debug, Clone)]
pub struct FilesSettings {
    /// The directory every [`Request::file`] is in; symbolic links that may be followed may leave it.
    pub root: PathBuf,
    /// The names tried for a directory, in order (`DirectoryIndex`). Empty: none.
    pub directory_index: Vec<String>,
    /// Which symbolic links may be followed (`Options FollowSymLinks`, `SymLinksIfOwnerMatch`).
    pub symlinks: Symlinks,
    /// Media types by extension, before the built-in ones (`AddType`).
    pub types: Vec<(String, HeaderValue)>,
    /// One media type for all files (`ForceType`).
    pub forced_type: Option<HeaderValue>,
    /// Added to `text/plain` and `text/html` (`AddDefaultCharset`).
    pub default_charset: Option<String>,
    /// Where small files are kept. Give all [`Files`] of a worker clones of one, and its bounds hold for the worker.
    pub cache: FileCache,
}

impl FilesSettings {
    /// httpd's defaults for a directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            directory_index: vec!["index.html".to_owned()],
            symlinks: Symlinks::default(),
            types: Vec::new(),
            forced_type: None,
            default_charset: None,
            cache: FileCache::default(),
        }
    }
}

/// Serves the files of a tree: httpd's default handler with mod_dir and mod_mime.
///
/// A request's [`Request::file`] must be set, absolute, and must have a slash at its end if the path has one that was
/// mapped: `/a.html/` names no file. It must be called on a tokio runtime, whose blocking pool reads what is not in
/// memory.
#[derive(Debug)]
pub struct Files {
    shared: Arc<Shared>,
}

impl Files {
    /// Touches no disk yet.
    pub fn new(settings: FilesSettings) -> Self {
        let types = ContentTypes::new(
            &settings.types,
            settings.forced_type,
            settings.default_charset,
        );
        let finder = Finder {
            root: settings.root,
            symlinks: settings.symlinks,
            types: Arc::new(types),
            cache: settings.cache,
        };
        Self {
            shared: Arc::new(Shared {
                finder,
                directory_index: settings.directory_index,
            }),
        }
    }
}

impl Handler for Files {
    fn handle(&self, request: Request) -> Answer {
        let shared = Arc::clone(&self.shared);
        let asked = Asked::from(request);
        Box::pin(async move { shared.respond(&asked).await })
    }
}

#[derive(Debug)]
struct Shared {
    finder: Finder,
    directory_index: Vec<String>,
}

/// The parts of a request that matter here.
struct Asked {
    id: u64,
    method: Method,
    headers: HeaderMap,
    path: Bytes,
    query: Option<Bytes>,
    file: Option<PathBuf>,
}

impl From<Request> for Asked {
    fn from(request: Request) -> Self {
        Self {
            id: request.id,
            method: request.method,
            headers: request.headers,
            path: request.path,
            query: request.query,
            file: request.file,
        }
    }
}

impl Shared {
    async fn respond(&self, asked: &Asked) -> Response {
        match asked.method {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS => return allowing(http::Response::new(Body::empty())),
            _ => return allowing(status_response(StatusCode::METHOD_NOT_ALLOWED)),
        }
        let Some(file) = &asked.file else {
            tracing::error!(request = asked.id, "request was mapped to no file");
            return status_response(StatusCode::NOT_FOUND);
        };
        match self.find(asked, file).await {
            Ok(Target::File(found)) => answer(asked, &found, file).await,
            Ok(Target::Directory) if asked.names_directory() => {
                tracing::debug!(request = asked.id, ?file, "directory without index");
                status_response(StatusCode::FORBIDDEN)
            }
            Ok(Target::Directory) => redirect_to_directory(asked),
            Err(refusal) => refuse(asked, refusal, file),
        }
    }

    /// Finds the file, or a directory's index. A path without a slash at its end gets no index: it is redirected first.
    ///
    /// As in mod_dir the first index that can be served is, and one that exists but is refused makes the refusal.
    async fn find(&self, asked: &Asked, file: &Path) -> Result<Target, Refusal> {
        let mut refused = None;
        if asked.names_directory() {
            for name in &self.directory_index {
                match self.finder.find(&file.join(name)).await {
                    Ok(Target::File(found)) => return Ok(Target::File(found)),
                    Ok(Target::Directory) | Err(Refusal::Missing) => {}
                    Err(refusal) => refused = Some(refusal),
                }
            }
        }
        match (self.finder.find(file).await, refused) {
            (Ok(Target::Directory), Some(refusal)) => Err(refusal),
            (found, _) => found,
        }
    }
}

impl Asked {
    fn names_directory(&self) -> bool {
        self.path.ends_with(b"/")
    }
}

/// Answers with a file that exists (RFC 9110 sections 13 and 14).
async fn answer(asked: &Asked, found: &Found, file: &Path) -> Response {
    match conditional::evaluate(&asked.method, &asked.headers, found.validators()) {
        Verdict::Proceed => {}
        Verdict::NotModified => return not_modified(found),
        Verdict::PreconditionFailed => return status_response(StatusCode::PRECONDITION_FAILED),
    }
    let (status, offset, length) = match selection(asked, found) {
        Selection::Whole => (StatusCode::OK, 0, found.size),
        Selection::Part(part) => (StatusCode::PARTIAL_CONTENT, part.first, part.len()),
        Selection::Unsatisfiable => return unsatisfiable(found),
    };
    let body = match content(asked, found, offset, length).await {
        Ok(body) => body,
        Err(error) => {
            let refusal = Refusal::Unreadable(error.kind());
            return refuse(asked, refusal, file);
        }
    };
    let mut response = described(found, body, length);
    if status == StatusCode::PARTIAL_CONTENT {
        let part = ByteRange {
            first: offset,
            last: offset + length - 1,
        };
        *response.status_mut() = status;
        response
            .headers_mut()
            .insert(CONTENT_RANGE, part.content_range(found.size));
    }
    response
}

fn selection(asked: &Asked, found: &Found) -> Selection {
    let is_current =
        || conditional::range_is_current(&asked.headers, found.validators(), SystemTime::now());
    if asked.headers.contains_key(RANGE) && is_current() {
        range::select(&asked.method, &asked.headers, found.size)
    } else {
        Selection::Whole
    }
}

async fn content(asked: &Asked, found: &Found, offset: u64, length: u64) -> std::io::Result<Body> {
    if asked.method == Method::HEAD {
        return Ok(Body::empty());
    }
    match &found.content {
        Content::Memory(whole) => {
            // What is in memory is small, so offsets into it fit.
            let (first, end) = (offset as usize, (offset + length) as usize);
            Ok(Body::from(whole.slice(first..end)))
        }
        Content::Disk(file) => sending::body(file, offset, length).await,
    }
}

fn described(found: &Found, body: Body, length: u64) -> Response {
    let mut response = http::Response::new(body);
    let headers = response.headers_mut();
    headers.reserve(6);
    headers.insert(LAST_MODIFIED, found.last_modified.clone());
    headers.insert(ETAG, found.etag.value().clone());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    if let Some(media_type) = &found.content_type {
        headers.insert(CONTENT_TYPE, media_type.clone());
    }
    response
}

/// The fields RFC 9110 section 15.4.5 asks for; the others would repeat what the client has.
fn not_modified(found: &Found) -> Response {
    let mut response = status_response(StatusCode::NOT_MODIFIED);
    let etag = found.etag.value().clone();
    response.headers_mut().insert(ETAG, etag);
    response
}

fn unsatisfiable(found: &Found) -> Response {
    let mut response = status_response(StatusCode::RANGE_NOT_SATISFIABLE);
    let content_range = range::unsatisfied_content_range(found.size);
    response.headers_mut().insert(CONTENT_RANGE, content_range);
    response
}

fn allowing(mut response: Response) -> Response {
    let methods = HeaderValue::from_static("GET, HEAD, OPTIONS");
    response.headers_mut().insert(ALLOW, methods);
    response
}

/// `/dir` to `/dir/` (`DirectorySlash`), so that the links of its index lead into it.
///
/// Slashes are merged: `Location: //dir/` would name a server called `dir`.
fn redirect_to_directory(asked: &Asked) -> Response {
    let mut location = path::encode(&path::merge_slashes(&asked.path)).into_bytes();
    location.push(b'/');
    if let Some(query) = &asked.query {
        location.push(b'?');
        location.extend_from_slice(query);
    }
    let Ok(location) = HeaderValue::try_from(location) else {
        // A control character in the query; no engine lets one through.
        return status_response(StatusCode::BAD_REQUEST);
    };
    let mut response = status_response(StatusCode::MOVED_PERMANENTLY);
    response.headers_mut().insert(LOCATION, location);
    response
}

/// Statuses are httpd's. What the client did is logged at debug, what the administrator should know at error.
fn refuse(asked: &Asked, refusal: Refusal, file: &Path) -> Response {
    let request = asked.id;
    let status = match refusal {
        Refusal::Missing => StatusCode::NOT_FOUND,
        Refusal::Permission
        | Refusal::Symlink
        | Refusal::Special
        | Refusal::NameTooLong
        | Refusal::Outside => StatusCode::FORBIDDEN,
        Refusal::Changing | Refusal::Unreadable(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    if matches!(refusal, Refusal::Missing | Refusal::NameTooLong) {
        tracing::debug!(request, ?file, "{refusal}");
    } else {
        tracing::error!(request, ?file, "{refusal}");
    }
    status_response(status)
}

#[cfg(test)]
mod tests;
