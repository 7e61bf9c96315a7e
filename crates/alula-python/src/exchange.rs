//! One request's answer while Python makes it: the head, then the content, and who still waits for them.
//!
//! The head leaves with the first piece of content (PEP 3333), so until then an error can still become a 500.

use crate::dispatch::Reply;
use crate::fields;
use crate::spool::{self, Gone, Writer};
use crate::text::with_latin1;
use alula_http::{Body, Reason, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};

/// Status and header fields of a response.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) reason: Option<Bytes>,
    pub(crate) headers: HeaderMap,
}

impl Head {
    /// From a status line's text after the version, `200 OK`.
    pub(crate) fn parse_status(
        status: &Bound<'_, PyString>,
    ) -> PyResult<(StatusCode, Option<Bytes>)> {
        with_latin1(status, |text| {
            let code = text
                .get(..3)
                .filter(|_| text.get(3).is_none_or(|&byte| byte == b' '))
                .and_then(|code| StatusCode::from_bytes(code).ok())
                .ok_or_else(|| {
                    PyValueError::new_err(format!(
                        "status {:?} does not start with a three-digit code",
                        String::from_utf8_lossy(text)
                    ))
                })?;
            Ok((code, own_reason(code, text.get(4..).unwrap_or_default())))
        })
    }

    /// Adds the fields of a PEP 3333 header list.
    pub(crate) fn add_fields(headers: &mut HeaderMap, list: &Bound<'_, PyList>) -> PyResult<()> {
        for field in list.iter() {
            let field = field
                .cast::<PyTuple>()
                .map_err(|_| PyTypeError::new_err("a response header is a (name, value) tuple"))?;
            if field.len() != 2 {
                return Err(PyTypeError::new_err(
                    "a response header is a (name, value) tuple",
                ));
            }
            let (name, value) = (field.get_item(0)?, field.get_item(1)?);
            let text = |object: &Bound<'_, PyAny>| {
                PyTypeError::new_err(format!(
                    "a response header's name and value are str, not {}",
                    object
                        .get_type()
                        .name()
                        .map_or_else(|_| "?".to_owned(), |name| name.to_string())
                ))
            };
            let name = name.cast::<PyString>().map_err(|_| text(&name))?;
            let value = value.cast::<PyString>().map_err(|_| text(&value))?;
            fields::add(headers, name, value)?;
        }
        Ok(())
    }

    fn into_response(self, mut body: Body) -> Response {
        if let Body::Bytes(content) = &mut body
            && let Some(said) = self.headers.get(http::header::CONTENT_LENGTH)
            && let Some(said) = said.to_str().ok().and_then(|said| said.parse().ok())
        {
            // More than was said would be taken for the next response.
            content.truncate(said);
        }
        let mut response = http::Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if let Some(reason) = self.reason {
            response.extensions_mut().insert(Reason(reason));
        }
        response
    }
}

/// The reason phrase where it is not the registered one.
pub(crate) fn own_reason(code: StatusCode, reason: &[u8]) -> Option<Bytes> {
    let registered = code.canonical_reason().unwrap_or_default();
    let printable = reason
        .iter()
        .all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f));
    (reason != registered.as_bytes() && printable).then(|| Bytes::copy_from_slice(reason))
}

/// Where a request's answer goes.
pub(crate) struct Exchange {
    reply: Option<Reply>,
    head: Option<Head>,
    writer: Option<Writer>,
}

impl Exchange {
    pub(crate) fn new(reply: Reply) -> Self {
        Self {
            reply: Some(reply),
            head: None,
            writer: None,
        }
    }

    /// Whether the head has left, so that it cannot be changed any more.
    pub(crate) fn is_head_sent(&self) -> bool {
        self.reply.is_none()
    }

    pub(crate) fn has_head(&self) -> bool {
        self.head.is_some() || self.is_head_sent()
    }

    pub(crate) fn set_head(&mut self, head: Head) {
        self.head = Some(head);
    }

    /// Sends a complete answer. Without a head nothing happens: the caller has checked.
    pub(crate) fn send_all(&mut self, content: Body) {
        if let (Some(head), Some(reply)) = (self.head.take(), self.reply.take()) {
            reply.send(head.into_response(content));
        }
    }

    /// Sends a piece; the head goes with the first. Call it detached from Python.
    pub(crate) fn send_piece(&mut self, piece: Bytes) -> Result<(), Gone> {
        if let (Some(head), Some(reply)) = (self.head.take(), self.reply.take()) {
            let (writer, reader) = spool::spool();
            self.writer = Some(writer);
            reply.send_now(head.into_response(Body::stream(reader)))?;
        }
        match &mut self.writer {
            Some(writer) => writer.write(piece),
            None => Err(Gone),
        }
    }

    /// The content is complete.
    pub(crate) fn finish(&mut self) {
        match self.writer.take() {
            Some(writer) => writer.finish(),
            None => self.send_all(Body::Empty),
        }
    }

    /// Sends `response` in place of the answer, if nothing of that has left yet; else the client sees a truncated answer.
    pub(crate) fn fail(&mut self, response: Response) {
        if let Some(reply) = self.reply.take() {
            self.head = None;
            reply.send(response);
        }
        if let Some(writer) = self.writer.take() {
            writer.abort("the application failed in the middle of its response");
        }
    }
}
