//! mod_wsgi's directives.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::{MappingTarget, UrlMapping};

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "WSGIScriptAlias", args: Arity::at_least(2), syntax: "url-path file [callable-object=name]", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(wsgi_script_alias),
        doc: "Has a WSGI script answer a URL path and everything below. An `Alias` comes first, wherever it stands. The options \
              `process-group=` and `application-group=` are accepted and have no effect.",
    },
];

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
    let mut callable = "application".to_owned();
    for option in options {
        match option.text.split_once('=') {
            Some(("callable-object", name)) if !name.is_empty() && !name.starts_with("%{") => {
                callable = name.to_owned();
            }
            Some(("process-group" | "application-group", _)) => {
                let message = format!(
                    "WSGIScriptAlias: {} has no effect: there is one interpreter",
                    option.text
                );
                scope.note(option.span, message);
            }
            Some((
                "pass-authorization" | "script-user" | "script-group" | "callable-object",
                _,
            )) => {
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
        callable,
        in_main_server: scope.server == 0,
    };
    scope.server().url_map.push(UrlMapping {
        url: url.text.clone(),
        target,
        origin,
    });
    Ok(())
}
