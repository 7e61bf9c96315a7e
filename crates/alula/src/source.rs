//! From the command line to a loaded configuration, the first time and at each restart.

use std::path::{Path, PathBuf};

use alula_config::site::LogLevel;
use alula_config::{Diagnostic, LoadOptions, Loaded};
use anyhow::{Context, Result};

use crate::command_line::{LevelName, Source};

/// The file when `-f` does not name one.
const FILE_DEFAULT: &str = "/etc/alula/httpd.conf";

/// How to load the configuration, with every path made absolute: a daemon does not stay in this folder.
pub(crate) fn load_options(source: &Source) -> Result<LoadOptions> {
    let server_root = source.server_root.as_deref().map(absolute).transpose()?;
    let mut options = LoadOptions::new(file(source.file.as_deref(), server_root.as_deref())?);
    options.server_root = server_root;
    options.defines = source.defines.iter().map(|text| define(text)).collect();
    options.before.clone_from(&source.before);
    options.after.clone_from(&source.after);
    options.check_document_roots = !source.no_document_root_check;
    options.strict = source.strict;
    Ok(options)
}

/// httpd takes a relative `-f` from ServerRoot; a file that stands right here is meant more often.
fn file(file: Option<&Path>, server_root: Option<&Path>) -> Result<PathBuf> {
    let file = file.unwrap_or(Path::new(FILE_DEFAULT));
    match server_root {
        Some(root) if file.is_relative() && !file.exists() => Ok(root.join(file)),
        _ => absolute(file),
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("{}", path.display()))
}

fn define(text: &str) -> (String, Option<String>) {
    match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (text.to_owned(), None),
    }
}

/// Loads, or returns everything there is to say as one text.
pub(crate) fn load(options: &LoadOptions) -> Result<Loaded, ConfigurationError> {
    alula_config::load(options).map_err(ConfigurationError)
}

/// The configuration cannot be used. Shown as the diagnostics themselves, one below the other.
#[derive(Debug)]
pub(crate) struct ConfigurationError(pub(crate) Vec<Diagnostic>);

impl std::fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What concerns no line does not begin with a file's name.
        if self.0.first().is_some_and(|first| first.place.is_none()) {
            f.write_str("alula: ")?;
        }
        f.write_str(&text(&self.0))
    }
}

impl std::error::Error for ConfigurationError {}

/// Diagnostics as text, without a line end after the last.
pub(crate) fn text(diagnostics: &[Diagnostic]) -> String {
    diagnostics
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

impl From<LevelName> for LogLevel {
    fn from(name: LevelName) -> Self {
        match name {
            LevelName::Emerg => Self::Emerg,
            LevelName::Alert => Self::Alert,
            LevelName::Crit => Self::Crit,
            LevelName::Error => Self::Error,
            LevelName::Warn => Self::Warn,
            LevelName::Notice => Self::Notice,
            LevelName::Info => Self::Info,
            LevelName::Debug => Self::Debug,
            LevelName::Trace1 => Self::Trace(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_define_may_have_a_value() {
        assert_eq!(define("DEBUG"), ("DEBUG".to_owned(), None));
        assert_eq!(
            define("PORT=80=x"),
            ("PORT".to_owned(), Some("80=x".to_owned()))
        );
    }

    #[test]
    fn the_file_is_taken_from_here_or_from_server_root() {
        let check = |path: &str, root: Option<&str>, expected: PathBuf| {
            assert_eq!(
                file(Some(Path::new(path)), root.map(Path::new)).unwrap(),
                expected
            );
        };
        let here = std::env::current_dir().unwrap();
        check("/etc/x.conf", Some("/srv"), "/etc/x.conf".into());
        check("conf/x.conf", Some("/srv"), "/srv/conf/x.conf".into());
        check("Cargo.toml", Some("/srv"), here.join("Cargo.toml"));
        check("x.conf", None, here.join("x.conf"));
    }
}
