//! Who may see what: `Require`, and `Order`, `Allow`, `Deny` of httpd 2.2.
//!
//! Nothing here is ever ignored: what cannot be honoured is an error.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::{Access, AllowRule, IpNetwork, Order, OrderRules, Requirement};
use crate::syntax::lexer::Word;
use std::net::{IpAddr, Ipv4Addr};

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "Require", args: Arity::at_least(1), syntax: "all granted | all denied | ip address ... | local", contexts: Contexts::SECTIONS,
        default: "all granted", apply: Apply::Run(require),
        doc: "Who may pass. Of several in one section one suffices; a section's own replace those it inherits. An address may be partial \
              (`10.1`), or a network (`10.1.0.0/16`, `10.1.0.0/255.255.0.0`).",
    },
    Entry {
        name: "Order", args: Arity::exactly(1), syntax: "deny,allow | allow,deny", contexts: Contexts::SECTIONS,
        default: "deny,allow", apply: Apply::Run(order),
        doc: "httpd 2.2: which of `Allow` and `Deny` has the last word. `allow,deny` refuses whom neither names. Where `Require` is written as \
              well, both must let a client pass.",
    },
    Entry {
        name: "Allow", args: Arity::at_least(2), syntax: "from all | from address ...", contexts: Contexts::SECTIONS,
        default: "", apply: Apply::Run(allow),
        doc: "httpd 2.2: whom to let pass.",
    },
    Entry {
        name: "Deny", args: Arity::at_least(2), syntax: "from all | from address ...", contexts: Contexts::SECTIONS,
        default: "", apply: Apply::Run(deny),
        doc: "httpd 2.2: whom to refuse.",
    },
    Entry {
        name: "Satisfy", args: Arity::exactly(1), syntax: "All", contexts: Contexts::SECTIONS,
        default: "All", apply: Apply::Run(satisfy),
        doc: "httpd 2.2: whether both the address and the user must fit.",
    },
];

fn require(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let kind = args.first();
    let rest = &args.words[1..];
    let requirement = match kind.text.to_ascii_lowercase().as_str() {
        "all" => match rest {
            [word] if word.text.eq_ignore_ascii_case("granted") => Requirement::Granted,
            [word] if word.text.eq_ignore_ascii_case("denied") => Requirement::Denied,
            _ => {
                return Err(Problem::at(
                    kind,
                    "takes \"granted\" or \"denied\" after \"all\"",
                ));
            }
        },
        "ip" if rest.is_empty() => {
            return Err(Problem::at(kind, "requires an address after \"ip\""));
        }
        "ip" => Requirement::Ip(rest.iter().map(network).collect::<Result<_, _>>()?),
        "local" if rest.is_empty() => Requirement::Local,
        "local" => return Err(Problem::at(kind, "takes nothing after \"local\"")),
        "not" => {
            let message = "\"not\" is known to httpd, not supported yet";
            let hint = "Order allow,deny with Allow from all and Deny from ADDRESS refuses single addresses";
            return Err(Problem::at(kind, message).hint(hint));
        }
        "user" | "group" | "valid-user" | "host" | "forward-dns" | "env" | "method" | "expr"
        | "ssl" | "ssl-verify-client" | "file-owner" | "file-group" | "ldap-user"
        | "ldap-group" | "dbm-group" => {
            return Err(Problem::not_yet(kind));
        }
        name => {
            return Err(Problem::at(
                kind,
                format!("unknown authorization provider {name:?}"),
            ));
        }
    };
    let access = scope
        .settings()
        .access
        .get_or_insert_with(|| Access { any: Vec::new() });
    access.any.push(requirement);
    Ok(())
}

fn order(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let order = match args.text().to_ascii_lowercase().as_str() {
        "deny,allow" => Order::DenyAllow,
        "allow,deny" | "mutual-failure" => Order::AllowDeny,
        _ => {
            let hint = "one word, without a blank after the comma";
            return Err(Problem::at(args.first(), "must be deny,allow or allow,deny").hint(hint));
        }
    };
    rules(scope).order = order;
    Ok(())
}

fn allow(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let named = from(args)?;
    rules(scope).allow.extend(named);
    Ok(())
}

fn deny(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let named = from(args)?;
    rules(scope).deny.extend(named);
    Ok(())
}

fn satisfy(_: &mut Scope, args: &Args) -> Result<(), Problem> {
    match args.text().to_ascii_lowercase().as_str() {
        "all" => Ok(()),
        "any" => Err(Problem::not_yet(args.first())),
        _ => Err(Problem::at(args.first(), "must be All or Any")),
    }
}

fn rules<'s>(scope: &'s mut Scope) -> &'s mut OrderRules {
    scope.settings().order.get_or_insert_with(|| OrderRules {
        order: Order::default(),
        allow: Vec::new(),
        deny: Vec::new(),
    })
}

fn from(args: &Args) -> Result<Vec<AllowRule>, Problem> {
    if !args.first().text.eq_ignore_ascii_case("from") {
        return Err(Problem::at(args.first(), "must be followed by \"from\""));
    }
    let rule = |word: &Word| match word.text.to_ascii_lowercase().as_str() {
        "all" => Ok(AllowRule::All),
        text if text.starts_with("env=") => Err(Problem::not_yet(word)),
        text if text.contains(|c: char| c.is_ascii_alphabetic()) && !text.contains(':') => {
            let message = format!("host names are never looked up, so {text:?} cannot be compared");
            Err(Problem::at(word, message).hint("write an IP address or network"))
        }
        _ => network(word).map(AllowRule::Ip),
    };
    args.words[1..].iter().map(rule).collect()
}

/// An address, a partial one, or a network with a prefix or mask.
fn network(word: &Word) -> Result<IpNetwork, Problem> {
    parse_network(&word.text).ok_or_else(|| {
        let message = format!("{:?} is not an IP address or network", word.text);
        Problem::at(word, message).hint("10.1.2.3, 10.1, 10.1.0.0/16 or 2001:db8::/32")
    })
}

fn parse_network(text: &str) -> Option<IpNetwork> {
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
    use super::parse_network;

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
