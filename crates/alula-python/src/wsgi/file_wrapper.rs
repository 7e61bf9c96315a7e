//! `wsgi.file_wrapper`: a real file is given to the server to send, anything else is read block by block.

use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::fs::File;
use std::io::{Seek, SeekFrom};

/// Blocks smaller than this are read as this, in bytes: Django asks for 4096, which is a call for each page.
const BLOCK_BYTES_MIN: usize = 64 * 1024;

/// A file-like object, as an iterable (PEP 3333, "Optional Platform-Specific File Handling").
#[pyclass(module = "_alula", frozen)]
pub(crate) struct FileWrapper {
    file_like: Py<PyAny>,
    block_bytes: usize,
    closed: Mutex<bool>,
}

impl FileWrapper {
    /// The rest of the wrapped file, opened anew, and its length, if it is a regular file on disk.
    ///
    /// A second descriptor of the same open file would share its position with the application's object,
    /// which may use it again; so the file is opened by its descriptor's name.
    pub(crate) fn take_over(&self, py: Python<'_>) -> Option<(File, u64)> {
        let file_like = self.file_like.bind(py);
        let descriptor: i32 = file_like
            .call_method0(intern!(py, "fileno"))
            .ok()?
            .extract()
            .ok()?;
        let position: u64 = file_like
            .call_method0(intern!(py, "tell"))
            .ok()?
            .extract()
            .ok()?;
        let path = format!("/proc/self/fd/{descriptor}");
        // Looked at before it is opened: opening a FIFO would wait for its other end.
        if !std::fs::metadata(&path).ok()?.is_file() {
            return None;
        }
        let mut file = File::open(&path).ok()?;
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() {
            return None;
        }
        file.seek(SeekFrom::Start(position)).ok()?;
        Some((file, metadata.len().saturating_sub(position)))
    }
}

#[pymethods]
impl FileWrapper {
    #[new]
    #[pyo3(signature = (file_like, block_size=BLOCK_BYTES_MIN, /))]
    fn new(file_like: Py<PyAny>, block_size: usize) -> Self {
        Self {
            file_like,
            block_bytes: block_size.max(BLOCK_BYTES_MIN),
            closed: Mutex::new(false),
        }
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let block: Bound<'py, PyBytes> = self
            .file_like
            .bind(py)
            .call_method1(intern!(py, "read"), (self.block_bytes,))?
            .cast_into()?;
        Ok((!block.as_bytes().is_empty()).then_some(block))
    }

    /// Closes the wrapped object, once.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if std::mem::replace(&mut *self.closed.lock(), true) {
            return Ok(());
        }
        if let Some(close) = self.file_like.bind(py).getattr_opt(intern!(py, "close"))? {
            close.call0()?;
        }
        Ok(())
    }
}
