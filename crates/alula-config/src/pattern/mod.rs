//! Regular expressions as configurations use them: on bytes, since a URL path or a file name need not be UTF-8.
//!
//! httpd's are PCRE's. What needs no backtracking goes to `regex`, whose time is bounded by the length of the text; what only
//! PCRE can (`(?!...)`, `\1`) goes to `fancy-regex`, which gives up after [`BACKTRACKS_MAX`] steps, as PCRE does after its own.

mod spelling;

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Steps back after which a search is given up and counts as finding nothing.
const BACKTRACKS_MAX: usize = 1_000_000;

/// How large a compiled pattern may be, in instructions.
const INSTRUCTIONS_MAX: usize = 1 << 20;

/// A compiled regular expression; equal to another that is written the same.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Pattern {
    written: Written,
    engine: Engine,
}

/// How a pattern is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Written {
    text: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    ignores_case: bool,
}

#[derive(Clone)]
enum Engine {
    Plain(Regex),
    Backtracking(Box<fancy_regex::Regex>),
}

/// Why a pattern does not compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError(String);

/// What a pattern and its groups found in a text: places, so that text and pattern can go.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    /// 0 is the whole match.
    places: Vec<Option<Range<usize>>>,
}

impl Pattern {
    /// Compiles a pattern. A dot and a class stand for one byte, as in httpd's PCRE; a pattern that needs characters, because
    /// it has some that are not ASCII in a class, gets them. A dot stands for a line feed as well (`RegexDefaultOptions DOTALL`):
    /// else `%0A` in a URL would lead past a `<LocationMatch "^/private/.*$">`.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        Self::compile(text, false)
    }

    /// The same, with upper and lower case alike.
    pub fn ignoring_case(text: &str) -> Result<Self, PatternError> {
        Self::compile(text, true)
    }

    fn compile(text: &str, ignores_case: bool) -> Result<Self, PatternError> {
        let spelt = spelling::from_pcre(text);
        let plain = |unicode: bool| {
            let mut builder = RegexBuilder::new(&spelt);
            builder.dot_matches_new_line(true).unicode(unicode);
            builder.case_insensitive(ignores_case).build()
        };
        let engine = match plain(false).or_else(|_| plain(true)) {
            Ok(regex) => Engine::Plain(regex),
            Err(refused) => {
                let regex = backtracking(&spelt, ignores_case);
                Engine::Backtracking(Box::new(regex.map_err(|error| reason(&refused, &error))?))
            }
        };
        let text = text.to_owned();
        Ok(Self {
            written: Written { text, ignores_case },
            engine,
        })
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.written.text
    }

    /// Whether upper and lower case are alike.
    pub fn ignores_case(&self) -> bool {
        self.written.ignores_case
    }

    /// Whether it is found in a text.
    pub fn is_match(&self, text: &[u8]) -> bool {
        match &self.engine {
            Engine::Plain(regex) => regex.is_match(text),
            Engine::Backtracking(regex) => regex.is_match(text).unwrap_or(false),
        }
    }

    /// What it finds first.
    pub fn captures(&self, text: &[u8]) -> Option<Groups> {
        self.captures_from(text, 0)
    }

    /// The groups that have names, by their numbers.
    pub fn names(&self) -> Vec<(usize, String)> {
        let owned = |name: Option<&str>| name.map(str::to_owned);
        let names: Vec<Option<String>> = match &self.engine {
            Engine::Plain(regex) => regex.capture_names().map(owned).collect(),
            Engine::Backtracking(regex) => regex.capture_names().map(owned).collect(),
        };
        let numbered = names.into_iter().enumerate();
        numbered
            .filter_map(|(number, name)| Some((number, name?)))
            .collect()
    }

    /// What it finds first at a place or after it; what stands before is still looked at by `^` and `\b`.
    pub fn captures_from(&self, text: &[u8], start: usize) -> Option<Groups> {
        if start > text.len() {
            return None;
        }
        let places = match &self.engine {
            Engine::Plain(regex) => {
                let found = regex.captures_at(text, start)?;
                found.iter().map(|group| Some(group?.range())).collect()
            }
            Engine::Backtracking(regex) => {
                let found = regex.captures_from_pos(text, start).ok()??;
                found.iter().map(|group| Some(group?.range())).collect()
            }
        };
        Some(Groups { places })
    }
}

fn backtracking(
    spelt: &str,
    ignores_case: bool,
) -> Result<fancy_regex::Regex, Box<fancy_regex::Error>> {
    let build = |mode| {
        fancy_regex::RegexBuilder::new(spelt)
            .bytes_mode(mode)
            .dot_matches_new_line(true)
            .case_insensitive(ignores_case)
            .backtrack_limit(BACKTRACKS_MAX)
            .max_prog_size(INSTRUCTIONS_MAX)
            .build()
    };
    let ascii = build(fancy_regex::BytesMode::Ascii);
    ascii
        .or_else(|_| build(fancy_regex::BytesMode::UnicodeBytes))
        .map_err(Box::new)
}

/// The one of the two engines' errors that is about what is wrong.
fn reason(plain: &regex::Error, backtracking: &fancy_regex::Error) -> PatternError {
    let text = plain.to_string();
    let needed = text.contains("look-around") || text.contains("backreferences");
    let text = if needed {
        backtracking.to_string()
    } else {
        text
    };
    let fact = text.lines().rfind(|line| !line.trim().is_empty());
    let fact = fact.unwrap_or_default().trim();
    PatternError(fact.trim_start_matches("error: ").to_owned())
}

impl Groups {
    /// What a group matched; 0 is the whole. `text` is the text that was searched.
    pub fn get<'t>(&self, text: &'t [u8], group: usize) -> Option<&'t [u8]> {
        text.get(self.place(group)?)
    }

    /// Where it was.
    pub fn place(&self, group: usize) -> Option<Range<usize>> {
        self.places.get(group)?.clone()
    }
}

impl std::fmt::Display for PatternError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PatternError {}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.written.fmt(f)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Pattern {}

impl std::hash::Hash for Pattern {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.written.hash(state);
    }
}

impl From<Pattern> for Written {
    fn from(pattern: Pattern) -> Self {
        pattern.written
    }
}

impl TryFrom<Written> for Pattern {
    type Error = PatternError;

    fn try_from(written: Written) -> Result<Self, PatternError> {
        Self::compile(&written.text, written.ignores_case)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &[u8], group_1: Option<&[u8]>) {
        let compiled = Pattern::new(pattern).expect("it compiles");
        let found = compiled.captures(text);
        let found = found.map(|groups| groups.get(text, 1).unwrap_or_default().to_vec());
        assert_eq!(found.as_deref(), group_1, "{pattern}");
        assert_eq!(compiled.is_match(text), group_1.is_some(), "{pattern}");
    }

    #[test]
    fn bytes_are_bytes() {
        check("^/(.)$", b"/\xff", Some(b"\xff"));
        check("^/(.+)$", b"/a\nb", Some(b"a\nb"));
        check("^/([ä])$", "/ä".as_bytes(), Some("ä".as_bytes()));
    }

    #[test]
    fn what_only_pcre_can() {
        check("^/(?!static/)(.*)$", b"/a/b", Some(b"a/b"));
        check("^/(?!static/)(.*)$", b"/static/b", None);
        check(r"^/(a+)/\1$", b"/aa/aa", Some(b"aa"));
        check(r"^/(a+)/\1$", b"/aa/a", None);
        check(r"(?<!www)\.(x)", b"/\xff.x", Some(b"x"));
    }

    #[test]
    fn endless_backtracking_ends() {
        let pattern = Pattern::new(r"^(?=(a+)+$)\1b").expect("it compiles");
        assert!(!pattern.is_match(&[b'a'; 4000]));
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let check = |pattern: &str, fact: &str| {
            let error = Pattern::new(pattern).expect_err("it does not compile");
            assert!(error.to_string().contains(fact), "{pattern}: {error}");
        };
        check("(", "unclosed group");
        check("(?!a", "paren");
    }
}
