//! Response header fields from Python, parsed once where an application says the same thing again.
//!
//! Applications and frameworks write most names and values as literals, which are the same objects each time. So a
//! pair of objects is remembered with what it was parsed to. The memo holds the objects, so an address in it cannot
//! come to mean another string; a pair enters when it is seen a second time, so values made for one response stay out.

use crate::text::{as_utf8, with_latin1};
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use parking_lot::Mutex;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// Places in the memo, a power of two.
const PLACES: usize = 256;
/// Longer values are not remembered, in bytes.
const VALUE_BYTES_MAX: usize = 256;

static MEMO: Mutex<Vec<Place>> = Mutex::new(Vec::new());

#[derive(Default)]
struct Place {
    known: Option<Known>,
    /// The addresses of the pair seen here last.
    candidate: (usize, usize),
}

struct Known {
    name: Py<PyString>,
    value: Py<PyString>,
    parsed: (HeaderName, HeaderValue),
}

/// Adds one field. Hop-by-hop fields are the server's and are left out.
pub(crate) fn add(
    headers: &mut HeaderMap,
    name: &Bound<'_, PyString>,
    value: &Bound<'_, PyString>,
) -> PyResult<()> {
    let pair = (name.as_ptr() as usize, value.as_ptr() as usize);
    let place = (pair.0.rotate_left(7) ^ pair.1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56;
    // Contended only by a thread that waits for Python in here, and then the field is parsed anew.
    let mut memo = MEMO.try_lock();
    if let Some(places) = &memo
        && let Some(known) = places.get(place).and_then(|place| place.known.as_ref())
        && (known.name.as_ptr() as usize, known.value.as_ptr() as usize) == pair
    {
        let (name, value) = known.parsed.clone();
        headers.append(name, value);
        return Ok(());
    }
    let Some(parsed) = parse(name, value)? else {
        return Ok(());
    };
    if let Some(places) = &mut memo
        && parsed.1.len() <= VALUE_BYTES_MAX
    {
        if places.is_empty() {
            places.resize_with(PLACES, Place::default);
        }
        let place = &mut places[place];
        if place.candidate == pair {
            place.known = Some(Known {
                name: name.clone().unbind(),
                value: value.clone().unbind(),
                parsed: parsed.clone(),
            });
        }
        place.candidate = pair;
    }
    headers.append(parsed.0, parsed.1);
    Ok(())
}

/// `None` for a hop-by-hop field.
fn parse(
    name: &Bound<'_, PyString>,
    value: &Bound<'_, PyString>,
) -> PyResult<Option<(HeaderName, HeaderValue)>> {
    let invalid = |what: &str, text: &str| {
        PyValueError::new_err(format!("response header {what} {text:?} is not valid"))
    };
    let name = as_utf8(name)?;
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid("name", name))?;
    if matches!(
        name.as_str(),
        "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade"
    ) {
        return Ok(None);
    }
    let value = with_latin1(value, |bytes| {
        HeaderValue::from_bytes(bytes)
            .map_err(|_| invalid("value", &String::from_utf8_lossy(bytes)))
    })?;
    Ok(Some((name, value)))
}
