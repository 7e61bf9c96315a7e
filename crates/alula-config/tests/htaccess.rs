//! `.htaccess` files: what they set, and what they may not.

use alula_config::load_htaccess;
use alula_config::site::{OverrideClass, OverrideSettings, Section};
use std::path::Path;

fn load(
    content: &str,
    classes: &[OverrideClass],
    options: Option<&str>,
) -> Result<Section, String> {
    let overrides = OverrideSettings {
        classes: Some(classes.to_vec()),
        options: options.map(|name| vec![name.to_owned()]),
        ..OverrideSettings::default()
    };
    let (file, directory) = (Path::new("/srv/a/.htaccess"), Path::new("/srv/a"));
    let loaded = load_htaccess(file, directory, content.as_bytes(), &overrides);
    loaded.map_err(|errors| {
        let errors = errors.iter().map(ToString::to_string);
        errors.collect::<Vec<_>>().join("\n")
    })
}

#[test]
fn it_is_a_directory_section() {
    let content = "DirectoryIndex a.html\n<Files x>\nForceType text/plain\n</Files>\n# a comment\n";
    let classes = [OverrideClass::Indexes, OverrideClass::FileInfo];
    let section = load(content, &classes, None).expect("well-formed");
    assert_eq!(
        section.settings.directory_index,
        Some(vec!["a.html".to_owned()])
    );
    assert_eq!(section.inner.len(), 1);
}

#[test]
fn it_holds_what_it_may() {
    #[track_caller]
    fn check(content: &str, expected: &str) {
        let error = load(content, &[OverrideClass::Options], Some("indexes"));
        let error = error.err().unwrap_or_default();
        let first = error.lines().next().unwrap_or_default();
        assert_eq!(first, expected, "{content}");
    }
    check("Options +Indexes", "");
    check("Options None", "");
    check(
        "Options +FollowSymLinks",
        "/srv/a/.htaccess:1:9: Options: \"+FollowSymLinks\" not allowed here",
    );
    check(
        "\nDirectoryIndex x",
        "/srv/a/.htaccess:2:1: DirectoryIndex not allowed here",
    );
    check(
        "DocumentRoot /",
        "/srv/a/.htaccess:1:1: DocumentRoot not allowed in <Directory> context",
    );
    check(
        "<RequireAll>\n</RequireAll>",
        "/srv/a/.htaccess:1:2: <RequireAll> not allowed here",
    );
    check("<Files x>", "/srv/a/.htaccess:1:2: <Files> was not closed");
    check(
        "Nonsense",
        "/srv/a/.htaccess:1:1: invalid command \"Nonsense\"",
    );
    check(
        "PythonHandler a",
        "/srv/a/.htaccess:1:1: PythonHandler not allowed here",
    );
}
