//! Logs: where they go and what is in them.

use super::expressions::condition_after;
use super::log_target::{syslog, target};
use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope, parse_log_format};
use crate::site::draft::AccessLogDraft;
use crate::site::{EnvironmentCondition, LogLevel, LogLevelChange};
use crate::syntax::lexer::Word;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "ErrorLog", args: Arity::exactly(1), syntax: "file | /dev/stderr | \"|program\" | syslog[:facility[:tag]]",
        contexts: Contexts::SERVERS, default: "/dev/stderr", apply: Apply::Run(error_log),
        doc: "Where errors, and what applications print, go. A virtual host with one of its own has the lines about its requests there. A program \
              is started as root, before privileges are dropped, once for all workers, and started again when it ends; `|$` hands the line to the \
              shell. `|rotatelogs` is done by Alula itself, the program need not be there.",
    },
    Entry {
        name: "ErrorLogFormat", args: Arity::between(1, 2), syntax: "[request | connection] format", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(super::error_log_format::error_log_format),
        doc: "What is in a line of the error log: `%t` and `%{u}t` the time, `%{cu}t` the same in ISO 8601, `%m` the module, `%l` the level, `%P` \
              and `%T` process and thread, `%a` the client, `%L` the request's id as in `LogFormat`, `%v` the server's name, `%F` the line of the \
              source, `%M` the message. A field that has no value takes the text between the blanks around it with it; `%-m` writes a hyphen \
              instead, `%+a` leaves the line out.",
    },
    Entry {
        name: "LogLevel", args: Arity::at_least(1), syntax: "[module:]level ...", contexts: Contexts::EVERYWHERE,
        default: "warn", apply: Apply::Run(log_level),
        doc: "How much goes to the error log: `emerg`, `alert`, `crit`, `error`, `warn`, `notice`, `info`, `debug`, `trace1` to `trace8`. Modules \
              have names as in httpd; what Python prints counts as `python` or `wsgi`. In a section it holds for the requests that lead there.",
    },
    Entry {
        name: "CustomLog", args: Arity::between(1, 3), syntax: "file | \"|program\" format | nickname [env=[!]name | expr=condition]", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(custom_log),
        doc: "One line for each request, or for those a condition is true of. A virtual host with a log of its own does not write the main server's. The nicknames `common`, \
              `combined`, `combinedio`, `vhost_combined`, `referer` and `agent` are always known. Programs as with `ErrorLog`; to them a line has \
              4096 bytes at most, so that lines of several workers never mix.",
    },
    Entry {
        name: "GlobalLog", args: Arity::between(1, 3), syntax: "file | \"|program\" format | nickname [env=[!]name | expr=condition]", contexts: Contexts::SERVER,
        default: "", apply: Apply::Run(global_log),
        doc: "A `CustomLog` that virtual hosts with logs of their own write as well.",
    },
    Entry {
        name: "TransferLog", args: Arity::exactly(1), syntax: "file | \"|program\"", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(transfer_log),
        doc: "A `CustomLog` in the format of the `LogFormat` without a nickname, else `common`.",
    },
    Entry {
        name: "LogFormat", args: Arity::between(1, 2), syntax: "format [nickname]", contexts: Contexts::SERVERS,
        default: "common", apply: Apply::Run(log_format),
        doc: "Names a format for `CustomLog`, with httpd's `%` fields.",
    },
];

fn error_log(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let target = match syslog(args.first()) {
        Some(found) => found?,
        None => target(scope, args.first())?,
    };
    scope.server().error_log = Some(target);
    Ok(())
}

fn log_level(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    for word in args.words {
        let mut change = LogLevelChange::default();
        match word.text.split_once(':') {
            None => change.default = Some(level(word, &word.text)?),
            Some((module, text)) => {
                let module = module.strip_prefix("mod_").unwrap_or(module);
                let module = module.strip_suffix(".c").unwrap_or(module);
                let module = module.strip_suffix("_module").unwrap_or(module);
                let module = match module {
                    "wsgi" | "mod_python" => "python",
                    other => other,
                };
                change.modules.push((module.to_owned(), level(word, text)?));
            }
        }
        if scope.sections.is_empty() {
            scope.server().log_level.then(change);
        } else {
            scope
                .settings()
                .log_level
                .get_or_insert_default()
                .then(change);
        }
    }
    Ok(())
}

fn level(word: &Word, text: &str) -> Result<LogLevel, Problem> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "emerg" => LogLevel::Emerg,
        "alert" => LogLevel::Alert,
        "crit" => LogLevel::Crit,
        "error" => LogLevel::Error,
        "warn" => LogLevel::Warn,
        "notice" => LogLevel::Notice,
        "info" => LogLevel::Info,
        "debug" => LogLevel::Debug,
        text => {
            let number = text
                .strip_prefix("trace")
                .and_then(|number| number.parse().ok());
            let number = number.filter(|number| (1..=8).contains(number));
            let hint = "emerg, alert, crit, error, warn, notice, info, debug or trace1 to trace8";
            let unknown = || Problem::at(word, format!("there is no level {text:?}")).hint(hint);
            LogLevel::Trace(number.ok_or_else(unknown)?)
        }
    })
}

fn custom_log(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let log = access_log(scope, args)?;
    scope.server().access_logs.push(log);
    Ok(())
}

fn global_log(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let log = access_log(scope, args)?;
    scope.server().global_logs.push(log);
    Ok(())
}

fn transfer_log(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    custom_log(scope, args)
}

fn access_log(scope: &mut Scope, args: &Args) -> Result<AccessLogDraft, Problem> {
    let target = target(scope, args.first())?;
    let format = args.words.get(1);
    let (condition, expression) = match args.words.get(2) {
        None => (None, None),
        Some(word) if word.text.starts_with("expr=") => {
            (None, Some(condition_after(word, "expr=")?))
        }
        Some(word) => (Some(env_condition(word)?), None),
    };
    Ok(AccessLogDraft {
        target,
        format: format.map_or_else(String::new, |word| word.text.clone()),
        span: format.unwrap_or(args.name).span,
        condition,
        expression,
    })
}

fn env_condition(word: &Word) -> Result<EnvironmentCondition, Problem> {
    let name = word.text.strip_prefix("env=");
    let name = name.filter(|name| !matches!(*name, "" | "!"));
    let name =
        name.ok_or_else(|| Problem::at(word, "must be env=name, env=!name or expr=expression"))?;
    let negated = name.strip_prefix('!');
    Ok(EnvironmentCondition {
        name: negated.unwrap_or(name).to_owned(),
        negated: negated.is_some(),
    })
}

fn log_format(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let word = args.first();
    let format = parse_log_format(&word.text).map_err(|fact| Problem::at(word, fact))?;
    let nickname = args
        .words
        .get(1)
        .map(|word| word.text.clone())
        .unwrap_or_default();
    scope.server().formats.insert(nickname, format);
    Ok(())
}
