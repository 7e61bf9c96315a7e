//! Watches the files an application was made from (`PythonAutoReload On`), and tells when one has changed.
//!
//! Folders are watched, not files: editors replace a file by renaming a new one onto it. The template does this, in its
//! own wait, since it knows what was imported and must stay single-threaded.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

/// Watching more folders than this is given up: the kernel's limit is shared by all programs of a user.
const FOLDERS_MAX: usize = 4096;

/// A change is told when nothing else has changed for so long: an editor or a checkout writes several files.
const CALM: Duration = Duration::from_millis(40);

/// But no later than this after the first change.
const PATIENCE: Duration = Duration::from_millis(400);

/// What an application was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Folders whose Python files count.
    pub code: Vec<PathBuf>,
    /// Folders of which every file counts (templates).
    pub everything: Vec<PathBuf>,
    /// A file that has changed since it was read.
    pub changed: Option<PathBuf>,
}

#[derive(Debug)]
pub(crate) struct CodeWatch {
    inotify: OwnedFd,
    folders: HashMap<i32, Folder>,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    code_only: bool,
}

impl CodeWatch {
    /// `None` when there is nothing to watch.
    pub(crate) fn new(sources: Sources) -> io::Result<Option<Self>> {
        if sources.code.is_empty() && sources.everything.is_empty() {
            return Ok(None);
        }
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let mut watch = Self {
            inotify,
            folders: HashMap::new(),
        };
        let everything = sources.everything.into_iter().map(|path| (path, false));
        let code = sources.code.into_iter().map(|path| (path, true));
        for (path, code_only) in everything.chain(code).take(FOLDERS_MAX) {
            watch.add(path, code_only)?;
        }
        Ok(Some(watch))
    }

    fn add(&mut self, path: PathBuf, code_only: bool) -> io::Result<()> {
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::ONLYDIR;
        match inotify::add_watch(&self.inotify, &path, flags) {
            Ok(number) => {
                // A folder of both kinds is one watch, for the more that comes first.
                self.folders
                    .entry(number)
                    .or_insert(Folder { path, code_only });
                Ok(())
            }
            // `fs.inotify.max_user_watches`.
            Err(rustix::io::Errno::NOSPC) => Err(rustix::io::Errno::NOSPC.into()),
            // Gone, or not readable: nothing to watch.
            Err(_) => Ok(()),
        }
    }

    /// The next file that has changed, after things have calmed down; `None` when none of interest has.
    pub(crate) fn changed(&self) -> io::Result<Option<PathBuf>> {
        let Some(first) = self.read()? else {
            return Ok(None);
        };
        let since = Instant::now();
        while since.elapsed() < PATIENCE && self.wait(CALM)? {
            self.read()?;
        }
        Ok(Some(first))
    }

    /// Takes in all that has happened; the first file of interest.
    fn read(&self) -> io::Result<Option<PathBuf>> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(self.inotify.as_fd(), &mut buffer);
        let mut first = None;
        loop {
            match reader.next() {
                Ok(event) => first = first.or_else(|| self.judge(&event)),
                Err(rustix::io::Errno::AGAIN) => return Ok(first),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn judge(&self, event: &inotify::Event<'_>) -> Option<PathBuf> {
        if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
            return Some(PathBuf::from("more files than can be told"));
        }
        let folder = self.folders.get(&event.wd())?;
        let name = event.file_name()?.to_str().ok()?;
        let counts = !is_scratch(name) && (!folder.code_only || is_code(name));
        counts.then(|| folder.path.join(name))
    }

    fn wait(&self, timeout: Duration) -> io::Result<bool> {
        let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
        let mut polled = [PollFd::new(&self.inotify, PollFlags::IN)];
        let found = rustix::io::retry_on_intr(|| rustix::event::poll(&mut polled, Some(&timeout)))?;
        Ok(found > 0)
    }
}

impl AsFd for CodeWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

/// What editors write beside the file: `.file.swp`, `file~`, `#file#`, `4913` of vim.
fn is_scratch(name: &str) -> bool {
    name.starts_with(['.', '#']) || name.ends_with('~') || name == "4913"
}

fn is_code(name: &str) -> bool {
    let suffix = Path::new(name)
        .extension()
        .and_then(|suffix| suffix.to_str());
    matches!(suffix, Some("py" | "pyi" | "so" | "wsgi" | "env"))
}

#[cfg(test)]
mod tests {
    use super::{CALM, CodeWatch, Sources};
    use std::fs;

    #[test]
    fn only_code_counts_in_code_folders_and_all_in_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let (code, pages) = (folder.path().join("code"), folder.path().join("pages"));
        fs::create_dir(&code).expect("can be made");
        fs::create_dir(&pages).expect("can be made");
        let sources = Sources {
            code: vec![code.clone(), folder.path().join("missing")],
            everything: vec![pages.clone()],
            changed: None,
        };
        let watch = CodeWatch::new(sources)
            .expect("can watch")
            .expect("has something");
        let check = |path: std::path::PathBuf, counts: bool| {
            fs::write(&path, "x").expect("can be written");
            watch.wait(CALM).expect("can wait");
            let expected = counts.then_some(path);
            assert_eq!(watch.changed().expect("can be read"), expected);
        };
        check(code.join("views.py"), true);
        check(code.join("views.pyc"), false);
        check(code.join("db.sqlite3"), false);
        check(code.join(".views.py.swp"), false);
        check(pages.join("index.html"), true);
        check(pages.join("index.html~"), false);
    }

    #[test]
    fn nothing_to_watch_is_no_watch() {
        assert!(CodeWatch::new(Sources::default()).expect("works").is_none());
    }
}
