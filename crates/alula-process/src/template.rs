//! The life of a template: import the application once, then fork a worker whenever the supervisor asks.
//!
//! It stays single-threaded, and it is the parent of its workers, so it is the one that learns how they end. When its
//! control socket closes it ends; its workers then become the supervisor's children and go on serving.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, WaitOptions};

use crate::code_watch::{CodeWatch, Sources};
use crate::inheritance::{Inheritance, Role};
use crate::launch::memory_file;
use crate::messages::{Channel, FromTemplate, ToTemplate, bounded, bounded_end};
use crate::plan::SiteText;
use crate::start_pages;
use crate::worker::{LogFile, WorkerSeat};

/// The Python side of a template.
pub trait Application {
    /// Imports the application. The text of an error has been logged already, traceback and all.
    fn load(&mut self) -> Result<(), LoadError>;

    /// What fronts are to know of its files, as text that only the assemblies read. Asked once it is imported.
    fn site_files(&mut self) -> Option<Vec<u8>>;

    /// What it was made from, to be watched from now on; nothing unless `PythonAutoReload` is on.
    fn sources(&mut self) -> Sources;

    /// Forks, by way of `os.fork()` so that Python knows of it.
    fn fork(&mut self) -> io::Result<Forked>;
}

/// Why the application is not there to be shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// The import failed; the traceback.
    Failed(String),
    /// It is imported, but must not be forked (it has started threads): each worker has to import it by itself.
    Unforkable(String),
}

/// Which side of a fork this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forked {
    /// The template, with the worker's process id.
    Parent(u32),
    /// The worker.
    Child,
}

/// What a template was given by the supervisor.
#[derive(Debug)]
pub struct Inherited(Inheritance);

impl Inherited {
    /// The configuration. Parse it before [`run`] and every worker has it after the fork.
    #[must_use]
    pub fn site(&self) -> &SiteText {
        &self.0.site
    }

    /// The logs of the configuration, open.
    #[must_use]
    pub fn log_files(&self) -> &[LogFile] {
        &self.0.log_files
    }

    /// Which of the Site's interpreters this is, by its place.
    #[must_use]
    pub fn interpreter(&self) -> usize {
        match self.0.role {
            Role::Template { interpreter, .. } => interpreter,
            Role::Front { .. } => 0,
        }
    }
}

/// Takes what the supervisor passed on; the text is the value of `ALULA_TEMPLATE`, which the bootstrap hands to
/// `_alula.main(description)` after it has removed it from `os.environ`. Works once in a process.
pub fn inherited(description: &str) -> io::Result<Inherited> {
    Inheritance::take(description).map(Inherited)
}

/// The template's life. `Some` in a forked child, which takes the seat, serves, and must end its process itself;
/// `None` when the template is to end.
pub fn run(
    inherited: Inherited,
    application: &mut dyn Application,
) -> io::Result<Option<WorkerSeat>> {
    name_process(c"alula-template");
    match live(inherited.0, application) {
        // The supervisor went away while we were telling it something.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(None),
        other => other,
    }
}

fn live(
    inheritance: Inheritance,
    application: &mut dyn Application,
) -> io::Result<Option<WorkerSeat>> {
    let Role::Template { preload, .. } = inheritance.role else {
        return Err(io::Error::other(
            "this process was not started as a template",
        ));
    };
    let control = Channel::new(inheritance.control.try_clone()?);
    let loaded = load(application, preload);
    start_pages::release();
    if let Some(files) = application.site_files() {
        let memory = memory_file("alula-site-files", &files)?;
        control.send(&FromTemplate::SiteFiles, &[memory.as_fd()])?;
    }
    control.send(&loaded, &[])?;
    let watch = watch(&control, application.sources())?;

    let mut children = Vec::new();
    loop {
        let happened = wait(&control, watch.as_ref(), &children)?;
        report_ended(&control, &mut children, &happened.ended);
        if let Some(watch) = watch.as_ref().filter(|_| happened.changed)
            && let Some(path) = watch.changed()?
        {
            tell_changed(&control, &path)?;
        }
        if !happened.asked {
            continue;
        }
        let Some((
            ToTemplate::Fork {
                worker,
                slot,
                careful,
            },
            descriptors,
        )) = control.receive()?
        else {
            return Ok(None);
        };
        let mut descriptors = descriptors.into_iter();
        let given = (descriptors.next(), descriptors.next(), descriptors.next());
        let (Some(socket), Some(black_box), door) = given else {
            return Ok(None);
        };
        match application.fork() {
            Ok(Forked::Child) => {
                name_process(c"alula-worker");
                return inheritance
                    .seat(worker, slot, socket, Some(black_box), door)
                    .map(|seat| Some(WorkerSeat { careful, ..seat }));
            }
            Ok(Forked::Parent(pid)) => {
                drop((socket, black_box, door));
                let child = Child::new(worker, pid)?;
                let started = FromTemplate::Started { worker };
                control.send(&started, &[child.pidfd.as_fd()])?;
                children.push(child);
            }
            Err(error) => {
                let error = bounded(&error.to_string());
                control.send(&FromTemplate::ForkFailed { worker, error }, &[])?;
            }
        }
    }
}

/// What `top` shows. Only cosmetics, so a failure does not matter.
fn name_process(name: &CStr) {
    let _ = rustix::thread::set_name(name);
}

fn load(application: &mut dyn Application, preload: bool) -> FromTemplate {
    if !preload {
        return FromTemplate::Loaded;
    }
    match application.load() {
        Ok(()) => FromTemplate::Loaded,
        Err(LoadError::Failed(error)) => FromTemplate::LoadFailed(bounded_end(&error)),
        Err(LoadError::Unforkable(reason)) => FromTemplate::Unforkable(bounded(&reason)),
    }
}

struct Child {
    worker: u64,
    pid: Pid,
    pidfd: OwnedFd,
}

impl Child {
    fn new(worker: u64, pid: u32) -> io::Result<Self> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("fork returned an impossible process id"))?;
        // The child is ours and not waited for yet, so the number cannot have gone to another process.
        let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Self { worker, pid, pidfd })
    }
}

/// Begins to watch what the application was made from. What has changed since it was read is told at once.
fn watch(control: &Channel, sources: Sources) -> io::Result<Option<CodeWatch>> {
    let changed = sources.changed.clone();
    let watch = CodeWatch::new(sources).unwrap_or_else(|error| {
        tracing::error!(target: "python", "PythonAutoReload: cannot watch the application's files: {error}");
        None
    });
    if let Some(path) = changed {
        tell_changed(control, &path)?;
    }
    Ok(watch)
}

fn tell_changed(control: &Channel, path: &Path) -> io::Result<()> {
    control.send(
        &FromTemplate::Changed(bounded(&path.to_string_lossy())),
        &[],
    )
}

/// What has ended a wait.
struct Happened {
    /// The supervisor has said something.
    asked: bool,
    /// Files have changed.
    changed: bool,
    /// The places of children that have ended.
    ended: Vec<usize>,
}

fn wait(control: &Channel, watch: Option<&CodeWatch>, children: &[Child]) -> io::Result<Happened> {
    // Without a watch the control socket stands for it, unasked for anything.
    let watched = watch.map_or(control.as_fd(), CodeWatch::as_fd);
    let interest = watch.map_or(PollFlags::empty(), |_| PollFlags::IN);
    let mut polled = vec![
        PollFd::new(control, PollFlags::IN),
        PollFd::from_borrowed_fd(watched, interest),
    ];
    polled.extend(
        children
            .iter()
            .map(|child| PollFd::new(&child.pidfd, PollFlags::IN)),
    );
    rustix::io::retry_on_intr(|| rustix::event::poll(&mut polled, None))?;
    let ended = (0..children.len())
        .filter(|&place| !polled[place + 2].revents().is_empty())
        .collect();
    Ok(Happened {
        asked: !polled[0].revents().is_empty(),
        changed: polled[1].revents().contains(PollFlags::IN),
        ended,
    })
}

fn report_ended(control: &Channel, children: &mut Vec<Child>, ended: &[usize]) {
    for &place in ended.iter().rev() {
        let child = children.swap_remove(place);
        // An application may have reaped it behind our back (`os.wait`); then nobody knows how it ended.
        let waited = rustix::process::waitpid(Some(child.pid), WaitOptions::NOHANG);
        let status = waited
            .ok()
            .flatten()
            .map_or(0, |(_, status)| status.as_raw());
        // A supervisor that is gone is noticed by the next receive.
        let _ = control.send(
            &FromTemplate::Exited {
                worker: child.worker,
                status,
            },
            &[],
        );
    }
}
