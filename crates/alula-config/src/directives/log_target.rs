//! The first argument of `ErrorLog`, `CustomLog` and their kin.
//!
//! A program named `rotatelogs` is not executed: Alula does its work, with the same options. One it does not know is left to the
//! real program.

use super::{Problem, Scope};
use crate::site::{LogProgram, LogTarget, Rotation, Syslog};
use crate::syntax::lexer::Word;
use std::path::Path;

/// The facilities of syslog by name (RFC 5424 section 6.2.1).
const FACILITIES: &[(&str, u8)] = &[
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

/// httpd's: `local7`, and the program's name.
const FACILITY_DEFAULT: u8 = 23;
const TAG_DEFAULT: &str = "alula";

pub(super) fn target(scope: &mut Scope, word: &Word) -> Result<LogTarget, Problem> {
    if let Some(program) = word.text.strip_prefix('|') {
        return self::program(scope, word, program).map(LogTarget::Program);
    }
    let path = scope.path(word);
    if path == Path::new("/dev/stderr") {
        return Ok(LogTarget::Stderr);
    }
    if path == Path::new("/dev/stdout") {
        return Ok(LogTarget::Stdout);
    }
    if word.text == "journald"
        || word.text.starts_with("syslog:")
        || word.text.starts_with("journald:")
    {
        let hint = "\"|/usr/bin/logger -t alula\" takes lines to the system's log";
        return Err(Problem::not_yet(word).hint(hint));
    }
    if let Some(folder) = path
        .parent()
        .filter(|folder| !scope.draft.files.is_dir(folder))
    {
        let message = format!("no such directory {folder:?}, the log cannot be opened");
        scope.warn(word.span, message, None);
    }
    Ok(LogTarget::File(path))
}

/// `syslog[:facility[:tag]]`, which only `ErrorLog` knows.
pub(super) fn syslog(word: &Word) -> Option<Result<LogTarget, Problem>> {
    let rest = word.text.strip_prefix("syslog")?;
    let mut parts = match rest.strip_prefix(':') {
        Some(parts) => parts.splitn(2, ':'),
        None if rest.is_empty() => "".splitn(2, ':'),
        None => return None,
    };
    let facility = match parts.next().unwrap_or_default() {
        "" => FACILITY_DEFAULT,
        name => {
            let known = FACILITIES
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name));
            match known {
                Some((_, number)) => *number,
                None => {
                    let message = format!("syslog has no facility {name:?}");
                    let hint = "local0 to local7, daemon, user and the others of syslog.h";
                    return Some(Err(Problem::at(word, message).hint(hint)));
                }
            }
        }
    };
    let tag = parts.next().filter(|tag| !tag.is_empty());
    Some(Ok(LogTarget::Syslog(Syslog {
        facility,
        tag: tag.unwrap_or(TAG_DEFAULT).to_owned(),
    })))
}

fn program(scope: &Scope, word: &Word, text: &str) -> Result<LogProgram, Problem> {
    if let Some(line) = text.strip_prefix('$') {
        if line.trim().is_empty() {
            return Err(Problem::at(word, "names no program after the |"));
        }
        return Ok(LogProgram::Shell(line.trim().to_owned()));
    }
    let words = split(text.strip_prefix('|').unwrap_or(text));
    let Some((program, arguments)) = words.split_first() else {
        return Err(Problem::at(word, "names no program after the |"));
    };
    if Path::new(program)
        .file_name()
        .is_some_and(|name| name == "rotatelogs")
        && let Some(mut rotation) = rotation(arguments).map_err(|fact| Problem::at(word, fact))?
    {
        let root = &scope.draft.server_root;
        rotation.file = root.join(&rotation.file).to_string_lossy().into_owned();
        rotation.link = rotation.link.map(|link| root.join(link));
        return Ok(LogProgram::Rotate(Box::new(rotation)));
    }
    Ok(LogProgram::Run(words))
}

/// Words as httpd splits a command: at blanks, with quotes and backslashes.
fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('\\', _) => word.get_or_insert_default().extend(rest.next()),
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (' ' | '\t', None) => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// `rotatelogs`' command line; `None` when it has an option only the real program knows.
fn rotation(arguments: &[String]) -> Result<Option<Rotation>, String> {
    let mut rotation = Rotation::default();
    let mut rest = arguments.iter();
    let mut operands: Vec<&str> = Vec::new();
    while let Some(argument) = rest.next() {
        let options = argument
            .strip_prefix('-')
            .filter(|options| !options.is_empty());
        let Some(options) = options.filter(|_| operands.is_empty()) else {
            operands.push(argument);
            continue;
        };
        for (at, letter) in options.char_indices() {
            match letter {
                'l' => rotation.local_time = true,
                'f' => rotation.open_at_once = true,
                'D' => rotation.make_directories = true,
                't' => rotation.truncate = true,
                'c' => rotation.create_empty = true,
                'v' => {}
                'L' | 'p' | 'n' => {
                    let attached = &options[at + 1..];
                    let value = match attached {
                        "" => rest.next().map(String::as_str),
                        attached => Some(attached),
                    };
                    let value =
                        value.ok_or_else(|| format!("rotatelogs: -{letter} takes a value"))?;
                    match letter {
                        'L' => rotation.link = Some(value.into()),
                        'p' => rotation.program = Some(value.into()),
                        _ => rotation.in_turn = Some(in_turn(value)?),
                    }
                    break;
                }
                _ => return Ok(None),
            }
        }
    }
    let [file, limits @ ..] = operands.as_slice() else {
        return Err("rotatelogs takes a file and when to rotate".to_owned());
    };
    rotation.file = (*file).to_owned();
    let mut limits = limits.iter().peekable();
    while let Some(limit) = limits.peek() {
        let digits = limit.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = limit.split_at(digits);
        let number = number.parse::<u64>().ok().filter(|number| *number > 0);
        let factor = match unit {
            "B" => 1,
            "K" => 1 << 10,
            "M" => 1 << 20,
            "G" => 1 << 30,
            _ => 0,
        };
        match (number, factor) {
            (Some(seconds), 0) if unit.is_empty() && rotation.seconds.is_none() => {
                rotation.seconds = Some(seconds);
            }
            (Some(number), factor @ 1..) if rotation.bytes.is_none() => {
                rotation.bytes = Some(number.saturating_mul(factor));
            }
            _ => break,
        }
        limits.next();
    }
    if rotation.seconds.is_none() && rotation.bytes.is_none() {
        return Err(
            "rotatelogs: no time (seconds) and no size (5M) says when to rotate".to_owned(),
        );
    }
    match (limits.next(), limits.next()) {
        (None, _) => {}
        (Some(offset), None) => {
            let minutes = offset
                .parse()
                .ok()
                .filter(|minutes: &i32| minutes.abs() <= 24 * 60);
            rotation.utc_offset_minutes = minutes
                .ok_or_else(|| format!("rotatelogs: {offset:?} is not an offset in minutes"))?;
        }
        (Some(_), Some(more)) => {
            return Err(format!("rotatelogs: {more:?} is one argument too many"));
        }
    }
    Ok(Some(rotation))
}

fn in_turn(value: &str) -> Result<u32, String> {
    let number = value.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("rotatelogs: {value:?} is not a number of files"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_split_as_httpd_does() {
        for (text, expected) in [
            ("/bin/x a  b", &["/bin/x", "a", "b"][..]),
            (r#"x "a b" 'c d'"#, &["x", "a b", "c d"]),
            (r"x a\ b", &["x", "a b"]),
            (r#"x "" y"#, &["x", "", "y"]),
            ("  ", &[]),
        ] {
            assert_eq!(split(text), expected, "{text}");
        }
    }

    #[test]
    fn rotatelogs_command_lines() {
        let check = |line: &str, expected: Rotation| {
            assert_eq!(rotation(&split(line)), Ok(Some(expected)), "{line}");
        };
        let file = || Rotation {
            file: "/l/a".into(),
            ..Rotation::default()
        };
        check(
            "/l/a 86400",
            Rotation {
                seconds: Some(86400),
                ..file()
            },
        );
        check(
            "-l /l/a 5M",
            Rotation {
                bytes: Some(5 << 20),
                local_time: true,
                ..file()
            },
        );
        check(
            "-n 3 -L /l/now /l/a 10K",
            Rotation {
                bytes: Some(10 << 10),
                in_turn: Some(3),
                link: Some("/l/now".into()),
                ..file()
            },
        );
        check(
            "-ft /l/a 60 1G -120",
            Rotation {
                seconds: Some(60),
                bytes: Some(1 << 30),
                open_at_once: true,
                truncate: true,
                utc_offset_minutes: -120,
                ..file()
            },
        );
        assert_eq!(rotation(&split("-e /l/a 60")), Ok(None));
        for wrong in [
            "",
            "/l/a",
            "/l/a x",
            "/l/a 60 x",
            "-n x /l/a 60",
            "-L",
            "/l/a 60 0 0 1",
        ] {
            assert!(rotation(&split(wrong)).is_err(), "{wrong}");
        }
    }
}
