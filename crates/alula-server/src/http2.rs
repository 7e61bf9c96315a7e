//! An HTTP/2 connection: its limits, its streams, its end.
//!
//! A stream is a [`Connection`] of its own to the pipeline. The connection as a whole is looked after by the sweep: without
//! requests it is told to end after `KeepAliveTimeout`, and when a client does not take what it asked for.

use crate::connection::{Connection, Order};
use crate::server::{Inner, Observer};
use crate::socket::{Socket, Wire};
use alula_routing::site;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

/// Content a client may send ahead on a whole connection, in bytes.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

/// A response's content that may wait in the engine for one stream, in bytes.
const SEND_BYTES_MAX: usize = 64 * 1024;

/// Requests a client may take back before we have looked at them; one more ends the connection (CVE-2023-44487, "rapid reset").
const EARLY_RESETS_MAX: usize = 20;

/// Serves a connection whose client speaks HTTP/2. Returns when it is over.
pub(crate) async fn serve<W: Wire>(
    inner: Arc<Inner>,
    socket: Socket<W>,
    connection: Arc<Connection>,
    limits: &site::Http2,
) {
    let mut engine = http2::Builder::new(TokioExecutor::new());
    engine
        .max_concurrent_streams(limits.streams_max)
        .initial_stream_window_size(limits.window_bytes)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES.max(limits.window_bytes))
        .max_frame_size(limits.frame_bytes_max)
        .max_header_list_size(limits.head_bytes_max)
        .max_send_buf_size(SEND_BYTES_MAX)
        .max_pending_accept_reset_streams(EARLY_RESETS_MAX)
        .max_local_error_reset_streams(limits.stream_errors_max as usize);
    let patience = inner.timeouts.silence();
    let service = service_fn({
        let (inner, connection) = (inner.clone(), connection.clone());
        move |request| {
            let stream = Connection::stream(&connection, patience);
            let pipeline = inner.pipeline.clone();
            async move {
                let mut unanswered = Unanswered {
                    stream: Some(stream.clone()),
                    observer: pipeline.observer.clone(),
                };
                let response = pipeline.respond(request, stream).await;
                // From here on the response looks after the end.
                unanswered.stream = None;
                response
            }
        }
    });
    let mut served = Box::pin(engine.serve_connection(TokioIo::new(socket), service));
    let ended = std::future::poll_fn(|cx| {
        if connection.take_close() {
            Pin::new(&mut *served).graceful_shutdown();
        }
        if connection.order() == Order::Abort {
            return Poll::Ready(Ok(()));
        }
        connection.waits_to_read(cx);
        served.as_mut().poll(cx)
    });
    if let Err(error) = ended.await {
        tracing::debug!(target: "http2", client = %connection.peer.remote, "connection ended: {error}");
    }
}

/// A request whose client took it back before there was a response: it is over all the same.
struct Unanswered {
    stream: Option<Arc<Connection>>,
    observer: Arc<dyn Observer>,
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            stream.answered();
            stream.request_over(&*self.observer, 0);
        }
    }
}
