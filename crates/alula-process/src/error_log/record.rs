//! One record of the error log as text.
//!
//! The field `client` goes before the message in brackets, all others after it, as in httpd's
//! `[client 10.0.0.7:4711] message, referer: x`.

use std::fmt::{self, Write};
use std::sync::OnceLock;
use std::time::SystemTime;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use tracing::Event;
use tracing::field::{Field, Visit};

use super::Level;

/// The parts of an event.
#[derive(Debug, Default)]
pub(crate) struct Record {
    client: String,
    message: String,
    fields: String,
}

impl Record {
    pub(crate) fn new(event: &Event<'_>) -> Self {
        let mut record = Self::default();
        event.record(&mut record);
        record
    }

    pub(crate) fn line(&self, module: &str, level: Level) -> String {
        let Self {
            client,
            message,
            fields,
        } = self;
        let (time, pid, word) = (
            local_time(SystemTime::now()),
            std::process::id(),
            level.word(),
        );
        format!("[{time}] [{module}:{word}] [pid {pid}] {client}{message}{fields}\n")
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
                "[client {value}] "
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

impl Visit for Record {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, format_args!("{value}"));
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
fn local_time(time: SystemTime) -> String {
    let stamp = Timestamp::try_from(time).unwrap_or_default();
    let zone = ZONE.get_or_init(TimeZone::system).clone();
    ZonedDateTime::new(stamp, zone)
        .strftime("%a %b %d %H:%M:%S.%6f %Y")
        .to_string()
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
        let text = local_time(UNIX_EPOCH + std::time::Duration::from_micros(1_795_552_690_375_145));
        assert!(
            text.contains(" Nov 2") && text.ends_with(".375145 2026"),
            "{text}"
        );
    }
}
