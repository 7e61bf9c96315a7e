//! The last value of each header field and of the server's name, as Python strings: clients repeat themselves.

use super::{Template, Words, is_withheld};
use crate::text::latin1;
use alula_http::{Peer, Scheme};
use http::Method;
use http::header::{self, HeaderName};
use pyo3::prelude::*;
use pyo3::types::PyString;
use rustc_hash::FxHashMap;
use std::net::SocketAddr;

/// How many header names are remembered; clients may invent more, and those cost a little more.
const HEADER_NAMES_MAX: usize = 256;
/// Longer values are not remembered, in bytes.
const MEMO_VALUE_BYTES_MAX: usize = 512;

/// The last values seen, as Python strings.
#[derive(Default)]
pub(super) struct Memo {
    methods: FxHashMap<Method, Py<PyString>>,
    headers: FxHashMap<HeaderName, HeaderMemo>,
    server: Option<(Vec<u8>, ServerNames)>,
}

struct HeaderMemo {
    /// `None`: withheld.
    key: Option<Py<PyString>>,
    value: Option<(Vec<u8>, Py<PyString>)>,
}

/// A connection's ends as text, kept with the connection.
pub(super) struct Ends {
    pub(super) remote_addr: Py<PyString>,
    pub(super) remote_port: Py<PyString>,
    pub(super) server_addr: Py<PyString>,
}

impl Ends {
    pub(super) fn new(py: Python<'_>, peer: &Peer) -> Self {
        let text = |text: String| PyString::new(py, &text).unbind();
        Self {
            remote_addr: text(plain_address(peer.remote)),
            remote_port: text(peer.remote.port().to_string()),
            server_addr: text(plain_address(peer.local)),
        }
    }
}

pub(super) struct ServerNames {
    pub(super) name: Py<PyString>,
    pub(super) port: Py<PyString>,
}

impl Memo {
    pub(super) fn method<'py>(&mut self, py: Python<'py>, method: &Method) -> Bound<'py, PyString> {
        if let Some(known) = self.methods.get(method) {
            return known.bind(py).clone();
        }
        let text = PyString::new(py, method.as_str());
        if self.methods.len() < 32 {
            self.methods.insert(method.clone(), text.clone().unbind());
        }
        text
    }

    /// The environ's name and value for a header field; `None` for those an application never sees.
    pub(super) fn header<'py>(
        &mut self,
        py: Python<'py>,
        words: &Words,
        name: &HeaderName,
        value: &[u8],
    ) -> Option<(Bound<'py, PyString>, Bound<'py, PyString>)> {
        if let Some(entry) = self.headers.get_mut(name) {
            let key = entry.key.as_ref()?.bind(py).clone();
            if let Some((bytes, known)) = &entry.value
                && bytes == value
            {
                return Some((key, known.bind(py).clone()));
            }
            let text = latin1(py, value);
            if value.len() <= MEMO_VALUE_BYTES_MAX {
                entry.value = Some((value.to_vec(), text.clone().unbind()));
            }
            return Some((key, text));
        }
        let key = if is_withheld(name) {
            None
        } else if *name == header::CONTENT_TYPE {
            Some(words.content_type.bind(py).clone())
        } else {
            Some(PyString::intern(py, &environ_name(name)))
        };
        if self.headers.len() < HEADER_NAMES_MAX {
            let entry = HeaderMemo {
                key: key.clone().map(Bound::unbind),
                value: None,
            };
            self.headers.insert(name.clone(), entry);
        }
        Some((key?, latin1(py, value)))
    }

    /// `SERVER_NAME` and `SERVER_PORT`, after httpd with `UseCanonicalName Off`: from the request's authority.
    pub(super) fn server(
        &mut self,
        py: Python<'_>,
        template: &Template,
        authority: Option<&[u8]>,
        peer: &Peer,
    ) -> &ServerNames {
        let known = match (&self.server, authority) {
            (Some((known, _)), Some(authority)) => known == authority,
            _ => false,
        };
        if !known {
            let scheme_port = match peer.scheme {
                Scheme::Http => 80,
                Scheme::Https => 443,
            };
            let (name, port) = match authority {
                Some(authority) => split_authority(authority),
                None => (template.server_name.as_bytes(), None),
            };
            let port = port.unwrap_or_else(|| match authority {
                Some(_) => template.server_port.unwrap_or(scheme_port),
                None => template.server_port.unwrap_or(peer.local.port()),
            });
            let names = ServerNames {
                name: latin1(py, name).unbind(),
                port: PyString::new(py, &port.to_string()).unbind(),
            };
            self.server = Some((authority.unwrap_or_default().to_vec(), names));
        }
        &self.server.as_ref().expect("filled above").1
    }
}

fn environ_name(name: &HeaderName) -> String {
    let mut key = String::with_capacity(5 + name.as_str().len());
    key.push_str("HTTP_");
    for character in name.as_str().chars() {
        key.push(match character {
            '-' => '_',
            other => other.to_ascii_uppercase(),
        });
    }
    key
}

/// An address without a port; an IPv4 client on an IPv6 socket is shown as the IPv4 client it is.
fn plain_address(address: SocketAddr) -> String {
    address.ip().to_canonical().to_string()
}

/// Splits `host[:port]`; an IPv6 literal keeps its brackets, as `SERVER_NAME` has them in httpd.
fn split_authority(authority: &[u8]) -> (&[u8], Option<u16>) {
    let search_from = memchr::memchr(b']', authority).unwrap_or(0);
    match memchr::memchr(b':', &authority[search_from..]) {
        None => (authority, None),
        Some(colon) => {
            let (host, port) = authority.split_at(search_from + colon);
            let port = std::str::from_utf8(&port[1..])
                .ok()
                .and_then(|port| port.parse().ok());
            (host, port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_split_at_the_port() {
        let check = |text: &'static str, host: &str, port: Option<u16>| {
            assert_eq!(split_authority(text.as_bytes()), (host.as_bytes(), port));
        };
        check("example.org", "example.org", None);
        check("example.org:8080", "example.org", Some(8080));
        check("[::1]", "[::1]", None);
        check("[::1]:8443", "[::1]", Some(8443));
        check("example.org:", "example.org", None);
    }
}
