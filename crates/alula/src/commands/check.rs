//! `alula check`, `-t`: says everything there is to say about a configuration without starting anything.
//!
//! More than httpd does: the user and group exist, and there is a Python that will do.

use alula_process::supervisor;
use anyhow::Result;

use super::{answer, tell};
use crate::command_line::Source;
use crate::plan::{self, Overrides};
use crate::source::{self, ConfigurationError};

pub(crate) fn check(source: &Source, json: bool) -> Result<()> {
    let options = source::load_options(source)?;
    if json {
        let result = alula_config::load(&options);
        let (Ok(diagnostics) | Err(diagnostics)) = result.as_ref().map(|loaded| &loaded.warnings);
        answer(&serde_json::to_string_pretty(diagnostics)?);
        let loaded = result.map_err(|_| anyhow::anyhow!("the configuration cannot be used"))?;
        return supervise(&loaded.site);
    }
    let loaded = alula_config::load(&options).map_err(ConfigurationError)?;
    if !loaded.warnings.is_empty() {
        tell(&source::text(&loaded.warnings));
    }
    supervise(&loaded.site)?;
    tell("Syntax OK");
    Ok(())
}

fn supervise(site: &alula_config::Site) -> Result<()> {
    let (plan, warnings) = plan::plan(site, Overrides::default())?;
    for warning in warnings {
        tell(&format!("warning: {warning}"));
    }
    Ok(supervisor::check(&plan)?)
}
