//! mod_remoteip's settings: whom to believe when they say who a request comes from.

use super::IpNetwork;
use serde::{Deserialize, Serialize};

/// `RemoteIP*` of one server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteIp {
    /// `RemoteIPHeader`.
    pub header: Option<String>,
    /// `RemoteIPProxiesHeader`.
    pub proxies_header: Option<String>,
    /// `RemoteIPInternalProxy` and `RemoteIPTrustedProxy` in file order. Without any, everybody is believed.
    pub proxies: Vec<KnownProxy>,
    /// `RemoteIPProxyProtocol`.
    pub proxy_protocol: bool,
    /// `RemoteIPProxyProtocolExceptions`: from here come connections without it.
    pub exceptions: Vec<IpNetwork>,
}

/// A proxy that is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownProxy {
    /// Its address.
    pub network: IpNetwork,
    /// Whether it may name private addresses (`RemoteIPInternalProxy`).
    pub internal: bool,
}
