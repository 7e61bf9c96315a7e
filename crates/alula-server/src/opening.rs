//! What comes before HTTP on some connections: a proxy's announcement, a TLS handshake, the first bytes of HTTP/2 without TLS.
//!
//! A site that has neither never gets here: its connections go straight to the HTTP/1.1 engine.

use crate::connection::{Connection, Order, Phase};
use crate::http2;
use crate::proxy_protocol;
use crate::server::Inner;
use crate::socket::{Socket, Wire};
use crate::tls::{Established, Refused};
use alula_http::Scheme;
use alula_routing::site::{self, Protocol};
use bytes::{Buf, Bytes, BytesMut};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What an HTTP/2 client sends first (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Finds out what a connection speaks, and serves it.
pub(crate) async fn serve(inner: Arc<Inner>, stream: TcpStream, connection: Arc<Connection>) {
    connection.enter(Phase::Opening);
    let settings = inner.settings_at(connection.peer.local);
    let remote = connection.peer.remote.ip().to_canonical();
    let announced = settings.remote_ip.as_ref().is_some_and(|remote_ip| {
        let mut exceptions = remote_ip.exceptions.iter();
        remote_ip.proxy_protocol && !exceptions.any(|network| network.contains(remote))
    });
    let (wire, connection) = if announced {
        match until_told(&connection, announcement(stream, &connection)).await {
            Some(Ok(announced)) => announced,
            Some(Err(error)) => {
                tracing::debug!(target: "remoteip", client = %connection.peer.remote, "{error}");
                return;
            }
            None => return,
        }
    } else {
        let first = Bytes::new();
        (Replayed { stream, first }, connection)
    };
    if connection.peer.scheme == Scheme::Https {
        return over_tls(inner, wire, connection).await;
    }
    let limits = &settings.connection;
    if !limits.http2.direct || !limits.protocols.contains(&Protocol::H2c) {
        connection.enter(Phase::Idle);
        return inner.serve_http1(wire, connection).await;
    }
    let Some(Ok((wire, is_http2))) = until_told(&connection, first_bytes(wire)).await else {
        return;
    };
    hand_over(inner, wire, connection, is_http2).await;
}

/// What a proxy says of a connection before anything else.
async fn announcement(
    mut stream: TcpStream,
    connection: &Arc<Connection>,
) -> io::Result<(Replayed, Arc<Connection>)> {
    let (client, first) = proxy_protocol::read(&mut stream).await?;
    let connection = match client {
        Some(client) => connection.behind(connection.peer.behind(client)),
        None => connection.clone(),
    };
    Ok((Replayed { stream, first }, connection))
}

async fn over_tls(inner: Arc<Inner>, wire: Replayed, connection: Arc<Connection>) {
    let (peer, pipeline) = (&connection.peer, &inner.pipeline);
    let Some(tls) = &pipeline.tls else { return };
    let handshake = tls.accept(wire, peer.local, &pipeline.routes);
    match until_told(&connection, handshake).await {
        None => {}
        Some(Err(Refused::Failed(error))) => {
            tracing::debug!(target: "ssl", client = %peer.remote, "handshake failed: {error}");
        }
        Some(Err(Refused::Plain)) => {
            tracing::debug!(target: "ssl", client = %peer.remote, "spoke HTTP where HTTPS is spoken");
        }
        Some(Ok(Established {
            stream,
            agreed,
            session,
            is_http2,
        })) => {
            let _ = peer.tls.set(session);
            connection.set_agreed(agreed);
            hand_over(inner, stream, connection, is_http2).await;
        }
    }
}

async fn hand_over<W: Wire>(
    inner: Arc<Inner>,
    wire: W,
    connection: Arc<Connection>,
    is_http2: bool,
) {
    connection.enter(Phase::Idle);
    if !is_http2 {
        return inner.serve_http1(wire, connection).await;
    }
    connection.become_http2();
    let limits: site::Http2 = inner.settings_at(connection.peer.local).connection.http2;
    http2::serve(
        inner,
        Socket::new(wire, connection.clone()),
        connection,
        &limits,
    )
    .await;
}

/// Waits for `task`, or for the order to give it up.
async fn until_told<T>(connection: &Connection, task: impl Future<Output = T>) -> Option<T> {
    let mut task = std::pin::pin!(task);
    std::future::poll_fn(|cx| {
        if connection.order() != Order::None {
            return Poll::Ready(None);
        }
        connection.waits_to_read(cx);
        task.as_mut().poll(cx).map(Some)
    })
    .await
}

/// Reads as much as it takes to know whether a client begins with HTTP/2.
async fn first_bytes(mut wire: Replayed) -> io::Result<(Replayed, bool)> {
    let mut bytes = BytesMut::with_capacity(PREFACE.len());
    while bytes.len() < PREFACE.len() && PREFACE.starts_with(&bytes) {
        let missing = (PREFACE.len() - bytes.len()) as u64;
        if (&mut wire).take(missing).read_buf(&mut bytes).await? == 0 {
            break;
        }
    }
    let is_http2 = bytes == PREFACE;
    // What the proxy's announcement had with it comes after.
    bytes.extend_from_slice(&wire.first);
    wire.first = bytes.freeze();
    Ok((wire, is_http2))
}

/// A socket of which the first bytes were read already.
#[derive(Debug)]
pub(crate) struct Replayed {
    stream: TcpStream,
    first: Bytes,
}

impl Wire for Replayed {
    const HOLDS_BACK: bool = false;

    fn bare(&self) -> Option<&TcpStream> {
        Some(&self.stream)
    }
}

impl AsyncRead for Replayed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let length = self.first.len().min(buffer.remaining());
        buffer.put_slice(&self.first[..length]);
        self.first.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Replayed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
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
