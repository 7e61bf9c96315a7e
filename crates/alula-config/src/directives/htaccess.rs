//! `.htaccess` files: who may have them, and which directives may stand in them.
//!
//! The table is httpd's own (`httpd -L`), names of directives that Alula does not have included. Directives of Python are in no
//! class: what runs is decided where the server is configured.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::{OverrideClass, OverrideSettings};
use crate::syntax::lexer::Word;

/// `class: names`; a name with `<` is a section, `|` means either, `Any` that any class will do.
const CLASSES: &str = include_str!("overrides.txt");

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "AllowOverride", args: Arity::at_least(1), syntax: "None | All | class ...", contexts: Contexts::SECTIONS,
        default: "None", apply: Apply::Run(allow_override),
        doc: "Which directives `.htaccess` files in a `<Directory>` may hold: classes are `AuthConfig`, `FileInfo`, `Indexes`, `Limit` and `Options` \
              (or `Options=name,...`). With `None` nobody looks for such files, which costs nothing; else a change of one is seen within a \
              second. A mistake in one is a 500 for its directory, and a line in the error log.",
    },
    Entry {
        name: "AllowOverrideList", args: Arity::at_least(1), syntax: "None | directive ...", contexts: Contexts::SECTIONS,
        default: "None", apply: Apply::Run(allow_override_list),
        doc: "Directives that `.htaccess` files may hold besides those that `AllowOverride` allows.",
    },
    Entry {
        name: "AccessFileName", args: Arity::at_least(1), syntax: "name ...", contexts: Contexts::SERVERS,
        default: ".htaccess", apply: Apply::Run(access_file_name),
        doc: "What the files are called; the first that is there counts.",
    },
];

/// Whether a directive, or with `<` a section, may stand in a file that so much is allowed to.
pub(super) fn may_hold(overrides: &OverrideSettings, name: &str) -> bool {
    let listed = overrides.listed.as_deref().unwrap_or_default();
    if listed.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return true;
    }
    let allowed = overrides.classes.as_deref().unwrap_or_default();
    let lines = CLASSES.lines().filter_map(|line| line.split_once(": "));
    let mut classes = lines
        .filter(|(_, names)| {
            let mut names = names.split_ascii_whitespace();
            names.any(|known| known.eq_ignore_ascii_case(name))
        })
        .flat_map(|(classes, _)| classes.split('|'));
    classes.any(|class| match self::class(class) {
        Some(class) => allowed.contains(&class),
        // A section holds nothing by itself.
        None => !allowed.is_empty() || name.starts_with('<'),
    })
}

fn class(name: &str) -> Option<OverrideClass> {
    Some(match name.to_ascii_lowercase().as_str() {
        "authconfig" => OverrideClass::AuthConfig,
        "fileinfo" => OverrideClass::FileInfo,
        "indexes" => OverrideClass::Indexes,
        "limit" => OverrideClass::Limit,
        "options" => OverrideClass::Options,
        _ => return None,
    })
}

const ALL: [OverrideClass; 5] = [
    OverrideClass::AuthConfig,
    OverrideClass::FileInfo,
    OverrideClass::Indexes,
    OverrideClass::Limit,
    OverrideClass::Options,
];

fn allow_override(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let (mut classes, mut options) = (Vec::new(), None);
    for word in args.words {
        let text = word.text.to_ascii_lowercase();
        let (name, list) = match text.split_once('=') {
            Some((name, list)) => (name, Some(list)),
            None => (text.as_str(), None),
        };
        match (name, list) {
            ("all", None) => classes.extend(ALL),
            ("none", None) => {}
            ("options", Some(list)) => {
                classes.push(OverrideClass::Options);
                options = Some(list.split(',').map(str::to_owned).collect());
            }
            ("nonfatal", Some(_)) => return Err(Problem::not_yet(word)),
            (_, Some(_)) => return Err(no_class(word)),
            (name, None) => classes.push(class(name).ok_or_else(|| no_class(word))?),
        }
    }
    if !in_directory(scope, args) {
        return Ok(());
    }
    let overrides = &mut scope.settings().overrides;
    overrides.classes = Some(classes);
    overrides.options = options;
    Ok(())
}

fn no_class(word: &Word) -> Problem {
    let hint = "None, All, AuthConfig, FileInfo, Indexes, Limit or Options";
    Problem::at(word, format!("there is no class {:?}", word.text)).hint(hint)
}

/// Files are looked for on the way to a file; elsewhere the line means nothing, which httpd warns about as well.
fn in_directory(scope: &mut Scope, args: &Args) -> bool {
    let well = scope.context() == Contexts::DIRECTORY;
    if !well {
        let message = format!("{} has no effect outside <Directory>", args.name.text);
        scope.warn(args.name.span, message, None);
    }
    well
}

fn allow_override_list(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let names = args.words.iter().map(|word| word.text.to_ascii_lowercase());
    let names: Vec<String> = names.filter(|name| name != "none").collect();
    if in_directory(scope, args) {
        scope.settings().overrides.listed = Some(names);
    }
    Ok(())
}

fn access_file_name(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    if let Some(word) = args.words.iter().find(|word| word.text.contains('/')) {
        let message = format!("{:?} is not the name of a file in a directory", word.text);
        return Err(Problem::at(word, message));
    }
    let names = args.words.iter().map(|word| word.text.clone()).collect();
    scope.settings().overrides.file_names = Some(names);
    Ok(())
}

/// The first word of an `Options` line that the file may not set.
pub(super) fn refused_option<'w>(
    overrides: &OverrideSettings,
    words: &'w [Word],
) -> Option<&'w Word> {
    let allowed = overrides.options.as_ref()?;
    words.iter().find(|word| {
        let name = word
            .text
            .trim_start_matches(['+', '-'])
            .to_ascii_lowercase();
        name != "none" && !allowed.contains(&name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_allows_its_directives() {
        let check = |classes: &[OverrideClass], name: &str, expected: bool| {
            let overrides = OverrideSettings {
                classes: Some(classes.to_vec()),
                listed: Some(vec!["listen".to_owned()]),
                ..OverrideSettings::default()
            };
            assert_eq!(may_hold(&overrides, name), expected, "{classes:?} {name}");
        };
        check(&[OverrideClass::FileInfo], "addtype", true);
        check(&[OverrideClass::Indexes], "AddType", false);
        check(&[OverrideClass::Indexes], "DirectoryIndex", true);
        check(&[OverrideClass::Limit], "<Limit", true);
        check(&[OverrideClass::AuthConfig], "<Limit", true);
        check(&[OverrideClass::FileInfo], "<Limit", false);
        check(&[], "<Files", true);
        check(&[], "LimitRequestBody", false);
        check(&[OverrideClass::Options], "LimitRequestBody", true);
        check(&ALL, "DocumentRoot", false);
        check(&ALL, "PythonHandler", false);
        check(&[], "Listen", true);
    }
}
