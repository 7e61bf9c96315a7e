//! Finds a file: from the cache if the disk still agrees with it, else by opening it.
//!
//! A cached file is asked about by `stat`, at most once in a millisecond: under load that saves the call for nearly every
//! request, and nobody can tell. Believing it for a second would show a file's old content to who has just changed it, whose
//! browser would then keep it.

use crate::cache::{self, FileCache};
use crate::containment::{self, Opened, Refusal, Symlinks};
use crate::found::{Content, Found, Identity};
use crate::mime::Mime;
use crate::sending;
use bytes::Bytes;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a look at the disk counts.
pub(crate) const LOOK_COUNTS_FOR: Duration = Duration::from_millis(1);

/// How often a small file is opened anew when it changes while it is read.
const ATTEMPTS_MAX: usize = 3;

/// Finds files of one tree.
#[derive(Debug)]
pub(crate) struct Finder {
    pub(crate) root: PathBuf,
    pub(crate) symlinks: Symlinks,
    pub(crate) mime: Arc<Mime>,
    pub(crate) cache: FileCache,
}

/// What a path leads to.
#[derive(Debug)]
pub(crate) enum Target {
    File(Arc<Found>),
    Directory,
}

impl Finder {
    /// Finds what is at a path. A small file comes with its content.
    pub(crate) async fn find(&self, file: &Path) -> Result<Target, Refusal> {
        let kept = self.cache.get(file).filter(|kept| kept.is_of(&self.mime));
        if let Some(kept) = &kept
            && self.is_current(kept, file)
        {
            return Ok(Target::File(Arc::clone(kept)));
        }
        for _ in 0..ATTEMPTS_MAX {
            let (fd, stat) = match self.open(file).await {
                Ok(Opened::File(fd, stat)) => (fd, stat),
                Ok(Opened::Directory) => return Ok(Target::Directory),
                Err(refusal) => {
                    if kept.is_some() {
                        self.cache.remove(file);
                    }
                    return Err(refusal);
                }
            };
            if let Some(kept) = &kept
                && kept.identity == Identity::from(&stat)
            {
                return Ok(Target::File(Arc::clone(kept)));
            }
            let found = Found::new(file, fd, &stat, &self.mime);
            match load(&found).await {
                Ok(None) => return Ok(Target::File(self.keep_open(file, found))),
                Ok(Some(content)) => {
                    return Ok(Target::File(self.keep(file, found, &content)));
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(error) => return Err(Refusal::Unreadable(error.kind())),
            }
        }
        Err(Refusal::Changing)
    }

    /// A file that the cache has and the disk agrees with.
    pub(crate) fn kept(&self, file: &Path) -> Option<Arc<Found>> {
        let kept = self.cache.get(file)?;
        (kept.is_of(&self.mime) && self.is_current(&kept, file)).then_some(kept)
    }

    /// Whether the path still leads to the cached file. Where links are checked, only opening can tell.
    fn is_current(&self, kept: &Found, file: &Path) -> bool {
        if self.symlinks != Symlinks::Follow {
            return false;
        }
        let now = Instant::now();
        if kept.was_looked_at(now, LOOK_COUNTS_FOR) {
            return true;
        }
        let is_same =
            rustix::fs::stat(file).is_ok_and(|stat| Identity::from(&stat) == kept.identity);
        if is_same {
            kept.looked_at(now);
        }
        is_same
    }

    /// Opens what is at a path.
    pub(crate) async fn open(&self, file: &Path) -> Result<Opened, Refusal> {
        if let Some(opened) = containment::open_from_memory(&self.root, file, self.symlinks)? {
            return Ok(opened);
        }
        let (root, file, symlinks) = (self.root.clone(), file.to_owned(), self.symlinks);
        tokio::task::spawn_blocking(move || containment::open(&root, &file, symlinks))
            .await
            .unwrap_or(Err(Refusal::Unreadable(io::ErrorKind::Interrupted)))
    }

    /// Keeps a file open for the next request, if it is not so large that opening it counts for nothing.
    fn keep_open(&self, file: &Path, found: Found) -> Arc<Found> {
        let found = Arc::new(found);
        if found.size <= cache::OPEN_BYTES_MAX && found.is_settled() {
            self.cache.insert_open(file, &found);
        }
        found
    }

    /// Moves content into memory, and keeps it for the next request if a later change would be noticed.
    fn keep(&self, file: &Path, mut found: Found, content: &Bytes) -> Arc<Found> {
        found.content = Content::Memory(content.clone());
        let found = Arc::new(found);
        if found.is_settled() {
            self.cache.insert(file, &found, content);
        }
        found
    }
}

/// Reads a small file; `None` for one too large for memory.
async fn load(found: &Found) -> io::Result<Option<Bytes>> {
    match &found.content {
        Content::Disk(file) if found.size <= cache::FILE_BYTES_MAX => {
            sending::read(file, 0, found.size).await.map(Some)
        }
        _ => Ok(None),
    }
}
