//! What is done to responses on their way out: compression, and files that an application names for the server to send.

use super::merge::replace;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A content coding that is made on the fly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Coding {
    /// `DEFLATE`: gzip.
    Gzip,
    /// `BROTLI_COMPRESS`.
    Brotli,
    /// `ZSTD`.
    Zstd,
}

/// What becomes of the `ETag` of a response that is compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EtagAlteration {
    /// `AddSuffix`.
    #[default]
    AddSuffix,
    /// `NoChange`.
    NoChange,
    /// `Remove`.
    Remove,
}

/// mod_deflate's, mod_brotli's and mod_filter's directives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompressionSettings {
    /// `SetOutputFilter`: the codings for every response, in the order preferred. Empty: none.
    pub always: Option<Vec<Coding>>,
    /// `AddOutputFilterByType`, media types in lower case.
    pub by_type: BTreeMap<String, Vec<Coding>>,
    /// `AddOutputFilter`, extensions in lower case without the dot.
    pub by_extension: BTreeMap<String, Vec<Coding>>,
    /// `DeflateAlterETag`, `BrotliAlterETag`.
    pub etag: Option<EtagAlteration>,
    /// `DeflateCompressionLevel`.
    pub gzip_level: Option<u8>,
    /// `BrotliCompressionQuality`.
    pub brotli_quality: Option<u8>,
    /// `ZstdCompressionLevel`.
    pub zstd_level: Option<u8>,
}

/// mod_xsendfile's directives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendFileSettings {
    /// `XSendFile`.
    pub active: Option<bool>,
    /// `XSendFilePath`: the directories that hold what may be sent.
    pub roots: Vec<PathBuf>,
    /// `XSendFileUnescape`.
    pub unescape: Option<bool>,
}

impl CompressionSettings {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether any response is compressed.
    pub fn is_active(&self) -> bool {
        self.always
            .as_ref()
            .is_some_and(|codings| !codings.is_empty())
            || self.by_type.values().any(|codings| !codings.is_empty())
            || self
                .by_extension
                .values()
                .any(|codings| !codings.is_empty())
    }

    pub(super) fn overlay(&mut self, later: &Self) {
        replace(&mut self.always, &later.always);
        let by_type = later.by_type.iter();
        self.by_type
            .extend(by_type.map(|(name, codings)| (name.clone(), codings.clone())));
        let by_extension = later.by_extension.iter();
        self.by_extension
            .extend(by_extension.map(|(name, codings)| (name.clone(), codings.clone())));
        replace(&mut self.etag, &later.etag);
        replace(&mut self.gzip_level, &later.gzip_level);
        replace(&mut self.brotli_quality, &later.brotli_quality);
        replace(&mut self.zstd_level, &later.zstd_level);
    }
}

impl SendFileSettings {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn overlay(&mut self, later: &Self) {
        replace(&mut self.active, &later.active);
        self.roots.extend(later.roots.iter().cloned());
        replace(&mut self.unescape, &later.unescape);
    }
}
