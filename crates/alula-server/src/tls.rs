//! HTTPS: which connections are TLS, which settings a handshake gets, what came of it.
//!
//! The address a connection arrived at says whether it is TLS at all (the first virtual host there decides, as in httpd); the
//! name in the handshake then picks the virtual host whose certificate is shown. Nothing is read from disk here: certificates and
//! keys come as [`TlsMaterial`], which was read while the server was still root.

mod certificate;
mod handshake;
mod material;
mod names;
mod plain;
mod session;
mod tickets;
mod verifier;

pub(crate) use handshake::{Established, Refused};
pub use material::TlsMaterial;

use crate::assembly::HostSettings;
use alula_routing::{RouteTable, VirtualHostId, site};
use certificate::Pairs;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache};
use rustls::{ServerConfig, version};
use site::{ClientCertificate, Protocol};
use std::net::SocketAddr;
use std::sync::Arc;

/// Sessions a worker remembers for one virtual host whose clients get no tickets.
const SESSIONS_MAX: usize = 1024;

/// The TLS of all servers.
#[derive(Debug)]
pub struct Tls {
    /// By virtual host id; `None` where a server is not TLS.
    hosts: Box<[Option<Host>]>,
}

#[derive(Debug)]
struct Host {
    config: Arc<ServerConfig>,
    pairs: Arc<Pairs>,
    /// Hosts of one class may share a connection.
    class: usize,
    /// Hosts with the same number ask the same of clients.
    client_class: usize,
    strict_names: bool,
}

/// What a connection may carry, as its handshake left it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Agreed {
    class: usize,
    client_class: usize,
    /// Whether the client named a host.
    named: bool,
}

/// Why a request may not come over this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misdirected {
    /// The handshake was for a server with other settings (RFC 9110 section 15.5.20).
    OtherServer,
    /// The server asks more of a client than this one has shown.
    NotShown,
}

impl Tls {
    /// Makes ready what the hosts need; `None` when none of them is TLS. The error says file, line and fact.
    ///
    /// # Errors
    /// When a certificate or key is missing, broken, or they do not belong together.
    pub fn new(
        hosts: &[Option<&site::Tls>],
        protocols: &[&[Protocol]],
        material: &TlsMaterial,
    ) -> Result<Option<Self>, String> {
        if hosts.iter().all(Option::is_none) {
            return Ok(None);
        }
        let provider = Arc::new(ring::default_provider());
        let mut made = Vec::with_capacity(hosts.len());
        for (index, settings) in hosts.iter().enumerate() {
            let Some(settings) = settings else {
                made.push(None);
                continue;
            };
            let first = |fits: &dyn Fn(&site::Tls) -> bool| {
                let mut earlier = hosts[..index].iter();
                let found = earlier.position(|other| other.is_some_and(fits));
                found.unwrap_or(index)
            };
            let pairs = Arc::new(Pairs::new(settings, material, &provider)?);
            let mut config = config(settings, &pairs, material, &provider)?;
            config.alpn_protocols = alpn(protocols.get(index).copied().unwrap_or_default());
            if settings.session_tickets {
                // A ticket of one host is worth nothing at another: they may ask different things of a client.
                config.ticketer = Arc::new(tickets::Tickets::new(material, index));
            }
            made.push(Some(Host {
                config: Arc::new(config),
                pairs,
                class: first(&|other| other.is_compatible(settings)),
                client_class: first(&|other| other.client.is_alike(&settings.client)),
                strict_names: settings.strict_names,
            }));
        }
        Ok(Some(Self { hosts: made.into() }))
    }

    /// The same, from the servers' settings.
    pub(crate) fn of_hosts(
        hosts: &[HostSettings],
        material: &TlsMaterial,
    ) -> Result<Option<Self>, String> {
        let settings: Vec<_> = hosts.iter().map(|host| host.tls.as_ref()).collect();
        let protocols: Vec<_> = hosts
            .iter()
            .map(|host| &host.connection.protocols[..])
            .collect();
        Self::new(&settings, &protocols, material)
    }

    /// Whether connections to this address are TLS.
    pub(crate) fn is_spoken_at(&self, routes: &RouteTable, local: SocketAddr) -> bool {
        self.host(routes.virtual_host(local, || None)).is_some()
    }

    /// Whether a request for `host` may come over a connection that was made for another.
    pub(crate) fn judge(&self, agreed: Agreed, host: VirtualHostId) -> Result<(), Misdirected> {
        match self.host(host) {
            Some(host) if agreed.named && agreed.class == host.class => Ok(()),
            Some(host) if !agreed.named => {
                let shown = agreed.client_class == host.client_class && !host.strict_names;
                if shown {
                    Ok(())
                } else {
                    Err(Misdirected::NotShown)
                }
            }
            None if !agreed.named => Ok(()),
            _ => Err(Misdirected::OtherServer),
        }
    }

    fn host(&self, VirtualHostId(index): VirtualHostId) -> Option<&Host> {
        self.hosts.get(index)?.as_ref()
    }
}

fn config(
    settings: &site::Tls,
    pairs: &Arc<Pairs>,
    material: &TlsMaterial,
    provider: &Arc<CryptoProvider>,
) -> Result<ServerConfig, String> {
    let mut versions = Vec::new();
    versions.extend(settings.tls13.then_some(&version::TLS13));
    versions.extend(settings.tls12.then_some(&version::TLS12));
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions)
        .map_err(|error| format!("{}: SSLProtocol: {error}", settings.origin))?;
    let builder = match settings.client.demand {
        ClientCertificate::None => builder.with_no_client_auth(),
        _ => builder.with_client_cert_verifier(verifier::verifier(settings, material, provider)?),
    };
    let mut config = builder.with_cert_resolver(pairs.clone());
    config.ignore_client_order = settings.own_cipher_order;
    config.session_storage = if settings.session_tickets {
        Arc::new(NoServerSessionStorage {})
    } else {
        ServerSessionMemoryCache::new(SESSIONS_MAX)
    };
    Ok(config)
}

/// `Protocols` as ALPN has them (RFC 7301). `http/1.1` always works.
fn alpn(protocols: &[Protocol]) -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = Vec::new();
    for protocol in protocols {
        match protocol {
            Protocol::H2 => names.push(b"h2".to_vec()),
            Protocol::Http1 => names.push(b"http/1.1".to_vec()),
            Protocol::H2c => {}
        }
    }
    if !protocols.contains(&Protocol::Http1) {
        names.push(b"http/1.1".to_vec());
    }
    names
}
