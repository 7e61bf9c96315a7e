//! Runs every file in `golden/`: a configuration, a divider, and what comes of it.
//!
//! Adding a case needs no code: write a `.conf` file, run `UPDATE=1 cargo test -p alula-config`, read what it wrote. The part below
//! the divider holds what is said about the configuration and every value of the site that differs from an empty configuration's (for a
//! virtual host: from the main server's).
//!
//! Lines that start with `--- ` set the scene: `--- file /path` starts another file, `--- dir /path` makes a directory, `--- host name address` gives a host
//! an address,
//! `--- option strict` and `--- option env NAME=value`, `--- option define NAME=value` set options.

use alula_config::{Diagnostic, LoadOptions, Loaded, MemoryFiles, load_with};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

const DIVIDER: &str = "\n==========\n";
const MAIN_FILE: &str = "/etc/alula/site.conf";

#[test]
fn golden_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = String::new();
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).expect("the folder is in the repository") {
        let path = entry.expect("readable").path();
        let text = std::fs::read_to_string(&path).expect("readable");
        let (input, expected) = text.split_once(DIVIDER).unwrap_or((text.trim_end(), ""));
        let found = run(input);
        count += 1;
        if found == expected {
            continue;
        }
        if update {
            std::fs::write(&path, format!("{input}{DIVIDER}{found}")).expect("writable");
        } else {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let _ = write!(
                wrong,
                "\n--- {name}: expected\n{expected}\n--- found\n{found}"
            );
        }
    }
    assert!(count > 0, "no golden files");
    assert!(
        wrong.is_empty(),
        "{wrong}\nUPDATE=1 cargo test -p alula-config accepts what was found"
    );
}

fn run(input: &str) -> String {
    let baseline = match load_text("") {
        Ok(loaded) => flatten(&loaded),
        Err(_) => panic!("an empty configuration loads"),
    };
    match load_text(input) {
        Err(diagnostics) => show(&diagnostics),
        Ok(loaded) => {
            let mut text = show(&loaded.warnings);
            let site = flatten(&loaded);
            for (path, value) in &site {
                let inherited = main_server_path(path).and_then(|path| site.get(&path));
                if baseline.get(path) != Some(value) && inherited != Some(value) {
                    let _ = writeln!(text, "{path} = {value}");
                }
            }
            text
        }
    }
}

fn load_text(input: &str) -> Result<Loaded, Vec<Diagnostic>> {
    let mut options = LoadOptions::new(MAIN_FILE);
    options.environment.clear();
    let mut files = MemoryFiles::default()
        .directory("/srv/www")
        .directory("/var/log/apache2");
    let mut name = MAIN_FILE.to_owned();
    let mut content = String::new();
    for line in input.split_inclusive('\n') {
        let scene: Vec<&str> = match line.strip_prefix("--- ") {
            Some(rest) => rest.split_whitespace().collect(),
            None => {
                content.push_str(line);
                continue;
            }
        };
        match scene.as_slice() {
            ["file", path] => {
                files = files.file(&name, std::mem::take(&mut content));
                name = (*path).to_owned();
            }
            ["dir", path] => files = files.directory(path),
            ["host", name, address] => {
                files = files.host(*name, address.parse().expect("an address"));
            }
            ["option", "strict"] => options.strict = true,
            ["option", "env", pair] => {
                let (name, value) = pair.split_once('=').expect("NAME=value");
                options
                    .environment
                    .insert(name.to_owned(), value.to_owned());
            }
            ["option", "define", name] => options.defines.push(((*name).to_owned(), None)),
            other => panic!("unknown scene {other:?}"),
        }
    }
    load_with(&options, &files.file(&name, content))
}

fn show(diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        let _ = writeln!(text, "{diagnostic}");
    }
    text
}

/// `path.to.leaf` → value as JSON; nothing for what is absent.
fn flatten(loaded: &Loaded) -> BTreeMap<String, String> {
    let mut leaves = BTreeMap::new();
    let site = serde_json::to_value(&loaded.site).expect("a site is plain data");
    let back: alula_config::Site = serde_json::from_value(site.clone()).expect("and comes back");
    assert_eq!(back, loaded.site);
    collect(String::new(), &site, &mut leaves);
    leaves
}

fn collect(path: String, value: &Value, leaves: &mut BTreeMap<String, String>) {
    match value {
        Value::Null => {}
        Value::Object(fields) if fields.contains_key("line") => {
            let line = &fields["line"];
            let file = fields["file"].as_str().unwrap_or_default();
            leaves.insert(path, format!("{file}:{line}"));
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                collect(format!("{path}{dot}{name}"), value, leaves);
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                collect(format!("{path}[{at}]"), value, leaves);
            }
        }
        leaf => {
            leaves.insert(path, leaf.to_string());
        }
    }
}

fn main_server_path(path: &str) -> Option<String> {
    let rest = path.strip_prefix("virtual_hosts[")?;
    let (_, rest) = rest.split_once(']')?;
    Some(format!("main_server{rest}"))
}
