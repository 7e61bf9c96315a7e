//! Who answers, and how files are served.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::{DirectoryOptions, HandlerChoice, OptionsChange};

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "SetHandler", args: Arity::exactly(1), syntax: "python-program | mod_python | default-handler | None",
        contexts: Contexts::EVERYWHERE, default: "None", apply: Apply::Run(set_handler),
        doc: "Who answers: `python-program` and `mod_python` are what `PythonHandler` names, `default-handler` and `None` files. \
              `None` undoes an outer `SetHandler`.",
    },
    Entry {
        name: "Options", args: Arity::at_least(1), syntax: "[+|-]option ...", contexts: Contexts::EVERYWHERE,
        default: "FollowSymLinks", apply: Apply::Run(options),
        doc: "What may be done with files: `Indexes`, `FollowSymLinks`, `SymLinksIfOwnerMatch`, `All`, `None`. `ExecCGI`, `Includes`, \
              `IncludesNOEXEC` and `MultiViews` are accepted and have no effect. With signs the inherited set is edited.",
    },
    Entry {
        name: "AllowOverride", args: Arity::at_least(1), syntax: "None", contexts: Contexts::SECTIONS,
        default: "None", apply: Apply::Run(allow_override),
        doc: "Which directives `.htaccess` files may hold. Alula reads no such files, so anything but `None` is warned about.",
    },
    Entry {
        name: "DirectoryIndex", args: Arity::at_least(1), syntax: "disabled | file ...", contexts: Contexts::EVERYWHERE,
        default: "index.html", apply: Apply::Run(directory_index),
        doc: "The files to look for when a directory is asked for, in this order.",
    },
    Entry {
        name: "AddDefaultCharset", args: Arity::exactly(1), syntax: "On | Off | charset", contexts: Contexts::EVERYWHERE,
        default: "Off", apply: Apply::Run(add_default_charset),
        doc: "The charset for `text/plain` and `text/html` responses that name none; `On` is `iso-8859-1`.",
    },
    Entry {
        name: "DefaultType", args: Arity::exactly(1), syntax: "type", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(default_type),
        doc: "2.2's type for unknown files; without effect as in httpd 2.4.",
    },
    Entry {
        name: "TypesConfig", args: Arity::exactly(1), syntax: "file", contexts: Contexts::SERVER,
        default: "", apply: Apply::Ignored("the table of file types is built in"),
        doc: "A table of file types.",
    },
];

fn set_handler(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    const NOT_YET: &[&str] = &[
        "cgi-script",
        "wsgi-script",
        "server-status",
        "server-info",
        "type-map",
        "send-as-is",
        "imap-file",
        "balancer-manager",
        "ldap-status",
        "fcgid-script",
    ];
    let word = args.first();
    let choice = match word.text.to_ascii_lowercase().as_str() {
        "none" => HandlerChoice::None,
        "default-handler" => HandlerChoice::Files,
        "python-program" | "mod_python" => HandlerChoice::Python,
        name if NOT_YET.contains(&name) || name.starts_with("proxy:") => {
            return Err(Problem::not_yet(word));
        }
        name => {
            let hint = "python-program, mod_python, default-handler or None";
            return Err(Problem::at(word, format!("there is no handler {name:?}")).hint(hint));
        }
    };
    scope.settings().handler = Some(choice);
    Ok(())
}

fn options(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let signed = args
        .words
        .iter()
        .filter(|word| word.text.starts_with(['+', '-']))
        .count();
    if signed != 0 && signed != args.words.len() {
        return Err(Problem::new("either all must start with + or -, or none"));
    }
    let (mut add, mut remove) = (DirectoryOptions::default(), DirectoryOptions::default());
    for word in args.words {
        let (set, name) = match word.text.strip_prefix('-') {
            Some(name) => (&mut remove, name),
            None => (&mut add, word.text.trim_start_matches('+')),
        };
        option(set, name)
            .ok_or_else(|| Problem::at(word, format!("there is no option {name:?}")))?;
    }
    let change = if signed == 0 {
        OptionsChange::Replace(add)
    } else {
        OptionsChange::Edit { add, remove }
    };
    let settings = scope.settings();
    settings.options = Some(change.after(settings.options));
    Ok(())
}

fn option(set: &mut DirectoryOptions, name: &str) -> Option<()> {
    match name.to_ascii_lowercase().as_str() {
        "none" => *set = DirectoryOptions::default(),
        "all" => {
            *set = DirectoryOptions {
                indexes: true,
                follow_symlinks: true,
                symlinks_if_owner_match: false,
                exec_cgi: true,
                includes: true,
                multi_views: false,
            }
        }
        "indexes" => set.indexes = true,
        "followsymlinks" => set.follow_symlinks = true,
        "symlinksifownermatch" => set.symlinks_if_owner_match = true,
        "execcgi" => set.exec_cgi = true,
        "includes" | "includesnoexec" => set.includes = true,
        "multiviews" => set.multi_views = true,
        _ => return None,
    }
    Some(())
}

fn allow_override(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    if !args
        .words
        .iter()
        .all(|word| word.text.eq_ignore_ascii_case("none"))
    {
        let hint = "move what they hold into this file and write AllowOverride None";
        scope.warn(
            args.name.span,
            "AllowOverride: .htaccess files are not read",
            Some(hint),
        );
    }
    Ok(())
}

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

fn add_default_charset(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let charset = match args.text().to_ascii_lowercase().as_str() {
        "off" => None,
        "on" => Some("iso-8859-1".to_owned()),
        _ => Some(args.text()),
    };
    scope.settings().default_charset = Some(charset);
    Ok(())
}

fn default_type(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    if !args.text().eq_ignore_ascii_case("none") {
        let message = "DefaultType has no effect, as in httpd 2.4: a file of unknown type has none";
        scope.warn(args.name.span, message, None);
    }
    Ok(())
}
