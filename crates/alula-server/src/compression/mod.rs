//! Compresses responses on their way out: which ones, for whom, and what their head then says.
//!
//! Left alone are responses that are encoded already, parts of something, marked `no-transform`, or too short to gain by it. An
//! `ETag` names the compressed form by a suffix, and a client that sends such a tag back is understood.

mod encoder;
mod stream;

use alula_http::{Body, Response, encoding, etag};
use alula_routing::Found;
use alula_routing::site::{Coding, CompressionSettings, EtagAlteration};
use encoder::Encoder;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, VARY,
};
use http::response::Parts;
use http::{Method, StatusCode};
use std::sync::Arc;
use stream::{Compressed, Place};

/// Shorter content is not worth a coding, in bytes.
const CONTENT_BYTES_MIN: u64 = 200;
/// Up to here content in memory is compressed whole, so that its length can be told, in bytes.
const WHOLE_BYTES_MAX: usize = 64 * 1024;
/// Up to here it is done on the loop's thread: handing it over would take longer.
const INLINE_BYTES_MAX: usize = 8 * 1024;

/// What is remembered of a request until its response is there.
pub(crate) struct Wanted {
    settings: Arc<CompressionSettings>,
    /// `Accept-Encoding` alone.
    accepts: HeaderMap,
    head_only: bool,
    /// The coding whose suffix the client's `If-None-Match` had.
    known: Option<Coding>,
}

impl Wanted {
    /// Takes suffixes off the tags of the request, so that whoever answers finds its own.
    pub(crate) fn new(found: &Found, method: &Method, headers: &mut HeaderMap) -> Option<Self> {
        let settings = found.route.compression.as_ref()?;
        // `BrowserMatch ... no-gzip`; a `SetEnv` is seen to where the route is made.
        let mut variables = found.variables().iter();
        if variables.any(|(name, value)| name == "no-gzip" && value != "0") {
            return None;
        }
        let mut accepts = HeaderMap::new();
        for value in headers.get_all(ACCEPT_ENCODING) {
            accepts.append(ACCEPT_ENCODING, value.clone());
        }
        let mut known = None;
        if settings.etag.unwrap_or_default() == EtagAlteration::AddSuffix {
            for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd] {
                let tags = headers.get(IF_NONE_MATCH);
                let tags = tags.and_then(|tags| etag::without_suffix(tags, name(coding)));
                if let Some(tags) = tags {
                    headers.insert(IF_NONE_MATCH, tags);
                    known = Some(coding);
                }
            }
        }
        Some(Self {
            settings: Arc::clone(settings),
            accepts,
            head_only: *method == Method::HEAD,
            known,
        })
    }

    /// Compresses the response, if it is one to be.
    pub(crate) async fn apply(self, response: Response, found: &Found) -> Response {
        let (mut head, body) = response.into_parts();
        if head.status == StatusCode::NOT_MODIFIED {
            if let Some(coding) = self.known {
                self.alter_etag(&mut head, coding);
                encoding::vary(&mut head.headers);
            }
            return Response::from_parts(head, body);
        }
        let codings = self.codings(&head, found);
        if codings.is_empty() || !is_compressible(&head, &body, self.head_only) {
            return Response::from_parts(head, body);
        }
        encoding::vary(&mut head.headers);
        let Some(coding) = self.choose(codings) else {
            return Response::from_parts(head, body);
        };
        let Some(place) = Place::take() else {
            // So many at a time that memory matters more than bandwidth.
            return Response::from_parts(head, body);
        };
        let encoder = match Encoder::new(coding, &self.settings) {
            Ok(encoder) => encoder,
            Err(error) => {
                tracing::error!(target: "deflate", "cannot compress: {error}");
                return Response::from_parts(head, body);
            }
        };
        head.headers.remove(CONTENT_LENGTH);
        // Parts are parts of the content as it is sent, and that is made anew each time.
        head.headers.remove(ACCEPT_RANGES);
        let value = HeaderValue::from_static(name(coding));
        head.headers.insert(CONTENT_ENCODING, value);
        self.alter_etag(&mut head, coding);
        let body = match body {
            Body::Bytes(content) if content.len() <= WHOLE_BYTES_MAX && !self.head_only => {
                let whole = if content.len() <= INLINE_BYTES_MAX {
                    encoder.whole(&content)
                } else {
                    let work = move || encoder.whole(&content);
                    let done = tokio::task::spawn_blocking(work).await;
                    done.unwrap_or_else(|stopped| Err(stopped.into()))
                };
                whole.map(|content| {
                    let length = HeaderValue::from(content.len());
                    head.headers.insert(CONTENT_LENGTH, length);
                    Body::from(content)
                })
            }
            // What a HEAD would be answered with is not made, and its length not known.
            _ if self.head_only => Ok(Body::Empty),
            body => Ok(Body::stream(Compressed::new(body, encoder, place))),
        };
        match body {
            Ok(body) => Response::from_parts(head, body),
            Err(error) => {
                tracing::error!(target: "deflate", "cannot compress: {error}");
                alula_http::status_response(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// The codings for this response, in the order preferred.
    fn codings(&self, head: &Parts, found: &Found) -> &[Coding] {
        let settings = &self.settings;
        if let Some(always) = settings.always.as_ref().filter(|always| !always.is_empty()) {
            return always;
        }
        if !settings.by_extension.is_empty()
            && let Some(file) = &found.file
            && let Some(extension) = file.extension()
            && let Some(codings) = settings
                .by_extension
                .get(&extension.to_string_lossy().to_ascii_lowercase())
        {
            return codings;
        }
        let media_type = head.headers.get(CONTENT_TYPE);
        let media_type = media_type.and_then(|value| value.to_str().ok());
        let media_type = media_type.unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        let media_type = media_type.to_ascii_lowercase();
        let wildcard = || {
            let (kind, _) = media_type.split_once('/')?;
            settings.by_type.get(&format!("{kind}/*"))
        };
        let by_type = settings.by_type.get(&media_type).or_else(wildcard);
        by_type.map_or(&[], Vec::as_slice)
    }

    /// What the client likes best; of equals the first.
    fn choose(&self, codings: &[Coding]) -> Option<Coding> {
        let mut best = None;
        for &coding in codings {
            let quality = encoding::quality(&self.accepts, name(coding));
            if quality > best.map_or(0, |(_, quality)| quality) {
                best = Some((coding, quality));
            }
        }
        best.map(|(coding, _)| coding)
    }

    fn alter_etag(&self, head: &mut Parts, coding: Coding) {
        match self.settings.etag.unwrap_or_default() {
            EtagAlteration::NoChange => {}
            EtagAlteration::Remove => drop(head.headers.remove(ETAG)),
            EtagAlteration::AddSuffix => {
                let tag = head.headers.get(ETAG);
                if let Some(tag) = tag.and_then(|tag| etag::with_suffix(tag, name(coding))) {
                    head.headers.insert(ETAG, tag);
                }
            }
        }
    }
}

/// As `Content-Encoding` has it, and the suffix of tags.
fn name(coding: Coding) -> &'static str {
    match coding {
        Coding::Gzip => "gzip",
        Coding::Brotli => "br",
        Coding::Zstd => "zstd",
    }
}

fn is_compressible(head: &Parts, body: &Body, head_only: bool) -> bool {
    let has_content = !matches!(
        head.status,
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT
    ) && !head.status.is_informational();
    let said = head.headers.get(CONTENT_LENGTH);
    let said = said.and_then(|length| length.to_str().ok()?.parse().ok());
    let length = said.or_else(|| body.len().filter(|_| !head_only));
    let encoded = head.headers.get_all(CONTENT_ENCODING).iter();
    let is_encoded = encoded
        .into_iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    let control = head.headers.get_all(CACHE_CONTROL).iter();
    let is_fixed = control
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .any(|directive| directive.trim_ascii().eq_ignore_ascii_case(b"no-transform"));
    let varies_by_all = head.headers.get(VARY).is_some_and(|vary| vary == "*");
    has_content
        && length.is_none_or(|length| length >= CONTENT_BYTES_MIN)
        && !is_encoded
        && !is_fixed
        && !varies_by_all
        && !head.headers.contains_key(CONTENT_RANGE)
}
