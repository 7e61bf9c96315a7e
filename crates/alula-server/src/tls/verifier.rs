//! Certificates of clients: `SSLVerifyClient` with `SSLCACertificateFile`, and `SSLVerifyDepth`.

use super::TlsMaterial;
use super::certificate::certificates;
use alula_routing::site::{self, ClientCertificate};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use std::sync::Arc;

/// How a server with `SSLVerifyClient` judges clients.
pub(super) fn verifier(
    settings: &site::Tls,
    material: &TlsMaterial,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let client = &settings.client;
    let mut roots = RootCertStore::empty();
    let named = [
        ("SSLCACertificateFile", &client.authorities),
        ("SSLCACertificatePath", &client.authority_directory),
    ];
    for (directive, file) in named {
        let Some(file) = file else { continue };
        for certificate in certificates(file, directive, material.text(&file.path))? {
            roots.add(certificate).map_err(|error| {
                let site::NamedFile { path, origin } = file;
                format!("{origin}: {directive}: {path:?} has no usable authority: {error}")
            })?;
        }
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let builder = match client.demand {
        ClientCertificate::Required => builder,
        _ => builder.allow_unauthenticated(),
    };
    let verifier = builder
        .build()
        .map_err(|error| format!("{}: SSLVerifyClient: {error}", settings.origin))?;
    Ok(Arc::new(Limited {
        verifier,
        depth: usize::from(client.depth),
    }))
}

/// A verifier that looks no higher than `SSLVerifyDepth`.
#[derive(Debug)]
struct Limited {
    verifier: Arc<dyn ClientCertVerifier>,
    depth: usize,
}

impl ClientCertVerifier for Limited {
    fn offer_client_auth(&self) -> bool {
        self.verifier.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.verifier.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // The authority is one step, so at most `depth - 1` certificates lead to it. Clients send them in order (RFC 8446
        // section 4.4.2); of one that does not, fewer are looked at, never more.
        let Some(steps) = self.depth.checked_sub(1) else {
            return Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        };
        let near = &intermediates[..steps.min(intermediates.len())];
        self.verifier.verify_client_cert(certificate, near, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
