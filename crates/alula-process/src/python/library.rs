//! Where our extension module `_alula` and our Python package are.
//!
//! Cargo calls the library `lib_alula.so`, an installation `_alula.abi3.so`; the bootstrap loads it by path, so both do.

use std::path::{Path, PathBuf};

/// Says where to look first, before the places known from the program's own.
const OVERRIDE: &str = "ALULA_LIBRARY_DIR";

/// What a template has to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Library {
    pub(crate) extension: PathBuf,
    /// The folder that holds the package `alula`, for `sys.path`.
    pub(crate) packages: PathBuf,
}

/// The installation is not complete.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the worker library is missing: looked for {}", places(looked_for))]
pub struct LibraryNotFound {
    looked_for: Vec<PathBuf>,
}

fn places(looked_for: &[PathBuf]) -> String {
    looked_for
        .iter()
        .map(|place| place.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

impl Library {
    pub(crate) fn find(program: &Path) -> Result<Self, LibraryNotFound> {
        let chosen = std::env::var_os(OVERRIDE).map(PathBuf::from);
        Self::find_from(program, chosen.as_deref())
    }

    fn find_from(program: &Path, chosen: Option<&Path>) -> Result<Self, LibraryNotFound> {
        let beside = program.parent().unwrap_or(Path::new("/"));
        let installed = beside.parent().unwrap_or(beside).join("lib/alula");
        let extensions: Vec<PathBuf> = match chosen {
            Some(folder) => vec![folder.join("_alula.abi3.so"), folder.join("lib_alula.so")],
            None => vec![
                installed.join("_alula.abi3.so"),
                beside.join("lib_alula.so"),
            ],
        };
        let near = chosen.unwrap_or(beside);
        // In the source tree the package is beside `target/`, some folders up.
        let packages = [near.join("python"), installed.join("python")]
            .into_iter()
            .chain(beside.ancestors().map(|folder| folder.join("python")))
            .find(|folder| folder.join("alula").is_dir());
        match (extensions.iter().find(|file| file.is_file()), packages) {
            (Some(extension), Some(packages)) => Ok(Self {
                extension: extension.clone(),
                packages,
            }),
            (None, _) => Err(LibraryNotFound {
                looked_for: extensions,
            }),
            (_, None) => Err(LibraryNotFound {
                looked_for: vec![installed.join("python/alula")],
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let file = root.path().join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "").unwrap();
        }
        root
    }

    fn check(files: &[&str], program: &str, chosen: Option<&str>, extension: &str, packages: &str) {
        let root = tree(files);
        let chosen = chosen.map(|folder| root.path().join(folder));
        let found = Library::find_from(&root.path().join(program), chosen.as_deref()).unwrap();
        assert_eq!(found.extension, root.path().join(extension));
        assert_eq!(found.packages, root.path().join(packages));
    }

    #[test]
    fn the_source_tree() {
        let files = ["target/debug/lib_alula.so", "python/alula/__init__.py"];
        check(
            &files,
            "target/debug/alula",
            None,
            "target/debug/lib_alula.so",
            "python",
        );
    }

    #[test]
    fn an_installed_prefix() {
        let files = [
            "lib/alula/_alula.abi3.so",
            "lib/alula/python/alula/__init__.py",
        ];
        check(
            &files,
            "bin/alula",
            None,
            "lib/alula/_alula.abi3.so",
            "lib/alula/python",
        );
    }

    #[test]
    fn a_chosen_folder() {
        let files = [
            "elsewhere/lib_alula.so",
            "elsewhere/python/alula/__init__.py",
            "lib/alula/_alula.abi3.so",
        ];
        check(
            &files,
            "bin/alula",
            Some("elsewhere"),
            "elsewhere/lib_alula.so",
            "elsewhere/python",
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let root = tree(&["bin/alula"]);
        let error = Library::find_from(&root.path().join("bin/alula"), None)
            .unwrap_err()
            .to_string();
        let error = error.replace(root.path().to_str().unwrap(), "");
        assert_eq!(
            error,
            "the worker library is missing: looked for /lib/alula/_alula.abi3.so, /bin/lib_alula.so"
        );
    }
}
