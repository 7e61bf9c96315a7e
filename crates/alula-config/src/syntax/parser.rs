//! A logical line to a statement, and the tree that statements form.
//!
//! The tree is built by the preprocessor, which alone knows which lines take part.

use super::lexer::{Line, Word};
use super::span::Span;

/// One logical line, classified.
#[derive(Debug, Clone)]
pub(crate) enum Statement {
    /// `Name argument...`
    Directive { name: Word, rest: Line },
    /// `<Name argument...>`; `rest` is what stands before the last `>`.
    Open {
        name: Word,
        rest: Line,
        closing: Closing,
    },
    /// `</Name>`
    Close { name: Word, alone: bool },
}

/// How an opening line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closing {
    /// With `>`.
    Closed,
    /// `>` and then something else, at this place.
    Trailing(Span),
    /// Without `>`.
    Missing,
}

/// A directive as written, variables replaced.
#[derive(Debug, Clone)]
pub(crate) struct Directive {
    pub name: Word,
    pub words: Vec<Word>,
}

/// A section as written.
#[derive(Debug, Clone)]
pub(crate) struct Section {
    pub name: Word,
    pub words: Vec<Word>,
    pub children: Vec<Node>,
}

/// A piece of the tree.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Directive(Directive),
    Section(Section),
}

impl Statement {
    pub(crate) fn parse(line: &Line) -> Self {
        match line.chars.first().map(|c| c.value) {
            Some('<') if line.chars.get(1).is_some_and(|c| c.value == '/') => close(line),
            Some('<') => open(line),
            _ => {
                let (name, rest) = line.split_name();
                Self::Directive {
                    name: whole(&name),
                    rest,
                }
            }
        }
    }
}

fn open(line: &Line) -> Statement {
    let part = |chars: &[_]| Line {
        file: line.file,
        chars: chars.to_vec(),
    };
    let end = line.chars.iter().rposition(|c| c.value == '>');
    let closing = match end {
        None => Closing::Missing,
        Some(end) => {
            let after = part(&line.chars[end + 1..]).trimmed();
            if after.chars.is_empty() {
                Closing::Closed
            } else {
                Closing::Trailing(after.span())
            }
        }
    };
    let inner = part(&line.chars[1..end.unwrap_or(line.chars.len())]);
    let (name, rest) = inner.split_name();
    let mut name = if name.chars.is_empty() {
        line.clone()
    } else {
        name
    };
    name.chars.truncate(name.chars.len().max(1));
    Statement::Open {
        name: whole(&name),
        rest,
        closing,
    }
}

fn close(line: &Line) -> Statement {
    let inner = Line {
        file: line.file,
        chars: line.chars[2..].to_vec(),
    };
    let end = inner.chars.iter().position(|c| c.value == '>');
    let alone = end.is_some_and(|end| end + 1 == inner.chars.len());
    let name = Line {
        file: line.file,
        chars: inner.chars[..end.unwrap_or(inner.chars.len())].to_vec(),
    };
    let text = name.trimmed().text();
    Statement::Close {
        name: Word {
            text,
            quoted: false,
            span: line.span(),
        },
        alone,
    }
}

fn whole(line: &Line) -> Word {
    Word {
        text: line.text(),
        quoted: false,
        span: line.span(),
    }
}
