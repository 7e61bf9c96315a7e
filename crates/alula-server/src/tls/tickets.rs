//! Session tickets (RFC 5077, RFC 8446 section 4.6.1) that every worker can read.
//!
//! Their keys are made of a secret of the supervisor's, the host, and the time: workers change keys together without a word, and
//! a ticket is good for one key's time and the next. A restart has a new secret.

use super::TlsMaterial;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use rustls::server::ProducesTickets;
use std::time::{Duration, SystemTime};

/// How long tickets are made with one key.
const KEY_TIME: Duration = Duration::from_secs(6 * 3600);

/// The longest ticket that is looked at, in bytes: a client's certificates may be in it.
const TICKET_BYTES_MAX: usize = 64 * 1024;

/// Makes and reads the tickets of one host.
pub(super) struct Tickets {
    secret: hmac::Key,
    host: u64,
}

impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tickets").finish_non_exhaustive()
    }
}

impl Tickets {
    pub(super) fn new(material: &TlsMaterial, host: usize) -> Self {
        Self {
            secret: hmac::Key::new(hmac::HMAC_SHA256, material.ticket_secret()),
            host: host as u64,
        }
    }

    fn key(&self, period: u64) -> Option<LessSafeKey> {
        let mut context = hmac::Context::with_key(&self.secret);
        context.update(b"alula session ticket");
        context.update(&self.host.to_be_bytes());
        context.update(&period.to_be_bytes());
        let key = UnboundKey::new(&CHACHA20_POLY1305, context.sign().as_ref()).ok()?;
        Some(LessSafeKey::new(key))
    }
}

fn period() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default().as_secs() / KEY_TIME.as_secs()
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        // Read with the key of the time and the one before.
        u32::try_from(KEY_TIME.as_secs()).unwrap_or(u32::MAX)
    }

    /// The period, the nonce, and what is sealed.
    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let period = period();
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut sealed = plain.to_vec();
        let name = period.to_be_bytes();
        self.key(period)?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(name),
                &mut sealed,
            )
            .ok()?;
        Some([&name[..], &nonce, &sealed].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        if ticket.len() > TICKET_BYTES_MAX {
            return None;
        }
        let (name, rest) = ticket.split_first_chunk::<8>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let (made, now) = (u64::from_be_bytes(*name), period());
        if made != now && made.checked_add(1) != Some(now) {
            return None;
        }
        let mut opened = sealed.to_vec();
        let length = self
            .key(made)?
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(*name),
                &mut opened,
            )
            .ok()?
            .len();
        opened.truncate(length);
        Some(opened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tickets(secret: &[u8], host: usize) -> Tickets {
        Tickets {
            secret: hmac::Key::new(hmac::HMAC_SHA256, secret),
            host: host as u64,
        }
    }

    #[test]
    fn only_the_same_host_with_the_same_secret_reads_a_ticket() {
        let ticket = tickets(b"one", 1).encrypt(b"session").expect("a ticket");
        let read = |secret: &[u8], host| tickets(secret, host).decrypt(&ticket);
        assert_eq!(read(b"one", 1).as_deref(), Some(&b"session"[..]));
        assert_eq!(read(b"one", 2), None);
        assert_eq!(read(b"two", 1), None);
        for at in 0..ticket.len() {
            let mut broken = ticket.clone();
            broken[at] ^= 1;
            assert_eq!(tickets(b"one", 1).decrypt(&broken), None, "byte {at}");
        }
        assert_eq!(tickets(b"one", 1).decrypt(b"short"), None);
    }
}
