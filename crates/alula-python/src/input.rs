//! `wsgi.input`: the request's content as a file to read, complete before the application starts.
//!
//! One type serves WSGI and Django. It never waits for the client: content is in memory or in a temporary file.

use alula_http::Body;
use bytes::Bytes;
use parking_lot::Mutex;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

/// How much of a temporary file is read ahead, in bytes.
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// The request's content (PEP 3333, "Input and Error Streams").
#[pyclass(frozen, module = "_alula")]
pub(crate) struct Input {
    content: Mutex<Content>,
}

enum Content {
    Memory { bytes: Bytes, at: usize },
    File { file: BufReader<File>, left: u64 },
}

impl Input {
    pub(crate) fn new(body: Body) -> Self {
        let content = match body {
            Body::File(file, length) => Content::File {
                file: BufReader::with_capacity(READ_AHEAD_BYTES, file),
                left: length,
            },
            Body::Bytes(bytes) => Content::Memory { bytes, at: 0 },
            Body::Empty | Body::Part(_) | Body::Stream(_) => Content::Memory {
                bytes: Bytes::new(),
                at: 0,
            },
        };
        Self {
            content: Mutex::new(content),
        }
    }

    fn line<'py>(&self, py: Python<'py>, size: isize) -> PyResult<Bound<'py, PyBytes>> {
        let bound = usize::try_from(size).unwrap_or(usize::MAX);
        match &mut *self.content.lock() {
            Content::Memory { bytes, at } => {
                let rest = &bytes[*at..];
                let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
                let line = &rest[..end.min(bound)];
                *at += line.len();
                Ok(PyBytes::new(py, line))
            }
            Content::File { file, left } => {
                let bound = bound.min(usize::try_from(*left).unwrap_or(usize::MAX));
                let mut line = Vec::new();
                file.take(bound as u64)
                    .read_until(b'\n', &mut line)
                    .map_err(unreadable)?;
                *left -= line.len() as u64;
                Ok(PyBytes::new(py, &line))
            }
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape `map_err` wants")]
fn unreadable(error: std::io::Error) -> PyErr {
    PyOSError::new_err(format!("the request's content cannot be read: {error}"))
}

#[pymethods]
impl Input {
    #[pyo3(signature = (size=None, /))]
    fn read<'py>(&self, py: Python<'py>, size: Option<isize>) -> PyResult<Bound<'py, PyBytes>> {
        let bound = usize::try_from(size.unwrap_or(-1)).unwrap_or(usize::MAX);
        match &mut *self.content.lock() {
            Content::Memory { bytes, at } => {
                let end = bytes.len().min(at.saturating_add(bound));
                let part = &bytes[*at..end];
                *at = end;
                Ok(PyBytes::new(py, part))
            }
            Content::File { file, left } => {
                let length = bound.min(usize::try_from(*left).unwrap_or(usize::MAX));
                let part = PyBytes::new_with(py, length, |buffer| {
                    file.read_exact(buffer).map_err(unreadable)
                })?;
                *left -= length as u64;
                Ok(part)
            }
        }
    }

    #[pyo3(signature = (size=None, /))]
    fn readline<'py>(&self, py: Python<'py>, size: Option<isize>) -> PyResult<Bound<'py, PyBytes>> {
        self.line(py, size.unwrap_or(-1))
    }

    #[pyo3(signature = (hint=None, /))]
    fn readlines<'py>(&self, py: Python<'py>, hint: Option<isize>) -> PyResult<Bound<'py, PyList>> {
        let enough = usize::try_from(hint.unwrap_or(-1)).unwrap_or(usize::MAX);
        let lines = PyList::empty(py);
        let mut total = 0;
        while total < enough.max(1) {
            let line = self.line(py, -1)?;
            let length = line.as_bytes().len();
            if length == 0 {
                break;
            }
            total += length;
            lines.append(line)?;
        }
        Ok(lines)
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let line = self.line(py, -1)?;
        Ok((!line.as_bytes().is_empty()).then_some(line))
    }

    fn readable(&self) -> bool {
        true
    }

    fn writable(&self) -> bool {
        false
    }

    /// As Django's `LimitedStream`: what was read is gone.
    fn seekable(&self) -> bool {
        false
    }

    #[getter]
    fn closed(&self) -> bool {
        false
    }

    /// The server closes the content when the request ends; an application's call changes nothing.
    fn close(&self) {}
}
