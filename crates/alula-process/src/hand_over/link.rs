//! One end of a connection between a front and a worker: a Unix socket and what was received by it.
//!
//! It asks the poller for reading only. A Unix socket becomes writable whenever its other end has read, and each time
//! would be a wake-up for nothing; whoever does have to wait for room registers the socket once more for that.
//!
//! A read that came back short has emptied the socket, so the next one waits without asking the kernel first.

use bytes::{Bytes, BytesMut};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::wire::{LENGTH_BYTES, Malformed};

/// How much is received at once unless more is known to come.
const RECEIVE_BYTES: usize = 8 * 1024;

/// How much of a stream is received at once.
pub(super) const STREAM_RECEIVE_BYTES: usize = 64 * 1024;

/// Less room than this, and a fresh buffer is taken.
const ROOM_BYTES_MIN: usize = 1024;

/// The longest message: a head with everything the server's limits allow, several times over.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Descriptors that may have been received and not been asked for yet. One comes with a message.
const DESCRIPTORS_MAX: usize = 2;

#[derive(Debug)]
pub(super) struct Link {
    socket: AsyncFd<OwnedFd>,
    /// Once room had to be waited for: the same socket, registered for that.
    writable: Option<AsyncFd<OwnedFd>>,
    /// All of it is initialised; the first `filled` bytes were received.
    buffer: BytesMut,
    filled: usize,
    descriptors: Vec<OwnedFd>,
}

impl Link {
    /// A connection: our end, and the one to be sent away.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )?;
        Ok((Self::new(ours)?, theirs))
    }

    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            socket: register(socket, Interest::READABLE)?,
            writable: None,
            buffer: BytesMut::new(),
            filled: 0,
            descriptors: Vec::new(),
        })
    }

    /// Receives more. 0 is the end.
    pub(super) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        room: usize,
    ) -> Poll<io::Result<usize>> {
        self.make_room(room);
        loop {
            let mut ready = ready!(self.socket.poll_read_ready(cx))?;
            let space = &mut self.buffer[self.filled..];
            let asked = space.len();
            match receive(self.socket.get_ref(), space, &mut self.descriptors) {
                Ok((count, alone)) => {
                    if count > 0 && count < asked && alone {
                        ready.clear_ready();
                    }
                    self.filled += count;
                    return Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn make_room(&mut self, room: usize) {
        if self.buffer.len() - self.filled >= room.min(ROOM_BYTES_MIN) {
            return;
        }
        // Zeroed once and handed out piece by piece, so nothing uninitialised is ever shown to anyone.
        let mut fresh = BytesMut::zeroed(self.filled + room.max(RECEIVE_BYTES));
        fresh[..self.filled].copy_from_slice(&self.buffer[..self.filled]);
        self.buffer = fresh;
    }

    /// How many bytes have been received and not been taken.
    pub(super) fn received(&self) -> usize {
        self.filled
    }

    /// Takes what was received, at most so much.
    pub(super) fn take(&mut self, most: usize) -> Bytes {
        let length = most.min(self.filled);
        self.filled -= length;
        self.buffer.split_to(length).freeze()
    }

    pub(super) fn take_descriptor(&mut self) -> Option<OwnedFd> {
        (!self.descriptors.is_empty()).then(|| self.descriptors.remove(0))
    }

    /// Takes a whole message without the length before it, if it has arrived; else says how many bytes are missing.
    pub(super) fn take_message(&mut self) -> Result<Result<Bytes, usize>, Malformed> {
        let Some(length) = self.buffer[..self.filled].first_chunk::<LENGTH_BYTES>() else {
            return Ok(Err(LENGTH_BYTES - self.filled));
        };
        let length = u32::from_le_bytes(*length) as usize;
        if length == 0 || length > MESSAGE_BYTES_MAX {
            return Err(Malformed);
        }
        let total = LENGTH_BYTES + length;
        if self.filled < total {
            return Ok(Err(total - self.filled));
        }
        let mut message = self.take(total);
        Ok(Ok(message.split_off(LENGTH_BYTES)))
    }

    /// Takes what stands before a piece of content: the message's kind, and how long the rest of it is.
    pub(super) fn take_piece_head(&mut self) -> Option<(u8, u64)> {
        let head = self.buffer[..self.filled].first_chunk::<{ LENGTH_BYTES + 1 }>()?;
        let [first, second, third, fourth, kind] = *head;
        let length = u32::from_le_bytes([first, second, third, fourth]);
        self.take(LENGTH_BYTES + 1);
        // No length at all would be less than its kind: `u64::MAX` is no piece either.
        Some((kind, u64::from(length).wrapping_sub(1)))
    }

    /// Sends all of two parts, and a descriptor with the first byte. Fails when the other end is gone.
    pub(super) async fn send(
        &mut self,
        parts: [&[u8]; 2],
        descriptor: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let [mut first, mut second] = parts;
        let mut descriptor = descriptor;
        while !(first.is_empty() && second.is_empty()) {
            match send(self.socket.get_ref(), [first, second], descriptor) {
                Ok(count) => {
                    descriptor = None;
                    let of_first = count.min(first.len());
                    first = &first[of_first..];
                    second = &second[count - of_first..];
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait_for_room().await?
                }
                Err(error) => return Err(error),
            }
        }
        self.writable = None;
        Ok(())
    }

    async fn wait_for_room(&mut self) -> io::Result<()> {
        let waiting = match &mut self.writable {
            Some(waiting) => {
                waiting.writable().await?.clear_ready();
                waiting
            }
            None => {
                let again = self.socket.get_ref().try_clone()?;
                self.writable.insert(register(again, Interest::WRITABLE)?)
            }
        };
        waiting.writable().await?.retain_ready();
        Ok(())
    }
}

fn register(socket: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is owned by the `AsyncFd` and nobody can take it out, so it stays the same open socket for as
    // long as it is registered.
    let registered = unsafe { AsyncFd::register_with_interest(socket, interest) };
    Ok(registered?)
}

/// Receives bytes and descriptors; also says whether no descriptor came, for those end a read early.
fn receive(
    socket: &OwnedFd,
    space: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
) -> io::Result<(usize, bool)> {
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut room);
    let received = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(
            socket,
            &mut [IoSliceMut::new(space)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )
    })?;
    let mut alone = true;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            alone = false;
            for descriptor in rights {
                if descriptors.len() < DESCRIPTORS_MAX {
                    descriptors.push(descriptor);
                }
            }
        }
    }
    Ok((received.bytes, alone))
}

fn send(
    socket: &OwnedFd,
    [first, second]: [&[u8]; 2],
    descriptor: Option<BorrowedFd<'_>>,
) -> io::Result<usize> {
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut room);
    let descriptors = descriptor.as_slice();
    if !descriptors.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    let parts = [IoSlice::new(first), IoSlice::new(second)];
    let parts = if second.is_empty() {
        &parts[..1]
    } else {
        &parts[..]
    };
    let sent = rustix::io::retry_on_intr(|| {
        rustix::net::sendmsg(socket, parts, &mut ancillary, SendFlags::NOSIGNAL)
    })?;
    Ok(sent)
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.get_ref().as_fd()
    }
}
