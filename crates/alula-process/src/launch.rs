//! Starts children: templates (the site's Python) and fronts (this program again).
//!
//! A child gets the descriptors of its generation by number, a text that explains them, the error log as its standard
//! output and error, and the user it shall run as. It leads a process group of its own, so that Ctrl-C in a terminal
//! reaches the supervisor alone.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

use alula_config::site::LogTarget;
use rustix::fs::{MemfdFlags, Mode, SealFlags};
use rustix::io::FdFlags;
use rustix::process::{Pid, PidfdFlags};

use crate::error_log::ErrorLog;
use crate::front;
use crate::inheritance::{Description, Role};
use crate::listeners::Bound;
use crate::memory_kills::MemoryKills;
use crate::messages::Channel;
use crate::plan::{GroupPlan, SecretText, SiteText};
use crate::privileges::{RunAs, is_root};
use crate::process::Process;
use crate::python::{Library, Python, PythonPlan};
use crate::scoreboard::{Scoreboard, Slot};
use crate::signals;

/// The variable a template finds its [`Description`] in.
const DESCRIPTION_VARIABLE: &str = "ALULA_TEMPLATE";

/// What Python runs. Its arguments are the folder of our package and the path of our library. The first line is for
/// people who look at `ps`.
const BOOTSTRAP: &str = "\
import os, sys
_, packages, extension = sys.argv
sys.path[0] = packages
sys.argv = ['alula']
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
loader = ExtensionFileLoader('_alula', extension)
module = module_from_spec(spec_from_file_location('_alula', extension, loader=loader))
loader.exec_module(module)
sys.modules['_alula'] = module
if os.environ.get('GLIBC_TUNABLES') == 'glibc.malloc.tcache_count=255': del os.environ['GLIBC_TUNABLES']
module.main(os.environ.pop('ALULA_TEMPLATE'))
";

/// Requests are run a batch at a time, so more blocks of one size are freed together than glibc's default of 7 to
/// keep without a lock. Read once, when the process starts; the bootstrap takes it out of the application's sight.
const ALLOCATOR: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.tcache_count=255");

/// What a group is given of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lot {
    /// Everything: it accepts connections.
    Accepts,
    /// No listeners: fronts have them.
    BehindFronts,
}

/// What all children of a generation are given.
#[derive(Debug)]
pub(crate) struct Belongings {
    site: OwnedFd,
    secrets: OwnedFd,
    listeners: Vec<Arc<Bound>>,
    log_files: Vec<(LogTarget, File)>,
    /// The list of them, for the children.
    log_list: OwnedFd,
    scoreboard: Scoreboard,
    error_log: ErrorLog,
    run_as: Option<RunAs>,
    memory_kills: MemoryKills,
}

impl Belongings {
    pub(crate) fn new(
        site: &SiteText,
        secrets: &SecretText,
        listeners: Vec<Arc<Bound>>,
        log_files: Vec<(LogTarget, File)>,
        scoreboard: Scoreboard,
        error_log: ErrorLog,
        run_as: Option<RunAs>,
    ) -> io::Result<Self> {
        let site = memory_file("alula-site", site.as_bytes())?;
        let numbers = log_files.iter();
        let numbers: Vec<(&LogTarget, RawFd)> = numbers
            .map(|(target, file)| (target, file.as_raw_fd()))
            .collect();
        let log_list = memory_file("alula-logs", &serde_json::to_vec(&numbers)?)?;
        let secrets = memory_file("alula-secrets", secrets.as_bytes())?;
        // Whoever has the descriptor can read it; nobody gets another through `/proc`.
        rustix::fs::fchmod(&secrets, Mode::empty())?;
        Ok(Self {
            site,
            secrets,
            listeners,
            log_files,
            log_list,
            scoreboard,
            error_log,
            run_as: run_as.filter(|_| is_root()),
            memory_kills: MemoryKills::new(),
        })
    }

    pub(crate) fn listeners(&self) -> &[Arc<Bound>] {
        &self.listeners
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners
            .iter()
            .map(|bound| bound.listener.address)
            .collect()
    }

    /// Whether templates and workers keep being root when we are.
    pub(crate) fn children_are_root(&self) -> bool {
        self.run_as.as_ref().is_none_or(RunAs::is_root)
    }

    pub(crate) fn memory_kills(&self) -> &MemoryKills {
        &self.memory_kills
    }

    pub(crate) fn scoreboard(&self) -> &Scoreboard {
        &self.scoreboard
    }

    /// Executes the site's Python as a template.
    pub(crate) fn start_template(
        &self,
        group: &GroupPlan,
        python: &Python,
        library: &Library,
        plan: &PythonPlan,
        lot: Lot,
        preload: bool,
    ) -> io::Result<(Channel, Process)> {
        let mut command = Command::new(&python.executable);
        let title = group
            .name
            .replace(|character: char| character.is_control(), " ");
        command.args([
            "-X",
            "utf8",
            "-c",
            &format!("# alula, template of {title}\n{BOOTSTRAP}"),
        ]);
        command.arg(&library.packages).arg(&library.extension);
        if std::env::var_os(ALLOCATOR.0).is_none() {
            command.env(ALLOCATOR.0, ALLOCATOR.1);
        }
        command.envs(plan.environment.iter().map(|(name, value)| (name, value)));
        command.env("PYTHONUTF8", "1");
        let role = Role::Template {
            preload,
            interpreter: plan.interpreter,
        };
        self.start(command, role, group, lot, |command, description| {
            command.env(DESCRIPTION_VARIABLE, description);
        })
    }

    /// Executes this program again as a front.
    pub(crate) fn start_front(
        &self,
        group: &GroupPlan,
        worker: u64,
        slot: &Slot,
    ) -> io::Result<(Channel, Process)> {
        let mut command = Command::new("/proc/self/exe");
        command.arg0("alula").arg(front::SUBCOMMAND);

        let role = Role::Front {
            worker,
            slot: slot.index(),
        };
        let (channel, process) = self.start(
            command,
            role,
            group,
            Lot::Accepts,
            |command, description| {
                command.arg(description);
            },
        )?;
        slot.set_pid(process.pid.as_raw_nonzero().get().cast_unsigned());
        Ok((channel, process))
    }

    fn start(
        &self,
        mut command: Command,
        role: Role,
        group: &GroupPlan,
        lot: Lot,
        describe: impl FnOnce(&mut Command, String),
    ) -> io::Result<(Channel, Process)> {
        let (channel, control) = Channel::pair()?;
        channel.set_nonblocking()?;
        let description = self.describe(&control, role, lot);
        describe(&mut command, serde_json::to_string(&description)?);
        let log = self.error_log.descriptor()?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);

        let logs = self.log_files.iter().map(|(_, file)| file.as_raw_fd());
        let inherited: Vec<RawFd> = description.descriptors().chain(logs).collect();
        let own = group.run_as.as_ref().filter(|_| is_root());
        let run_as = own.or(self.run_as.as_ref()).cloned();
        if let Some(directory) = &group.directory {
            command.current_dir(directory);
        }
        let umask = group.umask.map(Mode::from_raw_mode);
        let prepare = move || {
            for &number in &inherited {
                // SAFETY: the descriptor outlives this call: in the parent its owner is borrowed until after `spawn`,
                // and the child has a copy of the whole table.
                let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
                rustix::io::fcntl_setfd(descriptor, FdFlags::empty())?;
            }
            signals::unblock_all()?;
            if let Some(umask) = umask {
                rustix::process::umask(umask);
            }
            run_as.as_ref().map_or(Ok(()), RunAs::become_it)
        };
        // SAFETY: between fork and exec only system calls are made, no memory is allocated and no lock taken.
        unsafe { command.pre_exec(prepare) };
        let child = command.spawn()?;
        drop(control);
        let pid = Pid::from_child(&child);
        // Our child, and not waited for yet: the number is still its own.
        let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
        Ok((channel, Process::new(pid, pidfd)))
    }

    fn describe(&self, control: &OwnedFd, role: Role, lot: Lot) -> Description {
        let listeners = match lot {
            Lot::Accepts => &self.listeners[..],
            Lot::BehindFronts => &[],
        };
        let listener =
            |bound: &Arc<Bound>| (bound.listener.address, bound.listener.socket.as_raw_fd());
        Description {
            control: control.as_raw_fd(),
            scoreboard: self.scoreboard.descriptor().as_raw_fd(),
            site: self.site.as_raw_fd(),
            listeners: listeners.iter().map(listener).collect(),
            // Who accepts no connections has no use for keys, and perhaps no business with them.
            secrets: (!listeners.is_empty()).then(|| self.secrets.as_raw_fd()),
            logs: self.log_list.as_raw_fd(),
            role,
        }
    }
}

impl Description {
    fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        let listeners = self.listeners.iter().map(|(_, number)| *number);
        [self.control, self.scoreboard, self.site, self.logs]
            .into_iter()
            .chain(self.secrets)
            .chain(listeners)
    }
}

/// A sealed memory file.
pub(crate) fn memory_file(name: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let memory = rustix::fs::memfd_create(name, flags)?;
    io::Write::write_all(&mut File::from(memory.as_fd().try_clone_to_owned()?), bytes)?;
    // All children share it; none can change it for the others.
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&memory, seals)?;
    Ok(memory)
}
