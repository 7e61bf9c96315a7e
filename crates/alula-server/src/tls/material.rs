//! What is in the files of certificates and keys, on its way from the supervisor to the workers.
//!
//! The supervisor reads them while it is root; no worker needs to be able to, and none opens them again.

use alula_routing::site;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Length of the secret that keys of session tickets are made of, in bytes.
const SECRET_BYTES: usize = 32;

/// Texts of files by path, and a secret for session tickets. `Debug` tells nothing of either.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct TlsMaterial {
    texts: BTreeMap<PathBuf, String>,
    ticket_secret: Vec<u8>,
}

impl std::fmt::Debug for TlsMaterial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let paths: Vec<&PathBuf> = self.texts.keys().collect();
        f.debug_struct("TlsMaterial")
            .field("paths", &paths)
            .finish_non_exhaustive()
    }
}

impl TlsMaterial {
    /// Asks `read` for the text of every file the settings name, each once. Of a directory it gets the texts of all files,
    /// one after the other. The error says file, line and fact.
    ///
    /// # Errors
    /// When `read` has one, or the system has no random numbers.
    pub fn collect<'s>(
        settings: impl Iterator<Item = &'s site::Tls>,
        read: impl Fn(&Path) -> std::io::Result<String>,
    ) -> Result<Self, String> {
        let mut material = Self::default();
        for tls in settings {
            let client = &tls.client;
            let named = [
                ("SSLCertificateFile", &tls.certificates[..]),
                ("SSLCertificateKeyFile", &tls.keys[..]),
                ("SSLCertificateChainFile", tls.chain.as_slice()),
                ("SSLCACertificateFile", client.authorities.as_slice()),
                (
                    "SSLCACertificatePath",
                    client.authority_directory.as_slice(),
                ),
            ];
            for (directive, files) in named {
                for site::NamedFile { path, origin } in files {
                    if material.texts.contains_key(path) {
                        continue;
                    }
                    let text = read(path).map_err(|error| {
                        format!("{origin}: {directive}: cannot read {path:?}: {error}")
                    })?;
                    material.texts.insert(path.clone(), text);
                }
            }
        }
        if !material.texts.is_empty() {
            material.ticket_secret = vec![0; SECRET_BYTES];
            SystemRandom::new()
                .fill(&mut material.ticket_secret)
                .map_err(|_| "the system has no random numbers".to_owned())?;
        }
        Ok(material)
    }

    pub(super) fn text(&self, path: &Path) -> &[u8] {
        self.texts.get(path).map_or(&[], |text| text.as_bytes())
    }

    pub(super) fn ticket_secret(&self) -> &[u8] {
        &self.ticket_secret
    }
}
