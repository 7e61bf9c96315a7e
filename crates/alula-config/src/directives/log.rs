//! Logs: where they go and what is in them.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope, parse_log_format};
use crate::site::draft::AccessLogDraft;
use crate::site::{EnvironmentCondition, LogLevel, LogLevels, LogTarget};
use crate::syntax::lexer::Word;
use std::path::Path;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "ErrorLog", args: Arity::exactly(1), syntax: "file | /dev/stderr", contexts: Contexts::SERVERS,
        default: "/dev/stderr", apply: Apply::Run(error_log),
        doc: "Where errors, and what applications print, go.",
    },
    Entry {
        name: "LogLevel", args: Arity::at_least(1), syntax: "[module:]level ...", contexts: Contexts::EVERYWHERE,
        default: "warn", apply: Apply::Run(log_level),
        doc: "How much goes to the error log: `emerg`, `alert`, `crit`, `error`, `warn`, `notice`, `info`, `debug`, `trace1` to `trace8`. \
              Inside sections it has no effect.",
    },
    Entry {
        name: "CustomLog", args: Arity::between(1, 3), syntax: "file format | nickname [env=[!]name]", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(custom_log),
        doc: "One line for each request. A virtual host with a log of its own does not write the main server's. The nicknames `common`, \
              `combined`, `combinedio`, `vhost_combined`, `referer` and `agent` are always known.",
    },
    Entry {
        name: "LogFormat", args: Arity::between(1, 2), syntax: "format [nickname]", contexts: Contexts::SERVERS,
        default: "common", apply: Apply::Run(log_format),
        doc: "Names a format for `CustomLog`, with httpd's `%` fields.",
    },
];

fn error_log(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let target = target(scope, args.first())?;
    scope.server().error_log = Some(target);
    Ok(())
}

fn target(scope: &mut Scope, word: &Word) -> Result<LogTarget, Problem> {
    if word.text.starts_with('|') || word.text.starts_with("syslog") {
        let hint = "write to a file and let logrotate turn it";
        return Err(Problem::not_yet(word).hint(hint));
    }
    let path = scope.path(word);
    if path == Path::new("/dev/stderr") {
        return Ok(LogTarget::Stderr);
    }
    if path == Path::new("/dev/stdout") {
        return Ok(LogTarget::Stdout);
    }
    if let Some(folder) = path
        .parent()
        .filter(|folder| !scope.draft.files.is_dir(folder))
    {
        let message = format!("no such directory {folder:?}, the log cannot be opened");
        scope.warn(word.span, message, None);
    }
    Ok(LogTarget::File(path))
}

fn log_level(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let mut levels = LogLevels::default();
    for word in args.words {
        match word.text.split_once(':') {
            None => levels.default = level(word, &word.text)?,
            Some((module, text)) => {
                let module = module.strip_prefix("mod_").unwrap_or(module);
                let module = module.strip_suffix("_module").unwrap_or(module);
                let module = module.strip_suffix(".c").unwrap_or(module);
                levels.modules.push((module.to_owned(), level(word, text)?));
            }
        }
    }
    if scope.sections.is_empty() {
        scope.server().log_level = Some(levels);
    } else {
        scope.note(
            args.name.span,
            "LogLevel has no effect inside a section: the server's level holds",
        );
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
    let target = target(scope, args.first())?;
    let (format, condition) = match &args.words[1..] {
        [] => (None, None),
        [format] => (Some(format), None),
        [format, condition, ..] => (Some(format), Some(env_condition(condition)?)),
    };
    let log = AccessLogDraft {
        target,
        format: format.map_or_else(String::new, |word| word.text.clone()),
        span: format.unwrap_or(args.name).span,
        condition,
    };
    scope.server().access_logs.push(log);
    Ok(())
}

fn env_condition(word: &Word) -> Result<EnvironmentCondition, Problem> {
    if word.text.starts_with("expr=") {
        return Err(Problem::not_yet(word));
    }
    let name = word.text.strip_prefix("env=");
    let name = name.filter(|name| !matches!(*name, "" | "!"));
    let name = name.ok_or_else(|| Problem::at(word, "must be env=name or env=!name"))?;
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
