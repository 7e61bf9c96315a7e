//! What a TLS connection is like, as mod_ssl's `SSL_*` variables. Certificates are taken apart only when somebody asks.

use super::names;
use alula_http::TlsSession;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, HandshakeKind, ProtocolVersion, ServerConnection};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use x509_parser::objects::{oid_registry, oid2sn};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// A connection after its handshake.
#[derive(Debug)]
pub(super) struct Session {
    protocol: &'static str,
    cipher: Cipher,
    resumed: bool,
    name: Option<String>,
    client: Vec<CertificateDer<'static>>,
    server: Option<Arc<CertifiedKey>>,
    standard: OnceLock<Vec<(String, String)>>,
}

/// A cipher by OpenSSL's name, and the length of its key in bits.
#[derive(Debug, Clone, Copy)]
struct Cipher(&'static str, &'static str);

impl Session {
    pub(super) fn new(
        connection: &ServerConnection,
        name: Option<String>,
        server: Option<Arc<CertifiedKey>>,
    ) -> Self {
        let suite = connection.negotiated_cipher_suite();
        Self {
            protocol: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "TLSv1.3",
            },
            cipher: suite.map_or(Cipher("-", "0"), |suite| Cipher::from(suite.suite())),
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
            name,
            client: connection
                .peer_certificates()
                .map(|chain| chain.iter().map(|one| one.clone().into_owned()).collect())
                .unwrap_or_default(),
            server,
            standard: OnceLock::new(),
        }
    }

    fn server_certificate(&self) -> Option<&CertificateDer<'static>> {
        self.server.as_ref()?.cert.first()
    }

    fn make_standard(&self) -> Vec<(String, String)> {
        let mut variables = Variables::default();
        variables.add("SSL_VERSION_INTERFACE", "mod_ssl/2.4.71");
        variables.add("SSL_VERSION_LIBRARY", "rustls");
        variables.add("SSL_PROTOCOL", self.protocol);
        variables.add("SSL_SECURE_RENEG", "false");
        variables.add("SSL_COMPRESS_METHOD", "NULL");
        variables.add("SSL_CIPHER", self.cipher.0);
        variables.add("SSL_CIPHER_EXPORT", "false");
        variables.add("SSL_CIPHER_USEKEYSIZE", self.cipher.1);
        variables.add("SSL_CIPHER_ALGKEYSIZE", self.cipher.1);
        let resumed = if self.resumed { "Resumed" } else { "Initial" };
        variables.add("SSL_SESSION_RESUMED", resumed);
        variables.add("SSL_CLIENT_VERIFY", self.verified());
        if let Some(name) = &self.name {
            variables.add("SSL_TLS_SNI", name);
        }
        if let Some(certificate) = self.client.first() {
            variables.certificate("SSL_CLIENT", certificate);
        }
        if let Some(certificate) = self.server_certificate() {
            variables.certificate("SSL_SERVER", certificate);
        }
        variables.0
    }

    fn verified(&self) -> &'static str {
        // A wrong certificate ends the handshake.
        match self.client.is_empty() {
            true => "NONE",
            false => "SUCCESS",
        }
    }
}

impl TlsSession for Session {
    fn variable(&self, name: &str) -> Option<String> {
        let known = match name {
            "HTTPS" => "on",
            "SSL_PROTOCOL" => self.protocol,
            "SSL_CIPHER" => self.cipher.0,
            "SSL_CLIENT_VERIFY" => self.verified(),
            "SSL_TLS_SNI" => self.name.as_deref()?,
            _ => {
                let mut standard = self.standard().iter();
                let found = standard.find(|(known, _)| known == name);
                return match found {
                    Some((_, value)) => Some(value.clone()),
                    None if name.contains("_CERT") => {
                        let mut certificates = self.certificates().into_iter();
                        certificates.find_map(|(known, value)| (known == name).then_some(value))
                    }
                    None => None,
                };
            }
        };
        Some(known.to_owned())
    }

    fn standard(&self) -> &[(String, String)] {
        self.standard.get_or_init(|| self.make_standard())
    }

    fn certificates(&self) -> Vec<(String, String)> {
        let mut variables = Vec::new();
        if let Some(server) = self.server_certificate() {
            variables.push(("SSL_SERVER_CERT".to_owned(), pem(server)));
        }
        for (index, certificate) in self.client.iter().enumerate() {
            let text = pem(certificate);
            if index == 0 {
                variables.push(("SSL_CLIENT_CERT".to_owned(), text));
            } else {
                variables.push((format!("SSL_CLIENT_CERT_CHAIN_{}", index - 1), text));
            }
        }
        variables
    }

    fn has_client_certificate(&self) -> bool {
        !self.client.is_empty()
    }
}

#[derive(Default)]
struct Variables(Vec<(String, String)>);

impl Variables {
    fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    fn certificate(&mut self, of: &str, certificate: &CertificateDer) {
        let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
            return;
        };
        let algorithm = |oid| oid2sn(oid, oid_registry()).unwrap_or("unknown").to_owned();
        let validity = certificate.validity();
        let version = certificate.version().0 + 1;
        self.add(format!("{of}_M_VERSION"), version.to_string());
        self.add(format!("{of}_M_SERIAL"), names::serial(&certificate));
        let start = names::time(validity.not_before.timestamp());
        let end = names::time(validity.not_after.timestamp());
        self.add(format!("{of}_V_START"), start);
        self.add(format!("{of}_V_END"), end);
        let signature = algorithm(&certificate.signature_algorithm.algorithm);
        let key = algorithm(&certificate.public_key().algorithm.algorithm);
        self.add(format!("{of}_A_SIG"), signature);
        self.add(format!("{of}_A_KEY"), key);
        for (part, name) in [("S", certificate.subject()), ("I", certificate.issuer())] {
            let whole = names::distinguished(name);
            self.add(format!("{of}_{part}_DN"), whole);
            self.numbered(names::attributes(name), &format!("{of}_{part}_DN_"), false);
        }
        if of == "SSL_CLIENT" {
            // Whole days.
            let remain = validity.not_after.timestamp() - Timestamp::now().as_second();
            self.add("SSL_CLIENT_V_REMAIN", (remain.max(0) / 86_400).to_string());
        }
        let alternatives = certificate.subject_alternative_name().ok().flatten();
        let alternatives = alternatives
            .iter()
            .flat_map(|found| &found.value.general_names);
        let alternatives = alternatives.filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(("DNS", *name)),
            GeneralName::RFC822Name(name) => Some(("Email", *name)),
            _ => None,
        });
        self.numbered(alternatives, &format!("{of}_SAN_"), true);
    }

    /// Adds a number to the names of those that come again, or to all.
    fn numbered<'v>(
        &mut self,
        values: impl Iterator<Item = (&'static str, &'v str)>,
        prefix: &str,
        all: bool,
    ) {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for (kind, value) in values {
            let count = seen.entry(kind).or_default();
            let name = match (*count, all) {
                (0, false) => format!("{prefix}{kind}"),
                (number, _) => format!("{prefix}{kind}_{number}"),
            };
            *count += 1;
            self.add(name, value);
        }
    }
}

impl From<CipherSuite> for Cipher {
    fn from(suite: CipherSuite) -> Self {
        match suite {
            CipherSuite::TLS13_AES_128_GCM_SHA256 => Self("TLS_AES_128_GCM_SHA256", "128"),
            CipherSuite::TLS13_AES_256_GCM_SHA384 => Self("TLS_AES_256_GCM_SHA384", "256"),
            CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => {
                Self("TLS_CHACHA20_POLY1305_SHA256", "256")
            }
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => {
                Self("ECDHE-ECDSA-AES128-GCM-SHA256", "128")
            }
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => {
                Self("ECDHE-ECDSA-AES256-GCM-SHA384", "256")
            }
            CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => {
                Self("ECDHE-ECDSA-CHACHA20-POLY1305", "256")
            }
            CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => {
                Self("ECDHE-RSA-AES128-GCM-SHA256", "128")
            }
            CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => {
                Self("ECDHE-RSA-AES256-GCM-SHA384", "256")
            }
            CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => {
                Self("ECDHE-RSA-CHACHA20-POLY1305", "256")
            }
            other => Self(other.as_str().unwrap_or("-"), "0"),
        }
    }
}

fn pem(certificate: &CertificateDer) -> String {
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let encoded = BASE64_STANDARD.encode(certificate);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text + "-----END CERTIFICATE-----\n"
}
