//! The site's own Python: which one it is, whether it will do, and how it becomes a template.
//!
//! There is no Python in our binary. Any CPython from 3.9 up is executed as it is and loads our library as an extension
//! module; so a virtualenv decides the version. It is asked once with a tiny program before it gets the real work,
//! because a wrong one should cost one clear line and not a traceback.

mod library;
mod probe;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use crate::privileges::RunAs;

pub(crate) use library::Library;
pub use library::LibraryNotFound;

/// What the configuration says about the interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PythonPlan {
    /// Which of the Site's interpreters it is, by its place.
    pub interpreter: usize,
    /// `PythonHome`: a virtualenv or prefix. `None`: `VIRTUAL_ENV`, else `python3` of `PATH`.
    pub home: Option<PathBuf>,
    /// Added to the environment before Python starts.
    pub environment: Vec<(OsString, OsString)>,
    /// Whether the template imports the application before it forks.
    pub preload: bool,
}

/// A Python that will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Python {
    /// The program, the one inside the virtualenv.
    pub executable: PathBuf,
    /// `3.12.1`
    pub version: String,
}

/// Why there is no Python to run the site.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum PythonError {
    #[error("no python3 found: none in PATH; name a virtualenv with PythonHome")]
    NoneInPath,
    #[error("{origin}: there is no bin/python3 in {home:?}")]
    NotAHome { origin: &'static str, home: PathBuf },
    #[error(
        "{origin}: broken virtualenv: {link:?} leads to {target:?}, which is not there; make the virtualenv again"
    )]
    BrokenLink {
        origin: &'static str,
        link: PathBuf,
        target: PathBuf,
    },
    #[error("cannot run {executable:?}: {reason}{}", permission_hint(reason))]
    CannotRun {
        executable: PathBuf,
        reason: io::Error,
    },
    #[error("{executable:?} does not start: {reason}")]
    DoesNotStart { executable: PathBuf, reason: String },
    #[error("{executable:?} is Python {version}; 3.9 or newer is needed")]
    TooOld {
        executable: PathBuf,
        version: String,
    },
    #[error(
        "{executable:?} is a free-threaded Python {version}, which is not supported yet; use the usual build"
    )]
    FreeThreaded {
        executable: PathBuf,
        version: String,
    },
    #[error("{executable:?} is {implementation}; only CPython is supported")]
    NotCPython {
        executable: PathBuf,
        implementation: String,
    },
}

fn permission_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; the User of the configuration must be able to run it",
        _ => "",
    }
}

impl Python {
    /// Finds the Python of the site and tries it, as the user it will run as.
    pub fn find(home: Option<&Path>, run_as: Option<&RunAs>) -> Result<Self, PythonError> {
        let virtual_env = std::env::var_os("VIRTUAL_ENV");
        let path = std::env::var_os("PATH").unwrap_or_default();
        probe::probe(&executable(home, virtual_env.as_deref(), &path)?, run_as)
    }
}

fn executable(
    home: Option<&Path>,
    virtual_env: Option<&OsStr>,
    path: &OsStr,
) -> Result<PathBuf, PythonError> {
    if let Some(home) = home {
        return in_home("PythonHome", home);
    }
    if let Some(virtual_env) = virtual_env.filter(|text| !text.is_empty()) {
        return in_home("VIRTUAL_ENV", Path::new(virtual_env));
    }
    let mut candidates = std::env::split_paths(path).map(|folder| folder.join("python3"));
    candidates
        .find(|candidate| candidate.is_file())
        .ok_or(PythonError::NoneInPath)
}

fn in_home(origin: &'static str, home: &Path) -> Result<PathBuf, PythonError> {
    let python = home.join("bin/python3");
    if python.is_file() {
        return Ok(python);
    }
    match broken_link(&python) {
        Some((link, target)) => Err(PythonError::BrokenLink {
            origin,
            link,
            target,
        }),
        None => Err(PythonError::NotAHome {
            origin,
            home: home.to_owned(),
        }),
    }
}

/// The last link of a chain that ends nowhere, and where it leads.
fn broken_link(start: &Path) -> Option<(PathBuf, PathBuf)> {
    /// As in the kernel.
    const LINKS_MAX: usize = 40;
    let mut found = None;
    let mut link = start.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(target) = std::fs::read_link(&link) else {
            break;
        };
        let target = link.parent().unwrap_or(Path::new("/")).join(target);
        found = Some((link, target.clone()));
        link = target;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn home_with(python3: &str) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("bin")).unwrap();
        let file = home.path().join("bin/python3");
        std::fs::write(&file, python3).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        home
    }

    fn refused(python3: &str) -> String {
        let home = home_with(python3);
        let error = loop {
            let found = Python::find(Some(home.path()), None);
            let error = found.unwrap_err().to_string();
            // Another test that forks right now holds the script open for writing until it executes.
            if !error.contains("Text file busy") {
                break error;
            }
        };
        error.replace(home.path().to_str().unwrap(), "HOME")
    }

    #[test]
    fn the_home_comes_before_the_environment_and_that_before_path() {
        let (home, venv, path) = (home_with(""), home_with(""), home_with(""));
        let bin = path.path().join("bin");
        let find = |home, venv| executable(home, venv, bin.as_os_str()).unwrap();
        let of = |folder: &tempfile::TempDir| folder.path().join("bin/python3");
        assert_eq!(
            find(Some(home.path()), Some(venv.path().as_os_str())),
            of(&home)
        );
        assert_eq!(find(None, Some(venv.path().as_os_str())), of(&venv));
        assert_eq!(find(None, Some(OsStr::new(""))), of(&path));
        assert_eq!(find(None, None), of(&path));
    }

    #[test]
    fn nowhere_at_all() {
        let error = executable(None, None, OsStr::new("/nowhere:/either")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no python3 found: none in PATH; name a virtualenv with PythonHome"
        );
        let error = executable(Some(Path::new("/nowhere")), None, OsStr::new("")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "PythonHome: there is no bin/python3 in \"/nowhere\""
        );
    }

    #[test]
    fn a_virtualenv_whose_base_is_gone() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("bin")).unwrap();
        symlink("python", home.path().join("bin/python3")).unwrap();
        symlink("/gone/bin/python3.9", home.path().join("bin/python")).unwrap();
        let error = executable(None, Some(home.path().as_os_str()), OsStr::new(""))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("VIRTUAL_ENV: broken virtualenv: "),
            "{error}"
        );
        assert!(
            error.contains("/bin/python\" leads to \"/gone/bin/python3.9\", which is not there"),
            "{error}"
        );
    }

    #[test]
    fn unsuitable_ones_are_told_apart() {
        let check = |python3, expected: &str| assert_eq!(refused(python3), expected);
        check(
            "#!/bin/sh\necho cpython 3.8.18 0 /usr/bin/python3",
            "\"HOME/bin/python3\" is Python 3.8.18; 3.9 or newer is needed",
        );
        check(
            "#!/bin/sh\necho cpython 2.7.18 0 /usr/bin/python3",
            "\"HOME/bin/python3\" is Python 2.7.18; 3.9 or newer is needed",
        );
        check(
            "#!/bin/sh\necho cpython 3.14.0 1 /usr/bin/python3",
            "\"HOME/bin/python3\" is a free-threaded Python 3.14.0, which is not supported yet; use the usual build",
        );
        check(
            "#!/bin/sh\necho pypy 3.10.2 0 /x",
            "\"HOME/bin/python3\" is pypy; only CPython is supported",
        );
        check(
            "#!/bin/sh\necho 'Traceback' >&2; echo 'ModuleNotFoundError: No module named encodings' >&2; exit 1",
            "\"HOME/bin/python3\" does not start: ModuleNotFoundError: No module named encodings",
        );
        check(
            "#!/bin/sh\nexit 3",
            "\"HOME/bin/python3\" does not start: exit status: 3",
        );
        check(
            "#!/bin/sh\necho hello",
            "\"HOME/bin/python3\" does not start: its answer was \"hello\"",
        );
        check(
            "#!/nowhere/sh\n",
            "cannot run \"HOME/bin/python3\": No such file or directory (os error 2)",
        );
    }

    #[test]
    fn the_python_of_the_machine_will_do_or_says_why_not() {
        for_each_python(|prefix, minor| match Python::find(Some(prefix), None) {
            Ok(python) => {
                assert!(minor >= 9, "{python:?}");
                assert!(
                    python.version.starts_with(&format!("3.{minor}.")),
                    "{python:?}"
                );
            }
            Err(error) => assert!(
                minor < 9 && error.to_string().contains("3.9 or newer"),
                "{error}"
            ),
        });
    }

    /// Every CPython 3 that pyenv has installed here, if any.
    fn for_each_python(check: impl Fn(&Path, u32)) {
        let versions = std::env::home_dir()
            .unwrap_or_default()
            .join(".pyenv/versions");
        for entry in std::fs::read_dir(versions).into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap_or_default();
            let minor = name
                .strip_prefix("3.")
                .and_then(|rest| rest.split('.').next()?.parse().ok());
            if let Some(minor) = minor {
                check(&entry.path(), minor);
            }
        }
    }
}
