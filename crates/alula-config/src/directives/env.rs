//! Environment variables: what a request and its interpreter see.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::EnvironmentChange;
use crate::syntax::lexer::Word;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "SetEnv", args: Arity::between(1, 2), syntax: "name [value]", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(set_env),
        doc: "Sets a variable for requests. Where Python answers it is in `os.environ` as well, before Python starts.",
    },
    Entry {
        name: "PassEnv", args: Arity::at_least(1), syntax: "name ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(pass_env),
        doc: "Passes variables of the server's own environment on, with the value they have when the configuration is read.",
    },
    Entry {
        name: "UnsetEnv", args: Arity::at_least(1), syntax: "name ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(unset_env),
        doc: "Undoes an outer `SetEnv` or `PassEnv`.",
    },
];

fn set_env(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let name = args.first();
    check_name(name)?;
    let value = args
        .words
        .get(1)
        .map(|word| word.text.clone())
        .unwrap_or_default();
    if value.contains('\0') {
        return Err(Problem::at(name, "a value cannot hold a NUL character"));
    }
    if name.text == "DJANGO_SETTINGS_MODULE" {
        scope
            .draft
            .settings_modules
            .push((value.clone(), args.name.span));
    }
    let change = EnvironmentChange::Set(name.text.clone(), value);
    scope.settings().environment.push(change);
    Ok(())
}

fn pass_env(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    for word in args.words {
        check_name(word)?;
        match scope.draft.options.environment.get(&word.text).cloned() {
            Some(value) => {
                let change = EnvironmentChange::Set(word.text.clone(), value);
                scope.settings().environment.push(change);
            }
            None => {
                let message = format!("PassEnv: {:?} is not in the environment", word.text);
                scope.warn(word.span, message, None);
            }
        }
    }
    Ok(())
}

fn unset_env(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let changes = args
        .words
        .iter()
        .map(|word| EnvironmentChange::Unset(word.text.clone()));
    scope.settings().environment.extend(changes);
    Ok(())
}

fn check_name(word: &Word) -> Result<(), Problem> {
    if word.text.is_empty() || word.text.contains(['=', '\0']) {
        let message = format!("{:?} cannot be the name of a variable", word.text);
        return Err(Problem::at(word, message).hint("SetEnv NAME value, without an equals sign"));
    }
    Ok(())
}
