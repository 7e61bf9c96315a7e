//! Calls the native Django handler (`alula.handlers.django`) and hands its answer over.
//!
//! Python makes the request object and runs the middleware; it gives back plain parts, so nothing is
//! formatted for WSGI and parsed again.

use crate::application::{Call, Client};
use crate::dispatch::Reply;
use crate::environ::PathText;
use crate::exchange::{Exchange, Head, own_reason};
use crate::fields;
use crate::wsgi;
use alula_http::{Body, Request};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

/// Answers `request` by Django.
pub(crate) fn run(
    py: Python<'_>,
    call: &Call,
    handler: &Bound<'_, PyAny>,
    request: &mut Request,
    reply: Reply,
) {
    let mut exchange = Exchange::new(reply);
    let answered = call
        .environ(py, request, PathText::Utf8)
        .and_then(|environ| handler.call1((environ,)))
        .and_then(|parts| deliver(py, &mut exchange, &parts));
    if let Err(error) = answered {
        let response = call.failure(py, &Client::of(request), &error);
        exchange.fail(response);
    }
}

/// Hands over `(status, reason, headers, content, close)`; `close` is called whatever happens.
fn deliver(py: Python<'_>, exchange: &mut Exchange, parts: &Bound<'_, PyAny>) -> PyResult<()> {
    let parts = parts
        .cast::<PyTuple>()
        .map_err(|_| PyTypeError::new_err("the Django handler returned no answer"))?;
    let close = parts.get_item(4)?;
    let sent = send(py, exchange, parts);
    let closed = close.call0().map(drop);
    sent.and(closed)
}

fn send(py: Python<'_>, exchange: &mut Exchange, parts: &Bound<'_, PyTuple>) -> PyResult<()> {
    exchange.set_head(head(parts)?);
    let content = parts.get_item(3)?;
    if let Ok(content) = content.cast::<PyBytes>() {
        exchange.send_all(Body::from(Bytes::copy_from_slice(content.as_bytes())));
        return Ok(());
    }
    wsgi::send_stream(py, exchange, &content)
}

fn head(parts: &Bound<'_, PyTuple>) -> PyResult<Head> {
    let code: u16 = parts.get_item(0)?.extract()?;
    let status = StatusCode::from_u16(code)
        .map_err(|_| PyValueError::new_err(format!("status {code} is not a three-digit code")))?;
    let reason = parts.get_item(1)?;
    let reason = match reason.cast::<PyString>() {
        Ok(reason) => own_reason(status, crate::text::as_utf8(reason)?.as_bytes()),
        Err(_) => None,
    };
    let mut headers = HeaderMap::with_capacity(12);
    for fields in parts.get_item(2)?.cast::<PyList>()?.iter() {
        let field = fields.cast::<PyTuple>()?;
        let (name, value) = (field.get_item(0)?, field.get_item(1)?);
        fields::add(&mut headers, name.cast()?, value.cast()?)?;
    }
    Ok(Head {
        status,
        reason,
        headers,
    })
}
