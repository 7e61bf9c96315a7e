//! The way in: a configuration file to a [`Site`].

use crate::{Diagnostic, Site};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// What to load and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadOptions {
    /// The main configuration file (`-f`).
    pub file: PathBuf,
    /// `ServerRoot` until the file says otherwise (`-d`). `None`: the file's folder.
    pub server_root: Option<PathBuf>,
    /// Names for `<IfDefine>` and `${}` (`-D`), with a value or without.
    pub defines: Vec<(String, Option<String>)>,
    /// Lines to read before the file (`-C`).
    pub before: Vec<String>,
    /// Lines to read after the file (`-c`).
    pub after: Vec<String>,
    /// Exactly Apache: what is accepted out of kindness (a trailing `# comment`) is an error.
    pub strict: bool,
    /// Whether `DocumentRoot`s must exist; `-T` switches it off.
    pub check_document_roots: bool,
    /// The process environment, for `${}` and `PassEnv`.
    pub environment: BTreeMap<String, String>,
}

impl LoadOptions {
    /// Loads `file` with the environment of this process.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            file: file.into(),
            server_root: None,
            defines: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
            strict: false,
            check_document_roots: true,
            environment,
        }
    }
}

/// A configuration that can be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What it means.
    pub site: Site,
    /// Warnings and notes, in file order.
    pub warnings: Vec<Diagnostic>,
    /// Every file read, in reading order: what to watch.
    pub files: Vec<PathBuf>,
}

/// Where configuration files come from: the disk, or memory in tests.
pub trait Files {
    /// A file's bytes.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// The names in a directory, in any order.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Whether a path is a directory.
    fn is_dir(&self, path: &Path) -> bool;
    /// Whether a path exists.
    fn exists(&self, path: &Path) -> bool;
}

/// Reads a configuration from disk. On failure every error is reported, with the warnings among them.
pub fn load(options: &LoadOptions) -> Result<Loaded, Vec<Diagnostic>> {
    load_with(options, &Disk)
}

/// Reads a configuration from `files`.
pub fn load_with(_options: &LoadOptions, _files: &dyn Files) -> Result<Loaded, Vec<Diagnostic>> {
    Err(Vec::new())
}

/// The real file system.
#[derive(Debug)]
struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        std::fs::read_dir(path)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
}
