//! Who a request comes from: `AuthType Basic` and the files it looks in.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::{AuthType, Provider};
use crate::syntax::lexer::Word;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "AuthType", args: Arity::exactly(1), syntax: "None | Basic", contexts: Contexts::SECTIONS,
        default: "None", apply: Apply::Run(auth_type),
        doc: "How a client proves who it is, where `Require valid-user`, `user` or `group` asks. `Basic` sends the password in the clear: use it \
              behind HTTPS. The user is `REMOTE_USER` for applications and `%u` in the access log.",
    },
    Entry {
        name: "AuthName", args: Arity::exactly(1), syntax: "realm", contexts: Contexts::SECTIONS,
        default: "", apply: Apply::Run(auth_name),
        doc: "What a browser shows when it asks for the password. `AuthType Basic` needs it.",
    },
    Entry {
        name: "AuthBasicProvider", args: Arity::at_least(1), syntax: "file | wsgi ...", contexts: Contexts::SECTIONS,
        default: "file", apply: Apply::Run(provider),
        doc: "Where passwords are looked up: in `AuthUserFile`, or by `WSGIAuthUserScript`. Of several the first that knows the user decides.",
    },
    Entry {
        name: "AuthUserFile", args: Arity::exactly(1), syntax: "file", contexts: Contexts::SECTIONS,
        default: "", apply: Apply::Run(user_file),
        doc: "Users and passwords, as `htpasswd` writes them: bcrypt (`-B`, the best), `$apr1$` (its default) or `{SHA}`; `crypt` and plain \
              text let nobody in. Read again when it changes. Workers read it, so `User` must be able to.",
    },
    Entry {
        name: "AuthGroupFile", args: Arity::exactly(1), syntax: "file", contexts: Contexts::SECTIONS,
        default: "", apply: Apply::Run(group_file),
        doc: "Groups, one a line: `group: user user ...`. Read again when it changes.",
    },
    Entry {
        name: "AuthzSendForbiddenOnFailure", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::SECTIONS,
        default: "Off", apply: Apply::Run(forbidden_on_failure),
        doc: "Whether a user with the right password whom no `Require` lets pass gets 403, rather than being asked again with 401.",
    },
];

fn auth_type(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let kind = match args.text().to_ascii_lowercase().as_str() {
        "none" => AuthType::None,
        "basic" => AuthType::Basic,
        "digest" | "form" => {
            let hint = "AuthType Basic, over TLS";
            return Err(Problem::not_yet(args.first()).hint(hint));
        }
        _ => return Err(Problem::at(args.first(), "must be None or Basic")),
    };
    scope.settings().authentication.kind = Some(kind);
    Ok(())
}

fn auth_name(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    if args.text().contains(char::is_control) {
        return Err(Problem::at(args.first(), "cannot hold control characters"));
    }
    scope.settings().authentication.realm = Some(args.text());
    Ok(())
}

fn provider(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let provider = |word: &Word| match word.text.to_ascii_lowercase().as_str() {
        "file" => Ok(Provider::File),
        "wsgi" => Ok(Provider::Wsgi),
        _ => Err(Problem::not_yet(word)),
    };
    let providers = args.words.iter().map(provider);
    scope.settings().authentication.providers = Some(providers.collect::<Result<_, _>>()?);
    Ok(())
}

fn user_file(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let path = scope.path(args.first());
    scope.settings().authentication.user_file = Some(path);
    Ok(())
}

fn group_file(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let path = scope.path(args.first());
    scope.settings().authentication.group_file = Some(path);
    Ok(())
}

fn forbidden_on_failure(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().authentication.forbidden_on_failure = Some(args.flag()?);
    Ok(())
}
