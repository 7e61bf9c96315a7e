//! Passwords as `htpasswd` stores them: bcrypt, `$apr1$` and `{SHA}`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest, Md5};
use sha1::Sha1;

/// Whether a password is the stored one; `None` when it is stored in a way that is not supported.
pub(super) fn fits(password: &[u8], stored: &str) -> Option<bool> {
    if stored.starts_with("$2") {
        return bcrypt::verify(password, stored).ok();
    }
    if let Some(rest) = stored.strip_prefix("$apr1$") {
        let (salt, _) = rest.split_once('$')?;
        return Some(same(apr1(password, salt).as_bytes(), stored.as_bytes()));
    }
    let encoded = stored.strip_prefix("{SHA}")?;
    let expected = BASE64_STANDARD.encode(Sha1::digest(password));
    Some(same(expected.as_bytes(), encoded.as_bytes()))
}

/// Takes as long wherever the difference is.
fn same(left: &[u8], right: &[u8]) -> bool {
    let differences = left.iter().zip(right).fold(0, |all, (l, r)| all | (l ^ r));
    left.len() == right.len() && differences == 0
}

/// The MD5 of many rounds that FreeBSD's `crypt` brought up, with Apache's own prefix.
fn apr1(password: &[u8], salt: &str) -> String {
    const ROUNDS: usize = 1000;
    let salt = &salt.as_bytes()[..salt.len().min(8)];
    let mixed = Md5::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(password)
        .finalize();
    let mut digest = Md5::new()
        .chain_update(password)
        .chain_update("$apr1$")
        .chain_update(salt);
    for piece in password.chunks(mixed.len()) {
        digest.update(&mixed[..piece.len()]);
    }
    let mut bits = password.len();
    while bits > 0 {
        digest.update(if bits & 1 == 1 {
            &[0][..]
        } else {
            &password[..1]
        });
        bits >>= 1;
    }
    let mut result = digest.finalize();
    for round in 0..ROUNDS {
        let mut digest = Md5::new();
        let odd = round % 2 == 1;
        digest.update(if odd { password } else { result.as_slice() });
        if round % 3 != 0 {
            digest.update(salt);
        }
        if round % 7 != 0 {
            digest.update(password);
        }
        digest.update(if odd { result.as_slice() } else { password });
        result = digest.finalize();
    }
    format!(
        "$apr1${}${}",
        String::from_utf8_lossy(salt),
        letters(&result)
    )
}

/// 16 bytes as 22 letters, in the order `crypt` takes them.
fn letters(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const ORDER: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];
    let mut text = String::new();
    let mut push = |mut bits: usize, count: usize| {
        for _ in 0..count {
            text.push(char::from(LETTERS[bits & 63]));
            bits >>= 6;
        }
    };
    for [high, middle, low] in ORDER {
        let bits = [high, middle, low].map(|at| usize::from(bytes[at]));
        push(bits[0] << 16 | bits[1] << 8 | bits[2], 4);
    }
    push(usize::from(bytes[11]), 2);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `htpasswd` makes of "password".
    const STORED: &[&str] = &[
        "$2y$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu",
        "$2b$04$ABCDEFGHIJKLMNOPQRSTUuEjC/iPF3zJUw77/vM0sdh86VCS2RP7K",
        "$apr1$saltsalt$yAAkm4libquA.ZWLHbSBq/",
        "$apr1$xy$.lxC8wf/tCocZ14cbZ9g1.",
        "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
    ];

    #[test]
    fn every_kind_htpasswd_writes() {
        let check = |stored: &str, password: &str, expected| {
            assert_eq!(
                fits(password.as_bytes(), stored),
                expected,
                "{stored} {password:?}"
            );
        };
        for stored in STORED {
            check(stored, "password", Some(true));
            check(stored, "Password", Some(false));
            check(stored, "", Some(false));
        }
        let long = "a rather long password, longer than sixteen bytes";
        check("$apr1$xy$JVsdnF0SV/AjmIkxIQRvL0", long, Some(true));
        check("password", "password", None);
        check("{SHA}", "password", Some(false));
        check("$apr1$", "password", None);
        check("$2y$", "password", None);
        check("", "", None);
    }
}
