//! Texts of rules and conditions, with `$1`, `%1`, `%{NAME}` and `${map:key|default}` in them.

use crate::directives::{Problem, Scope};
use crate::expression::Name;
use crate::site::{RewritePiece, RewriteText};
use crate::syntax::lexer::Word;

/// How deeply maps may be nested in the keys of maps.
const DEPTH_MAX: usize = 16;

/// Takes a text apart; `word` is where it stands.
pub(super) fn parse(scope: &mut Scope, word: &Word, text: &str) -> Result<RewriteText, Problem> {
    parse_nested(scope, word, text, 0)
}

/// The number at the start of a text, as C's `atoi` reads it; 0 if there is none.
pub(super) fn number(text: &str) -> i64 {
    let text = text.trim_start();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    let number = digits[..end]
        .parse()
        .unwrap_or(if end == 0 { 0 } else { i64::MAX });
    if text.starts_with('-') {
        -number
    } else {
        number
    }
}

fn parse_nested(
    scope: &mut Scope,
    word: &Word,
    text: &str,
    depth: usize,
) -> Result<RewriteText, Problem> {
    if depth > DEPTH_MAX {
        return Err(Problem::at(word, "maps are nested too deeply"));
    }
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let next = after.chars().next();
        let digit = next.and_then(|c| c.to_digit(10)).map(|digit| digit as u8);
        let (piece, used) = match (c, digit, next) {
            ('\\', _, Some(next)) => {
                plain.push(next);
                rest = &after[next.len_utf8()..];
                continue;
            }
            ('$', Some(digit), _) => (RewritePiece::RuleGroup(digit), 2),
            ('%', Some(digit), _) => (RewritePiece::ConditionGroup(digit), 2),
            ('%' | '$', _, Some('{')) => {
                let Some(end) = closing(after) else {
                    return Err(Problem::at(
                        word,
                        format!("\"}}\" is missing after \"{c}{{\""),
                    ));
                };
                let inside = &after[1..end];
                let piece = match c {
                    '%' => variable(scope, word, inside)?,
                    _ => map(scope, word, inside, depth)?,
                };
                (piece, end + 2)
            }
            _ => {
                plain.push(c);
                rest = after;
                continue;
            }
        };
        if !plain.is_empty() {
            pieces.push(RewritePiece::Text(std::mem::take(&mut plain)));
        }
        pieces.push(piece);
        rest = &rest[used..];
    }
    if !plain.is_empty() {
        pieces.push(RewritePiece::Text(plain));
    }
    Ok(RewriteText(pieces))
}

/// Where the bracket that opens a text closes.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn variable(scope: &mut Scope, word: &Word, name: &str) -> Result<RewritePiece, Problem> {
    let upper = name.to_ascii_uppercase();
    for (prefix, make) in [
        ("HTTP:", RewritePiece::Header as fn(String) -> RewritePiece),
        ("ENV:", RewritePiece::Variable),
        ("SSL:", |name| RewritePiece::Named(Name::Tls(name))),
    ] {
        if upper.starts_with(prefix) {
            return Ok(make(name[prefix.len()..].to_owned()));
        }
    }
    if upper.starts_with("LA-U:") || upper.starts_with("LA-F:") {
        let message = format!("\"%{{{name}}}\" is known to httpd, not supported yet");
        return Err(Problem::at(word, message));
    }
    let found = Name::find(name);
    if found.is_none() {
        let message = format!("there is no variable {name:?}, it is always empty");
        let hint = format!(
            "%{{ENV:{name}}} is a variable of the environment, %{{HTTP:{name}}} a header field"
        );
        scope.warn(word.span, message, Some(&hint));
    }
    Ok(RewritePiece::Named(found.unwrap_or(Name::Empty)))
}

/// `name:key|default`.
fn map(
    scope: &mut Scope,
    word: &Word,
    inside: &str,
    depth: usize,
) -> Result<RewritePiece, Problem> {
    let Some((name, rest)) = inside.split_once(':') else {
        let message = format!("\"${{{inside}}}\" names no map");
        return Err(Problem::at(word, message).hint("${map:key|default}, or %{NAME}"));
    };
    let (key, default) = rest.split_once('|').unwrap_or((rest, ""));
    Ok(RewritePiece::Map {
        name: name.to_owned(),
        key: parse_nested(scope, word, key, depth + 1)?,
        default: parse_nested(scope, word, default, depth + 1)?,
    })
}
