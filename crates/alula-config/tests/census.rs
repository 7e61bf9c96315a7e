//! Every directive that real configurations of Django sites use (139 of them were read) is known: it takes effect, or it is
//! accepted and its reason told, or it is refused in so many words. `census.txt` has the names.

use alula_config::{Diagnostic, LoadOptions, MemoryFiles, load_with, reference_page};

/// What would change what is served or who may see it, and is not done: refused. A name that is done is taken off this list.
const REFUSED: &[&str] = &[
    "<AuthnProviderAlias",
    "Dav",
    "nssrequiressl",
    "php_flag",
    "ScriptAlias",
];

/// Families that are being done; a name of theirs may still be refused.
const UNDER_WAY: &[&str] = &["WSGI"];

#[test]
fn every_name_of_the_census_is_known() {
    let reference = reference_page().to_ascii_lowercase();
    let mut missing = Vec::new();
    for name in include_str!("census.txt").lines() {
        let line = match name.strip_prefix('<') {
            Some(section) => format!("<{section} x>\n</{section}>\n"),
            None => format!("{name} x\n"),
        };
        let said = complaints(&line);
        let refused = said.contains("known to httpd, not supported yet");
        let ignored = said.contains("has no effect: ");
        let documented = match name.strip_prefix('<') {
            Some(_) => !said.contains("invalid section") && !refused,
            None => reference.contains(&format!("### `{}`", name.to_ascii_lowercase())),
        };
        let known = documented || ignored || refused;
        if !known || said.contains("invalid command") || said.contains("invalid section") {
            missing.push(format!("{name}: not known"));
        } else if refused
            && !documented
            && !REFUSED.contains(&name)
            && !UNDER_WAY.iter().any(|prefix| name.starts_with(prefix))
        {
            missing.push(format!("{name}: refused, and not on the list of those"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

fn complaints(line: &str) -> String {
    let options = LoadOptions::new("/etc/site.conf");
    let files = MemoryFiles::default().file("/etc/site.conf", line);
    let diagnostics = match load_with(&options, &files) {
        Ok(loaded) => loaded.warnings,
        Err(diagnostics) => diagnostics,
    };
    let texts = diagnostics.iter().map(Diagnostic::to_string);
    texts.collect::<Vec<_>>().join("\n")
}
