//! The PROXY protocol, versions 1 and 2 (haproxy's `proxy-protocol.txt`): a proxy says whose connection it passes on, before anything
//! else.

use bytes::{Bytes, BytesMut};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest line of version 1, in bytes.
const LINE_BYTES_MAX: usize = 107;

/// The longest header of version 2 that is taken, in bytes: addresses and whatever a proxy adds to them.
const HEADER_BYTES_MAX: usize = 4096;

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// What a proxy said.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    /// So many bytes; the client's end, or `None` for a connection of the proxy's own.
    Header(usize, Option<SocketAddr>),
    Incomplete,
    Malformed,
}

/// Reads the header, and what came with it.
pub(crate) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<(Option<SocketAddr>, Bytes)> {
    let mut bytes = BytesMut::with_capacity(256);
    loop {
        match parse(&bytes) {
            Read::Header(length, client) => {
                let rest = bytes.split_off(length);
                return Ok((client, rest.freeze()));
            }
            Read::Malformed => {
                let error = "the connection does not begin with the PROXY protocol";
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
            Read::Incomplete => {}
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn parse(bytes: &[u8]) -> Read {
    if bytes.starts_with(SIGNATURE) {
        return binary(bytes);
    }
    if SIGNATURE.starts_with(bytes) || b"PROXY ".starts_with(bytes) {
        return Read::Incomplete;
    }
    if !bytes.starts_with(b"PROXY ") {
        return Read::Malformed;
    }
    let shown = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    match memchr::memmem::find(shown, b"\r\n") {
        Some(end) => line(&shown[..end], end + 2),
        None if bytes.len() >= LINE_BYTES_MAX => Read::Malformed,
        None => Read::Incomplete,
    }
}

/// `PROXY TCP4 client server port port`
fn line(line: &[u8], length: usize) -> Read {
    let Ok(text) = std::str::from_utf8(line) else {
        return Read::Malformed;
    };
    let words: Vec<&str> = text.split(' ').collect();
    let client = match words.as_slice() {
        ["PROXY", "UNKNOWN", ..] => return Read::Header(length, None),
        ["PROXY", family @ ("TCP4" | "TCP6"), client, _, port, _] => {
            let (ip, port) = (client.parse::<IpAddr>(), port.parse());
            let end = ip.ok().zip(port.ok());
            end.filter(|(ip, _)| ip.is_ipv4() == (*family == "TCP4"))
        }
        _ => None,
    };
    match client {
        Some((ip, port)) => Read::Header(length, Some(SocketAddr::new(ip, port))),
        None => Read::Malformed,
    }
}

fn binary(bytes: &[u8]) -> Read {
    let Some(fixed) = bytes.get(12..16) else {
        return Read::Incomplete;
    };
    let length = 16 + usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
    if length > HEADER_BYTES_MAX {
        return Read::Malformed;
    }
    let Some(body) = bytes.get(16..length) else {
        return Read::Incomplete;
    };
    let client = match (fixed[0], fixed[1]) {
        // The proxy's own, to see whether we live.
        (0x20, _) => None,
        (0x21, 0x11) if body.len() >= 12 => {
            let ip = Ipv4Addr::new(body[0], body[1], body[2], body[3]);
            let port = u16::from_be_bytes([body[8], body[9]]);
            Some(SocketAddr::new(ip.into(), port))
        }
        (0x21, 0x21) if body.len() >= 36 => {
            let octets: [u8; 16] = body[..16].try_into().expect("sixteen bytes");
            let port = u16::from_be_bytes([body[32], body[33]]);
            Some(SocketAddr::new(Ipv6Addr::from(octets).into(), port))
        }
        // Neither TCP over IPv4 nor over IPv6: whose it is cannot be said.
        (0x21, family) if family != 0x11 && family != 0x21 => None,
        _ => return Read::Malformed,
    };
    Read::Header(length, client)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(length: usize, client: &str) -> Read {
        Read::Header(length, Some(client.parse().expect("an address")))
    }

    #[test]
    fn lines() {
        let v4 = b"PROXY TCP4 198.51.100.7 10.0.0.1 4711 80\r\nGET /";
        assert_eq!(parse(v4), header(42, "198.51.100.7:4711"));
        let v6 = b"PROXY TCP6 2001:db8::1 ::1 4711 80\r\n";
        assert_eq!(parse(v6), header(36, "[2001:db8::1]:4711"));
        assert_eq!(parse(b"PROXY UNKNOWN\r\n"), Read::Header(15, None));
        for length in 0..42 {
            assert_eq!(parse(&v4[..length]), Read::Incomplete, "{length}");
        }
        for wrong in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PROXY TCP4 2001:db8::1 ::1 4711 80\r\n",
            b"PROXY TCP4 198.51.100.7 10.0.0.1 4711\r\n",
            b"PROXY TCP5 198.51.100.7 10.0.0.1 4711 80\r\n",
            &[b'P'; 200],
            [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]]
                .concat()
                .as_slice(),
        ] {
            assert_eq!(parse(wrong), Read::Malformed, "{wrong:?}");
        }
    }

    #[test]
    fn version_2() {
        let head = |command: u8, family: u8, body: &[u8]| {
            let length = u16::try_from(body.len()).expect("short").to_be_bytes();
            [&SIGNATURE[..], &[command, family], &length, body].concat()
        };
        let v4 = head(
            0x21,
            0x11,
            &[198, 51, 100, 7, 10, 0, 0, 1, 0x12, 0x67, 0, 80, 9, 9],
        );
        assert_eq!(parse(&v4), header(30, "198.51.100.7:4711"));
        for length in 0..v4.len() {
            assert_eq!(parse(&v4[..length]), Read::Incomplete, "{length}");
        }
        let mut ends = [0; 36];
        (ends[15], ends[33]) = (1, 80);
        assert_eq!(parse(&head(0x21, 0x21, &ends)), header(52, "[::1]:80"));
        assert_eq!(parse(&head(0x20, 0, &[])), Read::Header(16, None));
        assert_eq!(parse(&head(0x21, 0x31, &[0; 216])), Read::Header(232, None));
        assert_eq!(parse(&head(0x21, 0x11, &[0; 4])), Read::Malformed);
        assert_eq!(parse(&head(0x31, 0x11, &[0; 12])), Read::Malformed);
        assert_eq!(parse(&head(0x21, 0x11, &[0; 5000])), Read::Malformed);
    }
}
