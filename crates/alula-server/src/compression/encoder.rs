//! The compressors, behind one face. What each holds is bounded: some hundred KiB for gzip, about two MiB for the others.

use alula_routing::site::{Coding, CompressionSettings};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write};
use zstd::stream::raw::CParameter;

/// httpd's default.
const GZIP_LEVEL: u8 = 6;
/// httpd's default.
const BROTLI_QUALITY: u8 = 5;
/// The library's default.
const ZSTD_LEVEL: u8 = 3;
/// How far back brotli and zstd look, as a power of two: 512 KiB. httpd's default for brotli is 18.
const WINDOW_BITS: u32 = 19;
/// How much brotli takes in before it lets something out, in bytes.
const BROTLI_BUFFER_BYTES: usize = 4096;

pub(super) enum Encoder {
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Zstd(Box<zstd::Encoder<'static, Vec<u8>>>),
}

impl Encoder {
    pub(super) fn new(coding: Coding, settings: &CompressionSettings) -> io::Result<Self> {
        let output = Vec::new();
        Ok(match coding {
            Coding::Gzip => {
                let level = settings.gzip_level.unwrap_or(GZIP_LEVEL);
                let level = Compression::new(u32::from(level));
                Self::Gzip(Box::new(GzEncoder::new(output, level)))
            }
            Coding::Brotli => {
                let quality = settings.brotli_quality.unwrap_or(BROTLI_QUALITY);
                Self::Brotli(Box::new(brotli::CompressorWriter::new(
                    output,
                    BROTLI_BUFFER_BYTES,
                    u32::from(quality),
                    WINDOW_BITS,
                )))
            }
            Coding::Zstd => {
                let level = settings.zstd_level.unwrap_or(ZSTD_LEVEL);
                let mut encoder = zstd::Encoder::new(output, i32::from(level))?;
                encoder.set_parameter(CParameter::WindowLog(WINDOW_BITS))?;
                Self::Zstd(Box::new(encoder))
            }
        })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.write_all(bytes),
            Self::Brotli(encoder) => encoder.write_all(bytes),
            Self::Zstd(encoder) => encoder.write_all(bytes),
        }
    }

    /// Makes everything so far readable.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.flush(),
            Self::Brotli(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }

    /// What has come out so far.
    pub(super) fn take(&mut self) -> Bytes {
        let output = match self {
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Brotli(encoder) => encoder.get_mut(),
            Self::Zstd(encoder) => encoder.get_mut(),
        };
        std::mem::take(output).into()
    }

    /// The rest.
    pub(super) fn finish(self) -> io::Result<Bytes> {
        Ok(match self {
            Self::Gzip(encoder) => encoder.finish()?,
            Self::Brotli(encoder) => encoder.into_inner(),
            Self::Zstd(encoder) => encoder.finish()?,
        }
        .into())
    }

    /// All of some content at once.
    pub(super) fn whole(mut self, content: &[u8]) -> io::Result<Bytes> {
        self.write(content)?;
        self.finish()
    }
}
