//! One record of the error log as text.
//!
//! The field `client` goes before the message in brackets, then `request`, all others after it, as in httpd's
//! `[client 10.0.0.7:4711] message, referer: x`.

use std::fmt::{self, Write};
use std::sync::OnceLock;
use std::time::SystemTime;

use alula_config::site::{ErrorLogField, ErrorLogFormat, ErrorLogPiece, ErrorLogTime, Missing};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata};

use super::Level;

/// The parts of an event.
#[derive(Debug, Default)]
pub(crate) struct Record {
    client: String,
    request: Option<u64>,
    message: String,
    fields: String,
}

/// What a line says besides the event itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances<'a> {
    pub(crate) module: &'a str,
    pub(crate) level: Level,
    pub(crate) metadata: &'a Metadata<'a>,
    pub(crate) server_name: &'a str,
}

impl Record {
    pub(crate) fn new(event: &Event<'_>) -> Self {
        let mut record = Self::default();
        event.record(&mut record);
        record
    }

    /// The line in httpd's usual format.
    pub(crate) fn line(&self, at: Circumstances<'_>) -> String {
        let Self {
            client,
            request,
            message,
            fields,
        } = self;
        let mut line = format!(
            "[{}] [{}:{}] [pid {}] ",
            local_time(SystemTime::now(), ErrorLogTime::Microseconds),
            at.module,
            at.level.word(),
            std::process::id()
        );
        // Writing to a String cannot fail.
        let _ = match client.as_str() {
            "" => Ok(()),
            client => write!(line, "[client {client}] "),
        };
        let _ = match request {
            None => Ok(()),
            Some(id) => write!(line, "[request {id:x}] "),
        };
        line.push_str(message);
        line.push_str(fields);
        line.push('\n');
        line
    }

    /// The line in an `ErrorLogFormat`; empty when a field it must have has no value.
    pub(crate) fn formatted(&self, format: &ErrorLogFormat, at: Circumstances<'_>) -> String {
        let mut line = String::new();
        let mut group = 0;
        let mut left_out = false;
        for piece in &format.pieces {
            match piece {
                ErrorLogPiece::Group => {
                    left_out = false;
                    group = line.len();
                }
                ErrorLogPiece::Field {
                    field: ErrorLogField::Message,
                    ..
                } => {
                    // The message is never left out with its group.
                    line.push_str(&self.message);
                    line.push_str(&self.fields);
                }
                _ if left_out => {}
                ErrorLogPiece::Literal(text) => line.push_str(text),
                ErrorLogPiece::Field { from_level, .. } if *from_level > at.level.number() => {
                    line.truncate(group);
                    left_out = true;
                }
                ErrorLogPiece::Field { field, missing, .. } => {
                    let before = line.len();
                    self.field(&mut line, field, at);
                    if line.len() > before {
                        continue;
                    }
                    match missing {
                        Missing::Hyphen => line.push('-'),
                        Missing::LeaveOutLine => return String::new(),
                        Missing::LeaveOutGroup => {
                            line.truncate(group);
                            left_out = true;
                        }
                    }
                }
            }
        }
        line.push('\n');
        line
    }

    fn field(&self, line: &mut String, field: &Value, at: Circumstances<'_>) {
        // Writing to a String cannot fail.
        let _ = match field {
            Value::Client => write!(line, "{}", self.client),
            Value::Source => match (at.metadata.file(), at.metadata.line()) {
                (Some(file), Some(number)) => {
                    let name = file.rsplit('/').next().unwrap_or(file);
                    write!(line, "{name}({number})")
                }
                _ => Ok(()),
            },
            Value::Level => write!(line, "{}", at.level.word()),
            Value::LogId => match self.request {
                Some(id) => write!(line, "{id:x}"),
                None => Ok(()),
            },
            Value::Module => write!(line, "{}", at.module),
            Value::ProcessId => write!(line, "{}", std::process::id()),
            Value::ThreadId => {
                let thread = rustix::thread::gettid().as_raw_nonzero();
                write!(line, "{thread}")
            }
            Value::Time(kind) => write!(line, "{}", local_time(SystemTime::now(), *kind)),
            Value::ServerName => write!(line, "{}", at.server_name),
            Value::Message | Value::Nothing => Ok(()),
        };
    }

    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "notice" => Ok(()),
            "message" => write!(
                Escaped {
                    text: &mut self.message,
                    line_ends: false
                },
                "{value}"
            ),
            "client" => write!(
                Escaped {
                    text: &mut self.client,
                    line_ends: true
                },
                "{value}"
            ),
            name => write!(
                Escaped {
                    text: &mut self.fields,
                    line_ends: true
                },
                ", {name}: {value}"
            ),
        };
    }
}

use ErrorLogField as Value;

impl Visit for Record {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "request" {
            self.request = Some(value);
        } else {
            self.add(field, format_args!("{value}"));
        }
    }
}

/// Writes control characters as `\xhh`, so that a log shown in a terminal cannot command it.
struct Escaped<'a> {
    text: &'a mut String,
    line_ends: bool,
}

impl Write for Escaped<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        for character in part.chars() {
            match character {
                '\n' | '\t' if !self.line_ends => self.text.push(character),
                '\n' => self.text.push_str("\\n"),
                control if control.is_control() => {
                    write!(self.text, "\\x{:02x}", u32::from(control))?
                }
                plain => self.text.push(plain),
            }
        }
        Ok(())
    }
}

/// The time zone of the log.
static ZONE: OnceLock<TimeZone> = OnceLock::new();

/// Takes the machine's time zone for the log, once and for all: applications change `TZ` (Django's `TIME_ZONE`
/// does), and a log in two time zones is no log.
pub(super) fn fix_time_zone() {
    ZONE.get_or_init(TimeZone::system);
}

/// `Tue Nov 24 20:44:50.375145 2026`, in the time zone of the machine.
fn local_time(time: SystemTime, kind: ErrorLogTime) -> String {
    let stamp = Timestamp::try_from(time).unwrap_or_default();
    let zone = ZONE.get_or_init(TimeZone::system).clone();
    let format = match kind {
        ErrorLogTime::Seconds => "%a %b %d %H:%M:%S %Y",
        ErrorLogTime::Microseconds => "%a %b %d %H:%M:%S.%6f %Y",
        ErrorLogTime::Compact => "%Y-%m-%d %H:%M:%S.%6f",
        ErrorLogTime::CompactSeconds => "%Y-%m-%d %H:%M:%S",
    };
    ZonedDateTime::new(stamp, zone).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn check(line_ends: bool, text: &str, expected: &str) {
        let mut escaped = String::new();
        write!(
            Escaped {
                text: &mut escaped,
                line_ends
            },
            "{text}"
        )
        .unwrap();
        assert_eq!(escaped, expected);
    }

    #[test]
    fn control_characters_are_escaped() {
        check(
            false,
            "Traceback:\n\tline\x1b[2J",
            "Traceback:\n\tline\\x1b[2J",
        );
        check(true, "GET /\n[forged]\r", "GET /\\n[forged]\\x0d");
        check(true, "größer \u{85}", "größer \\x85");
    }

    #[test]
    fn the_day_is_the_right_one() {
        // The hour and even the day depend on the time zone; noon plus or minus a day does not change the year.
        let time = UNIX_EPOCH + std::time::Duration::from_micros(1_795_552_690_375_145);
        let text = local_time(time, ErrorLogTime::Microseconds);
        assert!(
            text.contains(" Nov 2") && text.ends_with(".375145 2026"),
            "{text}"
        );
    }
}
