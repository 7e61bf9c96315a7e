//! The supervisor: binds, starts, watches, replaces, restarts, stops. It never runs Python and never sees a request.
//!
//! One loop that sleeps until a signal comes, somebody says something, or something is due; then everyone is tended,
//! whatever it was that woke us. Only what was seen decides, never the order of events.

mod autopsy;
mod child;
mod generation;
mod logs;
mod pool;
mod prepare;
mod succession;
mod template;
mod wear;

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::WaitOptions;

use crate::error_log::ErrorLog;
use crate::launch::Belongings;
use crate::pid_file::PidFile;
use crate::plan::Plan;
use crate::privileges::is_root;
use crate::restart::Ending;
use crate::scoreboard::{Outcome, Scoreboard};
use crate::signals::{Signals, Wish};
use crate::start_pages;
use crate::worker::Order;

use generation::{Farewell, Generation};
use logs::LogPrograms;
pub use logs::OpenError;
use pool::Numbering;
pub use prepare::Error;
use prepare::Prepared;
use succession::Succession;

/// Rows of the scoreboard: all workers, with those that still leave after restarts.
const WORKERS_MAX: usize = 512;

/// How often to look when time alone may change something.
const TICK: Duration = Duration::from_millis(50);

/// What the supervisor needs of the program around it.
pub trait Host {
    /// Reads the configuration again. The text of an error is logged line by line, and nothing changes.
    fn reload(&mut self) -> Result<Plan, String>;

    /// Every worker of the first generation serves.
    fn ready(&mut self, ready: &Ready);
}

/// What can be said when the server is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// How many workers there are.
    pub workers: usize,
    /// How many fronts there are before them.
    pub fronts: usize,
}

/// Checks what can be checked of a plan without changing or binding anything: that there is a Python that will do.
pub fn check(plan: &Plan) -> Result<(), Error> {
    for group in &plan.groups {
        let run_as = group.run_as.as_ref().or(plan.run_as.as_ref());
        if let Some(python) = &group.python {
            crate::python::Python::find(python.home.as_deref(), run_as)?;
        }
    }
    Ok(())
}

/// What a running supervisor can be told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// TERM: end at once.
    Stop,
    /// WINCH: end when running requests are answered.
    GracefulStop,
    /// HUP: read the configuration again, then end the old workers.
    Restart,
    /// USR1: read the configuration again; old workers finish what they have.
    Graceful,
}

/// Tells the supervisor with this process id.
pub fn signal(pid: u32, signal: Signal) -> std::io::Result<()> {
    let signal = match signal {
        Signal::Stop => rustix::process::Signal::TERM,
        Signal::GracefulStop => rustix::process::Signal::WINCH,
        Signal::Restart => rustix::process::Signal::HUP,
        Signal::Graceful => rustix::process::Signal::USR1,
    };
    let pid = rustix::process::Pid::from_raw(pid.cast_signed());
    let pid = pid.ok_or_else(|| std::io::Error::other("not a process id"))?;
    Ok(rustix::process::kill_process(pid, signal)?)
}

/// Runs the server until it is told to stop. The process must have only this thread.
pub fn run(plan: Plan, host: &mut dyn Host) -> Result<(), Error> {
    // Until the real one is open, which may take a program.
    let terminal = io::stderr().as_fd().try_clone_to_owned()?;
    let log = ErrorLog::new(terminal.into(), &plan.error_log);
    let pid_file = plan.pid_file.as_deref().map(PidFile::create).transpose()?;
    let mut supervisor = Supervisor::new(log)?;
    let graceful_timeout = plan.graceful_timeout;
    let prepared = prepare::prepare(plan, &[], &supervisor.scoreboard, &supervisor.log)?;
    supervisor.log.switch_to(&prepared.error_log);
    supervisor.log.install();
    warn_about_root(&prepared.belongings);
    tracing::info!(
        notice = true,
        "Alula/{} configured -- starting",
        env!("CARGO_PKG_VERSION")
    );
    supervisor.renew(
        prepared,
        Farewell {
            order: Order::Graceful,
            patience: graceful_timeout,
        },
    );
    let result = supervisor.watch(host);
    drop(pid_file);
    match &result {
        Ok(()) => tracing::info!(notice = true, "stopped"),
        Err(error) => tracing::error!("{error}"),
    }
    supervisor.end()?;
    result
}

fn warn_about_root(belongings: &Belongings) {
    if is_root() && belongings.children_are_root() {
        tracing::warn!("workers run as root: name a User and a Group in the configuration");
    }
}

struct Supervisor {
    signals: Signals,
    scoreboard: Scoreboard,
    log: ErrorLog,
    log_programs: LogPrograms,
    succession: Succession,
    numbering: Numbering,
    generation: u32,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Serving,
    Restarting,
    Stopping,
}

impl Supervisor {
    fn new(log: ErrorLog) -> Result<Self, Error> {
        // Workers whose template is gone become our children, and we reap for everyone when we are process 1.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(std::io::Error::from)?;
        Ok(Self {
            signals: Signals::catch()?,
            scoreboard: Scoreboard::new(WORKERS_MAX)?,
            log,
            log_programs: LogPrograms::default(),
            succession: Succession::default(),
            numbering: Numbering::default(),
            generation: 0,
            phase: Phase::Starting,
        })
    }

    fn watch(&mut self, host: &mut dyn Host) -> Result<(), Error> {
        let mut failure = None;
        loop {
            while let Some(wish) = self.signals.next()? {
                self.obey(wish, host);
            }
            if let Some(error) = self.tend(host) {
                self.stop(Order::Now, None);
                failure = Some(error);
            }
            if self.phase == Phase::Stopping && self.succession.is_over() {
                return failure.map_or(Ok(()), Err);
            }
            self.sleep()?;
        }
    }

    fn obey(&mut self, wish: Wish, host: &mut dyn Host) {
        match wish {
            Wish::Reap => self.reap(),
            Wish::Stop => {
                tracing::info!(notice = true, "told to stop");
                self.stop(Order::Now, None);
            }
            Wish::GracefulStop => {
                tracing::info!(
                    notice = true,
                    "told to stop when running requests are answered"
                );
                self.stop(Order::Graceful, self.patience());
            }
            Wish::Restart | Wish::Graceful if self.phase == Phase::Stopping => {}
            Wish::Restart => self.restart(Order::Now, host),
            Wish::Graceful => self.restart(Order::Graceful, host),
        }
    }

    fn restart(&mut self, order: Order, host: &mut dyn Host) {
        let kind = if order == Order::Now {
            "restart"
        } else {
            "graceful restart"
        };
        tracing::info!(notice = true, "{kind} asked for, reading the configuration");
        self.scoreboard.restart_begun();
        let plan = match host.reload() {
            Ok(plan) => plan,
            Err(text) => {
                text.lines().for_each(|line| tracing::error!("{line}"));
                tracing::error!("{kind} refused, the server goes on as it was");
                self.refused(text);
                return;
            }
        };
        let patience = plan.graceful_timeout;
        let open = self.succession.current();
        let open = open.map_or_else(Vec::new, |generation| generation.listeners().to_vec());
        match prepare::prepare(plan, &open, &self.scoreboard, &self.log) {
            Ok(prepared) => {
                self.log.switch_to(&prepared.error_log);
                self.renew(prepared, Farewell { order, patience });
            }
            Err(error) => {
                tracing::error!("{error}; {kind} refused, the server goes on as it was");
                self.refused(error.to_string());
            }
        }
    }

    /// Tells whoever asked for a restart that nothing has changed.
    fn refused(&self, reason: String) {
        self.scoreboard.restart_ended(&Outcome::Refused(reason));
    }

    fn renew(&mut self, prepared: Prepared, farewell: Farewell) {
        let now = Instant::now();
        self.generation += 1;
        // The programs of the old configuration end when the last old worker has closed their pipe.
        self.log_programs = prepared.log_programs;
        let incoming = Generation::new(
            self.generation,
            prepared.groups,
            prepared.reserve,
            prepared.belongings,
        );
        let Some(incoming) = incoming else {
            return;
        };
        self.succession.renew(incoming, farewell, now);
        if self.phase != Phase::Starting {
            self.phase = Phase::Restarting;
        }
    }

    fn stop(&mut self, order: Order, patience: Option<Duration>) {
        let now = Instant::now();
        self.phase = Phase::Stopping;
        self.succession.stop(Farewell { order, patience }, now);
    }

    /// Does everything that is due. An error ends the server: it is one that has never been up.
    fn tend(&mut self, host: &mut dyn Host) -> Option<Error> {
        let now = Instant::now();
        self.log_programs.tend(now);
        if let Some(trouble) = self.succession.tend(&mut self.numbering, now) {
            let line = trouble.line();
            tracing::error!("the restart is given up, the old workers go on: {line}");
            self.refused(trouble.text());
            if self.phase == Phase::Restarting {
                self.phase = Phase::Serving;
                start_pages::release();
            }
        }
        if self.phase == Phase::Starting
            && let Some(generation) = self.succession.current()
            && let Some((group, reason)) = generation.hopeless()
        {
            return Some(Error::Start {
                group: group.to_owned(),
                reason: reason.to_owned(),
            });
        }
        let awaited = matches!(self.phase, Phase::Starting | Phase::Restarting);
        if awaited && self.succession.is_settled() {
            self.announce(host);
        }
        if self.phase != Phase::Stopping
            && let Some(path) = self.succession.take_changed()
        {
            tracing::info!(notice = true, "{path} has changed");
            self.restart(Order::Graceful, host);
        }
        None
    }

    fn announce(&mut self, host: &mut dyn Host) {
        let Some(generation) = self.succession.current() else {
            return;
        };
        let ready = Ready {
            addresses: generation.addresses(),
            workers: generation.workers(),
            fronts: generation.fronts(),
        };
        let list = ready
            .addresses
            .iter()
            .map(|address| format!("{address}"))
            .collect::<Vec<_>>()
            .join(", ");
        let (generation, workers) = (self.generation, ready.workers);
        let fronts = match ready.fronts {
            0 => String::new(),
            fronts => format!(" behind {fronts} fronts"),
        };
        tracing::info!(
            notice = true,
            "ready: {list} ({workers} workers{fronts}, generation {generation})"
        );
        if self.phase == Phase::Starting {
            host.ready(&ready);
        }
        self.scoreboard.configured(self.generation);
        self.scoreboard.restart_ended(&Outcome::Done);
        self.phase = Phase::Serving;
        start_pages::release();
    }

    /// Waits for every child that has ended, ours or not.
    fn reap(&mut self) {
        let now = Instant::now();
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    let ending = Ending::new(status);
                    let ours = self.succession.reaped(pid, ending, now)
                        || self.log_programs.reaped(pid, ending, now);
                    if !ours {
                        tracing::debug!("a stranger (pid {pid}) {ending}");
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }

    fn sleep(&self) -> Result<(), Error> {
        let now = Instant::now();
        let pending = self.succession.is_pending(now) || self.log_programs.is_pending();
        let due = pending
            .then_some(TICK)
            .or_else(|| self.succession.is_watched().then_some(pool::LOOK));
        let timeout = due
            .map(Timespec::try_from)
            .transpose()
            .map_err(std::io::Error::other)?;
        let mut polled = vec![PollFd::new(&self.signals, PollFlags::IN)];
        let channels = self.succession.channels();
        polled.extend(channels.map(|channel| PollFd::new(channel, PollFlags::IN)));
        match rustix::event::poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(std::io::Error::from(error).into()),
        }
    }

    /// Closes our ends of the logs, and waits for their programs.
    fn end(self) -> Result<(), Error> {
        let terminal = io::stderr().as_fd().try_clone_to_owned()?;
        self.log.close(terminal.into());
        self.log_programs.finish();
        Ok(())
    }

    fn patience(&self) -> Option<Duration> {
        self.succession.patience()
    }
}
