//! Regular expressions as sections use them: on bytes, since a URL path or a file name need not be UTF-8.

use regex::bytes::{Regex, RegexBuilder};

/// Compiles a pattern. A dot and a class stand for one byte, as in httpd's PCRE; a pattern that needs characters, because
/// it has some that are not ASCII in a class, gets them.
pub fn regex_bytes(pattern: &str) -> Result<Regex, regex::Error> {
    let bytes = RegexBuilder::new(pattern).unicode(false).build();
    bytes.or_else(|_| RegexBuilder::new(pattern).build())
}
