//! Text to logical lines, and a line to words.
//!
//! A backslash as the very last character joins the next line, also in a comment (httpd does so). Every character remembers
//! where it stood, so that a word can be pointed at after lines were joined and variables replaced.

use super::span::{FileId, Span};

/// A character and where it stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Char {
    pub value: char,
    pub line: u32,
    pub column: u32,
}

/// A logical line: physical lines joined, outer blanks removed, never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub file: FileId,
    pub chars: Vec<Char>,
}

/// A word, quotes and escapes already undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub text: String,
    pub quoted: bool,
    pub span: Span,
}

/// Splits a file into logical lines; blank lines and comments are left out.
pub(crate) fn lines(file: FileId, text: &str) -> Vec<Line> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = Vec::new();
    let mut chars: Vec<Char> = Vec::new();
    let mut continued = false;
    for (number, physical) in (1u32..).zip(text.lines()) {
        continued = physical.ends_with('\\');
        let kept = physical.strip_suffix('\\').unwrap_or(physical);
        chars.extend((1u32..).zip(kept.chars()).map(|(column, value)| Char {
            value,
            line: number,
            column,
        }));
        if !continued {
            lines.extend(finish(file, std::mem::take(&mut chars)));
        }
    }
    if continued {
        lines.extend(finish(file, chars));
    }
    lines
}

fn finish(file: FileId, chars: Vec<Char>) -> Option<Line> {
    let line = Line { file, chars }.trimmed();
    (!line.chars.is_empty() && line.chars[0].value != '#').then_some(line)
}

impl Line {
    /// Without blanks at both ends.
    pub(crate) fn trimmed(mut self) -> Self {
        let end = self.chars.iter().rposition(|c| !is_blank(c.value));
        self.chars.truncate(end.map_or(0, |end| end + 1));
        let start = self.chars.iter().position(|c| !is_blank(c.value));
        self.chars.drain(..start.unwrap_or(0));
        self
    }

    pub(crate) fn text(&self) -> String {
        self.chars.iter().map(|c| c.value).collect()
    }

    /// From the first character to the last one on the same physical line.
    pub(crate) fn span(&self) -> Span {
        span(self.file, &self.chars)
    }

    /// Everything up to the first blank, and the rest.
    pub(crate) fn split_name(&self) -> (Self, Self) {
        let end = self.chars.iter().position(|c| is_blank(c.value));
        let (name, rest) = self.chars.split_at(end.unwrap_or(self.chars.len()));
        let part = |chars: &[Char]| Self {
            file: self.file,
            chars: chars.to_vec(),
        };
        (part(name), part(rest).trimmed())
    }

    /// The words of the line: `"b"c` is two, a missing closing quote is forgiven.
    pub(crate) fn words(&self) -> Vec<Word> {
        let mut words = Vec::new();
        let mut at = 0;
        while at < self.chars.len() {
            if is_blank(self.chars[at].value) {
                at += 1;
                continue;
            }
            let start = at;
            let quote = Some(self.chars[at].value).filter(|c| matches!(c, '"' | '\''));
            at += usize::from(quote.is_some());
            let text = self.word_text(&mut at, quote);
            words.push(Word {
                text,
                quoted: quote.is_some(),
                span: span(self.file, &self.chars[start..at]),
            });
        }
        words
    }

    fn word_text(&self, at: &mut usize, quote: Option<char>) -> String {
        let mut text = String::new();
        while let Some(Char { value, .. }) = self.chars.get(*at).copied() {
            *at += 1;
            let next = self.chars.get(*at).map(|c| c.value);
            match value {
                '\\' if next == Some('\\') || (quote.is_some() && next == quote) => {
                    *at += 1;
                    text.extend(next);
                }
                c if Some(c) == quote => break,
                c if quote.is_none() && is_blank(c) => break,
                c => text.push(c),
            }
        }
        text
    }
}

/// What httpd takes for a blank: ASCII only, so a full-width blank is part of a word.
pub(crate) fn is_blank(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\x0b'
}

fn span(file: FileId, chars: &[Char]) -> Span {
    let first = chars.first().copied().unwrap_or(Char {
        value: ' ',
        line: 1,
        column: 1,
    });
    let blank_free = chars
        .iter()
        .rposition(|c| c.line == first.line && !is_blank(c.value));
    let last = blank_free.map_or(first, |at| chars[at]);
    Span {
        file,
        line: first.line,
        column: first.column,
        width: (last.column + 1).saturating_sub(first.column).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::span::Sources;

    #[track_caller]
    fn check(text: &str, expected: &[&[&str]]) {
        let file = Sources::default().add("t.conf".into(), text, None);
        let lines = lines(file, text);
        let found: Vec<Vec<String>> = lines
            .iter()
            .map(|line| line.words().into_iter().map(|word| word.text).collect())
            .collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn comments_and_blank_lines_are_left_out() {
        check("# a\n\n  # b\n  A b\n", &[&["A", "b"]]);
        check("A #b", &[&["A", "#b"]]);
    }

    #[test]
    fn a_backslash_at_the_end_joins_lines_also_in_comments() {
        check("A b\\\nc d", &[&["A", "bc", "d"]]);
        check("A \\\n  b", &[&["A", "b"]]);
        check("# c \\\nA b\nC", &[&["C"]]);
        check("A b\\\\\nc", &[&["A", "b\\c"]]);
        check("A b\\ \nC", &[&["A", "b\\"], &["C"]]);
        check("A b\\", &[&["A", "b"]]);
    }

    #[test]
    fn quotes_hold_blanks_and_escapes() {
        check(r#"A "b c" 'd "e"'"#, &[&["A", "b c", "d \"e\""]]);
        check(
            r#"A "b\"c" "d\\e" "\.x""#,
            &[&["A", "b\"c", "d\\e", "\\.x"]],
        );
        check(r#"A "b"c"#, &[&["A", "b", "c"]]);
        check(r#"A "b c"#, &[&["A", "b c"]]);
        check(r#"A b"c"#, &[&["A", "b\"c"]]);
    }

    #[test]
    fn byte_order_mark_and_carriage_returns_are_accepted() {
        check("\u{feff}A b\r\nC\\\r\nd\r\n", &[&["A", "b"], &["Cd"]]);
    }

    #[test]
    fn words_know_where_they_stood() {
        let text = "  A \\\n   \"b c\"  d";
        let file = Sources::default().add("t.conf".into(), text, None);
        let words = lines(file, text)[0].words();
        let places: Vec<_> = words
            .iter()
            .map(|w| (w.span.line, w.span.column, w.span.width))
            .collect();
        assert_eq!(places, [(1, 3, 1), (2, 4, 5), (2, 11, 1)]);
    }
}
