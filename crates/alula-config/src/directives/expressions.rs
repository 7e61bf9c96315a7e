//! Expressions inside directives: parsed, and their mistakes pointed at.

use super::Problem;
use crate::expression::{Condition, Mistake, Value};
use crate::syntax::lexer::Word;

/// A condition in one word.
pub(super) fn condition(word: &Word) -> Result<Condition, Problem> {
    Condition::parse(&word.text).map_err(|mistake| problem(word, 0, &mistake))
}

/// A condition after the first characters of a word: `expr=...`.
pub(super) fn condition_after(word: &Word, prefix: &str) -> Result<Condition, Problem> {
    let text = word.text.strip_prefix(prefix).unwrap_or(&word.text);
    Condition::parse(text).map_err(|mistake| problem(word, prefix.chars().count(), &mistake))
}

/// A text after the first characters of a word.
pub(super) fn value_after(word: &Word, prefix: &str) -> Result<Value, Problem> {
    let text = word.text.strip_prefix(prefix).unwrap_or(&word.text);
    Value::parse(text).map_err(|mistake| problem(word, prefix.chars().count(), &mistake))
}

/// A condition in several words, as `Require expr` takes it.
pub(super) fn condition_of(words: &[Word]) -> Result<Condition, Problem> {
    if let [word] = words {
        return condition(word);
    }
    let mut text = String::new();
    let mut starts = Vec::new();
    for word in words {
        if !text.is_empty() {
            text.push(' ');
        }
        starts.push(text.chars().count());
        if word.quoted {
            text.push_str(&format!(
                "\"{}\"",
                word.text.replace('\\', "\\\\").replace('"', "\\\"")
            ));
        } else {
            text.push_str(&word.text);
        }
    }
    Condition::parse(&text).map_err(|mistake| {
        let at = starts
            .iter()
            .rposition(|start| *start <= mistake.at)
            .unwrap_or(0);
        let mistake = Mistake {
            at: mistake.at - starts[at] - usize::from(words[at].quoted && mistake.at > starts[at]),
            fact: mistake.fact,
        };
        problem(&words[at], 0, &mistake)
    })
}

fn problem(word: &Word, before: usize, mistake: &Mistake) -> Problem {
    let mut problem = Problem::at(word, format!("expression: {}", mistake.fact));
    // Exact unless a backslash was undone before it; then a few columns early.
    let at = before + mistake.at + usize::from(word.quoted);
    let at = u32::try_from(at)
        .unwrap_or(u32::MAX)
        .min(word.span.width.saturating_sub(1));
    if let Some(span) = &mut problem.span {
        span.column += at;
        span.width = 1;
    }
    problem
}
