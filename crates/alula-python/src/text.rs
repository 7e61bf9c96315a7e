//! Strings across the border, without a copy more than needed.
//!
//! PEP 3333 strings hold bytes as latin-1; PyO3 has no call for that, so the stable C API is used here.

use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

unsafe extern "C" {
    /// In the stable ABI since 3.10, exported with this signature by 3.9 too.
    #[link_name = "PyUnicode_AsUTF8AndSize"]
    fn unicode_as_utf8_and_size(
        unicode: *mut ffi::PyObject,
        size: *mut ffi::Py_ssize_t,
    ) -> *const std::ffi::c_char;
}

/// The `str` whose code points are `bytes` (a PEP 3333 "native string").
pub(crate) fn latin1<'py>(py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyString> {
    // SAFETY: pointer and length belong to one live slice; decoding latin-1 cannot fail but for want of
    // memory, in which case PyO3 panics on the null pointer as it does for every allocation.
    unsafe {
        Bound::from_owned_ptr(
            py,
            ffi::PyUnicode_DecodeLatin1(
                bytes.as_ptr().cast(),
                bytes.len() as ffi::Py_ssize_t,
                std::ptr::null(),
            ),
        )
        .cast_into_unchecked()
    }
}

/// The text of a `str`, without a copy: the UTF-8 form is kept by the object itself.
pub(crate) fn as_utf8<'a>(string: &'a Bound<'_, PyString>) -> PyResult<&'a str> {
    let mut size: ffi::Py_ssize_t = 0;
    // SAFETY: `string` is a `str`; the returned buffer lives as long as the object, which `'a` borrows.
    let bytes = unsafe {
        let pointer = unicode_as_utf8_and_size(string.as_ptr(), &mut size);
        if pointer.is_null() {
            return Err(PyErr::fetch(string.py()));
        }
        std::slice::from_raw_parts(pointer.cast::<u8>(), size as usize)
    };
    // SAFETY: CPython promises valid UTF-8 here.
    Ok(unsafe { std::str::from_utf8_unchecked(bytes) })
}

/// Calls `take` with the bytes a PEP 3333 native string stands for.
///
/// # Errors
/// `ValueError` when a character is beyond U+00FF.
pub(crate) fn with_latin1<T>(
    string: &Bound<'_, PyString>,
    take: impl FnOnce(&[u8]) -> PyResult<T>,
) -> PyResult<T> {
    let text = as_utf8(string)?;
    if text.is_ascii() {
        return take(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        let byte = u8::try_from(u32::from(character)).map_err(|_| {
            PyValueError::new_err(format!("{text:?} has a character beyond latin-1"))
        })?;
        bytes.push(byte);
    }
    take(&bytes)
}
