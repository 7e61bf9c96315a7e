//! Lines of the error log to the system's log (RFC 3164, as every `/dev/log` takes it).
//!
//! The level is read off the line; the time is cut off, for the system's log writes its own. A system log that is not there, or
//! restarts, costs lines and nothing else.

use std::io;
use std::os::unix::net::UnixDatagram;

use alula_config::site::Syslog;

use super::{Lines, Next};
use crate::error_log::Level;

const SOCKET: &str = "/dev/log";

pub(super) fn run(settings: &Syslog) -> io::Result<()> {
    let mut lines = Lines::new()?;
    let mut socket = connect();
    while let Next::Line(line) = lines.next(None)? {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if text.is_empty() {
            continue;
        }
        let message = message(settings, text);
        let sent = socket
            .as_ref()
            .map(|socket| socket.send(message.as_bytes()));
        if !matches!(sent, Some(Ok(_))) {
            socket = connect();
            if let Some(socket) = &socket {
                // Lost when it fails again.
                let _ = socket.send(message.as_bytes());
            }
        }
    }
    Ok(())
}

fn connect() -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect(SOCKET).ok()?;
    Some(socket)
}

fn message(settings: &Syslog, line: &str) -> String {
    let (level, text) = split(line);
    let priority = u32::from(settings.facility) * 8 + u32::from(level.number().min(7));
    let (tag, pid) = (&settings.tag, std::process::id());
    format!("<{priority}>{tag}[{pid}]: {text}")
}

/// The level of a line in the usual format, and the line without its time. What has none (a traceback's next line) is a notice.
fn split(line: &str) -> (Level, &str) {
    let rest = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] ["));
    let Some((_, rest)) = rest else {
        return (Level::Notice, line);
    };
    let word = rest.split(']').next().unwrap_or_default();
    let word = word.rsplit(':').next().unwrap_or_default();
    match Level::named(word) {
        Some(level) => (level, &line[line.len() - rest.len() - 1..]),
        None => (Level::Notice, line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_read_off_the_line() {
        let settings = Syslog {
            facility: 17,
            tag: "site".to_owned(),
        };
        let pid = std::process::id();
        for (line, expected) in [
            (
                "[Tue Nov 24 20:44:50.375145 2026] [core:error] [pid 1] broken",
                format!("<139>site[{pid}]: [core:error] [pid 1] broken"),
            ),
            (
                "  File \"x.py\"",
                format!("<141>site[{pid}]:   File \"x.py\""),
            ),
            ("[a] [b] c", format!("<141>site[{pid}]: [a] [b] c")),
        ] {
            assert_eq!(message(&settings, line), expected);
        }
    }
}
