//! `.htaccess` files on the way to a file: found, read, and kept for a second.
//!
//! Only directories are asked that `AllowOverride` opens; a table without one never comes here. [`Chain::refresh`] waits for the disk, so
//! it is for a thread that may.

use crate::sections::Sections;
use alula_config::site::{DirectorySettings, Origin, OverrideSettings};
use alula_config::{Written, htaccess_directives, load_htaccess};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a look at the disk counts.
const VALID_FOR: Duration = Duration::from_secs(1);
/// How many directories are remembered; one more, and all are forgotten.
const DIRECTORIES_MAX: usize = 4096;
/// How long a file may be, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A file that was read.
#[derive(Debug)]
pub struct Htaccess {
    /// Another one for each file and each of its versions.
    pub(crate) id: u32,
    /// How many components its directory has.
    pub(crate) depth: usize,
    pub(crate) settings: DirectorySettings,
    /// Its `<Files>` and `<If>`s.
    pub(crate) sections: Sections,
    overrides: Arc<OverrideSettings>,
    version: Version,
}

impl Htaccess {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.version.0
    }

    /// The file itself, before its first line.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            file: self.path().to_owned(),
            line: 0,
        }
    }

    /// Its directives, read once more: to be shown.
    pub fn written(&self) -> Vec<Written> {
        let path = self.path();
        let Ok((content, _)) = read(path) else {
            return Vec::new();
        };
        let directory = path.parent().unwrap_or(Path::new("/"));
        htaccess_directives(path, directory, &content, &self.overrides)
    }
}

/// Why a directory's files cannot be obeyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HtaccessError {
    /// It cannot be read: 403, as in httpd.
    Unreadable(String),
    /// It is wrong, here and so: 500.
    Wrong(String),
}

/// Those for one directory, outermost first.
pub type HtaccessFiles = Arc<[Arc<Htaccess>]>;

/// What tells one version of a file from another.
type Version = (PathBuf, u64, u64, i64, i64, i64);

/// The directories on the way to one, as far as they may have a file.
#[derive(Debug)]
pub struct Chain {
    steps: Box<[Step]>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct Step {
    directory: PathBuf,
    names: Vec<String>,
    overrides: Arc<OverrideSettings>,
}

#[derive(Debug, Default)]
struct State {
    looked: Option<Instant>,
    found: Option<Result<HtaccessFiles, HtaccessError>>,
}

/// A virtual host and a directory.
type Place = (usize, Box<[u8]>);

/// The chains known so far.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    known: Mutex<FxHashMap<Place, Arc<Chain>>>,
}

impl Chains {
    /// The chain for a directory, made by what each directory on the way allows.
    pub(crate) fn get(
        &self,
        host: usize,
        directory: &[u8],
        allowed: impl Fn(&[u8]) -> OverrideSettings,
    ) -> Arc<Chain> {
        let key = (host, directory.into());
        if let Some(chain) = self.known.lock().get(&key) {
            return Arc::clone(chain);
        }
        let ends = (0..directory.len()).filter(|&at| directory[at] == b'/');
        let ends = ends.filter(|&at| at > 0 && directory[at - 1] != b'/');
        let mut steps: Vec<&[u8]> = vec![b"/"];
        steps.extend(ends.map(|at| &directory[..at]));
        if directory.len() > 1 && !directory.ends_with(b"/") {
            steps.push(directory);
        }
        let steps = steps.into_iter().filter_map(|directory| {
            let overrides = allowed(directory);
            overrides.is_active().then(|| Step {
                directory: PathBuf::from(OsStr::from_bytes(directory)),
                names: overrides.file_names(),
                overrides: Arc::new(overrides),
            })
        });
        let chain = Arc::new(Chain {
            steps: steps.collect(),
            state: Mutex::default(),
        });
        let mut known = self.known.lock();
        if known.len() >= DIRECTORIES_MAX {
            known.clear();
        }
        known.insert(key, Arc::clone(&chain));
        chain
    }
}

impl Chain {
    /// What is known already; `None`: it is time for [`Chain::refresh`].
    pub fn fresh(&self) -> Option<Result<HtaccessFiles, HtaccessError>> {
        if self.steps.is_empty() {
            return Some(Ok(Arc::default()));
        }
        let state = self.state.lock();
        let is_fresh = state
            .looked
            .is_some_and(|looked| looked.elapsed() < VALID_FOR);
        state.found.clone().filter(|_| is_fresh)
    }

    /// Looks at the disk.
    pub fn refresh(&self) -> Result<HtaccessFiles, HtaccessError> {
        let earlier = match &self.state.lock().found {
            Some(Ok(files)) => Arc::clone(files),
            _ => Arc::default(),
        };
        let mut files = Vec::new();
        let mut wrong = None;
        for step in &self.steps {
            match step.look(&earlier) {
                Ok(file) => files.extend(file),
                Err(error) => {
                    wrong = Some(error);
                    break;
                }
            }
        }
        let same = files.len() == earlier.len()
            && files.iter().zip(earlier.iter()).all(|(a, b)| a.id == b.id);
        let found = match wrong {
            Some(error) => Err(error),
            None if same => Ok(earlier),
            None => Ok(files.into()),
        };
        *self.state.lock() = State {
            looked: Some(Instant::now()),
            found: Some(found.clone()),
        };
        found
    }
}

impl Step {
    /// The file here, if there is one; the one known if it is still the same.
    fn look(&self, earlier: &[Arc<Htaccess>]) -> Result<Option<Arc<Htaccess>>, HtaccessError> {
        for name in &self.names {
            let path = self.directory.join(name);
            let unreadable = |error: &std::io::Error| {
                HtaccessError::Unreadable(format!("{}: {error}", path.display()))
            };
            let metadata = match std::fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() => metadata,
                Ok(_) => continue,
                Err(error)
                    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
                {
                    continue;
                }
                Err(error) => return Err(unreadable(&error)),
            };
            let known = earlier
                .iter()
                .find(|known| known.version == version(&path, &metadata));
            if let Some(known) = known {
                return Ok(Some(Arc::clone(known)));
            }
            let (content, metadata) = read(&path).map_err(|error| unreadable(&error))?;
            return self.parse(&path, &content, &metadata).map(Some);
        }
        Ok(None)
    }

    fn parse(
        &self,
        path: &Path,
        content: &[u8],
        metadata: &Metadata,
    ) -> Result<Arc<Htaccess>, HtaccessError> {
        static NEXT_ID: AtomicU32 = AtomicU32::new(0);
        let section = load_htaccess(path, &self.directory, content, &self.overrides);
        let section = section.map_err(|errors| {
            let errors = errors.iter().map(ToString::to_string);
            HtaccessError::Wrong(errors.collect::<Vec<_>>().join("\n"))
        })?;
        let components = self.directory.components().count();
        Ok(Arc::new(Htaccess {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            depth: components.saturating_sub(1),
            sections: Sections::new(None, &section.inner),
            settings: section.settings,
            overrides: Arc::clone(&self.overrides),
            version: version(path, metadata),
        }))
    }
}

fn version(path: &Path, metadata: &Metadata) -> Version {
    (
        path.to_owned(),
        metadata.ino(),
        metadata.size(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime_nsec(),
    )
}

fn read(path: &Path) -> std::io::Result<(Vec<u8>, Metadata)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut content = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content)?;
    if content.len() as u64 > FILE_BYTES_MAX {
        let message = format!("longer than {FILE_BYTES_MAX} bytes");
        return Err(std::io::Error::other(message));
    }
    Ok((content, metadata))
}
