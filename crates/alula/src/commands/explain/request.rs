//! A request made up from the command line, and what it comes to: by the steps a real one takes, as far as they need neither
//! a password nor a handler.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use alula_config::Site;
use alula_config::site::Asker;
use alula_http::path::{self, Target};
use alula_http::{Peer, Scheme};
use alula_routing::{
    Asked, FixUp, Found, HtaccessError, HtaccessFiles, RouteTable, Verdict, VirtualHostId,
};
use anyhow::{Context, Result, bail};
use http::{HeaderMap, HeaderName, HeaderValue, Version};

use super::Question;

/// What is asked for.
pub(super) struct Made {
    pub(super) method: String,
    pub(super) decoded: Target,
    pub(super) local: SocketAddr,
    target: String,
    authority: String,
    headers: HeaderMap,
    peer: Peer,
}

/// What it comes to.
pub(super) struct Outcome {
    pub(super) host: VirtualHostId,
    pub(super) found: Found,
    pub(super) htaccess: HtaccessFiles,
    pub(super) verdict: Verdict,
    /// The paths that rules in sections made of it on the way.
    pub(super) rewritten: Vec<String>,
}

impl Made {
    pub(super) fn new(site: &Site, question: &Question) -> Result<Self> {
        let mut headers = HeaderMap::new();
        for field in &question.headers {
            let (name, value) = field
                .split_once(':')
                .with_context(|| format!("{field:?} is not `Name: value`"))?;
            headers.append(
                HeaderName::try_from(name.trim())?,
                HeaderValue::try_from(value.trim())?,
            );
        }
        let host = headers.get(http::header::HOST);
        let host = host.map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
        let url = match question.url.as_str() {
            path if path.starts_with('/') => {
                format!("http://{}{path}", host.as_deref().unwrap_or("localhost"))
            }
            url => url.to_owned(),
        };
        let (scheme, rest) = url
            .split_once("://")
            .context("a URL, or a path that begins with a slash")?;
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(at);
        let slash = if target.starts_with('/') { "" } else { "/" };
        let target = format!("{slash}{target}");
        let decoded = path::decode(&target.clone().into())
            .map_err(|error| anyhow::anyhow!("{target}: {error}, answered {}", error.status()))?;
        let scheme = match scheme.eq_ignore_ascii_case("https") {
            true => Scheme::Https,
            false => Scheme::Http,
        };
        let local = listener(site, authority, scheme)?;
        let client = question.client.unwrap_or(match local.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        });
        let authority = host.unwrap_or_else(|| authority.to_owned());
        if !headers.contains_key(http::header::HOST) {
            headers.insert(http::header::HOST, HeaderValue::try_from(&authority)?);
        }
        Ok(Self {
            method: question.method.clone(),
            decoded,
            local,
            target,
            authority,
            headers,
            peer: Peer::new(local, SocketAddr::new(client, 0), scheme),
        })
    }

    pub(super) fn asked(&self) -> Asked<'_> {
        Asked {
            method: &self.method,
            version: Version::HTTP_11,
            target: self.target.as_bytes(),
            path: &self.decoded.path,
            query: self.decoded.query.as_deref(),
            headers: &self.headers,
            target_authority: Some(self.authority.as_bytes()),
            peer: &self.peer,
            id: 0,
            user: None,
            response: None,
            now: alula_server::local_time,
        }
    }

    pub(super) fn client(&self) -> IpAddr {
        self.peer.remote.ip()
    }

    /// What access rules look at.
    pub(super) fn asker<'a>(&'a self, found: &'a Found) -> Asker<'a> {
        Asker {
            client: self.client(),
            local: self.local.ip(),
            secure: self.peer.scheme == Scheme::Https,
            certified: false,
            method: &self.method,
            variables: found.variables(),
            expressions: None,
            user: None,
            script: None,
        }
    }

    pub(super) fn outcome(&self, table: &RouteTable) -> Result<Outcome> {
        let host = table.virtual_host(self.local, || Some(self.authority.as_bytes()));
        let asked = self.asked();
        let mut started = None;
        let mut rewritten = Vec::new();
        loop {
            let look_up = |files: &HtaccessFiles| match table.is_dynamic(host) {
                true => table.find_for(host, &asked, started.clone(), files),
                false => table.find_with(host, asked.path, files),
            };
            let mut htaccess = HtaccessFiles::default();
            let mut found = look_up(&htaccess);
            let file = found.file.as_deref();
            if let Some(chain) = file.and_then(|file| table.htaccess(host, file)) {
                htaccess = chain.refresh().map_err(|error| match error {
                    HtaccessError::Unreadable(fact) => anyhow::anyhow!("{fact}\nanswered 403"),
                    HtaccessError::Wrong(fact) => anyhow::anyhow!("{fact}\nanswered 500"),
                })?;
                if !htaccess.is_empty() {
                    found = look_up(&htaccess);
                }
            }
            let asking = table.asking(host, &found, asked);
            let verdict = found.route.access.judge(&Asker {
                expressions: Some(&asking),
                ..self.asker(&found)
            });
            if verdict == Verdict::Pass && found.redirect.is_none() {
                match table.fix_up(host, &mut found, &asked) {
                    FixUp::Same => {}
                    FixUp::Answer(redirected) => found.redirect = Some(redirected),
                    FixUp::Again(dynamic) => {
                        let path = dynamic.path.as_deref().unwrap_or_default();
                        rewritten.push(String::from_utf8_lossy(path).into_owned());
                        started = Some(dynamic);
                        continue;
                    }
                }
            }
            return Ok(Outcome {
                host,
                found,
                htaccess,
                verdict,
                rewritten,
            });
        }
    }
}

/// Our end of the connection: a listener with the URL's port, or any where it names none.
fn listener(site: &Site, authority: &str, scheme: Scheme) -> Result<SocketAddr> {
    let named = authority
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse::<u16>().ok());
    let usual = match scheme {
        Scheme::Https => 443,
        Scheme::Http => 80,
    };
    let port = named.unwrap_or(usual);
    let mut listeners = site.listeners.iter().map(|listener| listener.address);
    let found = listeners.clone().find(|address| address.port() == port);
    let Some(listener) = found.or_else(|| listeners.next().filter(|_| named.is_none())) else {
        bail!("nothing listens on port {port}");
    };
    let ip = match listener.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    Ok(SocketAddr::new(ip, listener.port()))
}
