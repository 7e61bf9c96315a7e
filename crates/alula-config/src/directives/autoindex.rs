//! mod_autoindex: how the listing of a directory looks, where `Options Indexes` allows one.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::IndexOptions;

const NO_ICONS: Apply = Apply::Ignored("listings have no icons");

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "IndexOptions", args: Arity::at_least(1), syntax: "[+|-]option ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(index_options),
        doc: "How listings look. `FancyIndexing` makes a table with times and sizes that the client can have sorted; `FoldersFirst`, `IgnoreCase`, \
              `VersionSort`, `IgnoreClient`, `SuppressColumnSorting`, `SuppressLastModified`, `SuppressSize`, `SuppressDescription`, \
              `SuppressHTMLPreamble`, `ShowForbidden`, `TrackModified` and `Charset=` mean what they mean in httpd; its other options are \
              accepted and have no effect.",
    },
    Entry {
        name: "FancyIndexing", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::EVERYWHERE,
        default: "Off", apply: Apply::Run(fancy_indexing),
        doc: "The same as `IndexOptions +FancyIndexing`.",
    },
    Entry {
        name: "IndexOrderDefault", args: Arity::exactly(2), syntax: "Ascending | Descending Name | Date | Size | Description",
        contexts: Contexts::EVERYWHERE, default: "Ascending Name", apply: Apply::Run(index_order_default),
        doc: "How listings are sorted until the client chooses otherwise.",
    },
    Entry {
        name: "IndexIgnore", args: Arity::at_least(1), syntax: "name ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(index_ignore),
        doc: "Names that listings leave out; `*`, `?` and `[...]` are wildcards. Names that start with a dot, and files that the client would be \
              refused, are never listed.",
    },
    Entry {
        name: "IndexIgnoreReset", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::EVERYWHERE,
        default: "Off", apply: Apply::Run(index_ignore_reset),
        doc: "Forgets the names that outer sections ignore.",
    },
    Entry {
        name: "AddDescription", args: Arity::at_least(2), syntax: "text name ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(add_description),
        doc: "A text beside some names in a `FancyIndexing` listing; `*`, `?` and `[...]` are wildcards.",
    },
    Entry {
        name: "HeaderName", args: Arity::exactly(1), syntax: "name", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(header_name),
        doc: "The file in a directory whose content comes before its listing. HTML goes in as it is, any other text as plain text.",
    },
    Entry {
        name: "ReadmeName", args: Arity::exactly(1), syntax: "name", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(readme_name),
        doc: "The file in a directory whose content comes after its listing.",
    },
    Entry {
        name: "IndexStyleSheet", args: Arity::exactly(1), syntax: "url", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(index_style_sheet),
        doc: "The style sheet of listings.",
    },
    Entry {
        name: "IndexHeadInsert", args: Arity::exactly(1), syntax: "html", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(index_head_insert),
        doc: "HTML for the `<head>` of listings.",
    },
    icons("AddIcon"),
    icons("AddIconByType"),
    icons("AddIconByEncoding"),
    icons("AddAlt"),
    icons("AddAltByType"),
    icons("AddAltByEncoding"),
    icons("DefaultIcon"),
];

const fn icons(name: &'static str) -> Entry {
    Entry {
        name,
        args: Arity::at_least(1),
        syntax: "icon ...",
        contexts: Contexts::EVERYWHERE,
        default: "",
        apply: NO_ICONS,
        doc: "Icons for listings.",
    }
}

/// What `IndexOptions` knows, in lower case.
const OPTIONS: &[&str] = &[
    "addaltclass",
    "fancyindexing",
    "foldersfirst",
    "htmltable",
    "iconsarelinks",
    "iconheight",
    "iconwidth",
    "ignorecase",
    "ignoreclient",
    "scanhtmltitles",
    "showforbidden",
    "suppresscolumnsorting",
    "suppressdescription",
    "suppresshtmlpreamble",
    "suppressicon",
    "suppresslastmodified",
    "suppressrules",
    "suppresssize",
    "trackmodified",
    "useolddateformat",
    "versionsort",
    "xhtml",
];

/// Those that take a value.
const VALUES: &[&str] = &[
    "namewidth",
    "descriptionwidth",
    "iconheight",
    "iconwidth",
    "type",
    "charset",
];

fn index_options(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    for word in args.words {
        let (sign, rest) = match word.text.split_at_checked(1) {
            Some(("+", rest)) => (Some(true), rest),
            Some(("-", rest)) => (Some(false), rest),
            _ => (None, word.text.as_str()),
        };
        let rest_lower = rest.to_ascii_lowercase();
        let (name, value) = match rest_lower.split_once('=') {
            Some((name, _)) => (name, rest.split_once('=').map(|(_, value)| value)),
            None => (rest_lower.as_str(), None),
        };
        let options = &mut scope.settings().files.listing.options;
        if sign.is_none() {
            if !options.replace {
                *options = IndexOptions::default();
            }
            options.replace = true;
        }
        match value {
            None if name == "none" && sign.is_none() => options.flags.clear(),
            None if OPTIONS.contains(&name) => {
                options.flags.insert(name.to_owned(), sign != Some(false));
            }
            None if VALUES.contains(&name) && sign == Some(false) => {}
            Some(value) if VALUES.contains(&name) => {
                if name == "charset" {
                    options.charset = Some(value.to_owned());
                }
            }
            _ => return Err(Problem::at(word, format!("there is no option {rest:?}"))),
        }
    }
    Ok(())
}

fn fancy_indexing(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let on = args.flag()?;
    let flags = &mut scope.settings().files.listing.options.flags;
    flags.insert("fancyindexing".to_owned(), on);
    Ok(())
}

fn index_order_default(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let [direction, key] = args.words else {
        return Err(Problem::new("takes two arguments"));
    };
    let descending = match direction.text.to_ascii_lowercase().as_str() {
        "ascending" => false,
        "descending" => true,
        _ => return Err(Problem::at(direction, "must be Ascending or Descending")),
    };
    let column = match key.text.to_ascii_lowercase().as_str() {
        "name" => 'N',
        "date" => 'M',
        "size" => 'S',
        "description" => 'D',
        _ => return Err(Problem::at(key, "must be Name, Date, Size or Description")),
    };
    scope.settings().files.listing.order = Some((column, descending));
    Ok(())
}

fn index_ignore(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let names = args.words.iter().map(|word| word.text.clone());
    scope.settings().files.listing.ignore.extend(names);
    Ok(())
}

fn index_ignore_reset(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().files.listing.ignore_reset = Some(args.flag()?);
    Ok(())
}

fn add_description(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let text = args.text();
    let names = args.words[1..].iter();
    let descriptions = names.map(|name| (text.clone(), name.text.clone()));
    scope
        .settings()
        .files
        .listing
        .descriptions
        .extend(descriptions);
    Ok(())
}

/// A file of the directory itself; httpd takes URLs as well.
fn name_in_directory(args: &Args) -> Result<String, Problem> {
    let word = args.first();
    if word.text.contains('/') {
        let message = format!("{:?} is not the name of a file in the directory", word.text);
        return Err(Problem::at(word, message));
    }
    Ok(word.text.clone())
}

fn header_name(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().files.listing.header = Some(name_in_directory(args)?);
    Ok(())
}

fn readme_name(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().files.listing.readme = Some(name_in_directory(args)?);
    Ok(())
}

fn index_style_sheet(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().files.listing.style_sheet = Some(args.text());
    Ok(())
}

fn index_head_insert(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().files.listing.head_insert = Some(args.text());
    Ok(())
}
