//! A response on its way from a Python thread to a slow client: memory, then a temporary file, then patience.
//!
//! The writer is a Python thread, detached; the reader is the connection's task. The thread waits only when
//! both bounds are full, so a slow reader never holds Python. When the reader is gone, writing fails, which
//! is how an application's endless stream ends.

use alula_http::BodyError;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Response bytes kept in memory for one response before the rest goes to a temporary file.
const RESPONSE_MEMORY_BYTES_MAX: usize = 1024 * 1024;
/// How long the temporary file may get before the Python thread has to wait for the client to catch up, in bytes.
const RESPONSE_FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How much is read back from the file at once.
const READ_BACK_BYTES: u64 = 128 * 1024;

/// The Python thread's end.
pub(crate) struct Writer {
    spool: Arc<Spool>,
    finished: bool,
}

/// The connection's end, a response body.
pub(crate) struct Reader {
    spool: Arc<Spool>,
    /// Whether the engine has had a turn to send what came before a failure.
    flushed: bool,
}

/// The reader is gone, or the temporary file failed; nothing more can be sent.
#[derive(Debug)]
pub(crate) struct Gone;

struct Spool {
    state: Mutex<State>,
    room: Condvar,
}

#[derive(Default)]
struct State {
    memory: VecDeque<Bytes>,
    memory_bytes: usize,
    file: Option<File>,
    file_read: u64,
    file_written: u64,
    end: Option<Result<(), String>>,
    gone: bool,
    waker: Option<Waker>,
}

/// A spool's two ends.
pub(crate) fn spool() -> (Writer, Reader) {
    let spool = Arc::new(Spool {
        state: Mutex::default(),
        room: Condvar::new(),
    });
    let writer = Writer {
        spool: spool.clone(),
        finished: false,
    };
    let reader = Reader {
        spool,
        flushed: false,
    };
    (writer, reader)
}

impl Writer {
    /// Hands a piece over. Blocks only when memory and file are full: call it detached from Python.
    pub(crate) fn write(&mut self, piece: Bytes) -> Result<(), Gone> {
        if piece.is_empty() {
            return Ok(());
        }
        let mut state = self.spool.state.lock();
        loop {
            if state.gone {
                return Err(Gone);
            }
            let on_disk = state.file_written - state.file_read;
            if on_disk == 0 && state.memory_bytes < RESPONSE_MEMORY_BYTES_MAX {
                state.memory_bytes += piece.len();
                state.memory.push_back(piece);
                break;
            }
            if state.file_written < RESPONSE_FILE_BYTES_MAX {
                if let Err(error) = state.append(&piece) {
                    tracing::error!(target: "python", "a response cannot be spooled to a temporary file: {error}");
                    state.end = Some(Err(error.to_string()));
                    state.wake();
                    return Err(Gone);
                }
                break;
            }
            self.spool.room.wait(&mut state);
        }
        state.wake();
        Ok(())
    }

    /// The response is complete.
    pub(crate) fn finish(mut self) {
        self.end(Ok(()));
    }

    /// The response cannot be completed: the client must see a truncated one.
    pub(crate) fn abort(mut self, why: &str) {
        self.end(Err(why.to_owned()));
    }

    fn end(&mut self, end: Result<(), String>) {
        self.finished = true;
        let mut state = self.spool.state.lock();
        if state.end.is_none() {
            state.end = Some(end);
        }
        state.wake();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.finished {
            self.end(Err(
                "the application left its response unfinished".to_owned()
            ));
        }
    }
}

impl State {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn append(&mut self, piece: &[u8]) -> std::io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile()?,
        };
        let written = file.write_all_at(piece, self.file_written);
        self.file = Some(file);
        written?;
        self.file_written += piece.len() as u64;
        Ok(())
    }

    fn read_back(&mut self) -> std::io::Result<Bytes> {
        let length = (self.file_written - self.file_read).min(READ_BACK_BYTES);
        let mut piece = vec![0; length as usize];
        if let Some(file) = &self.file {
            file.read_exact_at(&mut piece, self.file_read)?;
        }
        self.file_read += length;
        if self.file_read == self.file_written {
            // The client has caught up: memory serves again, and the file starts over.
            self.file = None;
            self.file_read = 0;
            self.file_written = 0;
        }
        Ok(Bytes::from(piece))
    }
}

impl http_body::Body for Reader {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let mut state = this.spool.state.lock();
        if let Some(piece) = state.memory.pop_front() {
            state.memory_bytes -= piece.len();
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if state.file_written > state.file_read {
            let piece = state.read_back();
            this.spool.room.notify_one();
            return Poll::Ready(Some(piece.map(Frame::data).map_err(Into::into)));
        }
        match state.end.take() {
            Some(Ok(())) => {
                state.end = Some(Ok(()));
                Poll::Ready(None)
            }
            Some(Err(why)) if !this.flushed => {
                // An error makes the engine drop what it holds; the client shall see what the application sent.
                this.flushed = true;
                state.end = Some(Err(why));
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Err(why)) => Poll::Ready(Some(Err(why.into()))),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        let state = self.spool.state.lock();
        let held = state.memory_bytes as u64 + (state.file_written - state.file_read);
        match state.end {
            Some(Ok(())) => SizeHint::with_exact(held),
            _ => SizeHint::default(),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.spool.state.lock();
        state.gone = true;
        state.memory.clear();
        state.memory_bytes = 0;
        self.spool.room.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::Body as _;

    /// What the reader yields until it has to wait or ends.
    fn read(reader: &mut Reader) -> (Vec<u8>, Option<Result<(), String>>) {
        let mut context = Context::from_waker(Waker::noop());
        let mut bytes = Vec::new();
        let mut turns = 0;
        loop {
            match Pin::new(&mut *reader).poll_frame(&mut context) {
                Poll::Ready(Some(Ok(frame))) => {
                    bytes.extend_from_slice(&frame.into_data().expect("no trailers"));
                }
                Poll::Ready(Some(Err(error))) => return (bytes, Some(Err(error.to_string()))),
                Poll::Ready(None) => return (bytes, Some(Ok(()))),
                // A failure is held back for one turn.
                Poll::Pending if turns == 0 => turns += 1,
                Poll::Pending => return (bytes, None),
            }
        }
    }

    fn piece(number: u8, length: usize) -> Bytes {
        Bytes::from(vec![number; length])
    }

    #[test]
    fn pieces_keep_their_order_through_memory_and_file() {
        let (mut writer, mut reader) = spool();
        let mut sent = Vec::new();
        for number in 0..40 {
            let piece = piece(number, 100_000);
            sent.extend_from_slice(&piece);
            writer.write(piece).expect("a reader");
        }
        let (first, end) = read(&mut reader);
        assert_eq!(end, None);
        for number in 40..44 {
            let piece = piece(number, 100_000);
            sent.extend_from_slice(&piece);
            writer.write(piece).expect("a reader");
        }
        writer.finish();
        let (second, end) = read(&mut reader);
        assert_eq!(end, Some(Ok(())));
        assert!([first, second].concat() == sent);
    }

    #[test]
    fn memory_is_bounded_and_the_rest_is_on_disk() {
        let (mut writer, _reader) = spool();
        for number in 0..40 {
            writer.write(piece(number, 100_000)).expect("a reader");
        }
        let state = writer.spool.state.lock();
        assert!(state.memory_bytes <= RESPONSE_MEMORY_BYTES_MAX + 100_000);
        assert_eq!(state.memory_bytes as u64 + state.file_written, 4_000_000);
    }

    #[test]
    fn a_writer_learns_that_the_reader_is_gone() {
        let (mut writer, reader) = spool();
        writer.write(piece(1, 10)).expect("a reader");
        drop(reader);
        assert!(writer.write(piece(2, 10)).is_err());
    }

    #[test]
    fn a_failure_comes_after_what_was_sent_before_it() {
        let (mut writer, mut reader) = spool();
        writer.write(piece(1, 10)).expect("a reader");
        writer.abort("why");
        assert_eq!(
            read(&mut reader),
            (vec![1; 10], Some(Err("why".to_owned())))
        );
    }

    #[test]
    fn a_writer_that_is_dropped_leaves_a_truncated_response() {
        let (writer, mut reader) = spool();
        drop(writer);
        assert!(matches!(read(&mut reader), (_, Some(Err(_)))));
    }

    #[test]
    fn a_full_spool_makes_the_writer_wait_for_the_reader() {
        let (mut writer, mut reader) = spool();
        let big = piece(7, 8 * 1024 * 1024);
        let total = RESPONSE_FILE_BYTES_MAX as usize / big.len() + 4;
        let writing = std::thread::spawn(move || {
            for _ in 0..total {
                writer.write(big.clone()).expect("a reader");
            }
            writer.finish();
        });
        let mut received = 0;
        loop {
            let (bytes, end) = read(&mut reader);
            received += bytes.len();
            assert!(
                reader.spool.state.lock().file_written <= RESPONSE_FILE_BYTES_MAX + 8 * 1024 * 1024
            );
            if end.is_some() {
                break;
            }
            std::thread::yield_now();
        }
        writing.join().expect("the writer ends");
        assert_eq!(received, total * 8 * 1024 * 1024);
    }
}
