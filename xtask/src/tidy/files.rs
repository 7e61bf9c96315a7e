//! Walks the checkout, leaving out what is generated.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

const LEFT_OUT: [&str; 8] = [
    ".git",
    "target",
    "demo",
    "__pycache__",
    ".pytest_cache",
    "corpus",
    "artifacts",
    "venv",
];

/// Every file of the checkout with one of these endings, sorted.
pub(super) fn with_endings(root: &Path, endings: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type()?;
            if kind.is_dir() && !LEFT_OUT.contains(&name.as_str()) {
                folders.push(entry.path());
            } else if kind.is_file() && endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}
