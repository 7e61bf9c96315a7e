//! The program `alula`: reads the command line, hands over to a command, prints what it returns.
//!
//! It decides nothing else. A configuration error is exit code 1, as in httpd; what only this machine lacks is 2, and so
//! is a wrong command line.
#![forbid(unsafe_code)]

mod command_line;
mod commands;
mod front;
mod plan;
mod source;

use std::process::ExitCode;

use clap::Parser;

use command_line::CommandLine;

fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    let startup_log = command_line.apache.startup_log.clone();
    match commands::dispatch(command_line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            commands::report(&error, startup_log.as_deref());
            match error.is::<commands::NotHere>() {
                true => ExitCode::from(2),
                false => ExitCode::FAILURE,
            }
        }
    }
}
