//! `PythonGroup`, and `WSGIDaemonProcess`, which says the same in mod_wsgi's words.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::ProcessGroup;
use crate::syntax::lexer::Word;
use std::time::Duration;

/// More of either in one group is a slip.
const WORKERS_MAX: u64 = 4096;
const THREADS_MAX: u64 = 1024;

/// A lifetime of more seconds than ten years is none.
const SECONDS_MAX: u64 = 10 * 365 * 24 * 3600;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "PythonGroup", args: Arity::at_least(1), syntax: "interpreter [processes=n] [threads=n] [home=virtualenv] [user=name] [group=name] \
            [umask=mode] [directory=path] [python-path=path:path] [lang=locale] [maximum-requests=n] [lifetime=seconds] [memory-limit=bytes] \
            [request-timeout=seconds]",
        contexts: Contexts::SERVERS, default: "", apply: Apply::Run(python_group),
        doc: "The processes of an interpreter: how many there are, who they run as, which virtualenv they run, and when a worker is \
              replaced (one at a time, and never before its successor is ready). What is left out is as for the others. A request that is \
              inside Python for longer than `request-timeout` is answered 504, the error log gets the Python stack of every thread, and \
              the worker is replaced when its other requests are answered; without the option a request may take as long as it likes. \
              Alula's own.",
    },
    Entry {
        name: "WSGIDaemonProcess", args: Arity::at_least(1), syntax: "group [processes=n] [threads=n] [python-home=virtualenv] [python-path=path:path] \
            [user=name] [group=name] [umask=mode] [home=path] [lang=locale] [locale=locale] [maximum-requests=n] [restart-interval=seconds] \
            [memory-limit=bytes] [request-timeout=seconds]",
        contexts: Contexts::SERVERS, default: "", apply: Apply::Run(daemon_process),
        doc: "mod_wsgi's `PythonGroup`: one process with 15 threads unless it says otherwise. Options that only concern mod_wsgi's own \
              processes and sockets are accepted with a note.",
    },
];

/// Options of mod_wsgi that concern its own processes, sockets and timers.
const WITHOUT_EFFECT: &[&str] = &[
    "display-name",
    "listen-backlog",
    "socket-user",
    "connect-timeout",
    "socket-timeout",
    "queue-timeout",
    "eviction-timeout",
    "response-socket-timeout",
    "send-buffer-size",
    "receive-buffer-size",
    "header-buffer-size",
    "response-buffer-size",
    "stack-size",
    "server-metrics",
    "python-eggs",
    "shutdown-timeout",
    "graceful-timeout",
    "startup-timeout",
    "deadlock-timeout",
    "inactivity-timeout",
    "interrupt-timeout",
    "switch-interval",
    "response-flush-delay",
    "cpu-priority",
];

/// Options that restrict what an application may do: passed over, they would be missed.
const NOT_YET: &[&str] = &[
    "chroot",
    "supplementary-groups",
    "script-user",
    "script-group",
    "cpu-time-limit",
    "virtual-memory-limit",
    "newrelic-config-file",
    "newrelic-environment",
];

fn python_group(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let mut group = ProcessGroup::default();
    for word in &args.words[1..] {
        let (key, value) = option(word)?;
        match key {
            "home" => group.home = Some(home(scope, word, value)?),
            "directory" => group.directory = Some(scope.draft.server_root.join(value)),
            "lifetime" => group.lifetime = Some(seconds(word, value)?),
            _ if common(scope, &mut group, word, key, value)? => {}
            _ => return Err(Problem::at(word, format!("unknown option {key:?}"))),
        }
    }
    declare(scope, args, group, "another PythonGroup has this name")
}

fn daemon_process(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let mut group = ProcessGroup {
        workers: Some(1),
        threads: Some(15),
        ..ProcessGroup::default()
    };
    for word in &args.words[1..] {
        let (key, value) = option(word)?;
        match key {
            "python-home" => group.home = Some(home(scope, word, value)?),
            "home" => group.directory = Some(scope.draft.server_root.join(value)),
            "restart-interval" => {
                group.lifetime = Some(seconds(word, value)?).filter(|time| !time.is_zero())
            }
            "locale" => group
                .environment
                .push(("LC_ALL".to_owned(), value.to_owned())),
            _ if common(scope, &mut group, word, key, value)? => {}
            _ if WITHOUT_EFFECT.contains(&key) => {
                let message = format!(
                    "WSGIDaemonProcess: {key} has no effect: it concerns mod_wsgi's own processes"
                );
                scope.note(word.span, message);
            }
            _ if NOT_YET.contains(&key) => return Err(Problem::not_yet(word)),
            _ => {
                return Err(Problem::at(
                    word,
                    format!("invalid option {key:?} to WSGI daemon process definition"),
                ));
            }
        }
    }
    declare(
        scope,
        args,
        group,
        "name duplicates previous WSGI daemon definition",
    )
}

fn declare(
    scope: &mut Scope,
    args: &Args,
    group: ProcessGroup,
    duplicate: &str,
) -> Result<(), Problem> {
    let name = args.text();
    if name.is_empty() || name.starts_with("%{") {
        return Err(Problem::at(args.first(), "is no name for a group"));
    }
    if scope.draft.groups.iter().any(|(known, ..)| *known == name) {
        return Err(Problem::at(args.first(), duplicate));
    }
    let origin = scope.origin(args.name.span);
    scope.draft.groups.push((name, group, origin));
    Ok(())
}

fn option(word: &Word) -> Result<(&str, &str), Problem> {
    word.text.split_once('=').ok_or_else(|| {
        Problem::at(
            word,
            format!("{:?} is not an option: name=value", word.text),
        )
    })
}

/// Options that both directives have under one name.
fn common(
    scope: &Scope,
    group: &mut ProcessGroup,
    word: &Word,
    key: &str,
    value: &str,
) -> Result<bool, Problem> {
    match key {
        "processes" => group.workers = Some(small(word, value, WORKERS_MAX)?),
        "threads" => group.threads = Some(small(word, value, THREADS_MAX)?),
        "maximum-requests" => group.requests_max = Some(number(word, value, 0, u64::MAX)?),
        "memory-limit" => {
            group.memory_bytes_max =
                Some(number(word, value, 0, u64::MAX)?).filter(|&bytes| bytes > 0);
        }
        "request-timeout" => {
            group.request_timeout = Some(seconds(word, value)?).filter(|time| !time.is_zero());
        }
        "user" => group.user = Some(value.to_owned()),
        "group" => group.group = Some(value.to_owned()),
        "umask" => {
            let mask = u32::from_str_radix(value, 8)
                .ok()
                .filter(|&mask| mask <= 0o777);
            let wrong = || Problem::at(word, format!("{value:?} is not a mask like 027"));
            group.umask = Some(mask.ok_or_else(wrong)?);
        }
        "python-path" => {
            let paths = value.split(':').filter(|path| !path.is_empty());
            group.python_path = paths
                .map(|path| scope.draft.server_root.join(path))
                .collect();
        }
        "lang" => group
            .environment
            .push(("LANG".to_owned(), value.to_owned())),
        _ => return Ok(false),
    }
    Ok(true)
}

fn home(
    scope: &Scope,
    word: &Word,
    value: &str,
) -> Result<(std::path::PathBuf, crate::site::Origin), Problem> {
    let home = scope.draft.server_root.join(value);
    if !scope.draft.files.is_dir(&home) {
        let message = format!("no such directory {home:?}");
        return Err(Problem::at(word, message).hint("the folder made by python3 -m venv"));
    }
    Ok((home, scope.origin(word.span)))
}

fn small(word: &Word, value: &str, max: u64) -> Result<u32, Problem> {
    let number = number(word, value, 1, max)?;
    u32::try_from(number).map_err(|_| Problem::at(word, "is too large"))
}

fn seconds(word: &Word, value: &str) -> Result<Duration, Problem> {
    Ok(Duration::from_secs(number(word, value, 0, SECONDS_MAX)?))
}

fn number(word: &Word, value: &str, min: u64, max: u64) -> Result<u64, Problem> {
    let number = value
        .parse()
        .ok()
        .filter(|number| (min..=max).contains(number));
    number.ok_or_else(|| Problem::at(word, format!("{value:?} is not a whole number from {min}")))
}
