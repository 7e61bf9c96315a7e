//! Which crate may import which, and which external crates are fenced to one of ours.
//!
//! Cargo refuses cycles; it does not know that `alula-server` must never learn what Python is. This table does.
//! Reads manifests line by line (they are ours and plain) rather than through a TOML library.

use anyhow::{Context, Result};
use std::path::Path;

/// The Alula crates each crate may name, in dependencies of any kind.
const ARROWS: [(&str, &[&str]); 10] = [
    ("alula-config", &[]),
    ("alula-http", &[]),
    ("alula-routing", &["alula-config", "alula-http"]),
    ("alula-static", &["alula-config", "alula-http"]),
    ("alula-proxy", &["alula-config", "alula-http"]),
    ("alula-server", &["alula-http", "alula-routing"]),
    ("alula-python", &["alula-http"]),
    ("alula-process", &["alula-http", "alula-config"]),
    ("alula", EVERYTHING),
    ("alula-worker", EVERYTHING),
];

/// What the two assemblies may import. Neither of them is in it: nothing imports an assembly.
const EVERYTHING: &[&str] = &[
    "alula-config",
    "alula-http",
    "alula-process",
    "alula-proxy",
    "alula-python",
    "alula-routing",
    "alula-server",
    "alula-static",
];

/// External crates that only these crates may name. `alula-worker` needs pyo3 to declare its extension module.
const FENCES: [(&str, &[&str]); 5] = [
    ("pyo3", &["alula-python", "alula-worker"]),
    ("rustls", &["alula-server"]),
    ("tokio-rustls", &["alula-server"]),
    ("ring", &["alula-server"]),
    ("x509-parser", &["alula-server"]),
];

pub(super) fn complaints(root: &Path) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    let folder = root.join("crates");
    let entries =
        std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let manifest = path.join("Cargo.toml");
        let Ok(text) = std::fs::read_to_string(&manifest) else {
            continue;
        };
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        complaints.extend(judge(&name, &dependencies(&text)));
    }
    complaints.sort();
    Ok(complaints)
}

fn judge(name: &str, dependencies: &[String]) -> Vec<String> {
    let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
        return vec![format!(
            "crates/{name}: no arrows are written down for this crate (xtask/src/tidy/arrows.rs)"
        )];
    };
    let mut complaints = Vec::new();
    for dependency in dependencies {
        let is_ours = dependency == "alula" || dependency.starts_with("alula-");
        if is_ours && !allowed.contains(&dependency.as_str()) {
            complaints.push(format!(
                "crates/{name}/Cargo.toml: {name} may not import {dependency}"
            ));
        }
        let fence = FENCES.iter().find(|(fenced, _)| fenced == dependency);
        if fence.is_some_and(|(_, inside)| !inside.contains(&name)) {
            complaints.push(format!(
                "crates/{name}/Cargo.toml: {dependency} is fenced off from {name}"
            ));
        }
    }
    complaints
}

/// The names in every `[…dependencies]` table of a manifest.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            inside = header.ends_with("dependencies");
            if let Some((_, name)) = header.rsplit_once("dependencies.") {
                names.push(name.to_owned());
            }
        } else if inside && !line.starts_with('#') {
            let end = line.find([' ', '.', '=']).unwrap_or(line.len());
            names.extend((end > 0).then(|| line[..end].to_owned()));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::{dependencies, judge};

    #[test]
    fn names_are_read_from_every_kind_of_table() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\nb = \"1\"\n# c = \"1\"\n\
                        [target.'cfg(unix)'.dependencies]\nd = { path = \"d\" }\n[dev-dependencies.e]\nversion = \"1\"\n[lints]\nf = true\n";
        assert_eq!(dependencies(manifest), ["a", "b", "d", "e"]);
    }

    fn check(name: &str, dependency: &str, complaints: usize) {
        assert_eq!(
            judge(name, &[dependency.to_owned()]).len(),
            complaints,
            "{name} -> {dependency}"
        );
    }

    #[test]
    fn arrows_point_one_way() {
        check("alula-routing", "alula-config", 0);
        check("alula-config", "alula-routing", 1);
        check("alula-server", "alula-python", 1);
        check("alula-server", "alula-proxy", 1);
        check("alula-proxy", "alula-http", 0);
        check("alula-proxy", "alula-routing", 1);
        check("alula-worker", "alula-python", 0);
        check("alula-worker", "alula", 1);
        check("alula-server", "pyo3", 1);
        check("alula-python", "pyo3", 0);
        check("alula-unheard-of", "tokio", 1);
    }
}
