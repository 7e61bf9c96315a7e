//! What the supervisor must know of a configuration, and nothing more.
//!
//! The assembly in the binary makes it from the Site, again at each restart. `PidFile` counts only at the first.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use alula_config::site::LogTarget;
use serde::de::DeserializeOwned;

use crate::error_log::LogSettings;
use crate::privileges::RunAs;
use crate::python::PythonPlan;

/// A configuration, as far as processes are concerned.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The whole configuration, for templates and workers.
    pub site: SiteText,
    /// Certificates and keys, for templates and workers.
    pub secrets: SecretText,
    /// `PidFile`.
    pub pid_file: Option<PathBuf>,
    /// The main server's error log.
    pub error_log: LogSettings,
    /// Other logs, opened before privileges are dropped and given to every worker.
    pub log_files: Vec<LogTarget>,
    /// `Listen`.
    pub listeners: Vec<SocketAddr>,
    /// `User` and `Group`. Without effect unless started as root.
    pub run_as: Option<RunAs>,
    /// How long a worker may take to finish what it has when told to (`GracefulShutdownTimeout`). `None`: for ever.
    pub graceful_timeout: Option<Duration>,
    /// The interpreters and the fronts, of which there is one group at most. Fronts alone have the listeners where there
    /// are any.
    pub groups: Vec<GroupPlan>,
    /// Where there are no fronts: those that may be needed.
    pub reserve: Option<Reserve>,
}

/// Fronts that are put before the workers of a lone interpreter when these crash (`PythonIsolation`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// The fronts.
    pub fronts: GroupPlan,
    /// Whether the first crash is enough. Otherwise only when nobody is left to answer.
    pub at_first_crash: bool,
}

/// Workers that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPlan {
    /// The interpreter's name, for the log.
    pub name: String,
    /// How many workers to keep alive.
    pub workers: usize,
    /// How many Python threads each of them may have.
    pub threads: u32,
    /// The Python to run them in; `None` for fronts.
    pub python: Option<PythonPlan>,
    /// Who they run as, if not as everyone else.
    pub run_as: Option<RunAs>,
    /// Their current directory, if not that of the supervisor.
    pub directory: Option<PathBuf>,
    /// Their file mode creation mask, if not that of the supervisor.
    pub umask: Option<u32>,
    /// When a worker is replaced though nothing is wrong with it.
    pub limits: Limits,
}

/// What a worker may use up before it is replaced. `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Its age, roughly.
    pub lifetime: Option<Duration>,
    /// Its memory in bytes: what is its own, and its part of what it shares.
    pub memory_bytes_max: Option<u64>,
}

/// What workers need and nobody else may read: certificates with their keys, as JSON of a type only an assembly knows. It
/// travels in memory, apart from the Site, and `Debug` does not show it.
#[derive(Clone)]
pub struct SecretText(Arc<[u8]>);

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretText").finish_non_exhaustive()
    }
}

impl SecretText {
    /// Takes the JSON text.
    #[must_use]
    pub fn new(json: Vec<u8>) -> Self {
        Self(json.into())
    }

    /// What it is made of.
    pub fn parse<S: DeserializeOwned>(&self) -> io::Result<S> {
        Ok(serde_json::from_slice(&self.0)?)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The whole Site as JSON. Only an assembly knows its type; for everyone between it is just text to pass on.
#[derive(Clone, Debug)]
pub struct SiteText(Arc<[u8]>);

impl SiteText {
    /// Takes the JSON text.
    #[must_use]
    pub fn new(json: Vec<u8>) -> Self {
        Self(json.into())
    }

    /// The Site itself. It costs a parse: call it once.
    pub fn parse<S: DeserializeOwned>(&self) -> io::Result<S> {
        Ok(serde_json::from_slice(&self.0)?)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
