//! `cargo xtask test`: every test there is, and which Pythons could not take part.
//!
//! The Rust half is `cargo test`; the Python half runs the release binary end to end, in virtualenvs kept under
//! `target/venvs`, so the first run takes some minutes longer than the next.

use crate::{matrix, python, shell};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

#[derive(Debug, PartialEq)]
struct Options<'a> {
    rust: bool,
    python: bool,
    pytest: &'a [String],
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let options = parse(arguments)?;
    if options.rust {
        shell::cargo(["test", "--workspace"])?;
    }
    if options.python {
        end_to_end(options.pytest)?;
    }
    Ok(())
}

fn parse(arguments: &[String]) -> Result<Options<'_>> {
    let (mut rust, mut python) = (true, true);
    for (position, argument) in arguments.iter().enumerate() {
        match argument.as_str() {
            "--rust" => python = false,
            "--python" => rust = false,
            "--" => {
                return Ok(Options {
                    rust,
                    python,
                    pytest: &arguments[position + 1..],
                });
            }
            other => bail!(
                "cargo xtask test does not know {other:?} (arguments for pytest go after `--`)"
            ),
        }
    }
    Ok(Options {
        rust,
        python,
        pytest: &[],
    })
}

fn end_to_end(pytest: &[String]) -> Result<()> {
    shell::cargo(["build", "--release"])?;
    let virtualenvs = make_virtualenvs()?;

    let mut command = Command::new(virtualenvs.runner);
    command
        .args(["-m", "pytest", "tests"])
        .current_dir(shell::root());
    if shell::root().join("python/tests").is_dir() {
        command.arg("python/tests");
    }
    command.env("ALULA_TEST_BINARY", shell::target().join("release/alula"));
    command.env("ALULA_TEST_VENVS", matrix::folder());
    let result = shell::succeed(command.args(pytest)).context("the end-to-end tests did not pass");

    eprintln!("Pythons tested: {}", virtualenvs.tested.join(", "));
    for remark in virtualenvs.not_tested {
        eprintln!("not tested: {remark}");
    }
    result
}

/// What the end-to-end tests need from Python, and what they cannot cover here.
pub(crate) struct Virtualenvs {
    /// The Python that runs pytest.
    runner: PathBuf,
    tested: Vec<String>,
    not_tested: Vec<String>,
}

/// Makes every virtualenv that is not there yet.
pub(crate) fn make_virtualenvs() -> Result<Virtualenvs> {
    let (pythons, skipped) = python::find_all();
    let runner = matrix::runner(&pythons)?;
    let mut not_tested = matrix::applications(&pythons)?;
    not_tested.extend(
        skipped
            .iter()
            .map(|it| format!("{}: {}", it.program.display(), it.reason)),
    );
    let tested = pythons
        .iter()
        .map(|python| python.version.to_string())
        .collect();
    Ok(Virtualenvs {
        runner,
        tested,
        not_tested,
    })
}

#[cfg(test)]
mod tests {
    use super::{Options, parse};

    fn check(arguments: &[&str], expected: Option<(bool, bool, usize)>) {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let parsed = parse(&arguments).ok();
        let shape = parsed.map(
            |Options {
                 rust,
                 python,
                 pytest,
             }| (rust, python, pytest.len()),
        );
        assert_eq!(shape, expected, "{arguments:?}");
    }

    #[test]
    fn halves_and_pytest_arguments() {
        check(&[], Some((true, true, 0)));
        check(&["--rust"], Some((true, false, 0)));
        check(&["--python", "--", "-k", "files"], Some((false, true, 2)));
        check(&["-k"], None);
    }
}
