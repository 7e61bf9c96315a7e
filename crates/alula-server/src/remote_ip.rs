//! Who a request comes from, by the word of a proxy (mod_remoteip).
//!
//! The header is read from the right: each address in it was written by the one that comes after it, the last by whoever is
//! connected. It is believed as long as that one is known.

use alula_http::Peer;
use alula_routing::site::{KnownProxy, RemoteIp};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use std::net::{IpAddr, SocketAddr};

/// The settings, ready to be used.
#[derive(Debug, Clone)]
pub(crate) struct RemoteAddresses {
    header: HeaderName,
    proxies_header: Option<HeaderName>,
    proxies: Vec<KnownProxy>,
}

impl RemoteAddresses {
    /// `None` where no header is believed.
    pub(crate) fn new(settings: &RemoteIp) -> Option<Self> {
        let name = |name: &String| HeaderName::try_from(name.as_str()).ok();
        Some(Self {
            header: settings.header.as_ref().and_then(name)?,
            proxies_header: settings.proxies_header.as_ref().and_then(name),
            proxies: settings.proxies.clone(),
        })
    }

    /// The ends of the connection as the request has them; what was believed is taken out of its headers.
    pub(crate) fn peer(&self, peer: &Peer, headers: &mut HeaderMap) -> Option<Peer> {
        if peer.connected != peer.remote {
            // The PROXY protocol has said it.
            return None;
        }
        let values: Vec<&str> = headers
            .get_all(&self.header)
            .iter()
            .map(|value| value.to_str().ok())
            .collect::<Option<_>>()?;
        let mut rest = values.join(", ");
        let mut client = peer.remote.ip().to_canonical();
        let mut proxies: Vec<String> = Vec::new();
        let mut believed = false;
        // Of the last proxy that was known, as in httpd.
        let mut internal = false;
        while !rest.is_empty() {
            if !self.proxies.is_empty() {
                let mut known = self.proxies.iter();
                match known.find(|proxy| proxy.network.contains(client)) {
                    Some(proxy) => internal = proxy.internal,
                    None => break,
                }
            }
            let (before, last) = rest.rsplit_once(',').unwrap_or(("", &rest));
            let Some(address) = address(last) else { break };
            if !internal && !is_public(address) {
                break;
            }
            if !internal {
                proxies.push(client.to_string());
            }
            (client, believed) = (address, true);
            rest = before.trim_end().to_owned();
        }
        if !believed {
            return None;
        }
        set(headers, &self.header, &rest);
        if let Some(name) = &self.proxies_header {
            set(headers, name, &proxies.join(", "));
        }
        Some(peer.behind(SocketAddr::new(client, peer.remote.port())))
    }
}

fn set(headers: &mut HeaderMap, name: &HeaderName, text: &str) {
    match HeaderValue::from_str(text) {
        Ok(value) if !text.is_empty() => drop(headers.insert(name, value)),
        _ => drop(headers.remove(name)),
    }
}

/// An address, of which some proxies also tell the port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let ip = text.parse::<IpAddr>().ok();
    let ip = ip.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    ip.map(|ip| ip.to_canonical())
}

/// Whether an address can be a client's on the Internet (httpd's list).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => !(ip.is_private() || ip.is_loopback() || ip.is_link_local()),
        IpAddr::V6(ip) => ip.segments()[0] & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alula_http::Scheme;
    use alula_routing::site::IpNetwork;

    const INTERNAL: &[(&str, u8, bool)] = &[("10.0.0.0", 8, true), ("192.0.2.0", 24, false)];

    #[track_caller]
    fn check(known: &[(&str, u8, bool)], from: &str, header: &str, expected: [Option<&str>; 3]) {
        let proxies = known.iter().map(|(address, prefix, internal)| KnownProxy {
            network: IpNetwork::new(address.parse().expect("an address"), *prefix)
                .expect("a network"),
            internal: *internal,
        });
        let addresses = RemoteAddresses {
            header: HeaderName::from_static("x-forwarded-for"),
            proxies_header: Some(HeaderName::from_static("x-by")),
            proxies: proxies.collect(),
        };
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", header.parse().expect("a value"));
        let end = |ip: &str| SocketAddr::new(ip.parse().expect("an address"), 9);
        let peer = Peer::new(end("10.0.0.1"), end(from), Scheme::Http);
        let found = addresses.peer(&peer, &mut headers);
        let ip = found.as_ref().map(|peer| peer.remote.ip().to_string());
        let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let result = [ip.as_deref(), value("x-forwarded-for"), value("x-by")];
        assert_eq!(result, expected, "{from} {header}");
        assert!(found.is_none_or(|found| found.connected == peer.remote));
    }

    #[test]
    fn as_long_as_the_writer_is_known() {
        check(
            INTERNAL,
            "10.1.1.1",
            "198.51.100.7",
            [Some("198.51.100.7"), None, None],
        );
        check(
            INTERNAL,
            "203.0.113.1",
            "198.51.100.7",
            [None, Some("198.51.100.7"), None],
        );
        check(
            INTERNAL,
            "10.1.1.1",
            "6.6.6.6, 198.51.100.7",
            [Some("198.51.100.7"), Some("6.6.6.6"), None],
        );
        check(
            INTERNAL,
            "10.1.1.1",
            "198.51.100.7, 192.0.2.9, 10.2.2.2",
            [Some("198.51.100.7"), None, Some("192.0.2.9")],
        );
    }

    #[test]
    fn private_addresses_only_by_the_word_of_an_internal_proxy() {
        check(
            INTERNAL,
            "10.1.1.1",
            "192.168.1.1",
            [Some("192.168.1.1"), None, None],
        );
        check(
            INTERNAL,
            "192.0.2.1",
            "192.168.1.1",
            [None, Some("192.168.1.1"), None],
        );
        check(
            INTERNAL,
            "192.0.2.1",
            "2001:db8::1",
            [Some("2001:db8::1"), None, Some("192.0.2.1")],
        );
        check(
            INTERNAL,
            "192.0.2.1",
            "fe80::1",
            [None, Some("fe80::1"), None],
        );
    }

    #[test]
    fn what_is_no_address_ends_it() {
        check(
            INTERNAL,
            "10.1.1.1",
            "unknown",
            [None, Some("unknown"), None],
        );
        check(
            INTERNAL,
            "10.1.1.1",
            "unknown, 198.51.100.7:4711",
            [Some("198.51.100.7"), Some("unknown"), None],
        );
    }

    #[test]
    fn without_a_list_everybody_is_believed() {
        check(
            &[],
            "203.0.113.1",
            "8.8.8.8, 9.9.9.9",
            [Some("8.8.8.8"), None, Some("203.0.113.1, 9.9.9.9")],
        );
    }
}
