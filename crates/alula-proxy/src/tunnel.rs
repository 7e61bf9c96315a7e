//! A connection that was upgraded, WebSocket or other: bytes in both directions, until both have ended or one has failed.

use alula_http::Upgraded;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};

/// What may be under way in one direction, in bytes.
const BUFFER_BYTES: usize = 8 * 1024;

/// Passes bytes on. `timeout`: longest silence of both sides.
pub(crate) async fn pass(client: Upgraded, back_end: OnUpgrade, timeout: Option<Duration>) {
    let back_end = match back_end.await {
        Ok(back_end) => TokioIo::new(back_end),
        Err(error) => {
            tracing::warn!(target: "proxy", "a back end has agreed to an upgrade and left: {error}");
            return;
        }
    };
    let moved = Arc::new(AtomicBool::new(false));
    let mut client = Watched::new(client, &moved);
    let mut back_end = Watched::new(back_end, &moved);
    let copied =
        copy_bidirectional_with_sizes(&mut client, &mut back_end, BUFFER_BYTES, BUFFER_BYTES);
    let ended = match timeout {
        None => copied.await.map(drop),
        Some(timeout) => until_silent(copied, &moved, timeout).await,
    };
    if let Err(error) = ended {
        tracing::debug!(target: "proxy", "an upgraded connection ended: {error}");
    }
}

/// Gives up once nothing has moved for as long as the timeout; it is noticed after twice that at the latest.
async fn until_silent(
    copied: impl Future<Output = io::Result<(u64, u64)>>,
    moved: &AtomicBool,
    timeout: Duration,
) -> io::Result<()> {
    let mut copied = std::pin::pin!(copied);
    let mut sleep = std::pin::pin!(tokio::time::sleep(timeout));
    std::future::poll_fn(|cx| {
        if let Poll::Ready(ended) = copied.as_mut().poll(cx) {
            return Poll::Ready(ended.map(drop));
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if !moved.swap(false, Relaxed) {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            sleep.as_mut().reset(tokio::time::Instant::now() + timeout);
        }
        Poll::Pending
    })
    .await
}

/// Notes that something came.
struct Watched<T> {
    inner: T,
    moved: Arc<AtomicBool>,
}

impl<T> Watched<T> {
    fn new(inner: T, moved: &Arc<AtomicBool>) -> Self {
        Self {
            inner,
            moved: moved.clone(),
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if polled.is_ready() {
            self.moved.store(true, Relaxed);
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
