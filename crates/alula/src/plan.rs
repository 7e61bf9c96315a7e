//! From a Site to what the supervisor must know of it.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use alula_config::Site;
use alula_config::site::{Interpreter, Isolation, LogLevel, LogTarget};
use alula_process::error_log::LogSettings;
use alula_process::python::PythonPlan;
use alula_process::{GroupPlan, Limits, Plan, Reserve, RunAs, SecretText, SiteText};
use alula_server::{Tls, TlsMaterial};
use anyhow::{Context, Result, anyhow};

/// What the command line changes in a configuration.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Overrides {
    /// `-e`
    pub(crate) log_level: Option<LogLevel>,
    /// `-X`
    pub(crate) one_worker: bool,
}

/// The plan, and what is to be said about it.
pub(crate) fn plan(site: &Site, overrides: Overrides) -> Result<(Plan, Vec<String>)> {
    let mut site = site.clone();
    if let Some(level) = overrides.log_level {
        site.main_server.log_level.default = level;
    }
    let site = &site;
    let json =
        serde_json::to_vec(site).context("the configuration has a path that is not UTF-8")?;
    let (material, warnings) = tls(site)?;
    let plan = Plan {
        site: SiteText::new(json),
        secrets: SecretText::new(serde_json::to_vec(&material)?),
        pid_file: Some(site.pid_file.clone()),
        error_log: LogSettings::from(&site.main_server),
        log_files: log_files(site),
        listeners: site
            .listeners
            .iter()
            .map(|listener| listener.address)
            .collect(),
        run_as: RunAs::find(site.user.as_deref(), site.group.as_deref())?,
        graceful_timeout: site.processes.graceful_timeout,
        groups: groups(site, overrides)?,
        reserve: (!site.has_fronts()).then(|| Reserve {
            fronts: fronts(site, overrides),
            at_first_crash: site.isolation == Isolation::Auto,
        }),
    };
    Ok((plan, warnings))
}

/// Certificates and keys, read and tried now that we may be root and nothing has changed yet.
fn tls(site: &Site) -> Result<(TlsMaterial, Vec<String>)> {
    let settings = || site.servers().filter_map(|server| server.tls.as_ref());
    let material = TlsMaterial::collect(settings(), read).map_err(|error| anyhow!(error))?;
    let servers: Vec<_> = site.servers().map(|server| server.tls.as_ref()).collect();
    Tls::new(&servers, &[], &material).map_err(|error| anyhow!(error))?;
    let mut warnings = Vec::new();
    for server in site.servers() {
        if let Some(tls) = &server.tls {
            warnings.extend(Tls::warnings(tls, &material, server.server_name.as_deref()));
        }
    }
    warnings.sort();
    warnings.dedup();
    Ok((material, warnings))
}

/// A file's text; a directory's is that of all files in it.
fn read(path: &Path) -> io::Result<String> {
    if !path.is_dir() {
        return std::fs::read_to_string(path);
    }
    let mut text = String::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        if file.is_file() {
            text.push_str(&std::fs::read_to_string(file)?);
            text.push('\n');
        }
    }
    Ok(text)
}

/// The interpreters; fronts before them unless there is a lone one; fronts alone when there is none.
fn groups(site: &Site, overrides: Overrides) -> Result<Vec<GroupPlan>> {
    let mut groups = Vec::new();
    for (interpreter, place) in site.interpreters.iter().zip(0..) {
        let own = &interpreter.processes;
        // Who names a group alone is the server's user; who names a user alone has that user's own group.
        let run_as = match (&own.user, &own.group) {
            (None, None) => None,
            (user, group) => RunAs::find(
                user.as_deref().or(site.user.as_deref()),
                group
                    .as_deref()
                    .or_else(|| site.group.as_deref().filter(|_| user.is_none())),
            )?,
        };
        groups.push(GroupPlan {
            name: interpreter.name.clone(),
            workers: count(interpreter.workers, overrides),
            threads: interpreter.threads.max(1),
            python: Some(python(interpreter, place)),
            run_as,
            directory: own.directory.clone(),
            umask: own.umask,
            limits: Limits {
                lifetime: own.lifetime,
                memory_bytes_max: own.memory_bytes_max,
            },
        });
    }
    if site.has_fronts() {
        groups.push(fronts(site, overrides));
    }
    Ok(groups)
}

fn count(wanted: Option<u32>, overrides: Overrides) -> usize {
    match wanted {
        _ if overrides.one_worker => 1,
        Some(workers) => (workers as usize).max(1),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

fn fronts(site: &Site, overrides: Overrides) -> GroupPlan {
    let wanted = match site.interpreters.as_slice() {
        [] => site.processes.workers,
        // They only pass on: more than cores would just be more.
        _ => None,
    };
    GroupPlan {
        name: "front".to_owned(),
        workers: count(wanted, overrides),
        threads: 0,
        python: None,
        run_as: None,
        directory: None,
        umask: None,
        limits: Limits::default(),
    }
}

fn python(interpreter: &Interpreter, place: usize) -> PythonPlan {
    let pair = |(name, value): &(String, String)| (OsString::from(name), OsString::from(value));
    let mut environment: Vec<_> = interpreter.environment.iter().map(pair).collect();
    if let Some(settings) = &interpreter.django_settings {
        environment.push(("DJANGO_SETTINGS_MODULE".into(), settings.into()));
    }
    PythonPlan {
        interpreter: place,
        home: interpreter.home.clone(),
        environment,
        preload: interpreter.preload,
    }
}

/// Every log but the main error log, each once.
fn log_files(site: &Site) -> Vec<LogTarget> {
    let mut seen = HashSet::from([&site.main_server.error_log]);
    let mut targets = Vec::new();
    for server in site.servers() {
        let access_logs = server.access_logs.iter().map(|log| &log.target);
        for target in access_logs.chain([&server.error_log]) {
            if seen.insert(target) {
                targets.push(target.clone());
            }
        }
    }
    targets
}
