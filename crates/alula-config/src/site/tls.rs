//! HTTPS and HTTP/2 of a server: mod_ssl's and mod_http2's settings with their meaning.
//!
//! Only the paths of certificates and keys stand here, never what is in them: the configuration goes to every process, keys
//! go their own way.

use super::Origin;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A file a configuration names, and where it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedFile {
    /// The file, absolute.
    pub path: PathBuf,
    /// Where it was written.
    pub origin: Origin,
}

/// `SSLEngine On` with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// `SSLCertificateFile`: a certificate, its chain below it where there is one, and perhaps its key. At least one.
    pub certificates: Vec<NamedFile>,
    /// `SSLCertificateKeyFile`: which of them belongs to which certificate shows when they are read.
    pub keys: Vec<NamedFile>,
    /// `SSLCertificateChainFile`.
    pub chain: Option<NamedFile>,
    /// `SSLProtocol`: TLS 1.2.
    pub tls12: bool,
    /// `SSLProtocol`: TLS 1.3.
    pub tls13: bool,
    /// `SSLHonorCipherOrder`.
    pub own_cipher_order: bool,
    /// `SSLSessionTickets`.
    pub session_tickets: bool,
    /// `SSLStrictSNIVHostCheck`: clients that name no host in the handshake are refused.
    pub strict_names: bool,
    /// Certificates of clients.
    pub client: ClientCertificates,
    /// Where `SSLEngine` was written.
    pub origin: Origin,
}

/// What clients must prove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientCertificates {
    /// `SSLVerifyClient`.
    pub demand: ClientCertificate,
    /// `SSLVerifyDepth`: how many certificates there may be above the client's, the authority's included.
    pub depth: u8,
    /// `SSLCACertificateFile`.
    pub authorities: Option<NamedFile>,
    /// `SSLCACertificatePath`.
    pub authority_directory: Option<NamedFile>,
}

/// `SSLVerifyClient`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientCertificate {
    /// Not asked for.
    #[default]
    None,
    /// Asked for; a client may have none, but no wrong one.
    Optional,
    /// No connection without one.
    Required,
}

impl Tls {
    /// Whether a connection set up for one server may carry requests for the other (httpd's `ssl_server_compatible`).
    pub fn is_compatible(&self, other: &Self) -> bool {
        let paths = |files: &[NamedFile]| -> Vec<PathBuf> {
            files.iter().map(|file| file.path.clone()).collect()
        };
        paths(&self.certificates) == paths(&other.certificates)
            && paths(&self.keys) == paths(&other.keys)
            && (self.tls12, self.tls13) == (other.tls12, other.tls13)
            && self.client.is_alike(&other.client)
    }
}

impl ClientCertificates {
    /// Whether both ask the same of a client.
    pub fn is_alike(&self, other: &Self) -> bool {
        let path = |file: &Option<NamedFile>| file.as_ref().map(|file| file.path.clone());
        self.demand == other.demand
            && (self.demand == ClientCertificate::None
                || self.depth == other.depth
                    && path(&self.authorities) == path(&other.authorities)
                    && path(&self.authority_directory) == path(&other.authority_directory))
    }
}

/// `SSLOptions`; `None` where nothing was said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsOptions {
    /// `StdEnvVars`: applications see the `SSL_*` variables.
    pub variables: Option<bool>,
    /// `ExportCertData`: and the certificates themselves.
    pub certificates: Option<bool>,
}

/// A protocol of `Protocols`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// `h2`: HTTP/2 over TLS.
    H2,
    /// `h2c`: HTTP/2 without TLS.
    H2c,
    /// `http/1.1`.
    Http1,
}

/// Limits of HTTP/2 connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Http2 {
    /// `H2MaxSessionStreams`: requests under way at the same time on one connection.
    pub streams_max: u32,
    /// `H2WindowSize`: content a client may send ahead on one stream, in bytes.
    pub window_bytes: u32,
    /// `H2MaxHeaderBlockLen`: a request's head, in bytes.
    pub head_bytes_max: u32,
    /// `H2MaxDataFrameLen`: the longest frame of content we accept, in bytes.
    pub frame_bytes_max: u32,
    /// `H2MaxStreamErrors`: broken streams of which a connection may have so many.
    pub stream_errors_max: u32,
    /// `H2Direct`: whether an `h2c` client may start with HTTP/2 at once.
    pub direct: bool,
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            streams_max: 100,
            window_bytes: 65_535,
            head_bytes_max: 65_536,
            frame_bytes_max: 16_384,
            stream_errors_max: 8,
            direct: true,
        }
    }
}
