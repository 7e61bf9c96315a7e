//! Long files go out by `sendfile`: the kernel copies from its page cache to the socket, and this program sees none of it.
//!
//! The HTTP engine writes bodies itself, from buffers. So it is given buffers that stand in for the file: slices of one stretch of
//! zeros that is never touched, as long as what they stand for. The engine counts and frames them like any other; the
//! socket knows them by their address, and has the kernel send the file instead. A connection sends one response at a time, so one
//! file, and one position in it, is all that has to be remembered.
//!
//! Before a stretch is handed out it is read into memory where it is not there already: the loop waits for no disk.

use crate::connection::Connection;
use alula_http::{BodyError, FilePart};
use bytes::{Buf, Bytes};
use std::future::Future;
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};

/// Shorter files are read: that is cheaper than two more system calls. In bytes.
pub(crate) const SENDFILE_BYTES_MIN: u64 = 64 * 1024;
/// How much of a file the engine is given at a time, in bytes.
const STRETCH_BYTES: usize = 1024 * 1024;

/// Reads a stretch of a file into memory; `None` if it is there.
pub type Warm =
    fn(&Arc<OwnedFd>, u64, usize) -> Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send>>>;

/// Zeros nobody reads: the pages of a fresh allocation are not there until they are touched.
static STAND_IN: LazyLock<Box<[u8]>> = LazyLock::new(|| vec![0; STRETCH_BYTES].into());

/// Whether a buffer stands in for a file.
pub(crate) fn is_stand_in(part: &IoSlice<'_>) -> bool {
    STAND_IN.as_ptr_range().contains(&part.as_ptr()) && !part.is_empty()
}

/// What the engine is given to send.
pub(crate) enum Piece {
    Bytes(Bytes),
    /// So many bytes of the connection's file.
    File(usize),
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::File(length) => *length,
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::File(length) => &STAND_IN[..*length],
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Bytes(bytes) => bytes.advance(count),
            Self::File(length) => *length -= count,
        }
    }
}

/// A file on its way, as the socket sees it.
#[derive(Debug)]
pub(crate) struct FileOnWire {
    pub(crate) file: Arc<OwnedFd>,
    /// Where the next byte to send is.
    pub(crate) offset: u64,
    /// How many bytes are still to be sent; then the file is let go.
    pub(crate) left: u64,
}

/// A file on its way, as the engine polls it.
pub(crate) struct OutgoingFile {
    part: FilePart,
    connection: Arc<Connection>,
    warm: Warm,
    warming: Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send>>>,
    is_started: bool,
}

impl OutgoingFile {
    pub(crate) fn new(part: FilePart, connection: &Arc<Connection>, warm: Warm) -> Self {
        Self {
            part,
            connection: Arc::clone(connection),
            warm,
            warming: None,
            is_started: false,
        }
    }

    pub(crate) fn left(&self) -> u64 {
        self.part.length
    }

    /// The next stretch, when it is in memory.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, BodyError>>> {
        let length = usize::try_from(self.part.length).unwrap_or(usize::MAX);
        let length = length.min(STRETCH_BYTES);
        if length == 0 {
            return Poll::Ready(None);
        }
        if self.warming.is_none() {
            self.warming = (self.warm)(&self.part.file, self.part.offset, length);
        }
        if let Some(warming) = &mut self.warming {
            let warmed = ready!(warming.as_mut().poll(cx));
            self.warming = None;
            if let Err(error) = warmed {
                tracing::error!(target: "core", "cannot read a file while it is sent: {error}");
                return Poll::Ready(Some(Err(error.into())));
            }
        }
        if !self.is_started {
            self.is_started = true;
            self.connection.start_file(FileOnWire {
                file: Arc::clone(&self.part.file),
                offset: self.part.offset,
                left: self.part.length,
            });
        }
        self.part.offset += length as u64;
        self.part.length -= length as u64;
        Poll::Ready(Some(Ok(Piece::File(length))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_is_known_by_its_address() {
        let mut piece = Piece::File(1000);
        assert!(is_stand_in(&IoSlice::new(piece.chunk())));
        piece.advance(999);
        assert_eq!((piece.remaining(), piece.chunk().len()), (1, 1));
        assert!(is_stand_in(&IoSlice::new(piece.chunk())));
        let bytes = Piece::Bytes(Bytes::from_static(b"0"));
        assert!(!is_stand_in(&IoSlice::new(bytes.chunk())));
        assert!(!is_stand_in(&IoSlice::new(Piece::File(0).chunk())));
    }
}
