//! The response on its way to the front. Small pieces of a stream go together.

use super::{Conversation, Running};
use crate::hand_over::response::{
    self, END, FAILED, PIECE_HEAD_BYTES, piece_head, put_head, put_mark,
};
use alula_http::{Body, Response};
use bytes::Bytes;
use http_body::Body as _;
use std::future::poll_fn;
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::Poll;

/// Pieces of a stream up to this size are put together and sent at once, in bytes.
const SMALL_PIECE_BYTES_MAX: usize = 4 * 1024;

/// How much of small pieces is put together.
const TOGETHER_BYTES_MAX: usize = 32 * 1024;

impl Conversation {
    /// Sends the response. `Ok(true)`: the connection can be used again.
    pub(super) async fn send(
        &mut self,
        response: Response,
        running: &mut Running,
    ) -> io::Result<bool> {
        let (head, body) = response.into_parts();
        self.out.clear();
        let body = match body {
            Body::Part(part) => Body::File(part.open()?, part.length),
            other => other,
        };
        if !matches!(body, Body::Stream(_)) {
            running.bytes = body.len().unwrap_or(0);
            running.hand_back();
        }
        match body {
            // A part has just become a file.
            Body::Empty | Body::Part(_) => {
                put_head(&mut self.out, &head, response::Content::Whole(0));
                self.link.send([&self.out, &[]], None).await?;
            }
            Body::Bytes(bytes) => {
                let content = response::Content::Whole(bytes.len() as u64);
                put_head(&mut self.out, &head, content);
                self.link.send([&self.out, &bytes], None).await?;
            }
            Body::File(file, length) => {
                put_head(&mut self.out, &head, response::Content::File(length));
                let file = Some(file.as_fd());
                self.link.send([&self.out, &[]], file).await?;
            }
            Body::Stream(stream) => {
                let content = response::Content::Stream(stream.size_hint().exact());
                put_head(&mut self.out, &head, content);
                return self.send_stream(stream, running).await;
            }
        }
        Ok(true)
    }

    async fn send_stream(
        &mut self,
        mut stream: alula_http::BodyStream,
        running: &mut Running,
    ) -> io::Result<bool> {
        loop {
            // What is there already goes with what waits to be sent; before waiting for more, that is sent.
            let frame = match poll_now(&mut stream).await {
                Some(frame) => frame,
                None => {
                    self.flush().await?;
                    let Some(frame) = self.next_frame(&mut stream).await else {
                        return Ok(false);
                    };
                    frame
                }
            };
            match frame {
                Some(Ok(frame)) => {
                    let Ok(piece) = frame.into_data() else {
                        continue;
                    };
                    running.bytes += piece.len() as u64;
                    self.send_piece(&piece).await?;
                }
                None => {
                    put_mark(&mut self.out, END);
                    running.hand_back();
                    self.flush().await?;
                    return Ok(true);
                }
                Some(Err(error)) => {
                    tracing::debug!("a response cannot be completed: {error}");
                    put_mark(&mut self.out, FAILED);
                    self.flush().await?;
                    return Ok(false);
                }
            }
        }
    }

    /// The next piece of a stream; `None` when the front closes the connection before.
    async fn next_frame(&mut self, stream: &mut alula_http::BodyStream) -> Option<StreamFrame> {
        poll_fn(|cx| {
            if let Poll::Ready(frame) = stream.as_mut().poll_frame(cx) {
                return Poll::Ready(Some(frame));
            }
            self.link.poll_receive(cx, 1).map(|_| None)
        })
        .await
    }

    async fn send_piece(&mut self, piece: &Bytes) -> io::Result<()> {
        if piece.is_empty() {
            return Ok(());
        }
        self.out.extend_from_slice(&piece_head(piece.len()));
        if piece.len() <= SMALL_PIECE_BYTES_MAX {
            self.out.extend_from_slice(piece);
            if self.out.len() + PIECE_HEAD_BYTES < TOGETHER_BYTES_MAX {
                return Ok(());
            }
            return self.flush().await;
        }
        self.link.send([&self.out, piece], None).await?;
        self.out.clear();
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.link.send([&self.out, &[]], None).await?;
        self.out.clear();
        Ok(())
    }
}

type StreamFrame = Option<Result<http_body::Frame<Bytes>, alula_http::BodyError>>;

/// What a stream has ready; the outer `None` when it has to be waited for.
async fn poll_now(
    stream: &mut Pin<Box<dyn http_body::Body<Data = Bytes, Error = alula_http::BodyError> + Send>>,
) -> Option<StreamFrame> {
    poll_fn(|cx| match stream.as_mut().poll_frame(cx) {
        Poll::Ready(frame) => Poll::Ready(Some(frame)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
