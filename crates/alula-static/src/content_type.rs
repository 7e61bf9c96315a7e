//! Tells a file's media type from its name.
//!
//! As in httpd's mod_mime every extension counts and the rightmost one that is known decides: `a.html.bak` is HTML. A
//! name with no known extension gets no type at all, which RFC 9110 section 8.3 prefers to a guess.

use http::HeaderValue;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What the configuration says about types.
#[derive(Debug)]
pub(crate) struct ContentTypes {
    added: HashMap<String, HeaderValue>,
    forced: Option<HeaderValue>,
    default_charset: Option<String>,
}

impl ContentTypes {
    /// `added` is keyed by extension, without a dot.
    pub(crate) fn new(
        added: &[(String, HeaderValue)],
        forced: Option<HeaderValue>,
        default_charset: Option<String>,
    ) -> Self {
        let added = added
            .iter()
            .map(|(extension, media_type)| (key(extension), media_type.clone()))
            .collect();
        Self {
            added,
            forced,
            default_charset,
        }
    }

    /// The `Content-Type` of a file.
    pub(crate) fn of(&self, file: &Path) -> Option<HeaderValue> {
        let media_type = match &self.forced {
            Some(forced) => forced.clone(),
            None => self.by_name(file.file_name()?)?,
        };
        Some(self.with_charset(media_type))
    }

    fn by_name(&self, name: &OsStr) -> Option<HeaderValue> {
        let name = name.as_bytes();
        // The dots of a hidden file start no extension.
        let hidden = name.iter().take_while(|byte| **byte == b'.').count();
        let first_dot = hidden + name[hidden..].iter().position(|byte| *byte == b'.')?;
        name[first_dot + 1..]
            .rsplit(|byte| *byte == b'.')
            .filter_map(|extension| std::str::from_utf8(extension).ok())
            .find_map(|extension| self.by_extension(extension))
    }

    fn by_extension(&self, extension: &str) -> Option<HeaderValue> {
        if !self.added.is_empty()
            && let Some(media_type) = self.added.get(&key(extension))
        {
            return Some(media_type.clone());
        }
        mime_guess::from_ext(extension)
            .first_raw()
            .map(HeaderValue::from_static)
    }

    /// `AddDefaultCharset` counts for `text/plain` and `text/html` that name none, in httpd and so here.
    fn with_charset(&self, media_type: HeaderValue) -> HeaderValue {
        let Some(charset) = &self.default_charset else {
            return media_type;
        };
        if media_type != "text/plain" && media_type != "text/html" {
            return media_type;
        }
        let mut text = media_type.as_bytes().to_vec();
        text.extend_from_slice(b"; charset=");
        text.extend_from_slice(charset.as_bytes());
        HeaderValue::try_from(text).unwrap_or(media_type)
    }
}

/// Extensions know no case and may be written with their dot, as in `AddType`.
fn key(extension: &str) -> String {
    extension.trim_start_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(types: &ContentTypes, name: &str, expected: Option<&str>) {
        let found = types.of(&Path::new("/srv/x.y").join(name));
        let found = found.as_ref().map(|value| value.to_str().expect("text"));
        assert_eq!(found, expected, "{name}");
    }

    #[test]
    fn goes_by_extension() {
        let types = ContentTypes::new(&[], None, None);
        let check = |name, expected| check(&types, name, expected);
        check("a.html", Some("text/html"));
        check("a.HTML", Some("text/html"));
        check("site.min.css", Some("text/css"));
        check("a.js", Some("text/javascript"));
        check("a.json", Some("application/json"));
        check("a.svg", Some("image/svg+xml"));
        check("a.woff2", Some("font/woff2"));
        check("a.tar.gz", Some("application/gzip"));
        check("a.html.bak~", Some("text/html"));
        check("é.png", Some("image/png"));
        check("a", None);
        check("html", None);
        check(".html", None);
        check(".hidden.html", Some("text/html"));
        check("a.", None);
        check("a.unknownext", None);
    }

    #[test]
    fn heeds_the_configuration() {
        let value = HeaderValue::from_static;
        let added = [
            (".CSS".to_owned(), value("text/x-mine")),
            ("md".to_owned(), value("text/plain")),
        ];
        let types = ContentTypes::new(&added, None, Some("utf-8".to_owned()));
        check(&types, "a.css", Some("text/x-mine"));
        check(&types, "a.md", Some("text/plain; charset=utf-8"));
        check(&types, "a.html", Some("text/html; charset=utf-8"));
        check(&types, "a.js", Some("text/javascript"));
        let forced = ContentTypes::new(&added, Some(value("image/gif")), None);
        check(&forced, "a.css", Some("image/gif"));
        check(&forced, "a", Some("image/gif"));
    }
}
