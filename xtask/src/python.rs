//! Finding the Pythons of this machine and making virtualenvs with them.
//!
//! A `python3` on PATH may be a launcher that fails (version managers install such shims), so a Python counts only
//! after it has run and said who it is.

use crate::shell;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest Python Alula runs (the stable ABI it is built for).
pub(crate) const OLDEST: Version = Version(3, 9);
const NEWEST_LOOKED_FOR: u32 = 20;

/// Major and minor: what decides which Django fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u32, pub(crate) u32);

impl std::fmt::Display for Version {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}.{}", self.0, self.1)
    }
}

/// One CPython that can make virtualenvs.
#[derive(Clone, Debug)]
pub(crate) struct Python {
    pub(crate) program: PathBuf,
    pub(crate) version: Version,
}

/// A Python that was found and cannot be used, with the reason.
#[derive(Debug)]
pub(crate) struct Skipped {
    pub(crate) program: PathBuf,
    pub(crate) reason: String,
}

/// Every usable CPython, one for each minor version, newest first; and those that had to be left out.
pub(crate) fn find_all() -> (Vec<Python>, Vec<Skipped>) {
    let mut found: Vec<Python> = Vec::new();
    let mut skipped = Vec::new();
    for program in candidates() {
        match examine(&program) {
            None => {}
            Some(Ok(python)) if found.iter().any(|known| known.version == python.version) => {}
            Some(Ok(python)) => found.push(python),
            Some(Err(reason)) => skipped.push(Skipped { program, reason }),
        }
    }
    found.sort_by_key(|python| std::cmp::Reverse(python.version));
    (found, skipped)
}

/// The newest usable Python.
pub(crate) fn newest() -> Result<Python> {
    let (found, skipped) = find_all();
    let Some(python) = found.into_iter().next() else {
        let reasons: Vec<String> = skipped
            .iter()
            .map(|it| format!("{}: {}", it.program.display(), it.reason))
            .collect();
        bail!(
            "no CPython from {OLDEST} up with venv and pip was found (Debian: apt install python3-venv)\n{}",
            reasons.join("\n")
        );
    };
    Ok(python)
}

/// Makes `directory` a virtualenv holding `requirements`, unless it is one already.
///
/// The list of requirements is written into it last, so a half-made or outdated virtualenv is made anew.
pub(crate) fn virtualenv(python: &Python, directory: &Path, requirements: &[&str]) -> Result<()> {
    let wanted = requirements.join("\n");
    let stamp = directory.join("requirements-installed.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let mut make = Command::new(&python.program);
    shell::succeed(make.args(["-m", "venv", "--clear"]).arg(directory))?;
    let mut install = Command::new(directory.join("bin/python"));
    install
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(requirements);
    shell::succeed(&mut install)?;
    std::fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

fn candidates() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let minors = (OLDEST.1..=NEWEST_LOOKED_FOR).rev();
    let names: Vec<String> = minors
        .map(|minor| format!("python3.{minor}"))
        .chain(["python3".to_owned()])
        .collect();
    let on_path = std::env::split_paths(&path)
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    on_path
        .chain(version_manager())
        .filter(|program| program.is_file())
        .collect()
}

/// The Pythons a version manager keeps outside PATH (`PYENV_ROOT`, by default `~/.pyenv`).
fn version_manager() -> Vec<PathBuf> {
    let from_home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv"));
    let Some(root) = std::env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(from_home)
    else {
        return Vec::new();
    };
    let Ok(entries) = std::fs::read_dir(root.join("versions")) else {
        return Vec::new();
    };
    entries
        .flatten()
        .map(|entry| entry.path().join("bin/python3"))
        .collect()
}

/// `None`: not a Python that runs. `Some(Err)`: one we cannot use, and why.
fn examine(program: &Path) -> Option<Result<Python, String>> {
    const QUESTION: &str = "import sys, sysconfig
print(sys.version_info[0], sys.version_info[1], sys.implementation.name, sysconfig.get_config_var('Py_GIL_DISABLED') or 0)
try:
    import venv, ensurepip, ssl, sqlite3
except ImportError as missing:
    print(missing)";
    let answer = shell::ask(Command::new(program).args(["-c", QUESTION]))?;
    let mut lines = answer.lines();
    let words: Vec<&str> = lines.next()?.split(' ').collect();
    let [major, minor, implementation, no_gil] = words.as_slice() else {
        return None;
    };
    let version = Version(major.parse().ok()?, minor.parse().ok()?);
    if version < OLDEST {
        return Some(Err(format!("Python {version} is older than {OLDEST}")));
    }
    if *implementation != "cpython" {
        return Some(Err(format!("{implementation} is not CPython")));
    }
    if *no_gil == "1" {
        return Some(Err(
            "free-threaded builds do not load the stable ABI".to_owned()
        ));
    }
    Some(match lines.next() {
        Some(missing) => Err(missing.to_owned()),
        None => Ok(Python {
            program: program.to_path_buf(),
            version,
        }),
    })
}
