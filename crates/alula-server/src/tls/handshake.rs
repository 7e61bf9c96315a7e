//! One handshake: the name the client gives, the host that fits, what they agreed on.

use super::plain::Below;
use super::session::Session;
use super::{Agreed, Tls};
use crate::opening::Replayed;
use crate::socket::Wire;
use alula_http::TlsSession;
use alula_routing::RouteTable;
use rustls::SupportedCipherSuite;
use rustls::server::Acceptor;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

impl Wire for TlsStream<Below> {
    const HOLDS_BACK: bool = true;
}

/// A handshake that came to its end.
pub(crate) struct Established {
    pub(crate) stream: TlsStream<Below>,
    pub(crate) agreed: Agreed,
    pub(crate) session: Arc<dyn TlsSession>,
    /// Whether both sides want HTTP/2.
    pub(crate) is_http2: bool,
}

/// A handshake that failed.
pub(crate) enum Refused {
    /// The client did something wrong, or left.
    Failed(io::Error),
    /// It spoke plain HTTP, and was told.
    Plain,
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl Tls {
    /// Makes a connection a TLS connection. The caller limits how long that may take.
    pub(crate) async fn accept(
        &self,
        stream: Replayed,
        local: SocketAddr,
        routes: &RouteTable,
    ) -> Result<Established, Refused> {
        let mut hello = LazyConfigAcceptor::new(Acceptor::default(), Below::new(stream));
        let started = match (&mut hello).await {
            Ok(started) => started,
            Err(error) => {
                if let Some(below) = hello.take_io().filter(Below::is_plain) {
                    below.explain().await?;
                    return Err(Refused::Plain);
                }
                return Err(error.into());
            }
        };
        let name = started.client_hello().server_name().map(str::to_owned);
        let base = self.host(routes.virtual_host(local, || None));
        let named = name
            .as_ref()
            .map(|name| routes.virtual_host(local, || Some(name.as_bytes())));
        // A host that is not TLS has no certificate to show: then the first one at this address answers, as in httpd.
        let host = named.and_then(|named| self.host(named)).or(base);
        let Some(host) = host else {
            return Err(io::Error::from(io::ErrorKind::Unsupported).into());
        };
        let hello = started.client_hello();
        let shown = host.pairs.choose(hello.signature_schemes()).cloned();
        let stream = started.into_stream(host.config.clone()).await?;
        let (_, connection) = stream.get_ref();
        let shown = match connection.negotiated_cipher_suite() {
            // The cipher has settled the kind of key.
            Some(SupportedCipherSuite::Tls12(suite)) => host.pairs.choose(suite.sign).cloned(),
            _ => shown,
        };
        let session = Session::new(connection, name, shown);
        Ok(Established {
            agreed: Agreed {
                class: host.class,
                client_class: host.client_class,
                named: named.is_some(),
            },
            is_http2: connection.alpn_protocol() == Some(b"h2"),
            session: Arc::new(session),
            stream,
        })
    }
}
