//! The `%` language of `ErrorLogFormat`, which is not that of `LogFormat`.

use super::{Args, Problem, Scope};
use crate::site::{ErrorLogField, ErrorLogFormat, ErrorLogPiece, ErrorLogTime, Missing};

pub(super) fn error_log_format(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let word = match args.words {
        [word] => word,
        [kind, _] => {
            return match kind.text.to_ascii_lowercase().as_str() {
                "request" | "connection" => {
                    let message = "ErrorLogFormat: lines that are written once for a request or connection are not; %L in the format of \
                                   all lines says which request one belongs to";
                    scope.note(kind.span, message);
                    Ok(())
                }
                _ => Err(Problem::at(kind, "must be request or connection")),
            };
        }
        _ => return Err(Problem::new("takes one or two arguments")),
    };
    let format = parse(&word.text).map_err(|fact| Problem::at(word, fact))?;
    scope.server().error_log_format = Some(format);
    Ok(())
}

/// Splits a format; the error names what is wrong.
pub(crate) fn parse(text: &str) -> Result<ErrorLogFormat, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => literal.extend(rest.next()),
            ' ' => {
                flush(&mut literal, &mut pieces);
                pieces.push(ErrorLogPiece::Group);
                literal.push(' ');
            }
            '%' if rest.peek() == Some(&'%') => literal.extend(rest.next()),
            '%' if rest.peek() == Some(&' ') => {
                rest.next();
                flush(&mut literal, &mut pieces);
                pieces.push(ErrorLogPiece::Group);
            }
            '%' => {
                flush(&mut literal, &mut pieces);
                pieces.push(field(&mut rest)?);
            }
            other => literal.push(other),
        }
    }
    flush(&mut literal, &mut pieces);
    let message = |piece: &ErrorLogPiece| {
        matches!(
            piece,
            ErrorLogPiece::Field {
                field: ErrorLogField::Message,
                ..
            }
        )
    };
    if !pieces.iter().any(message) {
        return Err("has no %M, the message".to_owned());
    }
    Ok(ErrorLogFormat { pieces })
}

fn flush(literal: &mut String, pieces: &mut Vec<ErrorLogPiece>) {
    if !literal.is_empty() {
        pieces.push(ErrorLogPiece::Literal(std::mem::take(literal)));
    }
}

fn field(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<ErrorLogPiece, String> {
    let mut missing = Missing::LeaveOutGroup;
    let mut from_level = 0_u8;
    let mut argument: Option<String> = None;
    loop {
        let Some(c) = rest.next() else {
            return Err("ends in the middle of a % field".to_owned());
        };
        match c {
            '-' => missing = Missing::Hyphen,
            '+' => missing = Missing::LeaveOutLine,
            '0'..='9' => {
                let digit = u8::try_from(c.to_digit(10).unwrap_or(0)).unwrap_or(0);
                from_level = from_level.saturating_mul(10).saturating_add(digit);
            }
            '{' => {
                let mut inner = String::new();
                loop {
                    match rest.next() {
                        Some('}') => break,
                        Some(other) => inner.push(other),
                        None => return Err("a { in it is not closed".to_owned()),
                    }
                }
                argument = Some(inner);
            }
            letter => {
                return Ok(ErrorLogPiece::Field {
                    field: named(letter, argument.as_deref())?,
                    missing,
                    from_level,
                });
            }
        }
    }
}

fn named(letter: char, argument: Option<&str>) -> Result<ErrorLogField, String> {
    Ok(match (letter, argument) {
        ('a', None | Some("c")) => ErrorLogField::Client,
        ('F', _) => ErrorLogField::Source,
        ('l', _) => ErrorLogField::Level,
        ('L', None) => ErrorLogField::LogId,
        ('L', Some("c" | "C")) | ('A' | 'E' | 'k', _) | ('e' | 'i' | 'n', Some(_)) => {
            ErrorLogField::Nothing
        }
        ('m', _) => ErrorLogField::Module,
        ('M', _) => ErrorLogField::Message,
        ('P', _) => ErrorLogField::ProcessId,
        ('T', None | Some("g")) => ErrorLogField::ThreadId,
        ('t', None) => ErrorLogField::Time(ErrorLogTime::Seconds),
        ('t', Some("u")) => ErrorLogField::Time(ErrorLogTime::Microseconds),
        ('t', Some("cu" | "uc")) => ErrorLogField::Time(ErrorLogTime::Compact),
        ('t', Some("c")) => ErrorLogField::Time(ErrorLogTime::CompactSeconds),
        ('v' | 'V', _) => ErrorLogField::ServerName,
        (letter, Some(argument)) => {
            return Err(format!(
                "unrecognized ErrorLogFormat directive %{{{argument}}}{letter}"
            ));
        }
        (letter, None) => return Err(format!("unrecognized ErrorLogFormat directive %{letter}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn httpd_s_own_example_is_read() {
        let text =
            r"[%{u}t] [%-m:%l] [pid %P:tid %T] %7F: %E: [client\ %a] %M% ,\ referer\ %{Referer}i";
        let pieces = parse(text).expect("valid").pieces;
        let groups = pieces
            .iter()
            .filter(|piece| **piece == ErrorLogPiece::Group);
        assert_eq!(groups.count(), 9);
        let source = ErrorLogPiece::Field {
            field: ErrorLogField::Source,
            missing: Missing::LeaveOutGroup,
            from_level: 7,
        };
        assert!(pieces.contains(&source));
        assert!(
            pieces.contains(&ErrorLogPiece::Literal(" [client ".into())),
            "{pieces:?}"
        );
    }

    #[test]
    fn mistakes_are_errors() {
        for wrong in ["%t", "%M %q", "%M %{x}t", "%M %", "%M %{a"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
