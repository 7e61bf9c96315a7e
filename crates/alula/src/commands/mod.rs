//! What can be asked of the program. Only here is anything printed.

mod check;
mod explain;
mod run;
mod show;
mod signal;
mod status;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use anyhow::Result;

use crate::command_line::{Action, Command, CommandLine};
use crate::front;
use crate::source::ConfigurationError;

pub(crate) use check::NotHere;

/// Does what the command line says.
pub(crate) fn dispatch(
    CommandLine {
        command,
        source,
        apache,
    }: CommandLine,
) -> Result<()> {
    match command {
        Some(Command::Run) => return run::foreground(&source, apache.debug),
        Some(Command::Check {
            json,
            import_timeout,
        }) => {
            return check::check(&source, json, import_timeout);
        }
        Some(Command::Explain {
            url,
            method,
            headers,
            client,
            json,
        }) => {
            let question = explain::Question {
                url,
                method,
                headers,
                client,
                json,
            };
            return explain::explain(&source, &question);
        }
        Some(Command::Status { json }) => return status::status(&source, json),
        Some(Command::Stop { graceful: false }) => return signal::signal(&source, Action::Stop),
        Some(Command::Stop { graceful: true }) => {
            return signal::signal(&source, Action::GracefulStop);
        }
        Some(Command::Reload) => return signal::signal(&source, Action::Graceful),
        Some(Command::Restart) => return signal::signal(&source, Action::Restart),
        Some(Command::Front { description }) => return front::run(&description),
        Some(Command::LogWriter { description }) => {
            return Ok(alula_process::log_writer::run(&description)?);
        }
        None => {}
    }
    if apache.version || apache.build {
        show::version(apache.build);
        return Ok(());
    }
    if apache.show || source.defines("DUMP_VHOSTS") || source.defines("DUMP_RUN_CFG") {
        return show::virtual_hosts(&source);
    }
    if apache.modules || source.defines("DUMP_MODULES") {
        return show::modules(&source);
    }
    if apache.built_in {
        show::built_in();
        return Ok(());
    }
    if apache.directives {
        show::directives();
        return Ok(());
    }
    if source.defines("DUMP_INCLUDES") {
        return show::includes(&source);
    }
    if apache.test {
        return check::test(&source);
    }
    match apache.action.unwrap_or(Action::Start) {
        Action::Start => run::start(&source, apache.debug),
        other => signal::signal_or_start(&source, other),
    }
}

/// Prints an error, to the terminal or where `-E` says.
pub(crate) fn report(error: &anyhow::Error, startup_log: Option<&Path>) {
    // Diagnostics name their file and line and need no more.
    let text = match error.downcast_ref::<ConfigurationError>() {
        Some(diagnostics) => diagnostics.to_string(),
        None if error.is::<NotHere>() => error.to_string(),
        None => format!("alula: {error:#}"),
    };
    let written = startup_log.map(|path| append(path, &text));
    if !matches!(written, Some(Ok(()))) {
        tell(&text);
    }
}

fn append(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    writeln!(file, "{text}")
}

/// For people: standard error.
#[expect(
    clippy::print_stderr,
    reason = "a command talks to the person who typed it"
)]
fn tell(text: &str) {
    eprintln!("{text}");
}

/// For people and programs: what was asked for goes to standard output.
#[expect(clippy::print_stdout, reason = "the answer of a command")]
fn answer(text: &str) {
    println!("{text}");
}
