//! What a child process is given when it is executed: descriptors, and a short JSON text that says which is which.
//!
//! The descriptors keep their numbers over the `exec`; the child makes them close-on-exec again before anything else, so
//! that no program the application starts ever holds a listener open.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use alula_config::site::LogTarget;
use rustix::io::FdFlags;
use serde::{Deserialize, Serialize};

use crate::black_box::BlackBox;
use crate::listeners::Listener;
use crate::plan::{SecretText, SiteText};
use crate::scoreboard::Scoreboard;
use crate::worker::{Control, LogFile, WorkerSeat};

/// The numbers of the descriptors, as written by the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Description {
    pub(crate) control: RawFd,
    pub(crate) scoreboard: RawFd,
    pub(crate) site: RawFd,
    /// `None` behind fronts.
    pub(crate) secrets: Option<RawFd>,
    pub(crate) listeners: Vec<(SocketAddr, RawFd)>,
    /// A memory file with the list of logs, each with its descriptor: there may be too many for an argument.
    pub(crate) logs: RawFd,
    pub(crate) role: Role,
}

/// What the child is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    Template { preload: bool, interpreter: usize },
    Front { worker: u64, slot: usize },
}

/// The descriptors themselves.
#[derive(Debug)]
pub(crate) struct Inheritance {
    pub(crate) control: OwnedFd,
    pub(crate) scoreboard: Scoreboard,
    pub(crate) site: SiteText,
    pub(crate) secrets: SecretText,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) log_files: Vec<LogFile>,
    pub(crate) role: Role,
}

impl Inheritance {
    /// Takes what the text describes. Works once in a process.
    pub(crate) fn take(description: &str) -> io::Result<Self> {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        let description: Description = serde_json::from_str(description)?;
        if TAKEN.swap(true, Ordering::SeqCst) {
            return Err(io::Error::other(
                "the inherited descriptors were taken before",
            ));
        }
        let mut listeners = Vec::with_capacity(description.listeners.len());
        for (address, number) in description.listeners {
            listeners.push(Listener {
                address,
                socket: TcpListener::from(own(number)?),
            });
        }
        let logs: Vec<(LogTarget, RawFd)> =
            serde_json::from_slice(&read_all(&own(description.logs)?)?)?;
        let mut log_files = Vec::with_capacity(logs.len());
        for (target, number) in logs {
            log_files.push(LogFile {
                target,
                file: File::from(own(number)?),
            });
        }
        Ok(Self {
            control: own(description.control)?,
            scoreboard: Scoreboard::map(own(description.scoreboard)?)?,
            site: SiteText::new(read_all(&own(description.site)?)?),
            // Read before an application is loaded, and closed.
            secrets: SecretText::new(match description.secrets {
                Some(number) => read_all(&own(number)?)?,
                None => Vec::new(),
            }),
            listeners,
            log_files,
            role: description.role,
        })
    }

    /// What a worker takes of it. The control socket is its own, not the one inherited.
    pub(crate) fn seat(
        self,
        worker: u64,
        slot: usize,
        control: OwnedFd,
        black_box: Option<OwnedFd>,
        door: Option<OwnedFd>,
    ) -> io::Result<WorkerSeat> {
        let slot = self.scoreboard.slot(slot);
        slot.set_pid(std::process::id());
        Ok(WorkerSeat {
            worker,
            site: self.site,
            // A template whose workers were put behind fronts has them still.
            secrets: if door.is_none() {
                self.secrets
            } else {
                SecretText::new(Vec::new())
            },
            listeners: if door.is_none() {
                self.listeners
            } else {
                Vec::new()
            },
            black_box: black_box.map(BlackBox::open).transpose()?,
            door,
            careful: false,
            log_files: self.log_files,
            control: Control::new(control, slot.clone())?,
            slot,
            scoreboard: self.scoreboard,
        })
    }
}

fn own(number: RawFd) -> io::Result<OwnedFd> {
    if number <= 2 {
        return Err(io::Error::other(format!(
            "descriptor {number} cannot be an inherited one"
        )));
    }
    // SAFETY: the supervisor opened this number for us and told nobody else, and `Inheritance::take` runs once, so
    // this is its only owner. A number that is not open is found by the call below.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    rustix::io::fcntl_setfd(&descriptor, FdFlags::CLOEXEC)?;
    Ok(descriptor)
}

/// The whole of a memory file, wherever others who share its offset have read to.
fn read_all(file: &OwnedFd) -> io::Result<Vec<u8>> {
    let length = usize::try_from(rustix::fs::fstat(file)?.st_size).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match rustix::io::pread(file, &mut bytes[filled..], filled as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    Ok(bytes)
}
