//! Content compressed while it comes.
//!
//! When more has to be waited for, what there is goes out: an application that streams is not held back. Long pieces are
//! compressed by the blocking pool, since the loop waits for nobody.

use super::encoder::Encoder;
use alula_http::{Body, BodyError};
use bytes::Bytes;
use http_body::Frame;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use tokio::task::JoinHandle;

/// Longer pieces are not compressed on the loop's thread, in bytes.
const INLINE_BYTES_MAX: usize = 8 * 1024;
/// When so much has come out it is sent, in bytes.
const OUTPUT_BYTES: usize = 16 * 1024;
/// How many responses of a worker are compressed at a time; each holds up to two MiB.
const AT_A_TIME_MAX: usize = 256;

static AT_WORK: AtomicUsize = AtomicUsize::new(0);

/// One of [`AT_A_TIME_MAX`].
pub(super) struct Place;

impl Place {
    pub(super) fn take() -> Option<Self> {
        let before = AT_WORK.fetch_add(1, Ordering::Relaxed);
        // Given back at once if there is none.
        let place = Self;
        (before < AT_A_TIME_MAX).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        AT_WORK.fetch_sub(1, Ordering::Relaxed);
    }
}

type Work = JoinHandle<io::Result<(Encoder, Bytes)>>;

pub(super) struct Compressed {
    content: Body,
    /// `None` at the end, and while it is at work elsewhere.
    encoder: Option<Encoder>,
    work: Option<Work>,
    /// Whether the encoder holds something back.
    is_holding: bool,
    written: usize,
    _place: Place,
}

impl Compressed {
    pub(super) fn new(content: Body, encoder: Encoder, place: Place) -> Self {
        Self {
            content,
            encoder: Some(encoder),
            work: None,
            is_holding: false,
            written: 0,
            _place: place,
        }
    }

    fn take_in(&mut self, mut encoder: Encoder, piece: Bytes) -> io::Result<()> {
        self.is_holding = true;
        if piece.len() <= INLINE_BYTES_MAX {
            encoder.write(&piece)?;
            self.written += piece.len();
            self.encoder = Some(encoder);
            return Ok(());
        }
        self.work = Some(tokio::task::spawn_blocking(move || {
            encoder.write(&piece)?;
            let output = encoder.take();
            Ok((encoder, output))
        }));
        Ok(())
    }

    /// What the encoder has for the client now.
    fn let_out(&mut self, flush: bool) -> io::Result<Option<Bytes>> {
        let Some(encoder) = &mut self.encoder else {
            return Ok(None);
        };
        if flush && self.is_holding {
            encoder.flush()?;
            self.is_holding = false;
        }
        self.written = 0;
        Ok(Some(encoder.take()).filter(|output| !output.is_empty()))
    }
}

impl http_body::Body for Compressed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let frame = |output| Poll::Ready(Some(Ok(Frame::data(output))));
        loop {
            if let Some(work) = &mut this.work {
                let done = ready!(Pin::new(work).poll(cx));
                this.work = None;
                let (encoder, output) = match done.unwrap_or_else(|gone| Err(gone.into())) {
                    Ok(done) => done,
                    Err(error) => return Poll::Ready(Some(Err(error.into()))),
                };
                this.encoder = Some(encoder);
                if !output.is_empty() {
                    return frame(output);
                }
            }
            let Some(encoder) = this.encoder.take() else {
                return Poll::Ready(None);
            };
            match Pin::new(&mut this.content).poll_frame(cx) {
                Poll::Ready(Some(Ok(piece))) => {
                    // Trailers belong to the content as it was.
                    let piece = piece.into_data().unwrap_or_default();
                    this.take_in(encoder, piece)?;
                    if this.written >= OUTPUT_BYTES
                        && let Some(output) = this.let_out(false)?
                    {
                        return frame(output);
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => {
                    let output = encoder.finish()?;
                    return match output.is_empty() {
                        true => Poll::Ready(None),
                        false => frame(output),
                    };
                }
                Poll::Pending => {
                    this.encoder = Some(encoder);
                    return match this.let_out(true)? {
                        Some(output) => frame(output),
                        None => Poll::Pending,
                    };
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.encoder.is_none() && self.work.is_none()
    }
}

#[cfg(test)]
mod tests;
