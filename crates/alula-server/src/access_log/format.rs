//! Writes a line from a `LogFormat` (httpd's mod_log_config).
//!
//! What a client sent is escaped as httpd does: quotes, backslashes and everything that is not printable.

use super::{Entry, ResponseNotes};
use alula_routing::site::{
    DurationUnit, LogField, LogFormat, LogPort, LogTime, LogToken, TimeMoment,
};
use http::{HeaderMap, StatusCode, Version};
use jiff::{Timestamp, ZonedDateTime, tz::TimeZone};
use std::io::Write;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The time zone of access logs.
static ZONE: OnceLock<TimeZone> = OnceLock::new();

/// Takes the machine's time zone for access logs, once and for all. To be called before an application is loaded:
/// applications change `TZ` (Django's `TIME_ZONE` does).
pub fn fix_time_zone() {
    ZONE.get_or_init(TimeZone::system);
}

/// The time, in the zone of the logs.
pub fn local_time() -> alula_routing::LocalTime {
    let stamp = Timestamp::try_from(SystemTime::now()).unwrap_or_default();
    let now = ZonedDateTime::new(stamp, ZONE.get_or_init(TimeZone::system).clone());
    alula_routing::LocalTime {
        year: now.year(),
        month: now.month(),
        day: now.day(),
        hour: now.hour(),
        minute: now.minute(),
        second: now.second(),
        weekday: now.weekday().to_sunday_zero_offset(),
    }
}

/// Appends a line with its line end.
pub(super) fn write(
    line: &mut Vec<u8>,
    format: &LogFormat,
    entry: &Entry,
    response: &ResponseNotes,
    bytes: u64,
    complete: bool,
) {
    let writer = Line {
        entry,
        response,
        bytes,
        complete,
    };
    for token in &format.tokens {
        match token {
            LogToken::Literal(text) => line.extend_from_slice(text.as_bytes()),
            LogToken::Field {
                field, condition, ..
            } => {
                let wanted = condition.as_ref().is_none_or(|condition| {
                    condition.statuses.contains(&response.status.as_u16()) != condition.negated
                });
                if wanted {
                    writer.field(line, field);
                } else {
                    line.push(b'-');
                }
            }
        }
    }
    line.push(b'\n');
}

struct Line<'a> {
    entry: &'a Entry,
    response: &'a ResponseNotes,
    bytes: u64,
    complete: bool,
}

impl Line<'_> {
    fn field(&self, line: &mut Vec<u8>, field: &LogField) {
        let entry = self.entry;
        let peer = &entry.connection.peer;
        // Writing to a `Vec` cannot fail.
        let _ = match field {
            LogField::RemoteHost | LogField::RemoteAddress => {
                write!(line, "{}", peer.remote.ip().to_canonical())
            }
            LogField::PeerAddress => {
                write!(line, "{}", peer.connected.ip().to_canonical())
            }
            LogField::LocalAddress => write!(line, "{}", peer.local.ip().to_canonical()),
            LogField::Time(time) => {
                self.time(line, time);
                Ok(())
            }
            LogField::RequestLine => {
                escape(line, entry.method.as_str().as_bytes());
                line.push(b' ');
                escape(line, entry.target.as_bytes());
                write!(line, " {}", protocol(entry.version))
            }
            LogField::Method => write!(line, "{}", entry.method),
            LogField::Path => {
                let path = entry.target.split('?').next().unwrap_or_default();
                escape(line, path.as_bytes());
                Ok(())
            }
            LogField::Query => {
                if let Some(query) = entry.target.find('?') {
                    escape(line, &entry.target.as_bytes()[query..]);
                }
                Ok(())
            }
            LogField::Protocol => write!(line, "{}", protocol(entry.version)),
            LogField::Status => write!(line, "{}", self.response.status.as_u16()),
            LogField::BodyBytesOrDash if self.bytes == 0 => write!(line, "-"),
            LogField::BodyBytesOrDash | LogField::BodyBytes => write!(line, "{}", self.bytes),
            LogField::BytesOut => write!(line, "{}", self.bytes + self.response_head_bytes()),
            LogField::BytesIn => write!(line, "{}", self.request_bytes()),
            LogField::BytesTotal => write!(
                line,
                "{}",
                self.bytes + self.response_head_bytes() + self.request_bytes()
            ),
            LogField::Duration(unit) => {
                let elapsed = entry.clock.elapsed();
                match unit {
                    DurationUnit::Seconds => write!(line, "{}", elapsed.as_secs()),
                    DurationUnit::Milliseconds => write!(line, "{}", elapsed.as_millis()),
                    DurationUnit::Microseconds => write!(line, "{}", elapsed.as_micros()),
                }
            }
            LogField::FirstByte => write!(line, "{}", self.response.first_byte.as_micros()),
            LogField::ConnectionState => {
                let state = match (self.complete || self.bytes == 0, self.response.keep_alive) {
                    (false, _) => b'X',
                    (true, true) => b'+',
                    (true, false) => b'-',
                };
                line.push(state);
                Ok(())
            }
            LogField::KeepAliveRequests => {
                write!(line, "{}", entry.connection.requests().saturating_sub(1))
            }
            LogField::File => match &self.response.file {
                Some(file) => {
                    use std::os::unix::ffi::OsStrExt;
                    escape(line, file.as_os_str().as_bytes());
                    Ok(())
                }
                None => write!(line, "-"),
            },
            LogField::ServerName => write!(line, "{}", dash(&entry.logs.server_name)),
            LogField::RequestedName => {
                let host = entry.request_headers.get(http::header::HOST);
                let host = host.map_or(&b"-"[..], |host| host.as_bytes());
                let end = if host.first() == Some(&b'[') {
                    memchr::memchr(b']', host).map_or(host.len(), |bracket| bracket + 1)
                } else {
                    memchr::memchr(b':', host).unwrap_or(host.len())
                };
                escape(line, &host[..end]);
                Ok(())
            }
            LogField::Port(LogPort::Remote) => write!(line, "{}", peer.remote.port()),
            LogField::Port(LogPort::Canonical | LogPort::Local) => {
                write!(line, "{}", peer.local.port())
            }
            LogField::ProcessId => write!(line, "{}", std::process::id()),
            LogField::ThreadId => write!(line, "{}", rustix::thread::gettid().as_raw_nonzero()),
            LogField::ThreadIdHex => {
                write!(line, "{:x}", rustix::thread::gettid().as_raw_nonzero())
            }
            LogField::LogId => write!(line, "{:x}", entry.id),
            LogField::Handler => write!(line, "{}", self.response.handler),
            LogField::RequestHeader(name) => header(line, &entry.request_headers, name),
            LogField::ResponseHeader(name) => header(line, &self.response.headers, name),
            LogField::Environment(name) => {
                let value = self
                    .response
                    .environment
                    .iter()
                    .find(|(known, _)| known == name);
                match value {
                    Some((_, value)) => {
                        escape(line, value.as_bytes());
                        Ok(())
                    }
                    None => write!(line, "-"),
                }
            }
            LogField::Cookie(name) => {
                match cookie(&entry.request_headers, name) {
                    Some(value) => escape(line, value),
                    None => line.push(b'-'),
                }
                Ok(())
            }
            LogField::RemoteUser => {
                match &self.response.user {
                    Some(user) => escape(line, user.as_bytes()),
                    None => line.push(b'-'),
                }
                Ok(())
            }
            LogField::RemoteLogname
            | LogField::RequestTrailer(_)
            | LogField::ResponseTrailer(_)
            | LogField::Note(_) => write!(line, "-"),
            LogField::Tls(name) => {
                let session = peer.tls();
                match session.and_then(|session| session.variable(tls_variable(name))) {
                    Some(value) => escape(line, value.as_bytes()),
                    None => line.push(b'-'),
                }
                Ok(())
            }
        };
    }

    fn time(&self, line: &mut Vec<u8>, time: &LogTime) {
        let at = |moment: &TimeMoment| match moment {
            TimeMoment::Begin => self.entry.began,
            TimeMoment::End => SystemTime::now(),
        };
        let micros = |moment: &TimeMoment| {
            at(moment)
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default()
                .as_micros()
        };
        let local = |moment: &TimeMoment| {
            let stamp = Timestamp::try_from(at(moment)).unwrap_or_default();
            let zone = ZONE.get_or_init(TimeZone::system).clone();
            ZonedDateTime::new(stamp, zone)
        };
        let _ = match time {
            LogTime::Standard(moment) => {
                write!(line, "{}", local(moment).strftime("[%d/%b/%Y:%H:%M:%S %z]"))
            }
            LogTime::Strftime(moment, format) => {
                let text = jiff::fmt::strtime::format(format, &local(moment));
                write!(line, "{}", text.as_deref().unwrap_or("-"))
            }
            LogTime::Seconds(moment) => write!(line, "{}", micros(moment) / 1_000_000),
            LogTime::Milliseconds(moment) => write!(line, "{}", micros(moment) / 1000),
            LogTime::Microseconds(moment) => write!(line, "{}", micros(moment)),
            LogTime::MillisecondsFraction(moment) => {
                write!(line, "{:03}", micros(moment) / 1000 % 1000)
            }
            LogTime::MicrosecondsFraction(moment) => {
                write!(line, "{:06}", micros(moment) % 1_000_000)
            }
        };
    }

    /// The size of the response's head as the engine writes it, its own `Date` included.
    fn response_head_bytes(&self) -> u64 {
        let date = "date: Tue, 24 Nov 2026 20:44:50 GMT\r\n".len();
        let line = "HTTP/1.1 200 \r\n\r\n".len()
            + StatusCode::canonical_reason(&self.response.status).map_or(0, str::len);
        (line + date + fields_bytes(&self.response.headers)) as u64
    }

    fn request_bytes(&self) -> u64 {
        let line = self.entry.method.as_str().len() + self.entry.target.len() + 14;
        let content = self
            .entry
            .request_headers
            .get(http::header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<u64>().ok())
            .unwrap_or(0);
        (line + fields_bytes(&self.entry.request_headers)) as u64 + content
    }
}

fn fields_bytes(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum()
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

/// `%{version}c` and its kin are mod_ssl's first names for what are variables now.
fn tls_variable(name: &str) -> &str {
    match name {
        "version" => "SSL_PROTOCOL",
        "cipher" => "SSL_CIPHER",
        "subjectdn" | "clientcert" => "SSL_CLIENT_S_DN",
        "issuerdn" | "cacert" => "SSL_CLIENT_I_DN",
        "errcode" | "errstr" => "SSL_CLIENT_VERIFY",
        name => name,
    }
}

fn dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn header(line: &mut Vec<u8>, headers: &HeaderMap, name: &str) -> std::io::Result<()> {
    let mut values = headers.get_all(name).iter();
    match values.next() {
        None => line.push(b'-'),
        Some(first) => {
            escape(line, first.as_bytes());
            for value in values {
                line.extend_from_slice(b", ");
                escape(line, value.as_bytes());
            }
        }
    }
    Ok(())
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    headers
        .get_all(http::header::COOKIE)
        .iter()
        .find_map(|value| {
            value
                .as_bytes()
                .split(|&byte| byte == b';')
                .find_map(|pair| {
                    let pair = pair.trim_ascii();
                    let value = pair.strip_prefix(name.as_bytes())?;
                    value.strip_prefix(b"=")
                })
        })
}

/// httpd's `ap_escape_logitem`.
fn escape(line: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        match byte {
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', byte]),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\t' => line.extend_from_slice(b"\\t"),
            b' '..=b'~' => line.push(byte),
            other => {
                let _ = write!(line, "\\x{other:02x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_sent_cannot_break_a_line() {
        let mut line = Vec::new();
        escape(&mut line, b"a\"b\\c\nd\xc3\x01");
        assert_eq!(line, br#"a\"b\\c\nd\xc3\x01"#);
    }

    #[test]
    fn cookies_are_found_by_whole_name() {
        let mut headers = HeaderMap::new();
        headers.insert("cookie", "ab=1; a=2".parse().expect("a header value"));
        assert_eq!(cookie(&headers, "a"), Some(&b"2"[..]));
        assert_eq!(cookie(&headers, "b"), None);
    }
}
