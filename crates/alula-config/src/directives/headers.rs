//! mod_headers: header fields of responses and requests.
//!
//! As in httpd a response has two tables of fields. Without a condition a directive changes what the handler answered; `always` changes
//! a second table, empty at first, which is laid beside the other and which errors of the server have as well.

use super::expressions::{condition_after, value_after};
use super::sections::check_regex;
use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::expression::Condition;
use crate::site::{EnvironmentCondition, HeaderChange, HeaderPiece, HeaderVerb};
use crate::syntax::lexer::Word;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "Header", args: Arity::between(2, 6), syntax: "[always | onsuccess] verb name [value [replacement]] [env=[!]variable | expr=condition]",
        contexts: Contexts::EVERYWHERE, default: "", apply: Apply::Run(header),
        doc: "Changes a header field of responses: `add` adds one, `set` replaces, `setifempty` sets what is missing, `append` adds a value \
              after a comma, `merge` the same unless it is there, `unset` removes, `edit` and `edit*` replace the first or every match of a \
              regular expression. All lines that apply to a request are done in turn, outer sections first. `always` lines have a table of \
              their own, which starts empty and is added at the end: errors and redirects of the server itself carry that one only, and \
              `always unset` does not remove what an application set. In a value `%{name}e` is an environment variable, `%t` and `%D` are the \
              time of the request and how long it took, `%%` is a percent sign; `expr=...` as value is a text with `%{NAME}` in it. A condition may be an \
              environment variable or an expression.",
    },
    Entry {
        name: "RequestHeader", args: Arity::between(2, 5), syntax: "verb name [value [replacement]] [env=[!]variable | expr=condition]",
        contexts: Contexts::EVERYWHERE, default: "", apply: Apply::Run(request_header),
        doc: "Changes a header field of requests before they are answered, with the verbs of `Header`. The access log shows what the \
              client sent.",
    },
];

/// They say where a message ends; that is for the HTTP engine to know.
const FRAMING: [&str; 2] = ["content-length", "transfer-encoding"];

fn header(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let first = args.first().text.to_ascii_lowercase();
    let (always, words) = match first.as_str() {
        "always" => (true, &args.words[1..]),
        "onsuccess" => (false, &args.words[1..]),
        _ => (false, args.words),
    };
    let change = change(words, always)?;
    scope.settings().response_headers.push(change);
    Ok(())
}

fn request_header(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let change = change(args.words, false)?;
    scope.settings().request_headers.push(change);
    Ok(())
}

fn change(words: &[Word], always: bool) -> Result<HeaderChange, Problem> {
    let [action, name, rest @ ..] = words else {
        return Err(Problem::new("names no header"));
    };
    let verb = action.text.to_ascii_lowercase();
    let values = match verb.as_str() {
        "add" | "append" | "merge" | "set" | "setifempty" => 1,
        "unset" => 0,
        "edit" | "edit*" => 2,
        "echo" | "note" => return Err(Problem::not_yet(action)),
        _ => {
            let hint = "add, append, merge, set, setifempty, unset, edit or edit*";
            let message = format!("there is no verb {:?}", action.text);
            return Err(Problem::at(action, message).hint(hint));
        }
    };
    let (values, (condition, expression)) = match (
        rest.len().checked_sub(values),
        rest.split_at_checked(values),
    ) {
        (Some(0), _) => (rest, (None, None)),
        (Some(1), Some((values, last))) => (values, condition(&last[0])?),
        (Some(_), _) => {
            let hint = "put a value with blanks in quotes";
            return Err(Problem::at(action, format!("{verb:?} has too many arguments")).hint(hint));
        }
        (None, _) if values == 2 => {
            return Err(Problem::at(
                action,
                format!("{verb:?} needs a regular expression and a replacement"),
            ));
        }
        (None, _) => return Err(Problem::at(action, format!("{verb:?} needs a value"))),
    };
    let verb = match (verb.as_str(), values) {
        ("add", [value]) => HeaderVerb::Add(pieces(value)?),
        ("append", [value]) => HeaderVerb::Append(pieces(value)?),
        ("merge", [value]) => HeaderVerb::Merge(pieces(value)?),
        ("set", [value]) => HeaderVerb::Set(pieces(value)?),
        ("setifempty", [value]) => HeaderVerb::SetIfEmpty(pieces(value)?),
        (_, [pattern, replacement]) => {
            check_regex(pattern)?;
            HeaderVerb::Edit {
                pattern: pattern.text.clone(),
                replacement: pieces(replacement)?,
                all: verb == "edit*",
            }
        }
        _ => HeaderVerb::Unset,
    };
    Ok(HeaderChange {
        name: field_name(name)?,
        verb,
        always,
        condition,
        expression,
    })
}

fn field_name(word: &Word) -> Result<String, Problem> {
    let name = word.text.strip_suffix(':').unwrap_or(&word.text);
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(token) {
        return Err(Problem::at(
            word,
            format!("{name:?} cannot be the name of a header"),
        ));
    }
    if FRAMING
        .iter()
        .any(|framing| name.eq_ignore_ascii_case(framing))
    {
        return Err(Problem::at(
            word,
            format!("{name} cannot be changed: it says where a message ends"),
        ));
    }
    Ok(name.to_owned())
}

type When = (Option<EnvironmentCondition>, Option<Condition>);

fn condition(word: &Word) -> Result<When, Problem> {
    if word.text.eq_ignore_ascii_case("early") {
        return Err(Problem::not_yet(word));
    }
    if word.text.starts_with("expr=") {
        return Ok((None, Some(condition_after(word, "expr=")?)));
    }
    let name = word
        .text
        .strip_prefix("env=")
        .filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| {
        let hint = "put a value with blanks in quotes";
        Problem::at(
            word,
            format!(
                "{:?} is neither env=name, env=!name nor expr=condition",
                word.text
            ),
        )
        .hint(hint)
    })?;
    let condition = EnvironmentCondition {
        name: name.trim_start_matches('!').to_owned(),
        negated: name.starts_with('!'),
    };
    Ok((Some(condition), None))
}

/// A value's text, with httpd's backslashes and `%` tags.
fn pieces(word: &Word) -> Result<Vec<HeaderPiece>, Problem> {
    if word.text.starts_with("expr=") {
        return Ok(vec![HeaderPiece::Expression(value_after(word, "expr=")?)]);
    }
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = word.text.as_str();
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        let piece = match c {
            '\\' if rest.starts_with(['\\', 't', 'r', 'n']) => {
                match rest.as_bytes()[0] {
                    b'\\' => text.push('\\'),
                    b't' => text.push('\t'),
                    _ => return Err(Problem::at(word, "a header is one line")),
                }
                rest = &rest[1..];
                continue;
            }
            '%' => tag(word, &mut rest)?,
            c if c.is_control() && c != '\t' => {
                return Err(Problem::at(word, "a header holds no control characters"));
            }
            c => HeaderPiece::Text(c.into()),
        };
        match piece {
            HeaderPiece::Text(more) => text.push_str(&more),
            piece => {
                if !text.is_empty() {
                    pieces.push(HeaderPiece::Text(std::mem::take(&mut text)));
                }
                pieces.push(piece);
            }
        }
    }
    if !text.is_empty() || pieces.is_empty() {
        pieces.push(HeaderPiece::Text(text));
    }
    Ok(pieces)
}

/// What follows a percent sign.
fn tag(word: &Word, rest: &mut &str) -> Result<HeaderPiece, Problem> {
    let at = *rest;
    let mut take = |length: usize, piece: HeaderPiece| {
        *rest = &at[length..];
        Ok(piece)
    };
    if let Some((name, after)) = at.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
        return match after.chars().next() {
            Some('e') => take(name.len() + 3, HeaderPiece::Environment(name.to_owned())),
            _ => {
                let message = format!(
                    "{:?} in a value is not supported yet",
                    format!("%{{{name}}}")
                );
                Err(Problem::at(word, message).hint("%{name}e is an environment variable"))
            }
        };
    }
    match at.chars().next() {
        None => take(0, HeaderPiece::Text("%".to_owned())),
        Some('%') => take(1, HeaderPiece::Text("%".to_owned())),
        Some('t') => take(1, HeaderPiece::Received),
        Some('D') => take(1, HeaderPiece::Taken),
        Some(c @ ('l' | 'i' | 'b')) => Err(Problem::at(
            word,
            format!("%{c} in a value is not supported yet"),
        )),
        Some(c) => {
            let message = format!("%{c} in a value is unknown");
            Err(Problem::at(word, message).hint("%% is a percent sign"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::HeaderPiece::{Environment, Received, Taken, Text};
    use crate::syntax::span::{Sources, Span};

    fn parsed(text: &str) -> Result<Vec<HeaderPiece>, String> {
        let word = Word {
            text: text.to_owned(),
            span: Span {
                file: Sources::default().add("x".into(), "", None),
                line: 1,
                column: 1,
                width: 1,
            },
            quoted: true,
        };
        pieces(&word).map_err(|problem| problem.message)
    }

    #[test]
    fn values_have_pieces() {
        let check = |text: &str, expected: Vec<HeaderPiece>| {
            assert_eq!(parsed(text), Ok(expected), "{text}")
        };
        check("plain", vec![Text("plain".into())]);
        check("", vec![Text(String::new())]);
        check("100%", vec![Text("100%".into())]);
        check("%t", vec![Received]);
        check(r"a\\b\c%%", vec![Text(r"a\b\c%".into())]);
        check(
            "%{A}e-%D",
            vec![Environment("A".into()), Text("-".into()), Taken],
        );
    }

    #[test]
    fn values_have_errors() {
        let check = |text: &str, expected: &str| {
            assert_eq!(parsed(text), Err(expected.to_owned()), "{text}")
        };
        check("%x", "%x in a value is unknown");
        check("%l", "%l in a value is not supported yet");
        check(
            "%{SSL_PROTOCOL}s",
            "\"%{SSL_PROTOCOL}\" in a value is not supported yet",
        );
        check(r"a\nb", "a header is one line");
    }
}
