//! Loading from real files: relative names, `Include` patterns, what has to exist.

use alula_config::{LoadOptions, load};
use std::fs;
use std::path::Path;

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
    fs::write(path, text).expect("writable");
}

#[test]
fn a_configuration_with_includes_loads_and_names_every_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    write(
        root,
        "site.conf",
        "Include conf.d/*.conf\nDocumentRoot htdocs/\n",
    );
    write(root, "conf.d/b.conf", "ServerName b\n");
    write(
        root,
        "conf.d/a.conf",
        "Listen 127.0.0.1:8000\nServerName a\n",
    );
    fs::create_dir(root.join("htdocs")).expect("writable");
    let loaded = load(&LoadOptions::new(root.join("site.conf"))).expect("valid");
    assert_eq!(loaded.site.main_server.server_name.as_deref(), Some("b"));
    assert_eq!(
        loaded.site.main_server.document_root,
        Some(root.join("htdocs"))
    );
    assert_eq!(loaded.site.pid_file, root.join("alula.pid"));
    let files = ["site.conf", "conf.d/a.conf", "conf.d/b.conf"].map(|name| root.join(name));
    assert_eq!(loaded.files, files);
}

#[test]
fn lines_of_the_command_line_come_before_and_after_the_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(
        folder.path(),
        "site.conf",
        "Listen ${port}\nServerName file\n",
    );
    let mut options = LoadOptions::new(folder.path().join("site.conf"));
    options.before.push("Define port 8123".into());
    options.after.push("ServerName after".into());
    let loaded = load(&options).expect("valid");
    assert_eq!(loaded.site.listeners[0].address.port(), 8123);
    assert_eq!(
        loaded.site.main_server.server_name.as_deref(),
        Some("after")
    );
    assert_eq!(
        loaded.files.len(),
        1,
        "the command line is no file to watch"
    );
}

#[test]
fn a_document_root_must_exist_unless_the_check_is_off() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(
        folder.path(),
        "site.conf",
        "Listen 127.0.0.1:8000\nDocumentRoot missing\n",
    );
    let mut options = LoadOptions::new(folder.path().join("site.conf"));
    let errors = load(&options).expect_err("the directory does not exist");
    assert_eq!(errors.len(), 1, "{errors:?}");
    options.check_document_roots = false;
    assert!(load(&options).is_ok());
}

#[test]
fn a_missing_file_is_one_plain_error() {
    let errors = load(&LoadOptions::new("/nonexistent/site.conf")).expect_err("no such file");
    let said: Vec<String> = errors
        .iter()
        .filter(|error| error.is_error())
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        said,
        ["cannot read \"/nonexistent/site.conf\": no such file or directory"]
    );
}

#[test]
fn diagnostics_are_plain_json() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "site.conf", "Listen 8000\n  Bogus 1\n");
    let errors = load(&LoadOptions::new(folder.path().join("site.conf"))).expect_err("invalid");
    let json = serde_json::to_value(&errors[0]).expect("plain data");
    assert_eq!(json["severity"], "error");
    assert_eq!(json["place"]["line"], 2);
    assert_eq!(json["place"]["column"], 3);
}
