//! Development tasks: `cargo xtask demo|test|tidy|bench|ci`.
//!
//! Everything a contributor runs by hand or a machine runs before a merge starts here, so there is one place to look
//! and nothing to install but Rust, a C compiler and Python. The tasks print what they run; they hide no failures.
#![forbid(unsafe_code)]

mod bench;
mod demo;
mod matrix;
mod python;
mod shell;
mod test;
mod tidy;

use anyhow::{Result, bail};
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask demo [--dir DIR] [--port N]   build Alula, make a Django project and serve it
cargo xtask test [--rust | --python] [-- PYTEST-ARGS]
                                          run every test; --rust or --python runs that half
cargo xtask venvs                         make the virtualenvs of the tests, for a pytest started by hand
cargo xtask tidy                          check crate arrows, module docs, unsafe code and paths
cargo xtask bench [ARGS]                  build the distribution profile and run benches/run.py ARGS
cargo xtask ci                            what has to pass before a merge (.ci/run)";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((task, rest)) = arguments.split_first() else {
        bail!("which task?\n\n{USAGE}");
    };
    match task.as_str() {
        "demo" => demo::run(rest),
        "test" => test::run(rest),
        "venvs" => test::make_virtualenvs().map(drop),
        "tidy" => tidy::run(),
        "bench" => bench::run(rest),
        "ci" => shell::run(shell::root().join(".ci/run").as_path(), []),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        other => bail!("no task named {other:?}\n\n{USAGE}"),
    }
}
