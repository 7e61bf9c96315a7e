//! Who answers, and what may be done with files.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::{DirectoryOptions, HandlerChoice, OptionsChange};
use crate::syntax::lexer::Word;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "SetHandler", args: Arity::exactly(1), syntax: "python-program | mod_python | wsgi-script | server-status | default-handler | None",
        contexts: Contexts::EVERYWHERE, default: "None", apply: Apply::Run(set_handler),
        doc: "Who answers: `python-program` and `mod_python` are what `PythonHandler` names, `wsgi-script` runs the file itself \
              as a WSGI script (with `Options ExecCGI`), `default-handler` and `None` are files, \
              `server-status` the page about the server's workers and requests (see `ExtendedStatus`; restrict it with `Require`). \
              `None` undoes an outer `SetHandler`.",
    },
    Entry {
        name: "Options", args: Arity::at_least(1), syntax: "[+|-]option ...", contexts: Contexts::EVERYWHERE,
        default: "FollowSymLinks", apply: Apply::Run(options),
        doc: "What may be done with files: `Indexes`, `FollowSymLinks`, `SymLinksIfOwnerMatch`, `All`, `None`, and `ExecCGI`, without which \
              `wsgi-script` is refused. `Includes`, `IncludesNOEXEC` and `MultiViews` are accepted and have no effect. With signs the inherited set is edited.",
    },
];

fn set_handler(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let choice = handler_choice(scope, args.first())?;
    if choice == HandlerChoice::NotServed {
        let message = "SetHandler: server-info is not served and answers 404: `alula check` and `alula explain` show the configuration";
        scope.note(args.first().span, message);
    }
    scope.settings().handler = Some(choice);
    Ok(())
}

/// A handler's name, as `SetHandler` and `AddHandler` take it.
pub(super) fn handler_choice(scope: &Scope, word: &Word) -> Result<HandlerChoice, Problem> {
    const NOT_YET: &[&str] = &[
        "cgi-script",
        "type-map",
        "send-as-is",
        "imap-file",
        "balancer-manager",
        "ldap-status",
        "fcgid-script",
    ];
    match word.text.to_ascii_lowercase().as_str() {
        "none" => Ok(HandlerChoice::None),
        "default-handler" => Ok(HandlerChoice::Files),
        "wsgi-script" => Ok(HandlerChoice::WsgiScript {
            in_main_server: scope.server == 0,
        }),
        "python-program" | "mod_python" => Ok(HandlerChoice::Python),
        "server-status" => Ok(HandlerChoice::ServerStatus),
        "server-info" => Ok(HandlerChoice::NotServed),
        name if NOT_YET.contains(&name) || name.starts_with("proxy:") => {
            Err(Problem::not_yet(word))
        }
        name => {
            let hint =
                "python-program, mod_python, wsgi-script, server-status, default-handler or None";
            Err(Problem::at(word, format!("there is no handler {name:?}")).hint(hint))
        }
    }
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
