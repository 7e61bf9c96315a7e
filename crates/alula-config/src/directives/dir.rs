//! mod_dir: what a directory's URL leads to, and core's words about files' validators and ranges.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::{DirectorySlash, EtagChange, EtagParts, Switched};

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "DirectoryIndex", args: Arity::at_least(1), syntax: "disabled | url ...", contexts: Contexts::EVERYWHERE,
        default: "index.html", apply: Apply::Run(directory_index),
        doc: "What to look for when a directory is asked for, in this order: names in the directory, or URL paths that start with a slash. \
              The first that exists answers as if it had been asked for, with the settings of all sections for it.",
    },
    Entry {
        name: "DirectoryIndexRedirect", args: Arity::exactly(1), syntax: "On | Off | permanent | temp | seeother | status",
        contexts: Contexts::EVERYWHERE, default: "Off", apply: Apply::Run(directory_index_redirect),
        doc: "Sends the client to the URL of the index instead; `On` is `temp`, 302.",
    },
    Entry {
        name: "DirectorySlash", args: Arity::exactly(1), syntax: "On | Off | NotFound", contexts: Contexts::EVERYWHERE,
        default: "On", apply: Apply::Run(directory_slash),
        doc: "Whether a directory's URL without a slash at its end is redirected to the one with it. With `Off` such a URL has no index, \
              and a listing only where `Options Indexes` allows one.",
    },
    Entry {
        name: "FallbackResource", args: Arity::exactly(1), syntax: "disabled | url-path", contexts: Contexts::EVERYWHERE,
        default: "disabled", apply: Apply::Run(fallback_resource),
        doc: "The URL path that answers instead where there is no file, and no index in a directory.",
    },
    Entry {
        name: "DirectoryCheckHandler", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::EVERYWHERE,
        default: "Off", apply: Apply::Ignored("a handler that was set answers for directories as well"),
        doc: "Whether a handler keeps mod_dir away.",
    },
    Entry {
        name: "FileETag", args: Arity::at_least(1), syntax: "[+|-]part ...", contexts: Contexts::EVERYWHERE,
        default: "MTime Size", apply: Apply::Run(file_etag),
        doc: "What a file's `ETag` is made of: `INode`, `MTime`, `Size`, `All`, or `None` for no tag. `INode` makes several machines with \
              the same files disagree.",
    },
    Entry {
        name: "MaxRanges", args: Arity::exactly(1), syntax: "default | unlimited | none | number", contexts: Contexts::EVERYWHERE,
        default: "200", apply: Apply::Run(max_ranges),
        doc: "How many parts of a file one request may ask for; one that asks for more gets the whole file.",
    },
    Entry {
        name: "MaxRangeOverlaps", args: Arity::exactly(1), syntax: "default | unlimited | none | number", contexts: Contexts::EVERYWHERE,
        default: "20", apply: Apply::Run(max_range_overlaps),
        doc: "How many of the parts may overlap or touch the one before.",
    },
    Entry {
        name: "MaxRangeReversals", args: Arity::exactly(1), syntax: "default | unlimited | none | number", contexts: Contexts::EVERYWHERE,
        default: "20", apply: Apply::Run(max_range_reversals),
        doc: "How many of the parts may lie before the one before.",
    },
    Entry {
        name: "EnableSendfile", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Ignored("large files go out by sendfile where the connection allows it"),
        doc: "Whether files are sent by the kernel.",
    },
    Entry {
        name: "EnableMMAP", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Ignored("files are never mapped into memory"),
        doc: "Whether files are mapped into memory.",
    },
];

fn directory_index(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let names: Vec<String> = args.words.iter().map(|word| word.text.clone()).collect();
    let disabled = names.len() == 1 && names[0].eq_ignore_ascii_case("disabled");
    let settings = scope.settings();
    if disabled {
        settings.directory_index = Some(Vec::new());
    } else {
        settings
            .directory_index
            .get_or_insert_default()
            .extend(names);
    }
    Ok(())
}

fn directory_index_redirect(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let word = args.first();
    let status = match word.text.to_ascii_lowercase().as_str() {
        "off" => Switched::Off,
        "on" | "temp" => Switched::On(302),
        "permanent" => Switched::On(301),
        "seeother" => Switched::On(303),
        number => match number.parse() {
            Ok(status @ 300..=399) => Switched::On(status),
            _ => {
                let message = format!("{:?} is not the status of a redirect", word.text);
                return Err(Problem::at(word, message));
            }
        },
    };
    scope.settings().files.index_redirect = Some(status);
    Ok(())
}

fn directory_slash(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let slash = match args.text().to_ascii_lowercase().as_str() {
        "on" => DirectorySlash::On,
        "off" => DirectorySlash::Off,
        "notfound" => DirectorySlash::NotFound,
        _ => return Err(Problem::at(args.first(), "must be On, Off or NotFound")),
    };
    scope.settings().files.directory_slash = Some(slash);
    Ok(())
}

fn fallback_resource(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let word = args.first();
    let fallback = match word.text.as_str() {
        text if text.eq_ignore_ascii_case("disabled") => Switched::Off,
        text if text.starts_with('/') => Switched::On(text.to_owned()),
        text => {
            let message = format!("{text:?} is neither a URL path nor \"disabled\"");
            return Err(Problem::at(word, message).hint(format!("/{text}")));
        }
    };
    scope.settings().files.fallback = Some(fallback);
    Ok(())
}

fn file_etag(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let (mut add, mut remove) = (EtagParts::NONE, EtagParts::NONE);
    let mut bare = false;
    for word in args.words {
        let (set, name) = match (word.text.strip_prefix('-'), word.text.strip_prefix('+')) {
            (Some(name), _) => (&mut remove, name),
            (_, Some(name)) => (&mut add, name),
            _ => {
                bare = true;
                (&mut add, word.text.as_str())
            }
        };
        match name.to_ascii_lowercase().as_str() {
            "inode" => set.inode = true,
            "mtime" => set.modified = true,
            "size" => set.size = true,
            "all" => {
                *set = EtagParts {
                    inode: true,
                    modified: true,
                    size: true,
                }
            }
            "none" if args.words.len() == 1 => bare = true,
            "none" => return Err(Problem::at(word, "None cannot stand beside others")),
            "digest" => return Err(Problem::not_yet(word)),
            _ => return Err(Problem::at(word, format!("there is no part {name:?}"))),
        }
    }
    let change = if bare {
        EtagChange::Replace(add)
    } else {
        EtagChange::Edit { add, remove }
    };
    let files = &mut scope.settings().files;
    files.etag = Some(change.after(files.etag));
    Ok(())
}

fn max_ranges(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let count = limit(args, 200)?;
    scope.settings().files.ranges.count_max = Some(count);
    Ok(())
}

fn max_range_overlaps(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let count = limit(args, 20)?;
    scope.settings().files.ranges.overlaps_max = Some(count);
    Ok(())
}

fn max_range_reversals(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let count = limit(args, 20)?;
    scope.settings().files.ranges.reversals_max = Some(count);
    Ok(())
}

/// `none` is 0, and a 0 is `unlimited`, as in httpd.
fn limit(args: &Args, default: u32) -> Result<u32, Problem> {
    Ok(match args.text().to_ascii_lowercase().as_str() {
        "default" => default,
        "unlimited" | "0" => u32::MAX,
        "none" => 0,
        _ => args.number(1..=u64::from(u32::MAX))? as u32,
    })
}
