//! Stops and restarts the server that runs with a configuration, found by its PidFile. `alula reload` and `alula restart` wait
//! until the new generation serves, or say why it does not; `-k` returns at once, as httpd's does.
//!
//! The running server reads its configuration anew by itself; it is checked here first so that a mistake is shown to the
//! person who made it.

use std::path::Path;
use std::time::{Duration, Instant};

use alula_process::{Outcome, pid_file, supervisor};
use anyhow::{Context, Result, bail};

use super::{run, status, tell};
use crate::command_line::{Action, Source};
use crate::plan::{self, Overrides};
use crate::source;

/// How often to look whether something has happened.
const LOOK: Duration = Duration::from_millis(20);

/// A server that was told to stop has ended by then.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// `alula stop`, `alula reload`, `alula restart`
pub(crate) fn signal(source: &Source, action: Action) -> Result<()> {
    let (file, pid) = find(source, action)?;
    let Some(pid) = pid else {
        bail!("not running ({} is not held by a server)", file.display())
    };
    match action {
        Action::Restart | Action::Graceful => restart(&file, pid, action),
        _ => send(&file, pid, action),
    }
}

/// Waits for the restart's end and says how it went. Whoever may signal the server and not look into it only signals.
fn restart(file: &Path, pid: u32, action: Action) -> Result<()> {
    let Ok(scoreboard) = status::scoreboard(pid) else {
        return send(file, pid, action);
    };
    let (begun, _) = scoreboard.restarts();
    send(file, pid, action)?;
    while scoreboard.restarts().1 <= begun {
        if pid_file::running(file)? != Some(pid) {
            bail!("the server (pid {pid}) has ended meanwhile");
        }
        std::thread::sleep(LOOK);
    }
    match scoreboard.outcome() {
        Outcome::Refused(reason) => bail!("refused, the server goes on as it was: {reason}"),
        Outcome::Done => {
            let generation = scoreboard.server().generation;
            tell(&format!(
                "alula: new code and configuration serve (generation {generation})"
            ));
            Ok(())
        }
    }
}

/// `alula -k restart` and the others: httpd starts a server that does not run, and does not mind stopping one.
pub(crate) fn signal_or_start(source: &Source, action: Action) -> Result<()> {
    let (file, pid) = find(source, action)?;
    match (pid, action) {
        (Some(pid), _) => send(&file, pid, action),
        (None, Action::Stop | Action::GracefulStop) => {
            tell("alula (no pid file) not running");
            Ok(())
        }
        (None, _) => {
            tell("alula not running, trying to start");
            run::start(source, false)
        }
    }
}

/// The PidFile and who holds it, whatever else the configuration says.
pub(super) fn running(source: &Source) -> Result<(std::path::PathBuf, Option<u32>)> {
    find(source, Action::Stop)
}

/// The PidFile and who holds it. To stop a server its configuration need not be faultless as far as it can be read.
fn find(source: &Source, action: Action) -> Result<(std::path::PathBuf, Option<u32>)> {
    let loaded = source::load(&source::load_options(source)?)?;
    if matches!(action, Action::Restart | Action::Graceful) {
        let (plan, _) = plan::plan(&loaded.site, Overrides::default())?;
        supervisor::check(&plan)?;
    }
    let file = loaded.site.pid_file;
    let pid = pid_file::running(&file)
        .with_context(|| format!("cannot read the PidFile {}", file.display()))?;
    Ok((file, pid))
}

fn send(file: &Path, pid: u32, action: Action) -> Result<()> {
    let wish = match action {
        Action::Start => return Ok(()),
        Action::Restart => supervisor::Signal::Restart,
        Action::Graceful => supervisor::Signal::Graceful,
        Action::GracefulStop => supervisor::Signal::GracefulStop,
        Action::Stop => supervisor::Signal::Stop,
    };
    supervisor::signal(pid, wish)
        .with_context(|| format!("cannot signal the server (pid {pid})"))?;
    if action == Action::Stop {
        wait_until_gone(file, pid)?;
    }
    Ok(())
}

fn wait_until_gone(file: &Path, pid: u32) -> Result<()> {
    let deadline = Instant::now() + STOP_TIMEOUT;
    while pid_file::running(file)? == Some(pid) {
        if Instant::now() > deadline {
            bail!(
                "the server (pid {pid}) has not stopped within {} seconds",
                STOP_TIMEOUT.as_secs()
            );
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}
