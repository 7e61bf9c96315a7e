//! `alula check` and `-t`: what there is to say about a configuration without starting anything.
//!
//! `-t` judges the configuration, as httpd does. `check` goes on to this machine ([`machine`]): what would fail at start, with the
//! line it comes from. A configuration that is wrong is exit code 1; one that is right, on a machine that is not, is 2.

mod machine;

use alula_config::{Diagnostic, Loaded};
use alula_process::supervisor;
use anyhow::{Result, anyhow};

use super::{answer, tell};
use crate::command_line::Source;
use crate::plan::{self, Overrides};
use crate::source::{self, ConfigurationError};

/// The configuration is right, and this machine or an application is not.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotHere(String);

/// `-t`
pub(crate) fn test(source: &Source) -> Result<()> {
    let loaded = load(source)?;
    let (_, warnings) = plan::plan(&loaded.site, Overrides::default())?;
    if source.strict && !warnings.is_empty() {
        return Err(anyhow!(warnings.join("\n")));
    }
    warnings
        .iter()
        .for_each(|warning| tell(&format!("warning: {warning}")));
    tell("Syntax OK");
    Ok(())
}

/// `alula check`
pub(crate) fn check(source: &Source, json: bool, seconds_max: u32) -> Result<()> {
    if json {
        return check_json(source, seconds_max);
    }
    let loaded = load(source)?;
    let problems = problems(&loaded, source.strict, seconds_max);
    if problems.is_empty() {
        tell("Syntax OK");
        return Ok(());
    }
    Err(NotHere(source::text(&problems)).into())
}

fn load(source: &Source) -> Result<Loaded> {
    let options = source::load_options(source)?;
    let loaded = alula_config::load(&options).map_err(ConfigurationError)?;
    if !loaded.warnings.is_empty() {
        tell(&source::text(&loaded.warnings));
    }
    Ok(loaded)
}

fn check_json(source: &Source, seconds_max: u32) -> Result<()> {
    let options = source::load_options(source)?;
    let result = alula_config::load(&options);
    let (mut diagnostics, problems) = match &result {
        Ok(loaded) => (
            loaded.warnings.clone(),
            problems(loaded, source.strict, seconds_max),
        ),
        Err(diagnostics) => (diagnostics.clone(), Vec::new()),
    };
    let count = problems.len();
    diagnostics.extend(problems);
    answer(&serde_json::to_string_pretty(&diagnostics)?);
    match (result, count) {
        (Err(_), _) => Err(anyhow!("the configuration cannot be used")),
        (Ok(_), 0) => Ok(()),
        (Ok(_), _) => {
            Err(NotHere("alula: this machine or an application is not ready".into()).into())
        }
    }
}

/// What would fail at start; strictly, what there is a warning about as well.
fn problems(loaded: &Loaded, strict: bool, seconds_max: u32) -> Vec<Diagnostic> {
    let plain = |message: String| machine::problem(message, None);
    let mut problems = Vec::new();
    let mut has_python = false;
    match plan::plan(&loaded.site, Overrides::default()) {
        Ok((plan, warnings)) => {
            for warning in warnings {
                match strict {
                    true => problems.push(plain(warning)),
                    false => tell(&format!("warning: {warning}")),
                }
            }
            match supervisor::check(&plan) {
                Ok(()) => has_python = true,
                Err(error) => problems.push(plain(error.to_string())),
            }
        }
        Err(error) => problems.push(plain(format!("{error:#}"))),
    }
    problems.extend(machine::addresses(&loaded.site));
    problems.extend(machine::files(&loaded.site));
    if has_python {
        problems.extend(machine::applications(&loaded.site, seconds_max));
    }
    problems
}
