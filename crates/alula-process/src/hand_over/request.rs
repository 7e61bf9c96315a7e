//! A request as a message. Its content follows the message, or comes beside it as a descriptor.
//!
//! What a worker must know of the route is said once for each connection, in a [`DEFINITION`] before the first request that
//! needs it; requests then name it by its number.

use super::wire::{
    Malformed, Rest, begin_message, end_message, put_address, put_bytes, put_u16, put_u32, put_u64,
};
use alula_http::{Body, Peer, Request, Scheme, TlsSession};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use std::net::SocketAddr;
use std::sync::Arc;

/// The kinds of messages from a front.
pub(super) const DEFINITION: u8 = 1;
pub(super) const REQUEST: u8 = 2;

const HTTPS: u16 = 1;
const PATH_DIFFERS: u16 = 1 << 1;
const HAS_QUERY: u16 = 1 << 2;
const QUERY_DIFFERS: u16 = 1 << 3;
const HAS_FILE: u16 = 1 << 4;
const HAS_USER: u16 = 1 << 5;
/// The content is a file, whose descriptor comes with the message.
const CONTENT_IS_FILE: u16 = 1 << 6;
const HAS_VARIABLES: u16 = 1 << 7;
const HAS_TLS: u16 = 1 << 8;

/// The variable for the name in the handshake (SNI).
const NAME_ASKED_FOR: &str = "SSL_TLS_SNI";

/// Which variables of a TLS connection a route's handler asks for.
#[derive(Debug, Clone, Copy, Default)]
pub struct TlsWanted {
    /// Those of `SSLOptions StdEnvVars`.
    pub standard: bool,
    /// Those of `SSLOptions ExportCertData`.
    pub certificates: bool,
}

/// A client's TLS connection as far as a front has told of it.
#[derive(Debug)]
pub(super) struct TlsTold {
    standard: Vec<(String, String)>,
    certificates: Vec<(String, String)>,
    has_client_certificate: bool,
}

impl TlsSession for TlsTold {
    fn variable(&self, name: &str) -> Option<String> {
        let mut known = self.standard.iter().chain(&self.certificates);
        let found = known.find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    }

    fn standard(&self) -> &[(String, String)] {
        &self.standard
    }

    fn certificates(&self) -> Vec<(String, String)> {
        self.certificates.clone()
    }

    fn has_client_certificate(&self) -> bool {
        self.has_client_certificate
    }
}

/// Content longer than this goes as a file, so what a worker makes room for on a front's word is bounded. Twice what a
/// front keeps in memory.
const CONTENT_BYTES_MAX: u64 = 1024 * 1024;

/// What follows a message, or comes beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// So many bytes.
    Bytes(usize),
    /// A file of so many bytes.
    File(u64),
}

/// A request out of a message; its body is still empty.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) handler: u32,
    pub(super) request: Request,
    pub(super) content: Content,
}

pub(super) fn put_definition(out: &mut Vec<u8>, handler: u32, definition: &[u8]) {
    let start = begin_message(out, DEFINITION);
    put_u32(out, handler);
    out.extend_from_slice(definition);
    end_message(out, start);
}

pub(super) fn put_request(out: &mut Vec<u8>, handler: u32, wanted: TlsWanted, request: &Request) {
    let start = begin_message(out, REQUEST);
    put_u32(out, handler);
    put_u64(out, request.id);
    let (path, query) = match memchr::memchr(b'?', &request.target) {
        Some(at) => (&request.target[..at], Some(&request.target[at + 1..])),
        None => (&request.target[..], None),
    };
    let mut flags = 0;
    let mut flag = |is_so: bool, bit: u16| flags |= if is_so { bit } else { 0 };
    let path_differs = path != request.path;
    let query_differs = query != request.query.as_deref();
    flag(request.peer.scheme == Scheme::Https, HTTPS);
    flag(path_differs, PATH_DIFFERS);
    flag(request.query.is_some(), HAS_QUERY);
    flag(query_differs, QUERY_DIFFERS);
    flag(request.file.is_some(), HAS_FILE);
    flag(request.user.is_some(), HAS_USER);
    flag(matches!(request.body, Body::File(..)), CONTENT_IS_FILE);
    flag(request.variables.is_some(), HAS_VARIABLES);
    let tls = request.peer.tls();
    flag(tls.is_some(), HAS_TLS);
    put_u16(out, flags);
    out.push(version_number(request.version));
    put_address(out, request.peer.local);
    put_address(out, request.peer.remote);
    put_bytes(out, request.method.as_str().as_bytes());
    put_bytes(out, &request.target);
    if path_differs {
        put_bytes(out, &request.path);
    }
    if let Some(query) = request.query.as_ref().filter(|_| query_differs) {
        put_bytes(out, query);
    }
    put_u32(
        out,
        u32::try_from(request.script_name_len).unwrap_or(u32::MAX),
    );
    if let Some(file) = &request.file {
        put_bytes(out, file.as_os_str().as_encoded_bytes());
    }
    if let Some(user) = &request.user {
        put_bytes(out, user.as_bytes());
    }
    if let Some(variables) = &request.variables {
        put_u16(out, u16::try_from(variables.len()).unwrap_or(u16::MAX));
        for (name, value) in variables.iter().take(usize::from(u16::MAX)) {
            put_bytes(out, name.as_bytes());
            put_bytes(out, value.as_bytes());
        }
    }
    if let Some(tls) = tls {
        out.push(tls.has_client_certificate().into());
        if wanted.standard {
            put_pairs(out, tls.standard());
        } else {
            // The name a client gave in the handshake is always told, as in httpd.
            let name = tls.variable(NAME_ASKED_FOR);
            let name = name.map(|name| (NAME_ASKED_FOR.to_owned(), name));
            put_pairs(out, name.as_slice());
        }
        let certificates = wanted.certificates.then(|| tls.certificates());
        put_pairs(out, &certificates.unwrap_or_default());
    }
    put_headers(out, &request.headers);
    put_u64(out, request.body.len().unwrap_or(0));
    end_message(out, start);
}

/// Reads a message of kind [`REQUEST`], of which the kind was read already. `peer` finds the ends of a connection.
pub(super) fn read_request(
    mut rest: Rest,
    peer: impl FnOnce(SocketAddr, SocketAddr, Scheme, Option<TlsTold>) -> Arc<Peer>,
) -> Result<Received, Malformed> {
    let handler = rest.u32()?;
    let id = rest.u64()?;
    let flags = rest.u16()?;
    let has = |bit: u16| flags & bit != 0;
    let version = version(rest.u8()?)?;
    let (local, remote) = (rest.address()?, rest.address()?);
    let scheme = if has(HTTPS) {
        Scheme::Https
    } else {
        Scheme::Http
    };
    let method = Method::from_bytes(&rest.bytes()?).map_err(|_| Malformed)?;
    let target = rest.bytes()?;
    let question = memchr::memchr(b'?', &target);
    let path = if has(PATH_DIFFERS) {
        rest.bytes()?
    } else {
        target.slice(..question.unwrap_or(target.len()))
    };
    let query = match (has(HAS_QUERY), has(QUERY_DIFFERS)) {
        (false, _) => None,
        (true, true) => Some(rest.bytes()?),
        (true, false) => Some(target.slice(question.ok_or(Malformed)? + 1..)),
    };
    let script_name_len = rest.u32()? as usize;
    let file = if has(HAS_FILE) {
        Some(path_buf(rest.bytes()?))
    } else {
        None
    };
    let user = if has(HAS_USER) {
        Some(rest.text()?.into())
    } else {
        None
    };
    let variables = if has(HAS_VARIABLES) {
        Some(read_variables(&mut rest)?)
    } else {
        None
    };
    let tls = if has(HAS_TLS) {
        Some(TlsTold {
            has_client_certificate: rest.u8()? != 0,
            standard: read_pairs(&mut rest)?,
            certificates: read_pairs(&mut rest)?,
        })
    } else {
        None
    };
    let headers = read_headers(&mut rest)?;
    let length = rest.u64()?;
    let content = if has(CONTENT_IS_FILE) {
        Content::File(length)
    } else if length <= CONTENT_BYTES_MAX {
        Content::Bytes(usize::try_from(length).map_err(|_| Malformed)?)
    } else {
        return Err(Malformed);
    };
    if !rest.is_empty() || script_name_len > path.len() {
        return Err(Malformed);
    }
    let request = Request {
        method,
        version,
        target,
        path,
        query,
        headers,
        file,
        script_name_len,
        user,
        variables,
        peer: peer(local, remote, scheme, tls),
        body: Body::Empty,
        id,
    };
    Ok(Received {
        handler,
        request,
        content,
    })
}

fn put_pairs(out: &mut Vec<u8>, pairs: &[(String, String)]) {
    put_u16(out, u16::try_from(pairs.len()).unwrap_or(u16::MAX));
    for (name, value) in pairs.iter().take(usize::from(u16::MAX)) {
        put_bytes(out, name.as_bytes());
        put_bytes(out, value.as_bytes());
    }
}

fn read_pairs(rest: &mut Rest) -> Result<Vec<(String, String)>, Malformed> {
    let count = rest.u16()?;
    (0..count)
        .map(|_| Ok((rest.text()?, rest.text()?)))
        .collect()
}

pub(super) fn put_headers(out: &mut Vec<u8>, headers: &HeaderMap) {
    put_u16(out, u16::try_from(headers.len()).unwrap_or(u16::MAX));
    for (name, value) in headers.iter().take(usize::from(u16::MAX)) {
        put_bytes(out, name.as_str().as_bytes());
        put_bytes(out, value.as_bytes());
    }
}

pub(super) fn read_headers(rest: &mut Rest) -> Result<HeaderMap, Malformed> {
    let count = usize::from(rest.u16()?);
    let mut headers = HeaderMap::with_capacity(count.min(64));
    for _ in 0..count {
        let name = HeaderName::from_bytes(&rest.bytes()?).map_err(|_| Malformed)?;
        let value = HeaderValue::from_maybe_shared(rest.bytes()?).map_err(|_| Malformed)?;
        headers.try_append(name, value).map_err(|_| Malformed)?;
    }
    Ok(headers)
}

fn read_variables(rest: &mut Rest) -> Result<Arc<[(String, String)]>, Malformed> {
    let count = usize::from(rest.u16()?);
    let pairs = (0..count).map(|_| Ok((rest.text()?, rest.text()?)));
    pairs.collect()
}

fn version_number(version: Version) -> u8 {
    match version {
        Version::HTTP_09 => 9,
        Version::HTTP_10 => 10,
        Version::HTTP_2 => 20,
        Version::HTTP_3 => 30,
        _ => 11,
    }
}

fn version(number: u8) -> Result<Version, Malformed> {
    match number {
        9 => Ok(Version::HTTP_09),
        10 => Ok(Version::HTTP_10),
        11 => Ok(Version::HTTP_11),
        20 => Ok(Version::HTTP_2),
        30 => Ok(Version::HTTP_3),
        _ => Err(Malformed),
    }
}

fn path_buf(bytes: Bytes) -> std::path::PathBuf {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(bytes.into()).into()
}
