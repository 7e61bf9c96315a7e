//! Everything of a plan that can fail, done before anything changes: addresses, logs, Python.
//!
//! So a restart with a bad configuration, or one whose port is taken, leaves the server as it was.

use std::fs::File;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use alula_config::site::LogTarget;

use super::logs::{LogPrograms, OpenError};
use super::template::Engine;
use crate::error_log::ErrorLog;
use crate::launch::Belongings;
use crate::listeners::{self, BindError, Bound};
use crate::pid_file::PidFileError;
use crate::plan::{GroupPlan, Plan, Reserve};
use crate::privileges::{RunAs, is_root};
use crate::python::{Library, LibraryNotFound, Python, PythonError};
use crate::scoreboard::Scoreboard;

/// Why the server cannot start, or not with this configuration.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each is the error of one part, which says it")]
pub enum Error {
    #[error(transparent)]
    PidFile(#[from] PidFileError),
    #[error(transparent)]
    Log(#[from] OpenError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Python(#[from] PythonError),
    #[error(transparent)]
    Library(#[from] LibraryNotFound),
    #[error("{group}: {reason}; see the error log")]
    Start { group: String, reason: String },
    #[error("the system refused: {0}")]
    System(io::Error),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// A plan that will work.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) belongings: Rc<Belongings>,
    pub(super) error_log: ErrorLog,
    pub(super) log_programs: LogPrograms,
    pub(super) groups: Vec<(GroupPlan, Option<Engine>)>,
    pub(super) reserve: Option<Reserve>,
}

pub(super) fn prepare(
    plan: Plan,
    open: &[Arc<Bound>],
    scoreboard: &Scoreboard,
    log: &ErrorLog,
) -> Result<Prepared, Error> {
    let mut log_programs = LogPrograms::default();
    let file = log_programs.open(&plan.error_log.target, &io::stderr())?;
    let error_log = ErrorLog::new(file, &plan.error_log);
    let run_as = plan.run_as.filter(|_| is_root());
    let groups = engines(plan.groups, run_as.as_ref())?;
    let log_files = open_logs(plan.log_files, &mut log_programs, &error_log)?;
    let listeners = listeners::bind(&plan.listeners, open)?;
    // Children get a handle that follows the log wherever a later restart moves it.
    let belongings = Belongings::new(
        &plan.site,
        &plan.secrets,
        listeners,
        log_files,
        scoreboard.clone(),
        log.clone(),
        run_as,
    )?;
    Ok(Prepared {
        belongings: Rc::new(belongings),
        error_log,
        log_programs,
        groups,
        reserve: plan.reserve,
    })
}

fn engines(
    groups: Vec<GroupPlan>,
    run_as: Option<&RunAs>,
) -> Result<Vec<(GroupPlan, Option<Engine>)>, Error> {
    let mut found = Vec::with_capacity(groups.len());
    for group in groups {
        let engine = match &group.python {
            None => None,
            Some(plan) => {
                let python = Python::find(
                    plan.home.as_deref(),
                    group.run_as.as_ref().filter(|_| is_root()).or(run_as),
                )?;
                let library = Library::find(&std::env::current_exe()?)?;
                Some(Engine { python, library })
            }
        };
        found.push((group, engine));
    }
    Ok(found)
}

fn open_logs(
    targets: Vec<LogTarget>,
    programs: &mut LogPrograms,
    error_log: &ErrorLog,
) -> Result<Vec<(LogTarget, File)>, Error> {
    let complaints = error_log.descriptor()?;
    let mut files = Vec::with_capacity(targets.len());
    for target in targets {
        let file = programs.open(&target, &complaints)?;
        files.push((target, file));
    }
    Ok(files)
}
