//! The table a request is looked up in.

use crate::{Found, Route, VirtualHostId};
use alula_config::Site;
use std::net::SocketAddr;
use std::sync::Arc;

/// A site, compiled for look-up. Shared by all threads.
#[derive(Debug)]
pub struct RouteTable {}

impl RouteTable {
    /// Compiles a site.
    pub fn new(_site: &Site) -> Self {
        Self {}
    }

    /// The virtual host for a connection's local address and the authority asked for (`Host`, port allowed).
    pub fn virtual_host(&self, _local: SocketAddr, _host: Option<&[u8]>) -> VirtualHostId {
        VirtualHostId(0)
    }

    /// The route for a path: percent-decoded, dot segments removed, slashes not merged.
    #[allow(clippy::unimplemented)]
    pub fn find(&self, _host: VirtualHostId, _path: &[u8]) -> Found {
        unimplemented!("being written")
    }

    /// Every route made so far, by id. Most are made by [`RouteTable::new`]; a combination of sections nobody
    /// foresaw is made when first asked for.
    pub fn routes(&self) -> Vec<Arc<Route>> {
        Vec::new()
    }
}
