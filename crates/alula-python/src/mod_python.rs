//! Calls mod_python handlers (`alula.mod_python.chain`); what they make goes out through [`Output`].
//!
//! The request object, its tables and its buffer are Python's. This side gives it the environ and the file, and takes a whole
//! answer, or a head and pieces. A handler that declines, or sends the request elsewhere, leaves it to the server.

use crate::application::{Call, Client};
use crate::dispatch::Reply;
use crate::environ::PathText;
use crate::exchange::{Exchange, Head, own_reason};
use crate::fields;
use alula_http::{Body, Onward, Request, status_response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use pyo3::exceptions::{PyConnectionAbortedError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};
use std::fs::File;
use std::io::{Seek, SeekFrom};

/// Answers `request` by a chain of handlers.
pub(crate) fn run(
    py: Python<'_>,
    call: &Call,
    chain: &Bound<'_, PyAny>,
    request: &mut Request,
    reply: Reply,
) {
    let output = match Bound::new(py, Output::new(reply)) {
        Ok(output) => output,
        Err(error) => return call.log_failure(py, &Client::of(request), &error),
    };
    // As text: a path would become a `pathlib.Path`.
    let file = request.file.take().map(std::path::PathBuf::into_os_string);
    let answered = call
        .environ(py, request, PathText::Latin1)
        .and_then(|environ| chain.call1((environ, &output, file)));
    if let Err(error) = answered {
        let response = call.failure(py, &Client::of(request), &error);
        output.get().exchange.lock().fail(response);
    }
}

/// One request's answer, as the request object sends it.
#[pyclass(frozen, module = "_alula")]
pub(crate) struct Output {
    exchange: Mutex<Exchange>,
}

impl Output {
    fn new(reply: Reply) -> Self {
        Self {
            exchange: Mutex::new(Exchange::new(reply)),
        }
    }
}

#[pymethods]
impl Output {
    /// Sends a complete answer.
    fn send(
        &self,
        status: u16,
        reason: Option<&Bound<'_, PyString>>,
        headers: &Bound<'_, PyList>,
        content: &Bound<'_, PyBytes>,
    ) -> PyResult<()> {
        let head = head(status, reason, headers)?;
        let content = Body::from(Bytes::copy_from_slice(content.as_bytes()));
        let mut exchange = self.exchange.lock();
        exchange.set_head(head);
        exchange.send_all(content);
        Ok(())
    }

    /// Sends a part of a file as the content of a complete answer.
    fn send_file(
        &self,
        status: u16,
        reason: Option<&Bound<'_, PyString>>,
        headers: &Bound<'_, PyList>,
        path: std::path::PathBuf,
        offset: u64,
        length: u64,
    ) -> PyResult<()> {
        let head = head(status, reason, headers)?;
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut exchange = self.exchange.lock();
        exchange.set_head(head);
        exchange.send_all(Body::File(file, length));
        Ok(())
    }

    /// Begins an answer whose content comes in pieces; its head leaves with the first.
    fn begin(
        &self,
        status: u16,
        reason: Option<&Bound<'_, PyString>>,
        headers: &Bound<'_, PyList>,
    ) -> PyResult<()> {
        let head = head(status, reason, headers)?;
        self.exchange.lock().set_head(head);
        Ok(())
    }

    /// Sends a piece, at once.
    fn write(&self, py: Python<'_>, piece: &Bound<'_, PyBytes>) -> PyResult<()> {
        let piece = Bytes::copy_from_slice(piece.as_bytes());
        py.detach(|| self.exchange.lock().send_piece(piece))
            .map_err(|_| PyConnectionAbortedError::new_err("the client is gone"))
    }

    /// All pieces are out.
    fn finish(&self) {
        self.exchange.lock().finish();
    }

    /// Sends the server's page for a status, or what `ErrorDocument` has in its place.
    fn page(&self, status: u16, headers: &Bound<'_, PyList>) -> PyResult<()> {
        let head = head(status, None, headers)?;
        let mut response = status_response(head.status);
        response.headers_mut().extend(head.headers);
        self.exchange.lock().fail(response);
        Ok(())
    }

    /// Leaves the request to whoever answers at `target`, or to whoever would have answered without a handler.
    #[pyo3(signature = (headers, target=None))]
    fn go_on(&self, headers: &Bound<'_, PyList>, target: Option<&[u8]>) -> PyResult<()> {
        let onward = match target {
            Some(target) => Onward::To(Bytes::copy_from_slice(target)),
            None => Onward::Declined,
        };
        let mut response = http::Response::new(Body::Empty);
        *response.headers_mut() = head(200, None, headers)?.headers;
        response.extensions_mut().insert(onward);
        self.exchange.lock().fail(response);
        Ok(())
    }
}

fn head(
    status: u16,
    reason: Option<&Bound<'_, PyString>>,
    fields: &Bound<'_, PyList>,
) -> PyResult<Head> {
    let status = StatusCode::from_u16(status)
        .map_err(|_| PyValueError::new_err(format!("status {status} is not a three-digit code")))?;
    let reason = match reason {
        Some(reason) => own_reason(status, crate::text::as_utf8(reason)?.as_bytes()),
        None => None,
    };
    let mut headers = HeaderMap::with_capacity(fields.len() + 2);
    for field in fields.iter() {
        let field = field.cast::<PyTuple>()?;
        let (name, value) = (field.get_item(0)?, field.get_item(1)?);
        fields::add(&mut headers, name.cast()?, value.cast()?)?;
    }
    Ok(Head {
        status,
        reason,
        headers,
    })
}
