//! Addresses and networks as `Require ip`, `Allow` and `Deny` spell them.

use super::Problem;
use crate::site::IpNetwork;
use crate::syntax::lexer::Word;
use std::net::{IpAddr, Ipv4Addr};

/// An address, a partial one, or a network with a prefix or mask.
pub(super) fn network(word: &Word) -> Result<IpNetwork, Problem> {
    parse(&word.text).ok_or_else(|| {
        let message = format!("{:?} is not an IP address or network", word.text);
        Problem::at(word, message).hint("10.1.2.3, 10.1, 10.1.0.0/16 or 2001:db8::/32")
    })
}

pub(crate) fn parse(text: &str) -> Option<IpNetwork> {
    if let Some((address, mask)) = text.split_once('/') {
        let address: IpAddr = address.parse().ok()?;
        let prefix = match mask.parse::<u8>() {
            Ok(prefix) => prefix,
            Err(_) => mask_prefix(mask.parse().ok()?)?,
        };
        return IpNetwork::new(address, prefix);
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return IpNetwork::new(address, if address.is_ipv4() { 32 } else { 128 });
    }
    let parts: Vec<&str> = text.trim_end_matches('.').split('.').collect();
    let mut octets = [0; 4];
    if parts.len() > 3 {
        return None;
    }
    for (octet, part) in octets.iter_mut().zip(&parts) {
        *octet = part.parse().ok()?;
    }
    let prefix = u8::try_from(parts.len() * 8).ok()?;
    IpNetwork::new(Ipv4Addr::from(octets).into(), prefix)
}

fn mask_prefix(mask: Ipv4Addr) -> Option<u8> {
    let bits = mask.to_bits();
    let prefix = bits.leading_ones();
    let contiguous = bits.checked_shl(prefix).unwrap_or(0) == 0;
    contiguous.then_some(u8::try_from(prefix).ok()?)
}

#[cfg(test)]
mod tests {
    use super::parse as parse_network;

    #[test]
    fn networks_are_read_in_every_spelling() {
        for (text, inside, outside) in [
            ("10.1", "10.1.2.3", "10.2.0.1"),
            ("10.", "10.9.9.9", "11.0.0.1"),
            ("10.1.0.0/16", "10.1.255.1", "10.2.0.0"),
            ("10.1.0.0/255.255.0.0", "10.1.255.1", "10.2.0.0"),
            ("192.168.1.7", "192.168.1.7", "192.168.1.8"),
            ("2001:db8::/32", "2001:db8:1::1", "2001:db9::1"),
            ("::1", "::1", "::2"),
            ("0.0.0.0/0", "1.2.3.4", "::1"),
        ] {
            let network = parse_network(text).expect(text);
            assert!(network.contains(inside.parse().unwrap()), "{text} {inside}");
            assert!(
                !network.contains(outside.parse().unwrap()),
                "{text} {outside}"
            );
        }
        for wrong in [
            "",
            "10.1.0.0/33",
            "10.1.0.0/255.0.255.0",
            "300.1",
            "a.b",
            "10.1.2.3.4",
            "::/129",
        ] {
            assert_eq!(parse_network(wrong), None, "{wrong}");
        }
    }
}
