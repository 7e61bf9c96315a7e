//! The words of a directive, and what is commonly asked of them.

use crate::syntax::lexer::Word;
use crate::syntax::span::Span;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A directive's arguments. Their number fits the entry's arity.
pub(crate) struct Args<'a> {
    pub name: &'a Word,
    pub words: &'a [Word],
}

/// Why a directive cannot be applied. The walker adds its name and place.
#[derive(Debug)]
pub(crate) struct Problem {
    pub message: String,
    pub span: Option<Span>,
    pub hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            span: None,
            hint: None,
        }
    }

    pub(crate) fn at(word: &Word, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            span: Some(word.span),
            hint: None,
        }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    pub(crate) fn not_yet(word: &Word) -> Self {
        let message = format!("{:?} is known to httpd, not supported yet", word.text);
        Self::at(word, message)
    }
}

impl Args<'_> {
    /// The first argument. Only for entries that take at least one.
    pub(crate) fn first(&self) -> &Word {
        self.words.first().unwrap_or(self.name)
    }

    pub(crate) fn text(&self) -> String {
        self.first().text.clone()
    }

    pub(crate) fn flag(&self) -> Result<bool, Problem> {
        let word = self.first();
        match word.text.to_ascii_lowercase().as_str() {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err(Problem::at(word, "must be On or Off")),
        }
    }

    /// A number within bounds.
    pub(crate) fn number(&self, bounds: RangeInclusive<u64>) -> Result<u64, Problem> {
        let word = self.first();
        let number = word
            .text
            .parse()
            .ok()
            .filter(|number| bounds.contains(number));
        number.ok_or_else(|| {
            let message = if *bounds.end() == u64::MAX {
                format!(
                    "{:?} is not a whole number from {}",
                    word.text,
                    bounds.start()
                )
            } else {
                format!(
                    "{:?} is not a whole number from {} to {}",
                    word.text,
                    bounds.start(),
                    bounds.end()
                )
            };
            Problem::at(word, message)
        })
    }

    /// A time: seconds, or a number with `ms`, `s`, `mi` (minutes) or `h`.
    pub(crate) fn duration(&self, max: Duration) -> Result<Duration, Problem> {
        let word = self.first();
        let digits = word.text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = word.text.split_at(digits);
        let factor = match unit.to_ascii_lowercase().as_str() {
            "" | "s" => Some(1000),
            "ms" => Some(1),
            "mi" | "min" => Some(60_000),
            "h" => Some(3_600_000),
            _ => None,
        };
        let milliseconds = number
            .parse::<u64>()
            .ok()
            .zip(factor)
            .and_then(|(n, f)| n.checked_mul(f));
        let duration = milliseconds.map(Duration::from_millis);
        duration.filter(|duration| *duration <= max).ok_or_else(|| {
            let message = format!(
                "{:?} is not a time up to {} seconds (a number, or one with ms, s, mi or h)",
                word.text,
                max.as_secs()
            );
            Problem::at(word, message)
        })
    }
}
