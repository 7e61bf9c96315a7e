//! A connection that is no longer HTTP once a response of 101 is out (RFC 9110 section 7.8).

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite};

/// Bytes in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// The client's end of a connection that was upgraded.
pub type Upgraded = Box<dyn Duplex>;

/// What is done with it; when it returns, the connection is closed.
pub type Afterwards = Pin<Box<dyn Future<Output = ()> + Send>>;

type Begin = Box<dyn FnOnce(Upgraded) -> Afterwards + Send>;

/// Who takes the connection over, as an extension of a [`crate::Response`] with status 101.
#[derive(Clone)]
pub struct Takeover(Arc<Mutex<Option<Begin>>>);

impl Takeover {
    /// `begin` is called with the connection, once the response is out.
    pub fn new(begin: impl FnOnce(Upgraded) -> Afterwards + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(begin)))))
    }

    /// What to call; the second time there is nothing.
    pub fn take(&self) -> Option<Begin> {
        self.0.lock().ok()?.take()
    }
}

impl std::fmt::Debug for Takeover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Takeover")
    }
}
