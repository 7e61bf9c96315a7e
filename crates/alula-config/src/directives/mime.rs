//! mod_mime: what the extensions of a file's name say about it.
//!
//! A name may have several extensions, in any order, and each of them counts. Where two say different things the right one wins.

use super::files::handler_choice;
use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::preprocess::reason;
use crate::site::{ExtensionSettings, Switched};
use crate::syntax::lexer::Word;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "AddType", args: Arity::at_least(2), syntax: "media-type extension ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(add_type),
        doc: "The media type of files with an extension. Case and a leading dot do not matter. `AddType` comes before the built-in table.",
    },
    Entry {
        name: "RemoveType", args: Arity::at_least(1), syntax: "extension ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(remove_type),
        doc: "Undoes an outer section's `AddType` for some extensions.",
    },
    Entry {
        name: "ForceType", args: Arity::exactly(1), syntax: "media-type | None", contexts: Contexts::EVERYWHERE,
        default: "None", apply: Apply::Run(force_type),
        doc: "One media type for all files, whatever they are called.",
    },
    Entry {
        name: "DefaultType", args: Arity::exactly(1), syntax: "media-type | none", contexts: Contexts::EVERYWHERE,
        default: "none", apply: Apply::Run(default_type),
        doc: "2.2's type for unknown files; without effect as in httpd 2.4.",
    },
    Entry {
        name: "TypesConfig", args: Arity::exactly(1), syntax: "file", contexts: Contexts::SERVER,
        default: "", apply: Apply::Run(types_config),
        doc: "A table of media types: on each line one, and the extensions it is for. It comes before the built-in table, which is there \
              in any case; a file that cannot be read is warned about.",
    },
    Entry {
        name: "AddEncoding", args: Arity::at_least(2), syntax: "encoding extension ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(add_encoding),
        doc: "The `Content-Encoding` of files with an extension. The type then comes from their other extensions: `a.js.gz` is JavaScript.",
    },
    Entry {
        name: "RemoveEncoding", args: Arity::at_least(1), syntax: "extension ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(remove_encoding),
        doc: "Undoes an outer section's `AddEncoding` for some extensions.",
    },
    Entry {
        name: "AddLanguage", args: Arity::at_least(2), syntax: "language extension ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(add_language),
        doc: "The `Content-Language` of files with an extension. Files are not negotiated by it.",
    },
    Entry {
        name: "RemoveLanguage", args: Arity::at_least(1), syntax: "extension ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(remove_language),
        doc: "Undoes an outer section's `AddLanguage` for some extensions.",
    },
    Entry {
        name: "DefaultLanguage", args: Arity::exactly(1), syntax: "language", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(default_language),
        doc: "The `Content-Language` of files whose name has no extension for one.",
    },
    Entry {
        name: "AddCharset", args: Arity::at_least(2), syntax: "charset extension ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(add_charset),
        doc: "The `charset` of the media type of files with an extension.",
    },
    Entry {
        name: "RemoveCharset", args: Arity::at_least(1), syntax: "extension ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(remove_charset),
        doc: "Undoes an outer section's `AddCharset` for some extensions.",
    },
    Entry {
        name: "AddDefaultCharset", args: Arity::exactly(1), syntax: "On | Off | charset", contexts: Contexts::EVERYWHERE,
        default: "Off", apply: Apply::Run(add_default_charset),
        doc: "The charset for `text/plain` and `text/html` responses that name none; `On` is `iso-8859-1`.",
    },
    Entry {
        name: "AddHandler", args: Arity::at_least(2), syntax: "handler extension ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(add_handler),
        doc: "Who answers for files with an extension; the names are those of `SetHandler`, which wins where both are there.",
    },
    Entry {
        name: "RemoveHandler", args: Arity::at_least(1), syntax: "extension ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(remove_handler),
        doc: "Undoes an outer section's `AddHandler` for some extensions.",
    },
];

/// Extensions know no case and may be written with their dot.
fn key(extension: &str) -> String {
    extension.trim_start_matches('.').to_ascii_lowercase()
}

/// Sets something for each extension in `words`.
fn each(scope: &mut Scope, words: &[Word], mut set: impl FnMut(&mut ExtensionSettings)) {
    let extensions = &mut scope.settings().files.extensions;
    for word in words {
        set(extensions.entry(key(&word.text)).or_default());
    }
}

/// A section's own `AddType` counts whether it stands before its `RemoveType` or after it, as in httpd.
fn remove<T>(setting: &mut Option<Switched<T>>) {
    if setting.is_none() {
        *setting = Some(Switched::Off);
    }
}

/// What may stand in a field's value.
fn check_value(word: &Word) -> Result<(), Problem> {
    let well = !word.text.is_empty() && word.text.bytes().all(|byte| (b' '..0x7f).contains(&byte));
    well.then_some(())
        .ok_or_else(|| Problem::at(word, format!("{:?} cannot be sent in a header", word.text)))
}

fn check_type(word: &Word) -> Result<String, Problem> {
    check_value(word)?;
    let (kind, rest) = word.text.split_once('/').unwrap_or_default();
    if kind.is_empty() || rest.is_empty() {
        let message = format!("{:?} is not a media type", word.text);
        return Err(Problem::at(word, message).hint("text/html, for one"));
    }
    Ok(word.text.clone())
}

fn add_type(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let media_type = check_type(args.first())?;
    each(scope, &args.words[1..], |extension| {
        extension.media_type = Some(Switched::On(media_type.clone()));
    });
    Ok(())
}

fn remove_type(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    each(scope, args.words, |extension| {
        remove(&mut extension.media_type)
    });
    Ok(())
}

fn force_type(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let forced = if args.text().eq_ignore_ascii_case("none") {
        Switched::Off
    } else {
        Switched::On(check_type(args.first())?)
    };
    scope.settings().files.forced_type = Some(forced);
    Ok(())
}

fn default_type(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    if !args.text().eq_ignore_ascii_case("none") {
        let message = "DefaultType has no effect, as in httpd 2.4: a file of unknown type has none";
        scope.warn(args.name.span, message, None);
    }
    Ok(())
}

fn types_config(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let word = args.first();
    let path = scope.path(word);
    match scope.draft.files.read(&path) {
        Ok(content) => scope.draft.media_types = table(&String::from_utf8_lossy(&content)),
        Err(error) => {
            let message = format!(
                "TypesConfig: cannot read {path:?}: {}; the built-in table counts",
                reason(&error)
            );
            scope.warn(word.span, message, None);
        }
    }
    Ok(())
}

/// On each line a media type and its extensions; `#` starts a comment at the start of a line or of a word.
fn table(text: &str) -> std::collections::BTreeMap<String, String> {
    let mut types = std::collections::BTreeMap::new();
    for line in text.lines() {
        let words = line.split_ascii_whitespace();
        let mut words = words.take_while(|word| !word.starts_with('#'));
        let media_type = words
            .next()
            .filter(|word| word.is_ascii() && word.contains('/'));
        if let Some(media_type) = media_type {
            types.extend(words.map(|extension| (key(extension), media_type.to_owned())));
        }
    }
    types
}

fn add_encoding(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    check_value(args.first())?;
    let encoding = args.text().to_ascii_lowercase();
    each(scope, &args.words[1..], |extension| {
        extension.encoding = Some(Switched::On(encoding.clone()));
    });
    Ok(())
}

fn remove_encoding(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    each(scope, args.words, |extension| {
        remove(&mut extension.encoding)
    });
    Ok(())
}

fn add_language(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    check_value(args.first())?;
    let language = args.text();
    each(scope, &args.words[1..], |extension| {
        extension.language = Some(Switched::On(language.clone()));
    });
    Ok(())
}

fn remove_language(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    each(scope, args.words, |extension| {
        remove(&mut extension.language)
    });
    Ok(())
}

fn default_language(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    check_value(args.first())?;
    scope.settings().files.default_language = Some(args.text());
    Ok(())
}

fn add_charset(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    check_value(args.first())?;
    let charset = args.text();
    each(scope, &args.words[1..], |extension| {
        extension.charset = Some(Switched::On(charset.clone()));
    });
    Ok(())
}

fn remove_charset(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    each(scope, args.words, |extension| {
        remove(&mut extension.charset)
    });
    Ok(())
}

fn add_default_charset(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    check_value(args.first())?;
    let charset = match args.text().to_ascii_lowercase().as_str() {
        "off" => Switched::Off,
        "on" => Switched::On("iso-8859-1".to_owned()),
        _ => Switched::On(args.text()),
    };
    scope.settings().default_charset = Some(charset);
    Ok(())
}

fn add_handler(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let handler = handler_choice(scope, args.first())?;
    each(scope, &args.words[1..], |extension| {
        extension.handler = Some(Switched::On(handler));
    });
    Ok(())
}

fn remove_handler(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    each(scope, args.words, |extension| {
        remove(&mut extension.handler)
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn a_table_of_types_is_read_line_by_line() {
        let found =
            table("# a comment\ntext/x-a\tA .aa  b # c d\napplication/none\n\nno-slash x\n");
        let found: Vec<_> = found
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            found,
            [("a", "text/x-a"), ("aa", "text/x-a"), ("b", "text/x-a")]
        );
    }
}
