//! The way in: a configuration file to a [`Site`].

use crate::diagnostic::Severity;
use crate::directives::{self, Scope};
use crate::preprocess::preprocess;
use crate::site::draft::{Draft, ServerDraft};
use crate::site::{DirectorySettings, Origin, OverrideSettings, Section, SectionPattern};
use crate::syntax::span::Sources;
use crate::{Diagnostic, Site, Written, site};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
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
    /// Exactly Apache: what is accepted out of kindness (a trailing `# comment`) is an error, and so is whatever there is a
    /// warning about.
    pub strict: bool,
    /// Whether `DocumentRoot`s must exist; `-T` switches it off.
    pub check_document_roots: bool,
    /// Whether to keep every directive for [`Loaded::written`].
    pub keep_written: bool,
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
            keep_written: false,
            environment,
        }
    }

    /// With both paths absolute, so that everything made from them is.
    fn absolute(&self) -> Self {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self {
            file: absolute(&self.file),
            server_root: self.server_root.as_deref().map(absolute),
            ..self.clone()
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
    /// Every directive that took effect, in file order; nothing unless asked for.
    pub written: Vec<Written>,
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
    /// The addresses of a host, for `<VirtualHost name>` and `Listen name:80`. Nothing else is looked up.
    fn addresses(&self, host: &str) -> Vec<IpAddr>;
}

/// Reads a configuration from disk. On failure every error is reported, with the warnings among them.
pub fn load(options: &LoadOptions) -> Result<Loaded, Vec<Diagnostic>> {
    load_with(options, &Disk)
}

/// Reads a configuration from `files`.
pub fn load_with(options: &LoadOptions, files: &dyn Files) -> Result<Loaded, Vec<Diagnostic>> {
    let options = &options.absolute();
    let read = preprocess(options, files);
    let mut draft = draft(
        options,
        files,
        read.sources,
        read.diagnostics,
        read.server_root,
    );
    directives::walk(&mut scope(&mut draft), &read.nodes);
    let site = site::finish(&mut draft);
    if options.strict {
        let warnings = draft.diagnostics.iter_mut();
        warnings
            .filter(|found| found.severity == Severity::Warning)
            .for_each(|warning| warning.severity = Severity::Error);
    }
    if draft.diagnostics.iter().any(Diagnostic::is_error) {
        return Err(draft.diagnostics);
    }
    Ok(Loaded {
        site,
        warnings: draft.diagnostics,
        files: draft.sources.paths(),
        written: draft.written,
    })
}

fn draft<'a>(
    options: &'a LoadOptions,
    files: &'a dyn Files,
    sources: Sources,
    diagnostics: Vec<Diagnostic>,
    server_root: PathBuf,
) -> Draft<'a> {
    Draft {
        options,
        files,
        sources,
        diagnostics,
        server_root,
        pid_file: None,
        media_types: BTreeMap::new(),
        user: None,
        group: None,
        listeners: Vec::new(),
        workers: None,
        threads: None,
        requests_max: None,
        max_request_workers: None,
        isolation: crate::site::Isolation::default(),
        extended_status: None,
        graceful_timeout: None,
        written: Vec::new(),
        groups: Vec::new(),
        groups_asked_for: Vec::new(),
        wsgi_python_path: Vec::new(),
        servers: vec![ServerDraft::new(None)],
        python_paths: Vec::new(),
        imports: Vec::new(),
        django_roots: Vec::new(),
        settings_modules: Vec::new(),
        required_variables: Vec::new(),
        debug_on: None,
    }
}

fn scope<'d, 'a>(draft: &'d mut Draft<'a>) -> Scope<'d, 'a> {
    Scope {
        draft,
        server: 0,
        sections: Vec::new(),
        limit: None,
        groups: Vec::new(),
        requirements: Vec::new(),
        overrides: None,
        rewrite_conditions: Vec::new(),
        noted: Vec::new(),
    }
}

/// Reads a `.htaccess` file of `directory`, which may hold what `overrides` says: a `<Directory>` section without its first and
/// last line. Warnings are nobody's: the errors alone come back.
pub fn load_htaccess(
    file: &Path,
    directory: &Path,
    content: &[u8],
    overrides: &OverrideSettings,
) -> Result<Section, Vec<Diagnostic>> {
    read_htaccess(file, directory, content, overrides, false).map(|(section, _)| section)
}

/// Every directive of a `.htaccess` file that took effect, in file order; of one that is wrong, nothing.
pub fn htaccess_directives(
    file: &Path,
    directory: &Path,
    content: &[u8],
    overrides: &OverrideSettings,
) -> Vec<Written> {
    let read = read_htaccess(file, directory, content, overrides, true);
    read.map(|(_, written)| written).unwrap_or_default()
}

fn read_htaccess(
    file: &Path,
    directory: &Path,
    content: &[u8],
    overrides: &OverrideSettings,
    keep_written: bool,
) -> Result<(Section, Vec<Written>), Vec<Diagnostic>> {
    let mut options = LoadOptions::new(file);
    options.environment.clear();
    options.keep_written = keep_written;
    let files = MemoryFiles::default().file(file, content);
    let read = preprocess(&options, &files);
    let origin = Origin {
        file: file.to_owned(),
        // The file itself, not a section on its first line.
        line: 0,
    };
    let mut draft = draft(
        &options,
        &files,
        read.sources,
        read.diagnostics,
        read.server_root,
    );
    let mut scope = scope(&mut draft);
    scope.overrides = Some(overrides.clone());
    scope.sections.push(Section {
        pattern: SectionPattern::Directory(directory.to_string_lossy().into_owned()),
        settings: DirectorySettings::default(),
        inner: Vec::new(),
        origin,
    });
    directives::walk(&mut scope, &read.nodes);
    let section = scope.sections.pop();
    draft.diagnostics.retain(Diagnostic::is_error);
    match section {
        Some(section) if draft.diagnostics.is_empty() => Ok((section, draft.written)),
        _ => Err(draft.diagnostics),
    }
}

/// Files kept in memory: for tests, and for a configuration that is made up rather than read.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles {
    entries: BTreeMap<PathBuf, Option<Vec<u8>>>,
    hosts: Vec<(String, IpAddr)>,
}

impl MemoryFiles {
    /// Adds a file, and the directories above it.
    pub fn file(mut self, path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        let path = path.into();
        self = self.directory(path.parent().unwrap_or(Path::new("/")));
        self.entries.insert(path, Some(content.into()));
        self
    }

    /// Adds an address of a host.
    pub fn host(mut self, name: impl Into<String>, address: IpAddr) -> Self {
        self.hosts.push((name.into(), address));
        self
    }

    /// Adds a directory, and those above it.
    pub fn directory(mut self, path: impl AsRef<Path>) -> Self {
        for folder in path.as_ref().ancestors() {
            self.entries.entry(folder.to_owned()).or_insert(None);
        }
        self
    }

    fn get(&self, path: &Path) -> Option<&Option<Vec<u8>>> {
        // Components drop a trailing slash.
        self.entries.get(&path.components().collect::<PathBuf>())
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self.get(path) {
            Some(Some(content)) => Ok(content.clone()),
            Some(None) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let below = self
            .entries
            .keys()
            .filter(|entry| entry.parent() == Some(path));
        Ok(below
            .filter_map(|entry| Some(entry.file_name()?.to_string_lossy().into_owned()))
            .collect())
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.get(path).is_some_and(Option::is_none)
    }

    fn exists(&self, path: &Path) -> bool {
        self.get(path).is_some()
    }

    fn addresses(&self, host: &str) -> Vec<IpAddr> {
        let known = self.hosts.iter().filter(|(name, _)| name == host);
        known.map(|(_, address)| *address).collect()
    }
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

    fn addresses(&self, host: &str) -> Vec<IpAddr> {
        let found = (host, 0).to_socket_addrs().into_iter().flatten();
        let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
        addresses.dedup();
        addresses
    }
}
