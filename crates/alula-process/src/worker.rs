//! A worker's seat: everything it was given, and its line to the supervisor.
//!
//! Orders come over a socket and not as signals, because signals in a worker belong to Python.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use alula_config::site::LogTarget;

use crate::black_box::BlackBox;
use crate::listeners::Listener;
use crate::messages::{Channel, FromWorker, ToFront, bounded};
use crate::plan::{SecretText, SiteText};
use crate::scoreboard::{Scoreboard, Slot};

/// The longest thing said to a worker.
const WORD_BYTES_MAX: usize = 256;

/// How a worker is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Stop accepting, finish what is there, leave.
    Graceful,
    /// Leave now.
    Now,
}

impl Order {
    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Graceful => b'g',
            Self::Now => b't',
        }
    }
}

/// A log file opened for appending, before privileges were dropped.
#[derive(Debug)]
pub struct LogFile {
    /// As in the [`Plan`](crate::Plan).
    pub target: LogTarget,
    /// The file; one `write` is one line, whoever else writes there. A pipe to a program does not block.
    pub file: File,
}

/// What a worker has when its life begins.
#[derive(Debug)]
pub struct WorkerSeat {
    /// The worker's number, counted from the supervisor's start and never used twice.
    pub worker: u64,
    /// The configuration, as the supervisor read it.
    pub site: SiteText,
    /// Certificates and keys. Nothing behind fronts.
    pub secrets: SecretText,
    /// The sockets to accept from. None behind fronts.
    pub listeners: Vec<Listener>,
    /// Behind fronts: where they hand over connections (see [`crate::hand_over`]).
    pub door: Option<OwnedFd>,
    /// Others of its kind have crashed: nothing that is finished shall wait in it.
    pub careful: bool,
    /// Where it notes what it does, for whoever has to explain its death. A front has none.
    pub black_box: Option<BlackBox>,
    /// The log files of the configuration, open.
    pub log_files: Vec<LogFile>,
    /// Its row in the scoreboard.
    pub slot: Slot,
    /// The whole scoreboard, to look at the others.
    pub scoreboard: Scoreboard,
    /// Its line to the supervisor.
    pub control: Control,
}

/// A worker's line to the supervisor; clone it where it is needed.
#[derive(Clone, Debug)]
pub struct Control {
    channel: Arc<Channel>,
    slot: Slot,
}

impl Control {
    pub(crate) fn new(socket: OwnedFd, slot: Slot) -> io::Result<Self> {
        let channel = Channel::new(socket);
        channel.set_nonblocking()?;
        Ok(Self {
            channel: Arc::new(channel),
            slot,
        })
    }

    /// The worker accepts connections from now on.
    pub fn ready(&self) -> io::Result<()> {
        self.slot.serving();
        self.channel.send(&FromWorker::Ready, &[])
    }

    /// The application did not import. Say so before [`Control::ready`]: in a restart the old workers then go on, and
    /// otherwise the worker serves its error page.
    pub fn load_failed(&self, error: &str) -> io::Result<()> {
        self.channel
            .send(&FromWorker::LoadFailed(bounded(error)), &[])
    }

    /// The worker wants to be replaced, for this reason ("served 1000 requests"). It goes on serving until the order
    /// comes, which is when its replacement is ready.
    pub fn leaving(&self, reason: &str) -> io::Result<()> {
        self.channel
            .send(&FromWorker::Leaving(bounded(reason)), &[])
    }

    /// A request was given up, and its thread will perhaps never come back: as [`Control::leaving`], but it takes no more
    /// requests, and after the order it is not waited for without end.
    pub fn stuck(&self) -> io::Result<()> {
        self.closing();
        self.channel.send(&FromWorker::Stuck, &[])
    }

    /// To wait for orders; must be called on a tokio runtime.
    pub fn orders(&self) -> io::Result<Orders> {
        let socket = UnixStream::from(self.channel.as_fd().try_clone_to_owned()?);
        Ok(Orders {
            readable: tokio::net::UnixStream::from_std(socket)?,
            control: self.clone(),
        })
    }

    /// The worker takes no more requests: fronts hand theirs to others from now on.
    pub fn closing(&self) {
        self.slot.draining();
    }

    /// What the supervisor has said, if anything. Never blocks. One that is gone counts as [`Order::Now`].
    pub fn heard(&self) -> io::Result<Option<Heard>> {
        let mut packet = [0; WORD_BYTES_MAX];
        let (length, descriptors) = match self.channel.receive_packet(&mut packet) {
            Ok(Some(received)) => received,
            Ok(None) => return Ok(Some(Heard::Order(Order::Now))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        let told = serde_json::from_slice(&packet[..length]).ok();
        match (told, descriptors.into_iter().next()) {
            (
                Some(ToFront::Door {
                    interpreter,
                    worker,
                    slot,
                }),
                Some(socket),
            ) => {
                return Ok(Some(Heard::Door(Door {
                    interpreter,
                    worker,
                    slot,
                    socket,
                })));
            }
            (
                Some(ToFront::SiteFiles {
                    interpreter,
                    version,
                }),
                Some(memory),
            ) => {
                return Ok(Some(Heard::SiteFiles(SiteFilesText {
                    interpreter,
                    version,
                    memory: memory.into(),
                })));
            }
            (
                Some(ToFront::Away {
                    interpreter,
                    seconds,
                }),
                _,
            ) => {
                let time = Duration::from_secs(seconds);
                return Ok(Some(Heard::Away { interpreter, time }));
            }
            _ => {}
        }
        if packet[0] == Order::Graceful.byte() {
            self.slot.draining();
            return Ok(Some(Heard::Order(Order::Graceful)));
        }
        Ok(Some(Heard::Order(Order::Now)))
    }
}

/// Ends the process now, whatever its threads are doing.
pub fn leave_at_once() -> ! {
    // SAFETY: nothing of the process is used afterwards.
    unsafe { libc::_exit(0) }
}

/// What the supervisor says to a worker.
#[derive(Debug)]
pub enum Heard {
    /// It shall end.
    Order(Order),
    /// To a front: there is a worker to hand requests to.
    Door(Door),
    /// To a front: what a project says of its files.
    SiteFiles(SiteFilesText),
    /// To a front: an interpreter has none, and will not have any for so long.
    Away {
        /// The interpreter, by its place in the Site.
        interpreter: usize,
        /// The time.
        time: Duration,
    },
}

/// What a project says of its files: text of the assemblies'.
#[derive(Debug)]
pub struct SiteFilesText {
    /// Whose, by its place in the Site.
    pub interpreter: usize,
    /// Counts from 1; the same one is the same text.
    pub version: u32,
    memory: File,
}

impl SiteFilesText {
    /// The text.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let length = usize::try_from(self.memory.metadata()?.len()).map_err(io::Error::other)?;
        let mut text = vec![0; length];
        // Others read the same file: by position, not from where it is.
        self.memory.read_exact_at(&mut text, 0)?;
        Ok(text)
    }
}

/// The way to a worker behind fronts.
#[derive(Debug)]
pub struct Door {
    /// The interpreter it works for, by its place in the Site.
    pub interpreter: usize,
    /// Its number.
    pub(crate) worker: u64,
    /// Its row in the scoreboard.
    pub(crate) slot: usize,
    /// Connections are sent here.
    pub(crate) socket: OwnedFd,
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

/// The orders of a worker, one after the other.
#[derive(Debug)]
pub struct Orders {
    /// The same socket, only to be waited for: tokio has no type for packets.
    readable: tokio::net::UnixStream,
    control: Control,
}

impl Orders {
    /// The next order.
    pub async fn next(&self) -> io::Result<Order> {
        loop {
            if let Heard::Order(order) = self.hear().await? {
                return Ok(order);
            }
        }
    }

    /// The next thing the supervisor says.
    pub async fn hear(&self) -> io::Result<Heard> {
        loop {
            self.readable.readable().await?;
            // `try_io` so that tokio learns when there was nothing to read.
            let heard = self.readable.try_io(tokio::io::Interest::READABLE, || {
                self.control
                    .heard()?
                    .ok_or_else(|| io::ErrorKind::WouldBlock.into())
            });
            match heard {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scoreboard::{Place, State};

    fn control() -> (Channel, Control) {
        let scoreboard = Scoreboard::new(1).unwrap();
        let (supervisor, worker) = Channel::pair().unwrap();
        (
            supervisor,
            Control::new(worker, scoreboard.seat(1, 1, &Place::default()).unwrap()).unwrap(),
        )
    }

    #[test]
    fn orders_arrive_as_given() {
        let (supervisor, control) = control();
        let order = || control.heard().unwrap().map(told);
        assert_eq!(order(), None);
        supervisor
            .send_packet(&[Order::Graceful.byte()], &[])
            .unwrap();
        supervisor.send_packet(&[Order::Now.byte()], &[]).unwrap();
        assert_eq!(order(), Some(Order::Graceful));
        assert_eq!(order(), Some(Order::Now));
        assert_eq!(order(), None);
    }

    #[test]
    fn without_a_supervisor_a_worker_leaves_at_once() {
        let (supervisor, control) = control();
        drop(supervisor);
        assert_eq!(control.heard().unwrap().map(told), Some(Order::Now));
    }

    fn told(heard: Heard) -> Order {
        match heard {
            Heard::Order(order) => order,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_front_is_told_of_workers() {
        let (supervisor, control) = control();
        let door = ToFront::Door {
            interpreter: 1,
            worker: u64::MAX,
            slot: 3,
        };
        let (_reader, writer) = rustix::pipe::pipe().unwrap();
        supervisor.send(&door, &[writer.as_fd()]).unwrap();
        let Some(Heard::Door(heard)) = control.heard().unwrap() else {
            panic!()
        };
        assert_eq!(
            (heard.interpreter, heard.worker, heard.slot),
            (1, u64::MAX, 3)
        );
    }

    #[test]
    fn orders_can_be_waited_for() {
        let (supervisor, control) = control();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
        runtime.block_on(async {
            let orders = control.orders().unwrap();
            let waiting = tokio::spawn(async move { (orders.next().await, orders.next().await) });
            tokio::task::yield_now().await;
            supervisor
                .send_packet(&[Order::Graceful.byte()], &[])
                .unwrap();
            tokio::task::yield_now().await;
            drop(supervisor);
            let (first, second) = waiting.await.unwrap();
            assert_eq!(
                (first.unwrap(), second.unwrap()),
                (Order::Graceful, Order::Now)
            );
        });
        assert_eq!(control.slot.row().state, State::Draining);
    }
}
