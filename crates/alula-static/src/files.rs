//! Answers a request for a file.
//!
//! [`Shared::respond`] reads from top to bottom: method, file, directory, conditions, range, content. The method
//! comes first, so a PUT learns nothing about which files exist. A directory's index is found before, by `leading`.
//!
//! A POST gets 405, where httpd would send the file as for a GET.

use crate::cache::FileCache;
use crate::containment::{Refusal, Symlinks};
use crate::finder::{Finder, Target};
use crate::found::{Content, Found};
use crate::listing;
use crate::mime::{Described, Mime};
use crate::sending;
use alula_config::site::{self, DirectorySlash};
use alula_http::conditional::{self, Verdict};
use alula_http::range::{self, Limits, Selection};
use alula_http::{
    Answer, Body, Caching, Handler, Leading, Request, Response, path, status_response,
};
use bytes::Bytes;
use http::header::{ACCEPT_RANGES, ALLOW, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH};
use http::header::{CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED, LOCATION, RANGE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
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
    /// Whether a directory without an index is listed (`Options Indexes`).
    pub indexes: bool,
    /// Types, validators, ranges, listings.
    pub files: Arc<site::FileSettings>,
    /// Media types by extension, before the built-in ones (`TypesConfig`).
    pub media_types: Arc<BTreeMap<String, String>>,
    /// Added to `text/plain` and `text/html` (`AddDefaultCharset`).
    pub default_charset: Option<String>,
    /// Which files never change, where that is said to clients.
    pub caching: Option<Arc<Caching>>,
    /// Whether every file says by itself who answers (`SetHandler wsgi-script`).
    pub are_scripts: bool,
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
            indexes: false,
            files: Arc::default(),
            media_types: Arc::default(),
            default_charset: None,
            caching: None,
            are_scripts: false,
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
        let mime = Mime::new(
            Arc::clone(&settings.files),
            settings.media_types,
            settings.default_charset,
        );
        let ranges = settings.files.ranges;
        let finder = Finder {
            root: settings.root,
            symlinks: settings.symlinks,
            mime: Arc::new(mime),
            cache: settings.cache,
        };
        Self {
            shared: Arc::new(Shared {
                finder,
                directory_index: settings.directory_index,
                indexes: settings.indexes,
                has_handlers: settings.are_scripts || settings.files.has_handlers(),
                are_scripts: settings.are_scripts,
                ranges: Limits {
                    count_max: ranges.count_max(),
                    overlaps_max: ranges.overlaps_max(),
                    reversals_max: ranges.reversals_max(),
                },
                settings: settings.files,
                caching: settings.caching,
            }),
        }
    }
}

impl Handler for Files {
    fn lead(&self, path: &Bytes, file: &Path) -> Option<Leading> {
        self.shared
            .has_lead(path)
            .then(|| Box::pin(Arc::clone(&self.shared).lead(path.clone(), file.to_owned())) as _)
    }

    /// A file that is kept, which most are that are asked for often.
    fn handle_at_once(&self, request: &Request) -> Option<Response> {
        let file = request.file.as_deref()?;
        let mut response = self.shared.respond_at_once(request, file)?;
        if let Some(caching) = &self.shared.caching {
            self.shared.say_how_long(caching, file, &mut response);
        }
        Some(response)
    }

    fn handle(&self, request: Request) -> Answer {
        let shared = Arc::clone(&self.shared);
        let asked = Asked::from(request);
        Box::pin(async move {
            let mut response = shared.respond(&asked).await;
            if let (Some(caching), Some(file)) = (&shared.caching, &asked.file) {
                shared.say_how_long(caching, file, &mut response);
            }
            response
        })
    }
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) finder: Finder,
    pub(crate) directory_index: Vec<String>,
    pub(crate) indexes: bool,
    /// Whether a file's name can say who answers.
    pub(crate) has_handlers: bool,
    /// Whether every one does.
    pub(crate) are_scripts: bool,
    pub(crate) settings: Arc<site::FileSettings>,
    caching: Option<Arc<Caching>>,
    ranges: Limits,
}

/// The parts of a request that matter here.
pub(crate) struct Asked {
    pub(crate) id: u64,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) path: Bytes,
    pub(crate) query: Option<Bytes>,
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
        match self.finder.find(file).await {
            Ok(Target::File(found)) if self.is_packed(&found) => {
                self.answer_packed(asked, &found, file).await
            }
            Ok(Target::File(found)) => self.answer(asked, &found, &found.described, file).await,
            Ok(Target::Directory) => self.directory(asked, file).await,
            Err(refusal) => refuse(asked.id, refusal, file),
        }
    }

    /// As [`Shared::respond`], where nothing has to be waited for.
    fn respond_at_once(&self, request: &Request, file: &Path) -> Option<Response> {
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return None;
        }
        let found = self.finder.kept(file)?;
        if self.is_packed(&found) {
            return None;
        }
        let decided = self.decide(&request.method, &request.headers, &found, &found.described);
        let (mut response, offset, length) = match decided {
            Decided::Answer(response) => return Some(response),
            Decided::Content(response, offset, length) => (response, offset, length),
        };
        if request.method == Method::GET {
            *response.body_mut() = found.content_in_memory(offset, length)?;
        }
        Some(response)
    }

    /// Of a file alone, and of one that has not changed (RFC 9110 section 15.4.5).
    fn say_how_long(&self, caching: &Caching, file: &Path, response: &mut Response) {
        let is_file = response.status().is_success()
            && response.headers().contains_key(LAST_MODIFIED)
            || response.status() == StatusCode::NOT_MODIFIED;
        let below = file.strip_prefix(&self.finder.root).ok();
        if let Some(below) = below.filter(|_| is_file) {
            caching.add(response.headers_mut(), below.as_os_str().as_bytes());
        }
    }

    /// A directory that led to no index.
    async fn directory(&self, asked: &Asked, file: &Path) -> Response {
        if !asked.path.ends_with(b"/") {
            match self.settings.directory_slash.unwrap_or_default() {
                DirectorySlash::On => return redirect_to_directory(asked),
                DirectorySlash::Off => {}
                DirectorySlash::NotFound => return status_response(StatusCode::NOT_FOUND),
            }
        }
        if self.indexes {
            return listing::respond(self, asked, file).await;
        }
        tracing::debug!(request = asked.id, ?file, "directory without index");
        status_response(StatusCode::FORBIDDEN)
    }

    /// Answers with a file that exists (RFC 9110 sections 13 and 14).
    pub(crate) async fn answer(
        &self,
        asked: &Asked,
        found: &Arc<Found>,
        described: &Described,
        file: &Path,
    ) -> Response {
        let decided = self.decide(&asked.method, &asked.headers, found, described);
        let (mut response, offset, length) = match decided {
            Decided::Answer(response) => return response,
            Decided::Content(response, offset, length) => (response, offset, length),
        };
        match content(asked, found, offset, length).await {
            Ok(body) => *response.body_mut() = body,
            Err(error) => {
                let refusal = Refusal::Unreadable(error.kind());
                return refuse(asked.id, refusal, file);
            }
        }
        response
    }

    /// Conditions, then the range: what is answered, as far as no content is needed.
    fn decide(
        &self,
        method: &Method,
        headers: &HeaderMap,
        found: &Arc<Found>,
        described: &Described,
    ) -> Decided {
        match conditional::evaluate(method, headers, found.validators()) {
            Verdict::Proceed => {}
            Verdict::NotModified => return Decided::Answer(not_modified(found)),
            Verdict::PreconditionFailed => {
                return Decided::Answer(status_response(StatusCode::PRECONDITION_FAILED));
            }
        }
        let part = match self.selection(method, headers, found) {
            Selection::Whole => None,
            Selection::Part(part) => Some(part),
            Selection::Parts(parts) => {
                let described = self.described(found, described);
                return Decided::Answer(sending::multipart(described, found, &parts));
            }
            Selection::Unsatisfiable => return Decided::Answer(unsatisfiable(found)),
        };
        let mut response = self.described(found, described);
        let headers = response.headers_mut();
        let (offset, length) = match part {
            None => {
                headers.insert(CONTENT_LENGTH, found.length.clone());
                (0, found.size)
            }
            Some(part) => {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(part.len()));
                headers.insert(CONTENT_RANGE, part.content_range(found.size));
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                (part.first, part.len())
            }
        };
        Decided::Content(response, offset, length)
    }

    fn selection(&self, method: &Method, headers: &HeaderMap, found: &Found) -> Selection {
        let is_current =
            || conditional::range_is_current(headers, found.validators(), SystemTime::now());
        if headers.contains_key(RANGE) && is_current() {
            range::select(method, headers, found.size, self.ranges)
        } else {
            Selection::Whole
        }
    }

    /// What a response says about a file whatever of it it holds.
    fn described(&self, found: &Found, described: &Described) -> Response {
        let mut response = http::Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.reserve(8);
        headers.insert(LAST_MODIFIED, found.last_modified.clone());
        if let Some(etag) = &found.etag {
            headers.insert(ETAG, etag.value().clone());
        }
        let ranges = match self.ranges.count_max {
            0 => HeaderValue::from_static("none"),
            _ => HeaderValue::from_static("bytes"),
        };
        headers.insert(ACCEPT_RANGES, ranges);
        if let Some(media_type) = &described.content_type {
            headers.insert(CONTENT_TYPE, media_type.clone());
        }
        if let Some(encoding) = &described.encoding {
            headers.insert(CONTENT_ENCODING, encoding.clone());
        }
        if let Some(language) = &described.language {
            headers.insert(CONTENT_LANGUAGE, language.clone());
        }
        response
    }
}

/// What is answered with a file.
enum Decided {
    Answer(Response),
    /// Without its content yet: so many bytes from an offset on.
    Content(Response, u64, u64),
}

async fn content(asked: &Asked, found: &Found, offset: u64, length: u64) -> std::io::Result<Body> {
    if asked.method == Method::HEAD {
        return Ok(Body::empty());
    }
    if let Some(body) = found.content_in_memory(offset, length) {
        return Ok(body);
    }
    match &found.content {
        // Always in memory.
        Content::Memory(_) => Ok(Body::empty()),
        Content::Disk(file) => Ok(Body::from(sending::read(file, offset, length).await?)),
    }
}

/// The fields RFC 9110 section 15.4.5 asks for; the others would repeat what the client has.
fn not_modified(found: &Found) -> Response {
    let mut response = status_response(StatusCode::NOT_MODIFIED);
    if let Some(etag) = &found.etag {
        response.headers_mut().insert(ETAG, etag.value().clone());
    }
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
pub(crate) fn refuse(request: u64, refusal: Refusal, file: &Path) -> Response {
    if matches!(refusal, Refusal::Missing | Refusal::NameTooLong) {
        tracing::debug!(request, ?file, "{refusal}");
    } else {
        tracing::error!(request, ?file, "{refusal}");
    }
    status_response(refusal.status())
}

#[cfg(test)]
mod tests;
