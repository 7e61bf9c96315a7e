//! Who may see what: `Require`, and 2.2's `Order`/`Allow`/`Deny`.
//!
//! Where both are written both must pass, as under httpd's `Satisfy All`.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// `Require` lines of one section: one of them suffices (`RequireAny`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Access {
    /// At least one.
    pub any: Vec<Requirement>,
}

/// One `Require`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Requirement {
    /// `all granted`.
    Granted,
    /// `all denied`.
    Denied,
    /// `ip`: the client's address is in one of these networks.
    Ip(Vec<IpNetwork>),
    /// `local`: a loopback client, or both ends of the connection have the same address.
    Local,
}

/// A network: the first `prefix` bits of `address`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IpNetwork {
    /// Bits after the prefix are zero.
    pub address: IpAddr,
    /// How many bits count.
    pub prefix: u8,
}

/// `Order`, `Allow` and `Deny` of one section.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OrderRules {
    /// `Order`.
    pub order: Order,
    /// `Allow from`.
    pub allow: Vec<AllowRule>,
    /// `Deny from`.
    pub deny: Vec<AllowRule>,
}

/// Which of `Allow` and `Deny` has the last word, and what holds when neither speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Order {
    /// `deny,allow` (httpd's default): allowed unless denied and not allowed.
    #[default]
    DenyAllow,
    /// `allow,deny` and `mutual-failure`: denied unless allowed and not denied.
    AllowDeny,
}

/// Whom an `Allow` or `Deny` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AllowRule {
    /// `all`.
    All,
    /// An address or network.
    Ip(IpNetwork),
}

impl Access {
    /// Whether a client may pass. `local` is our end of the connection.
    pub fn allows(&self, client: IpAddr, local: IpAddr) -> bool {
        let (client, local) = (client.to_canonical(), local.to_canonical());
        self.any.iter().any(|requirement| match requirement {
            Requirement::Granted => true,
            Requirement::Denied => false,
            Requirement::Ip(networks) => networks.iter().any(|network| network.contains(client)),
            Requirement::Local => client.is_loopback() || client == local,
        })
    }
}

impl OrderRules {
    /// Whether a client may pass.
    pub fn allows(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        let hit = |rules: &[AllowRule]| {
            rules.iter().any(|rule| match rule {
                AllowRule::All => true,
                AllowRule::Ip(network) => network.contains(client),
            })
        };
        match self.order {
            Order::DenyAllow => !hit(&self.deny) || hit(&self.allow),
            Order::AllowDeny => hit(&self.allow) && !hit(&self.deny),
        }
    }
}

impl IpNetwork {
    /// A network, or `None` when the prefix is longer than the address.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let address = match address {
            IpAddr::V4(ip) if prefix <= 32 => {
                IpAddr::from((ip.to_bits() & mask_32(prefix)).to_be_bytes())
            }
            IpAddr::V6(ip) if prefix <= 128 => {
                IpAddr::from((ip.to_bits() & mask_128(prefix)).to_be_bytes())
            }
            _ => return None,
        };
        Some(Self { address, prefix })
    }

    /// Whether an address lies in the network. IPv4 addresses mapped into IPv6 must have been turned back.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(ip)) => {
                (network.to_bits() ^ ip.to_bits()) & mask_32(self.prefix) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(ip)) => {
                (network.to_bits() ^ ip.to_bits()) & mask_128(self.prefix) == 0
            }
            _ => false,
        }
    }
}

fn mask_32(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

fn mask_128(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}
