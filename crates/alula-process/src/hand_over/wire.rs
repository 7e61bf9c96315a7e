//! Numbers and byte strings in a message: little-endian, each string with its length before it.

use bytes::{Buf, Bytes};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A message says something that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message between front and worker is malformed")]
pub(super) struct Malformed;

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
}

pub(super) fn put_u16(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_le_bytes());
}

pub(super) fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

pub(super) fn put_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

pub(super) fn put_address(out: &mut Vec<u8>, address: SocketAddr) {
    match address.ip() {
        IpAddr::V4(ip) => {
            out.push(4);
            out.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(6);
            out.extend_from_slice(&ip.octets());
        }
    }
    put_u16(out, address.port());
}

/// What is left of a message.
#[derive(Debug)]
pub(super) struct Rest(Bytes);

impl Rest {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        self.0.try_get_u8().map_err(|_| Malformed)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.0.try_get_u16_le().map_err(|_| Malformed)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.0.try_get_u32_le().map_err(|_| Malformed)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        self.0.try_get_u64_le().map_err(|_| Malformed)
    }

    pub(super) fn bytes(&mut self) -> Result<Bytes, Malformed> {
        let length = self.u32()? as usize;
        if length > self.0.len() {
            return Err(Malformed);
        }
        Ok(self.0.split_to(length))
    }

    pub(super) fn text(&mut self) -> Result<String, Malformed> {
        String::from_utf8(self.bytes()?.into()).map_err(|_| Malformed)
    }

    pub(super) fn address(&mut self) -> Result<SocketAddr, Malformed> {
        let ip: IpAddr = match self.u8()? {
            4 => {
                let mut octets = [0; 4];
                self.0
                    .try_copy_to_slice(&mut octets)
                    .map_err(|_| Malformed)?;
                Ipv4Addr::from(octets).into()
            }
            6 => {
                let mut octets = [0; 16];
                self.0
                    .try_copy_to_slice(&mut octets)
                    .map_err(|_| Malformed)?;
                Ipv6Addr::from(octets).into()
            }
            _ => return Err(Malformed),
        };
        Ok(SocketAddr::new(ip, self.u16()?))
    }

    /// Everything that is left.
    pub(super) fn all(self) -> Bytes {
        self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Leaves room for the length of the message that begins here; [`end_message`] fills it in.
pub(super) fn begin_message(out: &mut Vec<u8>, kind: u8) -> usize {
    let start = out.len();
    put_u32(out, 0);
    out.push(kind);
    start
}

pub(super) fn end_message(out: &mut [u8], start: usize) {
    let length = u32::try_from(out.len() - start - LENGTH_BYTES).unwrap_or(u32::MAX);
    out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
}

/// How long the length before a message is.
pub(super) const LENGTH_BYTES: usize = 4;
