//! Calls a WSGI application (PEP 3333) and hands its answer over.
//!
//! A list of one `bytes` object, the common answer, becomes a complete response; anything else goes piece by
//! piece, the first at once. `close()` is called exactly once, also when the client has left.

mod file_wrapper;
mod start_response;

pub(crate) use file_wrapper::FileWrapper;
pub(crate) use start_response::StartResponse;

use crate::application::{Call, Client};
use crate::dispatch::Reply;
use crate::environ::PathText;
use crate::exchange::Exchange;
use alula_http::{Body, Request};
use bytes::{Bytes, BytesMut};
use pyo3::exceptions::{PyAssertionError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

/// Lists whose items are together no longer than this are joined into one piece, in bytes.
const JOIN_BYTES_MAX: usize = 256 * 1024;

/// Answers `request` by a WSGI application.
pub(crate) fn run(
    py: Python<'_>,
    call: &Call,
    application: &Bound<'_, PyAny>,
    request: &mut Request,
    reply: Reply,
) {
    let start = match Bound::new(py, StartResponse::new(Exchange::new(reply))) {
        Ok(start) => start,
        Err(error) => return call.log_failure(py, &Client::of(request), &error),
    };
    let answered = call
        .environ(py, request, PathText::Latin1)
        .and_then(|environ| application.call1((environ, &start)))
        .and_then(|iterable| {
            let delivered = deliver(py, &start, &iterable);
            let closed = close(&iterable);
            delivered.and(closed)
        });
    if let Err(error) = answered {
        let response = call.failure(py, &Client::of(request), &error);
        start.get().exchange().lock().fail(response);
    }
}

/// Hands over what the application returned.
fn deliver(
    py: Python<'_>,
    start: &Bound<'_, StartResponse>,
    iterable: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let exchange = start.get().exchange();
    if let Some(content) = joined_list(iterable)? {
        let mut held = exchange.lock();
        started(&held)?;
        if held.is_head_sent() {
            drop(held);
            // The application has used `write` before.
            let _ = py.detach(|| exchange.lock().send_piece(content));
            exchange.lock().finish();
        } else {
            held.send_all(Body::from(content));
        }
        return Ok(());
    }
    if let Ok(wrapper) = iterable.cast::<FileWrapper>()
        && let Some((file, length)) = wrapper.get().take_over(py)
    {
        let mut exchange = exchange.lock();
        started(&exchange)?;
        if !exchange.is_head_sent() {
            exchange.send_all(Body::File(file, length));
            return Ok(());
        }
    }
    if is_complete_django_response(iterable) {
        let content: Bound<'_, PyBytes> = iterable
            .getattr(intern!(py, "content"))?
            .cast_into()
            .map_err(|_| PyTypeError::new_err("response.content is not bytes"))?;
        let mut exchange = exchange.lock();
        started(&exchange)?;
        exchange.send_all(Body::from(Bytes::copy_from_slice(content.as_bytes())));
        return Ok(());
    }
    send_pieces(py, start, iterable)
}

/// Sends each piece an iterable yields, as it comes. A client that is gone ends it, without an error.
fn send_pieces(
    py: Python<'_>,
    start: &Bound<'_, StartResponse>,
    iterable: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let exchange = start.get().exchange();
    for piece in iterable.try_iter()? {
        let piece = piece?;
        let piece = piece.cast::<PyBytes>().map_err(|_| not_bytes(&piece))?;
        if piece.as_bytes().is_empty() {
            continue;
        }
        started(&exchange.lock())?;
        let piece = Bytes::copy_from_slice(piece.as_bytes());
        if py.detach(|| exchange.lock().send_piece(piece)).is_err() {
            return Ok(());
        }
    }
    let mut exchange = exchange.lock();
    started(&exchange)?;
    exchange.finish();
    Ok(())
}

/// Sends pieces without a WSGI conversation: for Django's streaming responses.
pub(crate) fn send_stream(
    py: Python<'_>,
    exchange: &mut Exchange,
    iterable: &Bound<'_, PyAny>,
) -> PyResult<()> {
    if let Ok(wrapper) = iterable.cast::<FileWrapper>()
        && let Some((file, length)) = wrapper.get().take_over(py)
    {
        exchange.send_all(Body::File(file, length));
        return Ok(());
    }
    for piece in iterable.try_iter()? {
        let piece = piece?;
        let piece = piece.cast::<PyBytes>().map_err(|_| not_bytes(&piece))?;
        let piece = Bytes::copy_from_slice(piece.as_bytes());
        if !piece.is_empty() && py.detach(|| exchange.send_piece(piece)).is_err() {
            return Ok(());
        }
    }
    exchange.finish();
    Ok(())
}

fn started(exchange: &Exchange) -> PyResult<()> {
    if exchange.has_head() {
        Ok(())
    } else {
        Err(PyAssertionError::new_err(
            "the application returned content without calling start_response",
        ))
    }
}

fn not_bytes(piece: &Bound<'_, PyAny>) -> PyErr {
    let name = piece
        .get_type()
        .name()
        .map_or_else(|_| "?".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!("a WSGI application yields bytes, not {name}"))
}

/// The content of a short list or tuple, which is complete already.
fn joined_list(iterable: &Bound<'_, PyAny>) -> PyResult<Option<Bytes>> {
    let one = |item: &Bound<'_, PyAny>| -> PyResult<Bytes> {
        let item = item.cast::<PyBytes>().map_err(|_| not_bytes(item))?;
        Ok(Bytes::copy_from_slice(item.as_bytes()))
    };
    let items: Vec<Bound<'_, PyAny>> = if let Ok(list) = iterable.cast_exact::<PyList>() {
        match list.len() {
            1 => return one(&list.get_item(0)?).map(Some),
            _ => list.iter().collect(),
        }
    } else if let Ok(tuple) = iterable.cast_exact::<PyTuple>() {
        tuple.iter().collect()
    } else {
        return Ok(None);
    };
    let mut joined = BytesMut::new();
    for item in items {
        joined.extend_from_slice(&one(&item)?);
        if joined.len() > JOIN_BYTES_MAX {
            return Ok(None);
        }
    }
    Ok(Some(joined.freeze()))
}

/// Django's `HttpResponse` knows that it is complete; its iterator would hide that.
fn is_complete_django_response(iterable: &Bound<'_, PyAny>) -> bool {
    let py = iterable.py();
    iterable
        .getattr_opt(intern!(py, "streaming"))
        .ok()
        .flatten()
        .is_some_and(|streaming| {
            streaming.is_exact_instance_of::<pyo3::types::PyBool>()
                && streaming.is_truthy().is_ok_and(|streaming| !streaming)
                && iterable
                    .hasattr(intern!(py, "_handler_class"))
                    .unwrap_or(false)
        })
}

/// Calls the iterable's `close`, if it has one.
fn close(iterable: &Bound<'_, PyAny>) -> PyResult<()> {
    if iterable.is_exact_instance_of::<PyList>() || iterable.is_exact_instance_of::<PyTuple>() {
        return Ok(());
    }
    if let Some(close) = iterable.getattr_opt(intern!(iterable.py(), "close"))? {
        close.call0()?;
    }
    Ok(())
}
