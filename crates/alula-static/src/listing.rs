//! The listing of a directory (httpd's mod_autoindex): what is in it, and which of that a listing can show.
//!
//! Names that start with a dot are never listed, nor is what a symbolic link leads to that may not be followed. Whether the client
//! may see a name is asked of the server when the page is made, by [`ListingPage::page`].

mod page;

use crate::containment::{self, Opened, Refusal, Symlinks};
use crate::files::{Asked, Shared, refuse};
use crate::finder::Target;
use crate::found::{Content, Found};
use crate::sending;
use alula_config::glob;
use alula_config::site::ListingSettings;
use alula_http::{Body, Listing, Response};
use http::Method;
use page::Page;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// How many names a listing has at most.
const NAMES_MAX: usize = 10_000;
/// How long a `HeaderName` or `ReadmeName` file may be, in bytes.
const TEXT_BYTES_MAX: u64 = 64 * 1024;

/// Something in a directory.
#[derive(Debug)]
struct Entry {
    name: Vec<u8>,
    is_directory: bool,
    size: u64,
    modified: SystemTime,
}

/// The content of a `HeaderName` or `ReadmeName` file.
#[derive(Debug)]
struct Text {
    name: Vec<u8>,
    is_html: bool,
    content: String,
}

/// The answer to a request for a directory that may be listed; the server has its page made.
pub(crate) async fn respond(shared: &Shared, asked: &Asked, directory: &Path) -> Response {
    let read = {
        let (root, directory) = (shared.finder.root.clone(), directory.to_owned());
        let symlinks = shared.finder.symlinks;
        let ignore = shared.settings.listing.ignore.clone();
        tokio::task::spawn_blocking(move || read(&root, &directory, symlinks, &ignore)).await
    };
    let entries = match read {
        Ok(Ok(entries)) => entries,
        Ok(Err(refusal)) => return refuse(asked.id, refusal, directory),
        Err(_) => {
            let stopped = Refusal::Unreadable(std::io::ErrorKind::Interrupted);
            return refuse(asked.id, stopped, directory);
        }
    };
    let settings: &ListingSettings = &shared.settings.listing;
    let page = Page {
        header: text(shared, directory, settings.header.as_deref()).await,
        readme: text(shared, directory, settings.readme.as_deref()).await,
        path: asked.path.clone(),
        query: asked.query.clone(),
        head_only: asked.method == Method::HEAD,
        settings: Arc::clone(&shared.settings),
        entries,
    };
    let mut response = http::Response::new(Body::empty());
    response.extensions_mut().insert(Listing(Arc::new(page)));
    response
}

/// What is in a directory, as far as it can be listed.
fn read(
    root: &Path,
    directory: &Path,
    symlinks: Symlinks,
    ignore: &[String],
) -> Result<Vec<Entry>, Refusal> {
    // Judged before it is read by its name: both are the administrator's, and a name that is exchanged in between
    // shows names, not content.
    match containment::open(root, directory, symlinks)? {
        Opened::Directory => {}
        Opened::File(..) => return Err(Refusal::Missing),
    }
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => Refusal::Permission,
        kind => Refusal::Unreadable(kind),
    };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let name = name.as_bytes();
        let is_ignored = name.starts_with(b".")
            || ignore
                .iter()
                .any(|pattern| glob::fits(pattern.as_bytes(), name, false));
        if is_ignored {
            continue;
        }
        if entries.len() == NAMES_MAX {
            tracing::warn!(?directory, "the listing ends after {NAMES_MAX} names");
            break;
        }
        entries.extend(look(
            root,
            &directory.join(std::ffi::OsStr::from_bytes(name)),
            symlinks,
        ));
    }
    Ok(entries)
}

/// What a name in the directory stands for; nothing if it would be refused.
fn look(root: &Path, path: &PathBuf, symlinks: Symlinks) -> Option<Entry> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    let metadata = if metadata.is_symlink() {
        // Opening says whether the link may be followed.
        containment::open(root, path, symlinks).ok()?;
        std::fs::metadata(path).ok()?
    } else {
        metadata
    };
    if !metadata.is_file() && !metadata.is_dir() {
        return None;
    }
    Some(Entry {
        name: path.file_name()?.as_bytes().to_owned(),
        is_directory: metadata.is_dir(),
        size: metadata.len(),
        modified: metadata.modified().unwrap_or(UNIX_EPOCH),
    })
}

/// A short text file of the directory.
async fn text(shared: &Shared, directory: &Path, name: Option<&str>) -> Option<Text> {
    let name = name?;
    let Ok(Target::File(found)) = shared.finder.find(&directory.join(name)).await else {
        return None;
    };
    if found.size > TEXT_BYTES_MAX {
        tracing::warn!(
            ?directory,
            name,
            "left out of the listing: longer than {TEXT_BYTES_MAX} bytes"
        );
        return None;
    }
    let content = content(&found).await.ok()?;
    let media_type = found.described.content_type.as_ref();
    let media_type = media_type.map_or(&b""[..], |value| value.as_bytes());
    Some(Text {
        name: name.as_bytes().to_owned(),
        is_html: media_type.starts_with(b"text/html"),
        content: String::from_utf8_lossy(&content).into_owned(),
    })
}

async fn content(found: &Found) -> std::io::Result<bytes::Bytes> {
    match &found.content {
        Content::Memory(content) => Ok(content.clone()),
        Content::Disk(file) => sending::read(file, 0, found.size).await,
    }
}
