//! What supervisor, templates and workers say to each other, and the socket they say it over.
//!
//! One message is one packet (`SOCK_SEQPACKET`), JSON inside, with a descriptor or two beside it. The end of the
//! stream is a message too: it means that the process at the other end is gone.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A packet longer than this is never sent: texts are cut to [`TEXT_BYTES_MAX`] first.
const PACKET_BYTES_MAX: usize = 32 * 1024;

/// Longest error text that travels in a message. The log has the whole of it already.
const TEXT_BYTES_MAX: usize = 4 * 1024;

/// How many descriptors travel with one message.
const DESCRIPTORS_MAX: usize = 3;

/// Supervisor to template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ToTemplate {
    /// Fork a worker; the descriptors beside the message are its control socket, its black box and, behind fronts, its door.
    Fork {
        /// The worker's number, never used twice.
        worker: u64,
        /// Its row in the scoreboard.
        slot: usize,
        /// Others of its kind have crashed (see [`WorkerSeat::careful`](crate::WorkerSeat)).
        careful: bool,
    },
}

/// Template to supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FromTemplate {
    /// The application is imported (or shall not be, `preload` is off): ready to fork.
    Loaded,
    /// The import failed. Workers can still be forked; they answer with an error page.
    LoadFailed(String),
    /// The application cannot be shared by forking, for this reason.
    Unforkable(String),
    /// Before [`FromTemplate::Loaded`]: what fronts are to know of the project's files (`PythonStatic`), in a memory file
    /// beside the message.
    SiteFiles,
    /// A file it was made from has changed (`PythonAutoReload On`): its path, for the log.
    Changed(String),
    /// A worker was forked; a pidfd of it is the descriptor beside the message.
    Started {
        /// The number given in the request.
        worker: u64,
    },
    /// The fork itself failed.
    ForkFailed {
        /// The number given in the request.
        worker: u64,
        /// What the system said.
        error: String,
    },
    /// A worker ended and was reaped.
    Exited {
        /// The number given in the request.
        worker: u64,
        /// How, as `waitpid` told it.
        status: i32,
    },
}

/// Supervisor to front, beside its orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ToFront {
    /// A worker takes requests; the descriptor beside the message is the way to it.
    Door {
        /// The interpreter it works for, by its place in the Site.
        interpreter: usize,
        /// Its number.
        worker: u64,
        /// Its row in the scoreboard.
        slot: usize,
    },
    /// What the template of an interpreter says of its project's files; the memory file is beside the message.
    SiteFiles {
        /// The interpreter, by its place in the Site.
        interpreter: usize,
        /// Counts from 1: fronts are told again with each worker.
        version: u32,
    },
    /// Nobody works for an interpreter, and nobody will for so long, unless a door is shown before.
    Away {
        /// The interpreter, by its place in the Site.
        interpreter: usize,
        /// The time.
        seconds: u64,
    },
}

/// Worker to supervisor. What goes the other way is an [`Order`](crate::Order), one byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FromWorker {
    /// A request of it was given up: it wants to be replaced, and may never end by itself.
    Stuck,
    /// It accepts connections.
    Ready,
    /// The application did not load in this worker (sent before `Ready`).
    LoadFailed(String),
    /// It asks to be replaced; it goes on serving until it gets its order.
    Leaving(String),
}

/// One end of a control connection.
#[derive(Debug)]
pub(crate) struct Channel {
    socket: OwnedFd,
}

impl Channel {
    /// A connected pair, close-on-exec. The second end is meant for the child.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok((Self { socket: ours }, theirs))
    }

    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self { socket }
    }

    pub(crate) fn set_nonblocking(&self) -> io::Result<()> {
        Ok(rustix::io::ioctl_fionbio(&self.socket, true)?)
    }

    pub(crate) fn send<M: Serialize>(
        &self,
        message: &M,
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let packet = serde_json::to_vec(message)?;
        self.send_packet(&packet, descriptors)
    }

    pub(crate) fn send_packet(
        &self,
        packet: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let parts = [io::IoSlice::new(packet)];
        rustix::io::retry_on_intr(|| {
            rustix::net::sendmsg(&self.socket, &parts, &mut ancillary, SendFlags::NOSIGNAL)
        })?;
        Ok(())
    }

    /// The next message and its descriptors, `None` when the other end is closed. `WouldBlock` when non-blocking.
    pub(crate) fn receive<M: DeserializeOwned>(&self) -> io::Result<Option<(M, Vec<OwnedFd>)>> {
        let mut buffer = vec![0; PACKET_BYTES_MAX];
        let Some((length, descriptors)) = self.receive_packet(&mut buffer)? else {
            return Ok(None);
        };
        Ok(Some((
            serde_json::from_slice(&buffer[..length])?,
            descriptors,
        )))
    }

    pub(crate) fn receive_packet(
        &self,
        buffer: &mut [u8],
    ) -> io::Result<Option<(usize, Vec<OwnedFd>)>> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [io::IoSliceMut::new(buffer)];
        let received = rustix::io::retry_on_intr(|| {
            rustix::net::recvmsg(
                &self.socket,
                &mut parts,
                &mut ancillary,
                RecvFlags::CMSG_CLOEXEC,
            )
        });
        let length = match received {
            Ok(received) => received.bytes,
            Err(rustix::io::Errno::CONNRESET) => 0,
            Err(error) => return Err(error.into()),
        };
        if length == 0 {
            return Ok(None);
        }
        let mut descriptors = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        Ok(Some((length, descriptors)))
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> Self {
        channel.socket
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The beginning of a text, short enough for a packet.
pub(crate) fn bounded(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
}

/// The end of a text, short enough for a packet: the last lines of a traceback say what is wrong.
pub(crate) fn bounded_end(text: &str) -> String {
    let surplus = text.len().saturating_sub(TEXT_BYTES_MAX);
    if surplus == 0 {
        return text.to_owned();
    }
    let rest = &text[text.ceil_char_boundary(surplus)..];
    let whole_lines = rest.split_once('\n').map_or(rest, |(_, lines)| lines);
    format!("[...]\n{whole_lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_arrives_with_its_descriptors() {
        let (ours, theirs) = Channel::pair().unwrap();
        let theirs = Channel::new(theirs);
        let message = ToTemplate::Fork {
            worker: 7,
            slot: 3,
            careful: false,
        };
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        ours.send(&message, &[writer.as_fd(), writer.as_fd()])
            .unwrap();
        drop(writer);

        let (received, descriptors) = theirs.receive::<ToTemplate>().unwrap().unwrap();
        assert_eq!(received, message);
        for descriptor in descriptors {
            rustix::io::write(descriptor, b"x").unwrap();
        }
        assert_eq!(rustix::io::read(&reader, &mut [0; 3]).unwrap(), 2);
    }

    #[test]
    fn a_long_traceback_keeps_its_end() {
        assert_eq!(bounded_end("Error: no"), "Error: no");
        let long = format!("{}Error: no", "  File \"é.py\"\n".repeat(1000));
        let kept = bounded_end(&long);
        assert!(kept.len() <= TEXT_BYTES_MAX + 6, "{}", kept.len());
        assert!(kept.starts_with("[...]\n  File") && kept.ends_with("\nError: no"));
    }

    #[test]
    fn messages_keep_their_borders() {
        let (ours, theirs) = Channel::pair().unwrap();
        let theirs = Channel::new(theirs);
        ours.send(&FromTemplate::Loaded, &[]).unwrap();
        ours.send(
            &FromTemplate::Exited {
                worker: 1,
                status: 11,
            },
            &[],
        )
        .unwrap();
        let next = || theirs.receive::<FromTemplate>().unwrap().unwrap().0;
        assert_eq!(next(), FromTemplate::Loaded);
        assert_eq!(
            next(),
            FromTemplate::Exited {
                worker: 1,
                status: 11
            }
        );
    }

    #[test]
    fn a_closed_end_is_none_and_an_empty_one_would_block() {
        let (ours, theirs) = Channel::pair().unwrap();
        ours.set_nonblocking().unwrap();
        assert_eq!(
            ours.receive::<FromWorker>().unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        drop(theirs);
        assert!(ours.receive::<FromWorker>().unwrap().is_none());
    }

    #[test]
    fn the_longest_text_fits_into_a_packet() {
        let (ours, theirs) = Channel::pair().unwrap();
        let text = bounded(&"\u{1}\n\"".repeat(TEXT_BYTES_MAX));
        ours.send(&FromWorker::LoadFailed(text.clone()), &[])
            .unwrap();
        let received = Channel::new(theirs)
            .receive::<FromWorker>()
            .unwrap()
            .unwrap()
            .0;
        assert_eq!(received, FromWorker::LoadFailed(text));
    }
}
