//! mod_setenvif: variables that depend on the request.
//!
//! Lines outside sections act before everything else, those in sections before access is checked: unlike `SetEnv`, they come
//! in time for `Require env`, `Allow from env=` and `RewriteCond`.

use super::expressions::condition;
use super::sections::wrong_regex;
use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::pattern::Pattern;
use crate::site::{Attribute, SetEnvIf, SetEnvIfTest};
use crate::syntax::lexer::Word;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "SetEnvIf", args: Arity::at_least(3), syntax: "attribute regex [!]variable[=value] ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(set_env_if),
        doc: "Sets variables if a regular expression is found in an attribute of the request: a header field, `Remote_Addr`, `Remote_Host`, \
              `Server_Addr`, `Request_Method`, `Request_Protocol`, `Request_URI`, or a variable set before. Without a value it is `1`; `$1` in \
              it is what a group matched; `!variable` removes. A regular expression as attribute names the first header field it fits. Lines \
              outside sections act first, those in sections before access is checked, `SetEnv` after that.",
    },
    Entry {
        name: "SetEnvIfNoCase", args: Arity::at_least(3), syntax: "attribute regex [!]variable[=value] ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(set_env_if_no_case),
        doc: "`SetEnvIf` for which upper and lower case are alike.",
    },
    Entry {
        name: "SetEnvIfExpr", args: Arity::at_least(2), syntax: "expression [!]variable[=value] ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(set_env_if_expr),
        doc: "Sets variables if an expression is true; `$1` in a value is what a group of its last regular expression matched.",
    },
    Entry {
        name: "BrowserMatch", args: Arity::at_least(2), syntax: "regex [!]variable[=value] ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(browser_match),
        doc: "`SetEnvIf User-Agent`.",
    },
    Entry {
        name: "BrowserMatchNoCase", args: Arity::at_least(2), syntax: "regex [!]variable[=value] ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(browser_match_no_case),
        doc: "`SetEnvIfNoCase User-Agent`.",
    },
];

fn set_env_if(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    by_attribute(scope, attribute(args.first())?, &args.words[1..], false)
}

fn set_env_if_no_case(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    by_attribute(scope, attribute(args.first())?, &args.words[1..], true)
}

fn browser_match(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    by_attribute(
        scope,
        Attribute::Named("User-Agent".into()),
        args.words,
        false,
    )
}

fn browser_match_no_case(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    by_attribute(
        scope,
        Attribute::Named("User-Agent".into()),
        args.words,
        true,
    )
}

fn set_env_if_expr(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let test = SetEnvIfTest::Expression(condition(args.first())?);
    add(scope, test, &args.words[1..])
}

fn by_attribute(
    scope: &mut Scope,
    attribute: Attribute,
    words: &[Word],
    ignores_case: bool,
) -> Result<(), Problem> {
    let Some((regex, changes)) = words.split_first() else {
        return Err(Problem::new("names no regular expression"));
    };
    let pattern = match ignores_case {
        true => Pattern::ignoring_case(&regex.text),
        false => Pattern::new(&regex.text),
    };
    let pattern = pattern.map_err(|error| wrong_regex(regex, &error))?;
    add(scope, SetEnvIfTest::Attribute(attribute, pattern), changes)
}

fn attribute(word: &Word) -> Result<Attribute, Problem> {
    Ok(match word.text.to_ascii_lowercase().as_str() {
        "remote_addr" | "remote_host" => Attribute::RemoteAddress,
        "server_addr" => Attribute::ServerAddress,
        "request_method" => Attribute::Method,
        "request_protocol" => Attribute::Protocol,
        "request_uri" => Attribute::Path,
        name if name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) =>
        {
            Attribute::Named(word.text.clone())
        }
        _ => {
            let pattern = Pattern::ignoring_case(&word.text);
            Attribute::HeaderLike(pattern.map_err(|error| wrong_regex(word, &error))?)
        }
    })
}

fn add(scope: &mut Scope, test: SetEnvIfTest, words: &[Word]) -> Result<(), Problem> {
    if words.is_empty() {
        return Err(Problem::new("names no variable"));
    }
    let changes = words.iter().map(change).collect::<Result<_, _>>()?;
    let line = SetEnvIf { test, changes };
    if scope.sections.is_empty() {
        scope.server().set_env_if.push(line);
    } else {
        scope.settings().set_env_if.push(line);
    }
    Ok(())
}

fn change(word: &Word) -> Result<(String, Option<String>), Problem> {
    let (name, value) = match (word.text.strip_prefix('!'), word.text.split_once('=')) {
        (Some(name), _) => (name, None),
        (None, Some((name, value))) => (name, Some(value.to_owned())),
        (None, None) => (word.text.as_str(), Some("1".to_owned())),
    };
    if name.is_empty() || word.text.contains('\0') {
        return Err(Problem::at(
            word,
            format!("{:?} names no variable", word.text),
        ));
    }
    Ok((name.to_owned(), value))
}
