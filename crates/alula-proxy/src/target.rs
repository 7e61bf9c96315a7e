//! The URL of a back end, taken apart: where to connect, and what to ask for.

use std::path::PathBuf;

/// A URL of a back end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// `http://host:port`, perhaps after `unix:/path|`.
    pub origin: String,
    /// The path, and perhaps a query; starts with a slash.
    pub path: String,
    /// Whether it was `ws://`.
    pub is_websocket: bool,
}

/// Where a back end listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

/// Where a back end listens, and what it calls itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub address: Address,
    /// For `Host`: the port is there unless it is the usual one.
    pub authority: String,
}

impl Target {
    /// `None` for what is no URL of a back end. Rules make URLs of what requests hold, so nothing is taken for granted.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let (socket, rest) = match url.strip_prefix("unix:") {
            Some(rest) => {
                let (socket, rest) = rest.split_once('|')?;
                (Some(socket), rest)
            }
            None => (None, url),
        };
        let (scheme, rest) = rest.split_once("://")?;
        let is_websocket = scheme.eq_ignore_ascii_case("ws");
        if !is_websocket && !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = authority.to_ascii_lowercase();
        let origin = match socket {
            Some(socket) => format!("unix:{socket}|http://{authority}"),
            None => format!("http://{authority}"),
        };
        let slash = if path.starts_with('/') { "" } else { "/" };
        Some(Self {
            origin,
            path: format!("{slash}{path}"),
            is_websocket,
        })
    }

    /// The whole URL as back ends are named.
    pub(crate) fn url(&self) -> String {
        format!("{}{}", self.origin, self.path)
    }
}

impl Origin {
    /// Of `http://host:port`, perhaps after `unix:/path|`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (socket, rest) = match text.strip_prefix("unix:") {
            Some(rest) => {
                let (socket, rest) = rest.split_once('|')?;
                (Some(socket), rest)
            }
            None => (None, text),
        };
        let authority = rest.strip_prefix("http://")?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
            _ => (authority, 80),
        };
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let well = match bare {
            Some(ip) => ip.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.chars().all(is_name),
        };
        if !well || port == 0 {
            return None;
        }
        Some(Self {
            authority: match port {
                80 => host.to_owned(),
                _ => format!("{host}:{port}"),
            },
            address: match socket {
                Some(socket) if socket.starts_with('/') => Address::Unix(socket.into()),
                Some(_) => return None,
                None => Address::Tcp {
                    host: bare.unwrap_or(host).to_owned(),
                    port,
                },
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, Origin, Target};

    #[test]
    fn urls_are_taken_apart() {
        let check = |url: &str, origin: &str, path: &str| {
            let found = Target::parse(url);
            let found = found.as_ref().map(|found| (&*found.origin, &*found.path));
            assert_eq!(found, Some((origin, path)), "{url}");
        };
        check("http://Host:81/a?b", "http://host:81", "/a?b");
        check("http://host", "http://host", "/");
        check("http://host?q", "http://host", "/?q");
        check("ws://host/s", "http://host", "/s");
        check("unix:/run/S|http://h/x", "unix:/run/S|http://h", "/x");
        for wrong in ["https://host/", "/a", "host", "unix:/run/s", "fcgi://x/"] {
            assert_eq!(Target::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn origins_say_where_to_connect() {
        let check = |text: &str, host: &str, port: u16, authority: &str| {
            let host = host.to_owned();
            let expected = Origin {
                address: Address::Tcp { host, port },
                authority: authority.to_owned(),
            };
            assert_eq!(Origin::parse(text), Some(expected), "{text}");
        };
        check("http://host", "host", 80, "host");
        check("http://host:80", "host", 80, "host");
        check("http://host:8001", "host", 8001, "host:8001");
        check("http://[::1]:81", "::1", 81, "[::1]:81");
        for wrong in [
            "http://",
            "http://h:x",
            "http://h:0",
            "http://u@h",
            "http://a b",
            "http://::1",
            "unix:x|http://h",
            "http://h:80x",
        ] {
            assert_eq!(Origin::parse(wrong), None, "{wrong}");
        }
    }
}
