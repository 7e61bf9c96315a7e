//! The socket below TLS: it knows a client that speaks plain HTTP by its first byte, and has httpd's page for it.

use crate::opening::Replayed;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// The first byte of every TLS connection (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;

/// How much of a plain request is read before the connection is closed, in bytes: what is unread would cost the client the page.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

const PAGE: &str = "<!DOCTYPE html>\n<html><head><title>400 Bad Request</title></head>\n<body><h1>Bad Request</h1>\n\
    <p>Your browser sent a request that this server could not understand.<br>\n\
    Reason: You're speaking plain HTTP to an SSL-enabled server port.<br>\n\
    Instead use the HTTPS scheme to access this URL, please.</p>\n</body></html>\n";

/// A socket that TLS comes over, or should.
#[derive(Debug)]
pub(crate) struct Below {
    stream: Replayed,
    first: Option<u8>,
}

impl Below {
    pub(super) fn new(stream: Replayed) -> Self {
        Self {
            stream,
            first: None,
        }
    }

    /// Whether the client has begun, and not with TLS.
    pub(super) fn is_plain(&self) -> bool {
        self.first.is_some_and(|first| first != HANDSHAKE)
    }

    /// Tells a client that speaks HTTP that this is the wrong port.
    pub(super) async fn explain(mut self) -> io::Result<()> {
        if !self.first.is_some_and(|first| first.is_ascii_uppercase()) {
            return Ok(());
        }
        let head = format!(
            "HTTP/1.1 400 Bad Request\r\nServer: Alula\r\nConnection: close\r\nContent-Type: text/html; charset=utf-8\r\n\
             Content-Length: {}\r\n\r\n",
            PAGE.len()
        );
        self.stream.write_all(head.as_bytes()).await?;
        self.stream.write_all(PAGE.as_bytes()).await?;
        self.stream.shutdown().await?;
        let mut rest = (&mut self.stream).take(REQUEST_BYTES_MAX as u64);
        let mut ignored = [0; 4096];
        while rest.read(&mut ignored).await? > 0 {}
        Ok(())
    }
}

impl AsyncRead for Below {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if self.first.is_none() {
            self.first = buffer.filled().get(before).copied();
        }
        polled
    }
}

impl AsyncWrite for Below {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_plain() {
            // The TLS library's alert; the client would take it for the beginning of our page.
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_plain() {
            return Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
