//! What rules may look at: the request as it came, and what is known of it so far.

use crate::variables::Variables;
use alula_config::site::VirtualHost;
use alula_http::{Peer, Scheme};
use http::header::{self, HeaderMap};
use http::{StatusCode, Version};
use std::path::PathBuf;

/// A request as it came.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'r> {
    /// The method.
    pub method: &'r str,
    /// The version.
    pub version: Version,
    /// Path and query as received.
    pub target: &'r [u8],
    /// The path, decoded.
    pub path: &'r [u8],
    /// The query as received.
    pub query: Option<&'r [u8]>,
    /// The header fields.
    pub headers: &'r HeaderMap,
    /// The authority in the target, where it names one (RFC 9112 section 3.2.2).
    pub target_authority: Option<&'r [u8]>,
    /// The connection.
    pub peer: &'r Peer,
    /// Names the request in logs.
    pub id: u64,
    /// Who it comes from, once that is proved.
    pub user: Option<&'r str>,
    /// What was answered, once it is.
    pub response: Option<(&'r HeaderMap, StatusCode)>,
    /// The time where the server is.
    pub now: fn() -> LocalTime,
}

/// A moment in the server's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct LocalTime {
    pub year: i16,
    pub month: i8,
    pub day: i8,
    pub hour: i8,
    pub minute: i8,
    pub second: i8,
    /// 0 is Sunday.
    pub weekday: i8,
}

/// What a virtual host is called and where its files are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identity {
    pub server_name: String,
    pub aliases: Vec<String>,
    pub port: Option<u16>,
    pub admin: String,
    pub document_root: Option<PathBuf>,
}

/// A request and what is known of it so far.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'f> {
    pub(crate) asked: &'f Asked<'f>,
    pub(crate) identity: &'f Identity,
    /// The path, decoded, as it is now.
    pub(crate) path: &'f [u8],
    /// The query, as it is now.
    pub(crate) query: Option<&'f [u8]>,
    /// The file the path leads to, with what follows it in the path, which may be looked for on disk.
    pub(crate) file: Option<&'f [u8]>,
    /// How much of it is the file's; `None`: not known yet.
    pub(crate) file_length: Option<usize>,
    pub(crate) variables: &'f Variables,
    /// `SetEnv`, once it is done.
    pub(crate) environment: &'f [(String, String)],
    pub(crate) handler: &'static str,
}

impl Identity {
    pub(crate) fn new(server: &VirtualHost) -> Self {
        Self {
            server_name: server.server_name.clone().unwrap_or_default(),
            aliases: server.aliases.clone(),
            port: server.port,
            admin: server.server_admin.clone().unwrap_or_default(),
            document_root: server.document_root.clone(),
        }
    }

    pub(crate) fn root(&self) -> Option<&[u8]> {
        let root = self.document_root.as_ref()?;
        Some(root.as_os_str().as_encoded_bytes())
    }
}

impl<'r> Asked<'r> {
    /// The authority asked for.
    pub fn authority(&self) -> Option<&'r [u8]> {
        let field = || self.headers.get(header::HOST).map(|host| host.as_bytes());
        self.target_authority.or_else(field)
    }

    /// A field's values, joined as RFC 9110 section 5.3 says.
    pub(crate) fn header(&self, name: &str) -> Option<Vec<u8>> {
        field(self.headers, name)
    }

    /// `http://host:port`, as a client would have to write it.
    pub(crate) fn origin(&self, identity: &Identity) -> Vec<u8> {
        own_url(self.peer, self.authority(), &identity.server_name)
    }

    /// The name asked for, without the port; else `ServerName`.
    pub(crate) fn server_name(&self, identity: &'r Identity) -> &'r [u8] {
        let Some(authority) = self.authority() else {
            return identity.server_name.as_bytes();
        };
        match authority.iter().rposition(|&byte| byte == b':') {
            Some(colon) if !authority[colon..].contains(&b']') => &authority[..colon],
            _ => authority,
        }
    }

    /// httpd's with `UseCanonicalPhysicalPort Off`: the one asked for, else `ServerName`'s, else the scheme's.
    pub(crate) fn server_port(&self, identity: &Identity) -> u16 {
        let name = self.server_name(identity).len();
        let asked = self
            .authority()
            .and_then(|authority| authority.get(name + 1..));
        let asked = asked.and_then(|port| std::str::from_utf8(port).ok()?.parse().ok());
        asked.or(identity.port).unwrap_or(match self.peer.scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        })
    }

    pub(crate) fn protocol(&self) -> &'static str {
        match self.version {
            Version::HTTP_09 => "HTTP/0.9",
            Version::HTTP_10 => "HTTP/1.0",
            Version::HTTP_2 => "HTTP/2.0",
            _ => "HTTP/1.1",
        }
    }
}

/// A field's values, joined as RFC 9110 section 5.3 says.
pub(crate) fn field(headers: &HeaderMap, name: &str) -> Option<Vec<u8>> {
    let mut values = headers.get_all(name).iter();
    let mut joined = values.next()?.as_bytes().to_vec();
    let separator: &[u8] = match name.eq_ignore_ascii_case(header::COOKIE.as_str()) {
        true => b"; ",
        false => b", ",
    };
    for value in values {
        joined.extend_from_slice(separator);
        joined.extend_from_slice(value.as_bytes());
    }
    Some(joined)
}

/// Scheme and authority of this server, without the scheme's own port: what a client asked for, else `ServerName`.
pub fn own_url(peer: &Peer, asked: Option<&[u8]>, server_name: &str) -> Vec<u8> {
    let (own_port, number) = match peer.scheme {
        Scheme::Http => (":80", 80),
        Scheme::Https => (":443", 443),
    };
    let mut url = format!("{}://", peer.scheme.as_str()).into_bytes();
    match asked {
        Some(asked) => {
            url.extend_from_slice(asked.strip_suffix(own_port.as_bytes()).unwrap_or(asked));
        }
        None if server_name.is_empty() => {
            url.extend_from_slice(peer.local.to_string().as_bytes());
        }
        None => {
            url.extend_from_slice(server_name.as_bytes());
            let port = peer.local.port();
            if port != number {
                url.extend_from_slice(format!(":{port}").as_bytes());
            }
        }
    }
    url
}

impl<'f> Facts<'f> {
    /// A variable of the request's environment.
    pub fn variable(&self, name: &str) -> Option<&'f str> {
        self.variables.get(name).or_else(|| {
            let set = self.environment.iter().find(|(known, _)| known == name);
            set.map(|(_, value)| value.as_str())
        })
    }

    /// The file, and what follows it in the path.
    pub(crate) fn split_file(&self) -> (&'f [u8], &'f [u8]) {
        let Some(file) = self.file else {
            return (b"", b"");
        };
        let length = self.file_length.unwrap_or_else(|| existing_length(file));
        file.split_at(length.min(file.len()))
    }
}

/// How much of a path is a file's: up to the first part that is no directory, there or not (httpd's directory walk).
pub(crate) fn existing_length(path: &[u8]) -> usize {
    use std::os::unix::ffi::OsStrExt;
    let mut end = 0;
    loop {
        let start = end + path[end..].iter().take_while(|&&byte| byte == b'/').count();
        if start >= path.len() {
            return path.len();
        }
        let part = path[start..].iter().position(|&byte| byte == b'/');
        end = part.map_or(path.len(), |length| start + length);
        let folder = std::path::Path::new(std::ffi::OsStr::from_bytes(&path[..end]));
        if end == path.len() || !folder.is_dir() {
            return end;
        }
    }
}
