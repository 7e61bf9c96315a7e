//! `start_response` and the `write` it returns.

use crate::exchange::{Exchange, Head};
use bytes::Bytes;
use http::HeaderMap;
use parking_lot::Mutex;
use pyo3::exceptions::{PyAssertionError, PyConnectionAbortedError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyBytes, PyList, PyString};

/// One request's `start_response` callable.
#[pyclass(frozen, module = "_alula")]
pub(crate) struct StartResponse {
    exchange: Mutex<Exchange>,
}

impl StartResponse {
    pub(crate) fn new(exchange: Exchange) -> Self {
        Self {
            exchange: Mutex::new(exchange),
        }
    }

    pub(crate) fn exchange(&self) -> &Mutex<Exchange> {
        &self.exchange
    }
}

#[pymethods]
impl StartResponse {
    #[pyo3(signature = (status, headers, exc_info=None, /))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        status: &Bound<'py, PyString>,
        headers: &Bound<'py, PyList>,
        exc_info: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let mut exchange = slf.get().exchange.lock();
        match exc_info.filter(|info| !info.is_none()) {
            Some(info) if exchange.is_head_sent() => {
                drop(exchange);
                return Err(PyErr::from_value(info.get_item(1)?));
            }
            None if exchange.has_head() => {
                return Err(PyAssertionError::new_err(
                    "start_response was called again without exc_info",
                ));
            }
            _ => {}
        }
        let (status, reason) = Head::parse_status(status)?;
        let mut fields = HeaderMap::with_capacity(headers.len() + 2);
        Head::add_fields(&mut fields, headers)?;
        exchange.set_head(Head {
            status,
            reason,
            headers: fields,
        });
        drop(exchange);
        slf.getattr(intern!(py, "write"))
    }

    /// The imperative way to send content (PEP 3333, "The write() Callable").
    fn write(&self, py: Python<'_>, piece: &Bound<'_, PyBytes>) -> PyResult<()> {
        let piece = Bytes::copy_from_slice(piece.as_bytes());
        py.detach(|| self.exchange.lock().send_piece(piece))
            .map_err(|_| PyConnectionAbortedError::new_err("the client is gone"))
    }
}
