//! Files that lie packed beside the file asked for: `site.css.br` for `site.css` (`PrecompressedFiles`).
//!
//! One that is older than the file is passed over: it has the content of yesterday.

use crate::files::{Asked, Shared};
use crate::finder::Target;
use crate::found::Found;
use crate::mime::Described;
use alula_http::{Response, encoding};
use http::HeaderValue;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Extensions and their codings, the one that packs best first.
const CODINGS: [(&str, &str); 3] = [("br", "br"), ("zst", "zstd"), ("gz", "gzip")];

impl Shared {
    /// Whether a packed file may be sent in the place of this one.
    pub(crate) fn is_packed(&self, found: &Found) -> bool {
        self.settings.precompressed == Some(true) && found.described.encoding.is_none()
    }

    pub(crate) async fn answer_packed(
        &self,
        asked: &Asked,
        found: &Arc<Found>,
        file: &Path,
    ) -> Response {
        let mut response = match self.packed(asked, found, file).await {
            Some((packed, path, coding)) => {
                let described = Described {
                    encoding: Some(HeaderValue::from_static(coding)),
                    ..found.described.clone()
                };
                self.answer(asked, &packed, &described, &path).await
            }
            None => self.answer(asked, found, &found.described, file).await,
        };
        encoding::vary(response.headers_mut());
        response
    }

    /// The packed file that the client likes best; of equals the first.
    async fn packed(
        &self,
        asked: &Asked,
        found: &Found,
        file: &Path,
    ) -> Option<(Arc<Found>, PathBuf, &'static str)> {
        let weighed = CODINGS.map(|(extension, coding)| {
            let quality = encoding::quality(&asked.headers, coding);
            (quality, extension, coding)
        });
        let mut wanted: Vec<_> = weighed
            .iter()
            .filter(|(quality, ..)| *quality > 0)
            .collect();
        wanted.sort_by_key(|(quality, ..)| std::cmp::Reverse(*quality));
        for (_, extension, coding) in wanted {
            let mut path = file.as_os_str().to_owned();
            path.push(OsStr::new("."));
            path.push(OsStr::new(extension));
            let path = PathBuf::from(path);
            if let Ok(Target::File(packed)) = self.finder.find(&path).await
                && packed.is_as_new_as(found)
            {
                return Some((packed, path, coding));
            }
        }
        None
    }
}
