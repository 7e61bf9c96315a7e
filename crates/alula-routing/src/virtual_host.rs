//! Which virtual host answers: the address first, then the name.
//!
//! Only the best-matching set of addresses is searched by name: a name in `*:80` is never found where some `127.0.0.1:80` fits
//! the connection. Within the set the first host in file order wins, so an earlier wildcard alias beats a later exact name.

use crate::VirtualHostId;
use alula_config::{Site, glob};
use rustc_hash::FxHashMap;
use std::net::{IpAddr, SocketAddr};

/// Longest host name looked at (RFC 1035 section 2.3.4); a longer one has no virtual host.
const HOST_BYTES_MAX: usize = 255;

/// `None` stands for any.
type Address = (Option<IpAddr>, Option<u16>);

/// All virtual hosts by address.
#[derive(Debug, Default)]
pub(crate) struct VirtualHosts {
    sets: FxHashMap<Address, NameSet>,
    /// Whether any set has an IP address: most sites only have `*:80`.
    by_ip: bool,
}

/// The virtual hosts of one address.
#[derive(Debug)]
struct NameSet {
    /// Answers when no name fits.
    first: VirtualHostId,
    exact: FxHashMap<Box<[u8]>, VirtualHostId>,
    /// Patterns, in file order.
    wildcards: Vec<(Box<[u8]>, VirtualHostId)>,
}

impl VirtualHosts {
    pub(crate) fn new(site: &Site) -> Self {
        let mut sets: FxHashMap<Address, NameSet> = FxHashMap::default();
        for (id, host) in (1..).map(VirtualHostId).zip(&site.virtual_hosts) {
            for address in &host.addresses {
                let ip = address.ip.map(|ip| ip.to_canonical());
                let set = sets
                    .entry((ip, address.port))
                    .or_insert_with(|| NameSet::new(id));
                for name in host.server_name.iter().chain(&host.aliases) {
                    set.add(name, id);
                }
            }
        }
        let by_ip = sets.keys().any(|(ip, _)| ip.is_some());
        Self { sets, by_ip }
    }

    pub(crate) fn find<'h>(
        &self,
        local: SocketAddr,
        host: impl FnOnce() -> Option<&'h [u8]>,
    ) -> VirtualHostId {
        if self.sets.is_empty() {
            return VirtualHostId(0);
        }
        let (ip, port) = (local.ip().to_canonical(), local.port());
        let by_rank = [
            (Some(ip), Some(port)),
            (Some(ip), None),
            (None, Some(port)),
            (None, None),
        ];
        let ranks = if self.by_ip {
            &by_rank[..]
        } else {
            &by_rank[2..]
        };
        let set = ranks.iter().find_map(|address| self.sets.get(address));
        set.map_or(VirtualHostId(0), |set| set.find(host()))
    }
}

impl NameSet {
    fn new(first: VirtualHostId) -> Self {
        Self {
            first,
            exact: FxHashMap::default(),
            wildcards: Vec::new(),
        }
    }

    fn add(&mut self, name: &str, id: VirtualHostId) {
        let name = name.as_bytes().to_ascii_lowercase().into_boxed_slice();
        if name.contains(&b'*') || name.contains(&b'?') {
            self.wildcards.push((name, id));
        } else {
            self.exact.entry(name).or_insert(id);
        }
    }

    fn find(&self, host: Option<&[u8]>) -> VirtualHostId {
        let mut buffer = [0; HOST_BYTES_MAX];
        let Some(name) = host.and_then(|host| host_name(host, &mut buffer)) else {
            return self.first;
        };
        let exact = self.exact.get(name).copied();
        for (pattern, id) in &self.wildcards {
            if exact.is_some_and(|exact| exact <= *id) {
                break;
            }
            if glob::fits(pattern, name, false) {
                return *id;
            }
        }
        exact.unwrap_or(self.first)
    }
}

/// An authority without its port and without one trailing dot, in lower case.
fn host_name<'b>(authority: &[u8], buffer: &'b mut [u8; HOST_BYTES_MAX]) -> Option<&'b [u8]> {
    let end = match authority.iter().rposition(|&c| c == b':' || c == b']') {
        Some(colon) if authority[colon] == b':' => colon,
        _ => authority.len(),
    };
    let name = &authority[..end];
    let name = name.strip_suffix(b".").unwrap_or(name);
    let lower = buffer.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    Some(lower)
}
