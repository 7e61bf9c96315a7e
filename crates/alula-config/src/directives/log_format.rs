//! The `%` language of `LogFormat`.
//!
//! Tokens: `%[<>][[!]status,...][{argument}]letter`, in any order before the letter, as httpd reads them.

use crate::site::{
    Condition, DurationUnit, LogField, LogFormat, LogPort, LogTime, LogToken, TimeMoment, Which,
};

/// A format that is known without a `LogFormat`. Apache defines most of them in its distributed main file only.
pub(crate) fn predefined(nickname: &str) -> Option<LogFormat> {
    let text = match nickname {
        "common" => r#"%h %l %u %t "%r" %>s %b"#,
        "combined" => r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#,
        "combinedio" => r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %I %O"#,
        "vhost_combined" => r#"%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i""#,
        "referer" => "%{Referer}i -> %U",
        "agent" => "%{User-Agent}i",
        _ => return None,
    };
    parse(text).ok()
}

/// Splits a format into tokens; the error names what is wrong.
pub(crate) fn parse(text: &str) -> Result<LogFormat, String> {
    let mut tokens = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                let next = rest.chars().next().unwrap_or('\\');
                rest = rest.get(next.len_utf8()..).unwrap_or_default();
                match next {
                    'n' => literal.push('\n'),
                    't' => literal.push('\t'),
                    'r' => literal.push('\r'),
                    '\\' | '"' => literal.push(next),
                    other => literal.extend(['\\', other]),
                }
            }
            '%' => match rest.strip_prefix('%') {
                Some(after) => {
                    literal.push('%');
                    rest = after;
                }
                None => {
                    if !literal.is_empty() {
                        tokens.push(LogToken::Literal(std::mem::take(&mut literal)));
                    }
                    tokens.push(field(&mut rest)?);
                }
            },
            other => literal.push(other),
        }
    }
    if !literal.is_empty() {
        tokens.push(LogToken::Literal(literal));
    }
    Ok(LogFormat { tokens })
}

fn field(rest: &mut &str) -> Result<LogToken, String> {
    let mut argument: Option<&str> = None;
    let mut which = None;
    let mut condition: Option<Condition> = None;
    loop {
        let Some(c) = rest.chars().next() else {
            return Err("ends in the middle of a % field".to_owned());
        };
        match c {
            '<' => which = Some(Which::Original),
            '>' => which = Some(Which::Final),
            '!' => condition.get_or_insert_with(no_status).negated = true,
            ',' => {}
            '0'..='9' => {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                let (number, after) = rest.split_at(digits);
                let status = number
                    .parse()
                    .ok()
                    .filter(|status| (100..=999).contains(status));
                let status = status.ok_or_else(|| format!("{number:?} is not a status code"))?;
                condition
                    .get_or_insert_with(no_status)
                    .statuses
                    .push(status);
                *rest = after;
                continue;
            }
            '{' => {
                let Some((inner, after)) = rest[1..].split_once('}') else {
                    return Err("a { in it is not closed".to_owned());
                };
                argument = Some(inner);
                *rest = after;
                continue;
            }
            '^' => {
                let name = rest.get(1..3).unwrap_or_default();
                *rest = rest.get(3..).unwrap_or_default();
                let field = long_field(name, argument)?;
                let which = which.unwrap_or(Which::Final);
                return Ok(LogToken::Field {
                    field,
                    condition,
                    which,
                });
            }
            letter => {
                *rest = &rest[letter.len_utf8()..];
                let (field, default) = short_field(letter, argument)?;
                let which = which.unwrap_or(default);
                return Ok(LogToken::Field {
                    field,
                    condition,
                    which,
                });
            }
        }
        *rest = &rest[1..];
    }
}

fn no_status() -> Condition {
    Condition {
        negated: false,
        statuses: Vec::new(),
    }
}

fn long_field(name: &str, argument: Option<&str>) -> Result<LogField, String> {
    let named = || {
        argument
            .map(str::to_owned)
            .ok_or_else(|| format!("%^{name} takes a name: %{{Name}}^{name}"))
    };
    match name {
        "FB" => Ok(LogField::FirstByte),
        "ti" => named().map(LogField::RequestTrailer),
        "to" => named().map(LogField::ResponseTrailer),
        _ => Err(format!("unrecognized LogFormat directive %^{name}")),
    }
}

fn short_field(letter: char, argument: Option<&str>) -> Result<(LogField, Which), String> {
    let named = || {
        argument
            .map(str::to_owned)
            .ok_or_else(|| format!("%{letter} takes a name: %{{Name}}{letter}"))
    };
    let unknown = || format!("unrecognized LogFormat directive %{letter}");
    let wrong = |argument: &str| format!("%{letter} knows no {{{argument}}}");
    let field = match letter {
        'h' => LogField::RemoteHost,
        'a' => match argument {
            None => LogField::RemoteAddress,
            Some("c") => LogField::PeerAddress,
            Some(other) => return Err(wrong(other)),
        },
        'A' => LogField::LocalAddress,
        'l' => LogField::RemoteLogname,
        'u' => LogField::RemoteUser,
        't' => LogField::Time(time(argument.unwrap_or_default())),
        'r' => LogField::RequestLine,
        'm' => LogField::Method,
        'U' => LogField::Path,
        'q' => LogField::Query,
        'H' => LogField::Protocol,
        's' => LogField::Status,
        'b' => LogField::BodyBytesOrDash,
        'B' => LogField::BodyBytes,
        'O' => LogField::BytesOut,
        'I' => LogField::BytesIn,
        'S' => LogField::BytesTotal,
        'D' => LogField::Duration(DurationUnit::Microseconds),
        'T' => match argument {
            None | Some("s") => LogField::Duration(DurationUnit::Seconds),
            Some("ms") => LogField::Duration(DurationUnit::Milliseconds),
            Some("us") => LogField::Duration(DurationUnit::Microseconds),
            Some(other) => return Err(wrong(other)),
        },
        'X' => LogField::ConnectionState,
        'k' => LogField::KeepAliveRequests,
        'f' => LogField::File,
        'v' => LogField::ServerName,
        'V' => LogField::RequestedName,
        'p' => match argument {
            None | Some("canonical") => LogField::Port(LogPort::Canonical),
            Some("local") => LogField::Port(LogPort::Local),
            Some("remote") => LogField::Port(LogPort::Remote),
            Some(other) => return Err(wrong(other)),
        },
        'P' => match argument {
            None | Some("pid") => LogField::ProcessId,
            Some("tid") => LogField::ThreadId,
            Some("hextid") => LogField::ThreadIdHex,
            Some(other) => return Err(wrong(other)),
        },
        'L' => LogField::LogId,
        'R' => LogField::Handler,
        'i' => LogField::RequestHeader(named()?),
        'o' => LogField::ResponseHeader(named()?),
        'e' => LogField::Environment(named()?),
        'n' => LogField::Note(named()?),
        'C' => LogField::Cookie(named()?),
        'x' | 'c' => LogField::Tls(named()?),
        _ => return Err(unknown()),
    };
    let which = match letter {
        's' | 'U' | 'T' | 'D' | 'r' => Which::Original,
        _ => Which::Final,
    };
    Ok((field, which))
}

fn time(argument: &str) -> LogTime {
    let (moment, format) = match argument.strip_prefix("end:") {
        Some(rest) => (TimeMoment::End, rest),
        None if argument == "end" => (TimeMoment::End, ""),
        None => (
            TimeMoment::Begin,
            argument.strip_prefix("begin:").unwrap_or(argument),
        ),
    };
    match format {
        "" | "begin" => LogTime::Standard(moment),
        "sec" => LogTime::Seconds(moment),
        "msec" => LogTime::Milliseconds(moment),
        "usec" => LogTime::Microseconds(moment),
        "msec_frac" => LogTime::MillisecondsFraction(moment),
        "usec_frac" => LogTime::MicrosecondsFraction(moment),
        strftime => LogTime::Strftime(moment, strftime.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(format: &str, expected: LogField, which: Which) {
        let parsed = parse(format).expect(format);
        let token = LogToken::Field {
            field: expected,
            condition: None,
            which,
        };
        assert_eq!(parsed.tokens, [token], "{format}");
    }

    #[test]
    fn fields_and_their_arguments() {
        check("%h", LogField::RemoteHost, Which::Final);
        check("%s", LogField::Status, Which::Original);
        check("%>s", LogField::Status, Which::Final);
        check(
            "%{Referer}i",
            LogField::RequestHeader("Referer".into()),
            Which::Final,
        );
        check(
            "%{us}T",
            LogField::Duration(DurationUnit::Microseconds),
            Which::Original,
        );
        check(
            "%{%Y}t",
            LogField::Time(LogTime::Strftime(TimeMoment::Begin, "%Y".into())),
            Which::Final,
        );
        check(
            "%{end:msec}t",
            LogField::Time(LogTime::Milliseconds(TimeMoment::End)),
            Which::Final,
        );
        check("%^FB", LogField::FirstByte, Which::Final);
        check("%{remote}p", LogField::Port(LogPort::Remote), Which::Final);
    }

    #[test]
    fn conditions_and_literals() {
        let parsed = parse(r"a%%\t%!200,304{Referer}i").expect("valid");
        assert_eq!(parsed.tokens[0], LogToken::Literal("a%\t".into()));
        let condition = Some(Condition {
            negated: true,
            statuses: vec![200, 304],
        });
        let field = LogField::RequestHeader("Referer".into());
        assert_eq!(
            parsed.tokens[1],
            LogToken::Field {
                field,
                condition,
                which: Which::Final
            }
        );
    }

    #[test]
    fn unknown_letters_are_errors() {
        for wrong in [
            "%Z", "%", "%{a", "%i", "%^XX", "%^", "%{x}p", "%99999s", "%é",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn predefined_formats_parse() {
        for name in [
            "common",
            "combined",
            "combinedio",
            "vhost_combined",
            "referer",
            "agent",
        ] {
            assert!(predefined(name).is_some(), "{name}");
        }
    }
}
