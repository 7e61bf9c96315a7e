//! Regular expressions as sections use them: on bytes, since a URL path or a file name need not be UTF-8.

use regex::bytes::{Regex, RegexBuilder};

/// Compiles a pattern. A dot and a class stand for one byte, as in httpd's PCRE; a pattern that needs characters, because
/// it has some that are not ASCII in a class, gets them. A dot stands for a line feed as well (`RegexDefaultOptions DOTALL`):
/// else `%0A` in a URL would lead past a `<LocationMatch "^/private/.*$">`.
pub fn regex_bytes(pattern: &str) -> Result<Regex, regex::Error> {
    let mut builder = RegexBuilder::new(pattern);
    builder.dot_matches_new_line(true);
    let bytes = builder.unicode(false).build();
    bytes.or_else(|_| builder.unicode(true).build())
}
