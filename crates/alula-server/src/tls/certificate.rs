//! Certificates with their keys: read from PEM, matched, and chosen from in the handshake.

use super::names;
use super::{Tls, TlsMaterial};
use alula_routing::site::{self, NamedFile};
use jiff::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A server's certificates with their keys, at most one for each kind of key.
#[derive(Debug)]
pub(super) struct Pairs(Vec<Arc<CertifiedKey>>);

impl Pairs {
    pub(super) fn new(
        settings: &site::Tls,
        material: &TlsMaterial,
        provider: &CryptoProvider,
    ) -> Result<Self, String> {
        let mut keys = Vec::new();
        for file in &settings.keys {
            let found = private_keys(material.text(&file.path));
            if found.is_empty() {
                return Err(key_error(file, material.text(&file.path)));
            }
            for key in found {
                keys.push(load(key, file, "SSLCertificateKeyFile", provider)?);
            }
        }
        let mut pairs = Vec::new();
        for file in &settings.certificates {
            let text = material.text(&file.path);
            let mut chain = certificates(file, "SSLCertificateFile", text)?;
            if let Some(more) = &settings.chain {
                let text = material.text(&more.path);
                chain.extend(certificates(more, "SSLCertificateChainFile", text)?);
            }
            let mut own = Vec::new();
            for key in private_keys(text) {
                own.push(load(key, file, "SSLCertificateFile", provider)?);
            }
            pairs.push(Arc::new(pair(file, &chain, own.iter().chain(&keys))?));
        }
        // Every client takes RSA; ECDSA costs us less, so it comes first for those that take both.
        pairs.sort_by_key(|pair| pair.key.algorithm() == SignatureAlgorithm::RSA);
        Ok(Self(pairs))
    }

    /// The one for a client that can check these signatures.
    pub(super) fn choose(&self, schemes: &[SignatureScheme]) -> Option<&Arc<CertifiedKey>> {
        let mut fitting = self.0.iter();
        fitting.find(|pair| pair.key.choose_scheme(schemes).is_some())
    }
}

impl ResolvesServerCert for Pairs {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.signature_schemes()).cloned()
    }
}

/// Everything after the first certificate of a file is its chain.
pub(super) fn certificates(
    file: &NamedFile,
    directive: &str,
    text: &[u8],
) -> Result<Vec<CertificateDer<'static>>, String> {
    let NamedFile { path, origin } = file;
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(text) {
        let certificate = certificate
            .map_err(|error| format!("{origin}: {directive}: {path:?} is broken: {error}"))?;
        if X509Certificate::from_der(&certificate).is_err() {
            return Err(format!(
                "{origin}: {directive}: {path:?} holds something that is no certificate"
            ));
        }
        found.push(certificate);
    }
    if found.is_empty() {
        return Err(format!(
            "{origin}: {directive}: {path:?} holds no certificate in PEM"
        ));
    }
    Ok(found)
}

fn private_keys(text: &[u8]) -> Vec<PrivateKeyDer<'static>> {
    PrivateKeyDer::pem_slice_iter(text)
        .filter_map(Result::ok)
        .collect()
}

fn key_error(file: &NamedFile, text: &[u8]) -> String {
    let NamedFile { path, origin } = file;
    let is_encrypted = memchr::memmem::find(text, b"ENCRYPTED").is_some();
    let fact = match is_encrypted {
        true => {
            "has a pass phrase, and nobody can be asked for it (openssl pkey writes one without)"
        }
        false => "holds no private key in PEM",
    };
    format!("{origin}: SSLCertificateKeyFile: {path:?} {fact}")
}

fn load(
    key: PrivateKeyDer<'static>,
    file: &NamedFile,
    directive: &str,
    provider: &CryptoProvider,
) -> Result<Arc<dyn SigningKey>, String> {
    let NamedFile { path, origin } = file;
    provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| {
            format!("{origin}: {directive}: the key in {path:?} cannot be used: {error}")
        })
}

/// The certificate with the key it was made for.
fn pair<'k>(
    file: &NamedFile,
    chain: &[CertificateDer<'static>],
    keys: impl Iterator<Item = &'k Arc<dyn SigningKey>>,
) -> Result<CertifiedKey, String> {
    let NamedFile { path, origin } = file;
    let mut tried = 0;
    for key in keys {
        let pair = CertifiedKey::new(chain.to_vec(), key.clone());
        match pair.keys_match() {
            Ok(()) => return Ok(pair),
            Err(rustls::Error::InconsistentKeys(_)) => tried += 1,
            Err(error) => {
                return Err(format!(
                    "{origin}: SSLCertificateFile: the certificate in {path:?} cannot be used: {error}"
                ));
            }
        }
    }
    Err(if tried == 0 {
        format!(
            "{origin}: SSLCertificateFile: {path:?} holds no key, and there is no SSLCertificateKeyFile"
        )
    } else {
        format!(
            "{origin}: SSLCertificateFile: the certificate in {path:?} was made for another key than SSLCertificateKeyFile has"
        )
    })
}

impl Tls {
    /// What the owner of a server's certificates should know: file, line and fact of each.
    pub fn warnings(
        settings: &site::Tls,
        material: &TlsMaterial,
        name: Option<&str>,
    ) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut known = name.is_none();
        for file in &settings.certificates {
            let text = material.text(&file.path);
            let found = certificates(file, "SSLCertificateFile", text).unwrap_or_default();
            let Some(first) = found.first() else { continue };
            let Ok((_, certificate)) = X509Certificate::from_der(first) else {
                continue;
            };
            known |= name.is_some_and(|name| names::holds(&certificate, name));
            let fact = validity(&certificate);
            let NamedFile { path, origin } = file;
            let warn = |fact| format!("{origin}: SSLCertificateFile: {path:?} {fact}");
            warnings.extend(fact.map(warn));
        }
        if !known && let (Some(name), Some(file)) = (name, settings.certificates.first()) {
            // httpd's AH01909.
            let NamedFile { path, origin } = file;
            warnings.push(format!(
                "{origin}: SSLCertificateFile: {path:?} does not name the server {name:?}"
            ));
        }
        warnings
    }
}

fn validity(certificate: &X509Certificate) -> Option<String> {
    let validity = certificate.validity();
    let now = Timestamp::now().as_second();
    let (start, end) = (
        validity.not_before.timestamp(),
        validity.not_after.timestamp(),
    );
    if end < now {
        Some(format!("expired on {}", names::time(end)))
    } else if start > now {
        Some(format!("is not valid before {}", names::time(start)))
    } else {
        None
    }
}
