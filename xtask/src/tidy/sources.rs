//! What every source file owes its reader: an opening sentence, no path of somebody's machine, `unsafe` only where the
//! design allows it, and tests that wait for an event rather than for a while.

use super::files;
use anyhow::{Context, Result};
use std::path::Path;

/// The crates that may hold `unsafe`; every other crate forbids it at its root.
const UNSAFE_ALLOWED: [&str; 3] = ["alula-process", "alula-python", "alula-worker"];

/// Joined at compile time so that this file does not complain about itself.
const MACHINE_PATHS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];

const TEXT: [&str; 12] = [
    ".rs", ".py", ".toml", ".md", ".conf", ".html", ".txt", ".ini", ".cfg", ".yml", ".lua", "/run",
];

pub(super) fn complaints(root: &Path) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for path in files::with_endings(root, &TEXT)? {
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let name = path
            .strip_prefix(root)
            .unwrap_or(&path)
            .to_string_lossy()
            .into_owned();
        complaints.extend(judge(&name, &text));
    }
    Ok(complaints)
}

fn judge(name: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    if !opens_with_its_purpose(name, text) {
        complaints.push(format!(
            "{name}:1: no opening sentence (`//!` or a docstring) saying what the file is for"
        ));
    }
    if let Some(line) = text.lines().position(names_a_machine) {
        complaints.push(format!(
            "{name}:{}: a path that exists on one machine only",
            line + 1
        ));
    }
    if is_root_of_safe_crate(name) && !text.contains("#![forbid(unsafe_code)]") {
        complaints.push(format!(
            "{name}:1: this crate needs no unsafe code and should forbid it"
        ));
    }
    if name.starts_with("tests/test_")
        && let Some(line) = text.lines().position(|line| line.contains("time.sleep("))
    {
        complaints.push(format!(
            "{name}:{}: a test that sleeps; wait for an event with a deadline",
            line + 1
        ));
    }
    complaints
}

fn opens_with_its_purpose(name: &str, text: &str) -> bool {
    if name.ends_with(".rs") {
        return text.starts_with("//!");
    }
    if name.ends_with(".py") {
        let mut lines = text
            .lines()
            .skip_while(|line| line.starts_with('#') || line.trim().is_empty());
        let opening = lines.next().unwrap_or("\"\"\"");
        return opening.starts_with("\"\"\"") || opening.starts_with("r\"\"\"");
    }
    true
}

/// True where a machine path begins: `network/` ends with the same letters and is no path.
fn names_a_machine(line: &str) -> bool {
    MACHINE_PATHS.iter().any(|path| {
        line.match_indices(path).any(|(at, _)| {
            !line[..at]
                .ends_with(|before: char| before.is_alphanumeric() || "_-.}*".contains(before))
        })
    })
}

fn is_root_of_safe_crate(name: &str) -> bool {
    let Some((krate, file)) = name
        .strip_prefix("crates/")
        .and_then(|rest| rest.split_once('/'))
    else {
        return name == "xtask/src/main.rs";
    };
    matches!(file, "src/lib.rs" | "src/main.rs") && !UNSAFE_ALLOWED.contains(&krate)
}

#[cfg(test)]
mod tests {
    use super::{MACHINE_PATHS, judge};

    fn check(name: &str, text: &str, complaints: usize) {
        assert_eq!(judge(name, text).len(), complaints, "{name}: {text:?}");
    }

    #[test]
    fn a_file_opens_with_its_purpose() {
        check("crates/alula-config/src/x.rs", "//! For x.\n", 0);
        check("crates/alula-config/src/x.rs", "use y;\n", 1);
        check(
            "python/alula/x.py",
            "#!/usr/bin/env python3\n\"\"\"For x.\"\"\"\n",
            0,
        );
        check("python/alula/__init__.py", "", 0);
        check("python/alula/x.py", "import y\n", 1);
    }

    #[test]
    fn a_machine_is_not_named() {
        for path in MACHINE_PATHS {
            check("docs/x.md", &format!("see {path}x"), 1);
            check("docs/x.md", &format!("the net{}", &path[1..]), 0);
        }
    }

    #[test]
    fn unsafe_is_forbidden_outside_its_crates() {
        check("crates/alula-config/src/lib.rs", "//! Config.\n", 1);
        check(
            "crates/alula-config/src/lib.rs",
            "//! Config.\n#![forbid(unsafe_code)]\n",
            0,
        );
        check("crates/alula-process/src/lib.rs", "//! Processes.\n", 0);
    }

    #[test]
    fn a_test_does_not_sleep() {
        check("tests/test_x.py", "\"\"\"X.\"\"\"\ntime.sleep(1)\n", 1);
        check("tests/apps/x/app.py", "\"\"\"X.\"\"\"\ntime.sleep(1)\n", 0);
    }
}
