//! Starts the server: in the foreground, or as a daemon like httpd.

use alula_config::{LoadOptions, Site};
use alula_process::daemon::{self, Side, Starter};
use alula_process::pid_file::{self, PidFileError};
use alula_process::supervisor::{self, Host, Ready};
use alula_process::{Plan, is_root};
use anyhow::{Result, anyhow};

use super::{answer, tell};
use crate::command_line::Source;
use crate::plan::{self, Overrides};
use crate::source;

/// `alula run`
pub(crate) fn foreground(source: &Source, one_worker: bool) -> Result<()> {
    let (mut server, plan) = prepare(source, one_worker)?;
    Ok(supervisor::run(plan, &mut server)?)
}

/// `alula -k start`, or no command at all
pub(crate) fn start(source: &Source, debug: bool) -> Result<()> {
    let (mut server, plan) = prepare(source, debug)?;
    let running = plan
        .pid_file
        .as_deref()
        .map(pid_file::running)
        .transpose()?
        .flatten();
    if let Some(pid) = running {
        // Not an error, as in httpd: what was asked for is so.
        tell(&format!("alula: {}", PidFileError::AlreadyRunning(pid)));
        return Ok(());
    }
    if debug || source.defines("FOREGROUND") {
        return Ok(supervisor::run(plan, &mut server)?);
    }
    match daemon::detach()? {
        Side::Command(result) => result.map_err(|reason| anyhow!(reason)),
        Side::Server(starter) => {
            server.starter = Some(starter);
            let result = supervisor::run(plan, &mut server);
            match (result, server.starter.take()) {
                // The command that waits prints it.
                (Err(error), Some(starter)) => starter.failed(&error.to_string()),
                (Err(error), None) => return Err(error.into()),
                (Ok(()), _) => {}
            }
            Ok(())
        }
    }
}

fn prepare(source: &Source, one_worker: bool) -> Result<(Server, Plan)> {
    let options = source::load_options(source)?;
    let overrides = Overrides {
        log_level: source.log_level.map(Into::into),
        one_worker,
    };
    let mut server = Server {
        options,
        overrides,
        starter: None,
        https_ports: Vec::new(),
    };
    let loaded = source::load(&server.options)?;
    if !loaded.warnings.is_empty() {
        tell(&source::text(&loaded.warnings));
    }
    server.https_ports = https_ports(&loaded.site);
    let (plan, warnings) = plan::plan(&loaded.site, overrides)?;
    for warning in warnings {
        tell(&format!("alula: warning: {warning}"));
    }
    if plan.run_as.is_some() && !is_root() {
        tell("alula: note: User and Group have no effect, the server was not started as root");
    }
    Ok((server, plan))
}

/// What the supervisor asks of us.
struct Server {
    options: LoadOptions,
    overrides: Overrides,
    starter: Option<Starter>,
    https_ports: Vec<u16>,
}

/// The ports of servers that are TLS.
fn https_ports(site: &Site) -> Vec<u16> {
    let secure = site.virtual_hosts.iter().filter(|host| host.tls.is_some());
    let mut ports: Vec<u16> = secure
        .flat_map(|host| &host.addresses)
        .filter_map(|address| address.port)
        .collect();
    if site.main_server.tls.is_some() {
        ports.extend(
            site.listeners
                .iter()
                .map(|listener| listener.address.port()),
        );
    }
    ports
}

impl Host for Server {
    fn reload(&mut self) -> Result<Plan, String> {
        let loaded = source::load(&self.options).map_err(|error| error.to_string())?;
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        self.https_ports = https_ports(&loaded.site);
        let planned = plan::plan(&loaded.site, self.overrides);
        let (plan, warnings) = planned.map_err(|error| format!("{error:#}"))?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        Ok(plan)
    }

    fn ready(&mut self, ready: &Ready) {
        let workers = ready.workers;
        let plural = if workers == 1 { "" } else { "s" };
        for address in &ready.addresses {
            let scheme = match self.https_ports.contains(&address.port()) {
                true => "https",
                false => "http",
            };
            answer(&format!(
                "alula: ready, {scheme}://{address}/ ({workers} worker{plural})"
            ));
        }
        if let Some(starter) = self.starter.take() {
            if let Err(error) = daemon::leave_terminal() {
                tracing::warn!("cannot leave the terminal: {error}");
            }
            starter.ready();
        }
    }
}
