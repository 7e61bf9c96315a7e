//! mod_wsgi's directives.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::{GroupName, Import, MappingTarget, UrlMapping, WsgiSettings};
use crate::syntax::lexer::Word;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "WSGIScriptAlias", args: Arity::at_least(2),
        syntax: "url-path file [process-group=name] [application-group=name] [callable-object=name] [pass-authorization=On|Off]",
        contexts: Contexts::SERVERS, default: "", apply: Apply::Run(wsgi_script_alias),
        doc: "Has a WSGI script answer a URL path and everything below. An `Alias` comes first, wherever it stands. The options say \
              for this script what the directives of these names say for others.",
    },
    Entry {
        name: "WSGIProcessGroup", args: Arity::exactly(1), syntax: "name | %{GLOBAL} | %{ENV:variable}", contexts: Contexts::EVERYWHERE,
        default: "%{GLOBAL}", apply: Apply::Run(process_group),
        doc: "The processes in which WSGI scripts run: a `WSGIDaemonProcess` or `PythonGroup`. `%{GLOBAL}` is where they run without it. A \
              variable counts with the value that `SetEnv` gives it.",
    },
    Entry {
        name: "WSGIApplicationGroup", args: Arity::exactly(1), syntax: "name | %{GLOBAL} | %{SERVER} | %{RESOURCE}",
        contexts: Contexts::EVERYWHERE, default: "%{GLOBAL}", apply: Apply::Run(application_group),
        doc: "Applications with different names run apart. Each name makes processes of its own, as many as the group has: Alula has no \
              sub-interpreters, which many C extensions cannot live in. Without it scripts of one process group share an interpreter.",
    },
    Entry {
        name: "WSGICallableObject", args: Arity::exactly(1), syntax: "name", contexts: Contexts::EVERYWHERE,
        default: "application", apply: Apply::Run(callable_object),
        doc: "The name of the application in a WSGI script.",
    },
    Entry {
        name: "WSGIPassAuthorization", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::EVERYWHERE,
        default: "Off", apply: Apply::Run(pass_authorization),
        doc: "Whether WSGI scripts see the `Authorization` header, as `HTTP_AUTHORIZATION`. A `PythonHandler` always does.",
    },
    Entry {
        name: "WSGIPythonHome", args: Arity::exactly(1), syntax: "directory", contexts: Contexts::SERVER,
        default: "", apply: Apply::Run(python_home),
        doc: "mod_wsgi's `PythonHome`, for the whole server.",
    },
    Entry {
        name: "WSGIPythonPath", args: Arity::exactly(1), syntax: "directory[:directory...]", contexts: Contexts::SERVER,
        default: "", apply: Apply::Run(python_path),
        doc: "Directories that come first in `sys.path`, where no group has a `python-path=` of its own.",
    },
    Entry {
        name: "WSGIImportScript", args: Arity::exactly(3), syntax: "file process-group=name application-group=name", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(import_script),
        doc: "Runs a script when an interpreter starts, before its applications. A failure is logged and does not stop the server.",
    },
    Entry {
        name: "WSGIScriptReloading", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(script_reloading),
        doc: "Accepted; has no effect: changed code is loaded by a reload, or by every request with `MaxRequestsPerChild 1`.",
    },
];

pub(super) fn group_name(word: &Word, text: &str) -> Result<GroupName, Problem> {
    GroupName::parse(text)
        .ok_or_else(|| Problem::at(word, format!("{text:?} is no name for a group")))
}

fn process_group(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let name = group_name(args.first(), &args.text())?;
    asked_for(scope, &name, args.first());
    scope.settings().python.wsgi.process_group = Some(name);
    Ok(())
}

/// Remembers a process group that has to be declared somewhere.
fn asked_for(scope: &mut Scope, name: &GroupName, word: &Word) {
    if let GroupName::Named(name) = name {
        scope.draft.groups_asked_for.push((name.clone(), word.span));
    }
}

fn application_group(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let name = group_name(args.first(), &args.text())?;
    scope.settings().python.wsgi.application_group = Some(name);
    Ok(())
}

fn callable_object(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let name = object_name(args.first(), &args.text())?;
    scope.settings().python.wsgi.callable = Some(name);
    Ok(())
}

fn object_name(word: &Word, name: &str) -> Result<String, Problem> {
    if name.is_empty() || name.starts_with("%{") {
        return Err(Problem::at(word, "is not the name of an object"));
    }
    Ok(name.to_owned())
}

fn pass_authorization(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().python.wsgi.pass_authorization = Some(args.flag()?);
    Ok(())
}

fn script_reloading(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    if args.flag()? {
        let message = "WSGIScriptReloading has no effect: changed code is loaded by a reload";
        scope.note(args.name.span, message);
    }
    Ok(())
}

fn python_home(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let word = args.first();
    let home = scope.path(word);
    if !scope.draft.files.is_dir(&home) {
        let message = format!("no such directory {home:?}");
        return Err(Problem::at(word, message).hint("the folder made by python3 -m venv"));
    }
    let origin = scope.origin(args.name.span);
    scope.draft.servers[0].settings.python.home = Some((home, origin));
    Ok(())
}

fn python_path(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let text = args.text();
    let paths = text.split(':').filter(|path| !path.is_empty());
    scope.draft.wsgi_python_path = paths
        .map(|path| scope.draft.server_root.join(path))
        .collect();
    Ok(())
}

fn import_script(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let [file, options @ ..] = args.words else {
        return Err(Problem::new("takes three arguments"));
    };
    let mut wsgi = WsgiSettings::default();
    for option in options {
        match option.text.split_once('=') {
            Some(("process-group", name)) => {
                let name = group_name(option, name)?;
                asked_for(scope, &name, option);
                wsgi.process_group = Some(name);
            }
            Some(("application-group", name)) => {
                wsgi.application_group = Some(group_name(option, name)?)
            }
            _ => {
                return Err(Problem::at(
                    option,
                    format!("unknown option {:?}", option.text),
                ));
            }
        }
    }
    if wsgi.process_group.is_none() || wsgi.application_group.is_none() {
        return Err(Problem::new("needs process-group= and application-group="));
    }
    let import = Import {
        module: scope.path(file).to_string_lossy().into_owned(),
        function: None,
        interpreter: wsgi.interpreter_of_import(),
        origin: scope.origin(args.name.span),
    };
    scope.draft.imports.push(import);
    Ok(())
}

fn wsgi_script_alias(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let [url, file, options @ ..] = args.words else {
        return Err(Problem::new("takes two arguments"));
    };
    if !url.text.starts_with('/') {
        let message = format!(
            "{:?} is not a URL path: it does not start with a slash",
            url.text
        );
        return Err(Problem::at(url, message));
    }
    let mut wsgi = WsgiSettings::default();
    for option in options {
        match option.text.split_once('=') {
            Some(("callable-object", name)) => wsgi.callable = Some(object_name(option, name)?),
            Some(("process-group", name)) => {
                let name = group_name(option, name)?;
                asked_for(scope, &name, option);
                wsgi.process_group = Some(name);
            }
            Some(("application-group", name)) => {
                wsgi.application_group = Some(group_name(option, name)?)
            }
            Some(("pass-authorization", value)) => match value.to_ascii_lowercase().as_str() {
                "on" => wsgi.pass_authorization = Some(true),
                "off" => wsgi.pass_authorization = Some(false),
                _ => return Err(Problem::at(option, "must be On or Off")),
            },
            Some(("script-user" | "script-group", _)) => {
                return Err(Problem::not_yet(option));
            }
            _ => {
                return Err(Problem::at(
                    option,
                    format!("unknown option {:?}", option.text),
                ));
            }
        }
    }
    let script = scope.path(file);
    if !scope.draft.files.exists(&script) {
        let message = format!("WSGIScriptAlias: no such file {script:?}");
        scope.warn(file.span, message, None);
    }
    let origin = scope.origin(args.name.span);
    let target = MappingTarget::WsgiScript {
        script,
        wsgi,
        in_main_server: scope.server == 0,
    };
    scope.server().url_map.push(UrlMapping {
        url: url.text.clone(),
        target,
        origin,
    });
    Ok(())
}
