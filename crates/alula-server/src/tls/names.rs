//! Names, times and numbers in certificates, as OpenSSL prints them for httpd.

use jiff::Timestamp;
use std::fmt::Write;
use x509_parser::objects::{oid_registry, oid2sn};
use x509_parser::prelude::{GeneralName, X509Certificate, X509Name};

/// `Nov 24 20:44:50 2026 GMT`
pub(super) fn time(seconds: i64) -> String {
    let stamp = Timestamp::from_second(seconds).unwrap_or_default();
    stamp.strftime("%b %e %H:%M:%S %Y GMT").to_string()
}

/// The serial number in hexadecimal digits.
pub(super) fn serial(certificate: &X509Certificate) -> String {
    let raw = certificate.raw_serial();
    // A leading zero only says that the number is positive.
    let digits = match raw {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    };
    let mut text = String::new();
    for byte in digits {
        let _ = write!(text, "{byte:02X}");
    }
    text
}

/// A distinguished name as RFC 2253 writes it: `CN=name,O=organisation`, the most special part first.
pub(super) fn distinguished(name: &X509Name) -> String {
    let mut parts: Vec<String> = Vec::new();
    for rdn in name.iter_rdn() {
        let attributes = rdn.iter().map(|attribute| {
            let kind = oid2sn(attribute.attr_type(), oid_registry());
            let kind = kind.map_or_else(|_| attribute.attr_type().to_id_string(), short);
            format!("{kind}={}", escaped(value(attribute)))
        });
        parts.push(attributes.collect::<Vec<_>>().join("+"));
    }
    parts.reverse();
    parts.join(",")
}

/// The attributes httpd has variables for, in the order they stand: `(CN, value)`.
pub(super) fn attributes<'n>(name: &'n X509Name) -> impl Iterator<Item = (&'static str, &'n str)> {
    name.iter_attributes().filter_map(|attribute| {
        let kind = match attribute.attr_type().to_id_string().as_str() {
            "2.5.4.3" => "CN",
            "2.5.4.4" => "S",
            "2.5.4.6" => "C",
            "2.5.4.7" => "L",
            "2.5.4.8" => "ST",
            "2.5.4.10" => "O",
            "2.5.4.11" => "OU",
            "2.5.4.12" => "T",
            "2.5.4.13" => "D",
            "2.5.4.42" => "G",
            "2.5.4.43" => "I",
            "0.9.2342.19200300.100.1.1" => "UID",
            "1.2.840.113549.1.9.1" => "Email",
            _ => return None,
        };
        Some((kind, value(attribute)))
    })
}

/// Whether a certificate is for a host (RFC 6125): by its alternative names, else by its common name.
pub(super) fn holds(certificate: &X509Certificate, host: &str) -> bool {
    let mut names: Vec<&str> = Vec::new();
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    for name in alternatives
        .iter()
        .flat_map(|found| &found.value.general_names)
    {
        match name {
            GeneralName::DNSName(name) => names.push(name),
            GeneralName::IPAddress(octets) => {
                let address = match *octets {
                    [a, b, c, d] => std::net::IpAddr::from([*a, *b, *c, *d]).to_string(),
                    octets => <[u8; 16]>::try_from(octets).map_or_else(
                        |_| String::new(),
                        |octets| std::net::IpAddr::from(octets).to_string(),
                    ),
                };
                if address == host {
                    return true;
                }
            }
            _ => {}
        }
    }
    if names.is_empty() {
        let common = certificate.subject().iter_common_name();
        names.extend(common.filter_map(|name| name.as_str().ok()));
    }
    names.iter().any(|name| covers(name, host))
}

/// A wildcard stands for one label.
fn covers(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(domain) => host
            .split_once('.')
            .is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain)),
        None => pattern.eq_ignore_ascii_case(host),
    }
}

fn value<'n>(attribute: &'n x509_parser::x509::AttributeTypeAndValue) -> &'n str {
    attribute.as_str().unwrap_or_default()
}

/// OpenSSL's short names.
fn short(name: &str) -> String {
    match name {
        "commonName" => "CN",
        "surname" => "SN",
        "countryName" => "C",
        "localityName" => "L",
        "stateOrProvinceName" => "ST",
        "organizationName" => "O",
        "organizationalUnit" | "organizationalUnitName" => "OU",
        "givenName" => "GN",
        "domainComponent" => "DC",
        "userId" => "UID",
        other => other,
    }
    .to_owned()
}

/// RFC 2253 section 2.4.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for (at, character) in value.char_indices() {
        let edge = at == 0 || at + 1 == value.len();
        if ",+\"\\<>;".contains(character)
            || (character == ' ' && edge)
            || (character == '#' && at == 0)
        {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{covers, escaped, time};

    #[test]
    fn names_are_written_as_openssl_writes_them() {
        assert_eq!(escaped("Doe, Jane"), "Doe\\, Jane");
        assert_eq!(escaped(" #x "), "\\ #x\\ ");
        assert_eq!(time(1_764_017_090), "Nov 24 20:44:50 2025 GMT");
    }

    #[test]
    fn a_wildcard_is_one_label() {
        assert!(covers("*.example.org", "www.Example.org"));
        assert!(!covers("*.example.org", "example.org"));
        assert!(!covers("*.example.org", "a.b.example.org"));
        assert!(covers("example.org", "EXAMPLE.org"));
    }
}
