//! What the supervisor must know of a configuration, and nothing more.
//!
//! The assembly in the binary makes it from the Site, again at each restart.

use std::io;
use std::sync::Arc;

use serde::de::DeserializeOwned;

/// The whole Site as JSON. Only an assembly knows its type; for everyone between it is just text to pass on.
#[derive(Clone, Debug)]
pub struct SiteText(Arc<[u8]>);

impl SiteText {
    /// Takes the JSON text.
    #[must_use]
    pub fn new(json: Vec<u8>) -> Self {
        Self(json.into())
    }

    /// The Site itself. It costs a parse: call it once.
    pub fn parse<S: DeserializeOwned>(&self) -> io::Result<S> {
        Ok(serde_json::from_slice(&self.0)?)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
