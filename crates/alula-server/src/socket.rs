//! The client's socket as the HTTP engine sees it: it notes progress, and ends when the connection is told to.

use crate::connection::{Connection, Order};
use crate::file_sending::is_stand_in;
use rustix::fs::sendfile;
use rustix::net::{SendFlags, send};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// Answers to heads that do not end. The engine has nothing to say before a head is complete, so the wire is free.
fn refusal(order: Order) -> &'static [u8] {
    match order {
        Order::LineTooLong => {
            b"HTTP/1.1 414 URI Too Long\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        }
        Order::FieldTooLong => {
            b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        }
        _ => b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    }
}

/// Up to so many bytes, the parts of a write are copied together: one `send` of a small response costs less than a
/// `writev` of its head and content.
const GATHER_BYTES_MAX: usize = 4096;

/// What a [`Socket`] reads from and writes to.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Whether what was written may wait in it until it is flushed.
    const HOLDS_BACK: bool;

    /// The bare socket, where what is written reaches the client as it is: the kernel may write to it.
    fn bare(&self) -> Option<&TcpStream> {
        None
    }
}

impl Wire for TcpStream {
    const HOLDS_BACK: bool = false;

    fn bare(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

/// A client's socket.
pub(crate) struct Socket<W = TcpStream> {
    stream: W,
    connection: Arc<Connection>,
    /// Where parts are copied together; empty between two writes.
    gathered: Vec<u8>,
}

impl<W: Wire> Socket<W> {
    pub(crate) fn new(stream: W, connection: Arc<Connection>) -> Self {
        Self {
            stream,
            connection,
            gathered: Vec::new(),
        }
    }
}

fn aborted() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the client is too slow")
}

impl<W: Wire> AsyncRead for Socket<W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.connection.order() {
            Order::None => {}
            // HTTP/2 has its own way to end; its task takes the order.
            Order::Close if self.connection.is_http2() => {}
            Order::Close => return Poll::Ready(Ok(())),
            order @ (Order::HeadTimeout | Order::LineTooLong | Order::FieldTooLong) => {
                let stream = &mut self.stream;
                if Pin::new(&mut *stream)
                    .poll_write(cx, refusal(order))
                    .is_ready()
                {
                    let _ = Pin::new(stream).poll_flush(cx);
                }
                self.connection.give(Order::Close);
                return Poll::Ready(Ok(()));
            }
            Order::ContentTimeout | Order::Abort => return Poll::Ready(Err(aborted())),
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        match &polled {
            Poll::Ready(Ok(())) => {
                let new = &buffer.filled()[before..];
                if !new.is_empty() {
                    self.connection.received(new);
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.connection.waits_to_read(cx),
        }
        polled
    }
}

impl<W: Wire> Socket<W> {
    /// Has the kernel send so much of the connection's file; how much it has taken.
    fn poll_send_file(&mut self, cx: &mut Context<'_>, length: usize) -> Poll<io::Result<usize>> {
        let Some(socket) = self.stream.bare() else {
            return Poll::Ready(Err(io::ErrorKind::Unsupported.into()));
        };
        let polled = loop {
            match socket.poll_write_ready(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
            let mut guard = self.connection.file();
            let Some(on_wire) = guard.as_mut().and_then(|file| file.as_mut()) else {
                break Poll::Ready(Err(io::ErrorKind::InvalidInput.into()));
            };
            let (file, mut offset) = (&on_wire.file, on_wire.offset);
            let sent = socket.try_io(Interest::WRITABLE, || {
                Ok(sendfile(socket, file, Some(&mut offset), length)?)
            });
            match sent {
                Ok(0) => {
                    // The client gets less than was promised, so the connection has to end.
                    tracing::error!(target: "core", "[client {}] a file became shorter while it was sent", self.connection.peer.remote);
                    break Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                Ok(count) => {
                    on_wire.offset = offset;
                    on_wire.left = on_wire.left.saturating_sub(count as u64);
                    if on_wire.left == 0 {
                        drop(guard);
                        self.connection.end_file();
                    }
                    break Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Poll::Ready(Err(error)),
            }
        };
        if matches!(polled, Poll::Ready(Ok(_))) {
            // The engine may be done with the response long before the client is.
            self.connection.moved();
        }
        self.wrote(cx, polled)
    }

    /// Sends what stands before a file, in the same packets as the file's start.
    fn poll_send_before_file(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.gathered.clear();
        for part in parts {
            self.gathered.extend_from_slice(part);
        }
        let Some(socket) = self.stream.bare() else {
            return Poll::Ready(Err(io::ErrorKind::Unsupported.into()));
        };
        let polled = loop {
            match socket.poll_write_ready(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
            let sent = socket.try_io(Interest::WRITABLE, || {
                Ok(send(
                    socket,
                    &self.gathered,
                    SendFlags::MORE | SendFlags::NOSIGNAL,
                )?)
            });
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => break Poll::Ready(done),
            }
        };
        self.wrote(cx, polled)
    }

    fn wrote(&self, cx: &Context<'_>, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &polled {
            Poll::Ready(_) => self.connection.sent(),
            Poll::Pending => self.connection.waits_to_write(cx),
        }
        polled
    }
}

impl<W: Wire> AsyncWrite for Socket<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.connection.order() == Order::Abort {
            return Poll::Ready(Err(aborted()));
        }
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.connection.order() == Order::Abort {
            return Poll::Ready(Err(aborted()));
        }
        let mut parts = parts;
        if self.connection.file().is_some() {
            match parts.iter().position(is_stand_in) {
                Some(at) if parts[..at].iter().all(|part| part.is_empty()) => {
                    let stand_ins = parts[at..].iter().take_while(|part| is_stand_in(part));
                    let length = stand_ins.map(|part| part.len()).sum();
                    return self.poll_send_file(cx, length);
                }
                // What comes before the file goes first, and is told to wait for it.
                Some(at) => {
                    parts = &parts[..at];
                    return self.poll_send_before_file(cx, parts);
                }
                None => {}
            }
        }
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let polled = if total <= GATHER_BYTES_MAX {
            let this = &mut *self;
            this.gathered.clear();
            for part in parts {
                this.gathered.extend_from_slice(part);
            }
            Pin::new(&mut this.stream).poll_write(cx, &this.gathered)
        } else {
            Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
        };
        self.wrote(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !W::HOLDS_BACK {
            return Poll::Ready(Ok(()));
        }
        if self.connection.order() == Order::Abort {
            return Poll::Ready(Err(aborted()));
        }
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        match &polled {
            Poll::Ready(_) => self.connection.sent(),
            Poll::Pending => self.connection.waits_to_write(cx),
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
