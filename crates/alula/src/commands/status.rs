//! `alula status`: what the running server is doing, read from its scoreboard.
//!
//! The scoreboard is found among the supervisor's descriptors, so nothing listens for this and nobody but the server's own user and
//! root can ask.

use alula_process::{Report, Scoreboard};
use anyhow::{Context, Result, bail};

use super::{answer, signal};
use crate::command_line::Source;

pub(crate) fn status(source: &Source, json: bool) -> Result<()> {
    let (file, pid) = signal::running(source)?;
    let Some(pid) = pid else {
        bail!("not running ({} is not held by a server)", file.display())
    };
    let report = Report::new(&scoreboard(pid)?);
    let text = if json { report.json() } else { report.text() };
    answer(text.trim_end());
    Ok(())
}

/// The running server's.
pub(super) fn scoreboard(pid: u32) -> Result<Scoreboard> {
    Scoreboard::of(pid).with_context(|| format!("cannot look into the server (pid {pid})"))
}
