//! Names that httpd and its modules know and Alula does not.
//!
//! The list says of each whether it has no effect here, with the reason, or is missing. Missing is the default: a directive that
//! would change what is served, or to whom, is never passed over.

/// `module: names`; a name with `<` is a section.
const KNOWN: &str = include_str!("known.txt");

/// `reason: names`.
const IGNORED: &str = include_str!("ignored.txt");

/// Hints for those that have a counterpart.
const HINTS: &[(&str, &str)] = &[
    (
        "WSGIScriptAliasMatch",
        "a WSGIScriptAlias for each script, or for the part of the URL they have in common",
    ),
    ("AuthDigestProvider", "AuthType Basic, over TLS"),
    (
        "AuthDBMUserFile",
        "AuthUserFile with a file that htpasswd writes",
    ),
    ("AuthDBMGroupFile", "AuthGroupFile with a text file"),
    (
        "AuthFormProvider",
        "AuthType Basic, or the application's own login",
    ),
    ("Session", "applications have sessions of their own"),
    (
        "ScriptAlias",
        "CGI programs are not run; WSGIScriptAlias runs a Python application",
    ),
    ("ScriptAliasMatch", "CGI programs are not run"),
    (
        "BalancerMember",
        "a ProxyPass to one back end, or a balancer of its own behind it",
    ),
    ("ProxyRemote", "a ProxyPass straight to the back end"),
    ("php_flag", "PHP is not run"),
    ("php_value", "PHP is not run"),
    ("php_admin_flag", "PHP is not run"),
    ("php_admin_value", "PHP is not run"),
    ("DAV", "DAV requests are not answered"),
];

fn entries(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = text.lines().filter_map(|line| line.split_once(": "));
    lines.flat_map(|(key, names)| names.split_whitespace().map(move |name| (key, name)))
}

/// Every known directive, for finding the nearest name.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let known = entries(KNOWN).chain(entries(IGNORED));
    known
        .map(|(_, name)| name)
        .filter(|name| !name.starts_with('<'))
}

/// A directive that has no effect: its name, and why.
pub(super) fn ignored(name: &str) -> Option<(&'static str, &'static str)> {
    let found = entries(IGNORED).find(|(_, known)| known.eq_ignore_ascii_case(name));
    found.map(|(reason, name)| (name, reason))
}

/// Whether a directive is known and missing, and what to write instead when there is something.
pub(super) fn not_yet(name: &str) -> Option<Option<&'static str>> {
    entries(KNOWN).find(|(_, known)| known.eq_ignore_ascii_case(name))?;
    let hint = HINTS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    Some(hint.map(|(_, hint)| *hint))
}

/// Whether a section is known and missing.
pub(super) fn is_section(name: &str) -> bool {
    let mut sections = entries(KNOWN).filter_map(|(_, known)| known.strip_prefix('<'));
    sections.any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_entry() {
        let mut names: Vec<_> = super::super::all()
            .map(|entry| entry.name.to_lowercase())
            .collect();
        names.sort();
        let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    #[test]
    fn a_name_is_on_one_list_only() {
        for (_, name) in entries(KNOWN) {
            assert_eq!(ignored(name), None, "{name}");
            assert!(super::super::find(name).is_none(), "{name} has an entry");
        }
        for (_, name) in entries(IGNORED) {
            assert!(super::super::find(name).is_none(), "{name} has an entry");
        }
    }
}
