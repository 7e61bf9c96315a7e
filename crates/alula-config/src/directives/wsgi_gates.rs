//! mod_wsgi's scripts that are asked who may pass.

use super::wsgi::group_name;
use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::GateScript;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "WSGIAuthUserScript", args: Arity::between(1, 2), syntax: "file [application-group=name]", contexts: Contexts::SECTIONS,
        default: "", apply: Apply::Run(user_script),
        doc: "A script that knows passwords, for `AuthBasicProvider wsgi`: `check_password(environ, user, password)` returns `True`, \
              `False`, `None` when the user is unknown, or another name for the user. It runs where the WSGI scripts of the place run, \
              and is asked for each request. `get_realm_hash` is for `AuthType Digest`, which there is not.",
    },
    Entry {
        name: "WSGIAuthGroupScript", args: Arity::between(1, 2), syntax: "file [application-group=name]", contexts: Contexts::SECTIONS,
        default: "", apply: Apply::Run(group_script),
        doc: "A script that knows groups, for `Require group` and `Require wsgi-group`: `groups_for_user(environ, user)` returns their names.",
    },
    Entry {
        name: "WSGIAccessScript", args: Arity::between(1, 2), syntax: "file [application-group=name]", contexts: Contexts::SECTIONS,
        default: "", apply: Apply::Run(access_script),
        doc: "A script that says which clients may pass: `allow_access(environ, host)` returns `True`, `False`, or `None` to leave it to \
              others. It counts as `Order`, `Allow` and `Deny` do, `Satisfy` included. `host` is the client's address.",
    },
];

fn user_script(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let script = script(scope, args)?;
    scope.settings().authentication.user_script = Some(script);
    Ok(())
}

fn group_script(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let script = script(scope, args)?;
    scope.settings().authentication.group_script = Some(script);
    Ok(())
}

fn access_script(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let script = script(scope, args)?;
    scope.settings().authentication.access_script = Some(script);
    Ok(())
}

fn script(scope: &mut Scope, args: &Args) -> Result<GateScript, Problem> {
    let [file, options @ ..] = args.words else {
        return Err(Problem::new("names no file"));
    };
    let mut application_group = None;
    for option in options {
        match option.text.split_once('=') {
            Some(("application-group", name)) => {
                application_group = Some(group_name(option, name)?);
            }
            _ => {
                let message = format!("unknown option {:?}", option.text);
                return Err(Problem::at(option, message));
            }
        }
    }
    let script = scope.path(file);
    // Whether files exist is asked while the server is configured, not for each look at a .htaccess file.
    if scope.overrides.is_none() && !scope.draft.files.exists(&script) {
        let message = format!("{}: no such file {script:?}", args.name.text);
        scope.warn(file.span, message, None);
    }
    Ok(GateScript {
        script,
        application_group,
        in_main_server: scope.server == 0,
        origin: scope.origin(args.name.span),
    })
}
