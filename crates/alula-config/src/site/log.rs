//! What is in the lines of access logs, and how much goes to the error log.
//!
//! A format is split into tokens once, at load; writing a line never looks at the `%` text again.

use super::LogTarget;
use serde::{Deserialize, Serialize};

/// `LogLevel`, most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are syslog's and httpd's")]
pub enum LogLevel {
    Emerg,
    Alert,
    Crit,
    Error,
    Warn,
    Notice,
    Info,
    Debug,
    /// `trace1` to `trace8`.
    Trace(u8),
}

/// `LogLevel warn python:debug`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLevels {
    /// For every module not named.
    pub default: LogLevel,
    /// Module names as written, without `mod_` and `_module`, and their levels.
    pub modules: Vec<(String, LogLevel)>,
}

impl Default for LogLevels {
    fn default() -> Self {
        Self {
            default: LogLevel::Warn,
            modules: Vec::new(),
        }
    }
}

/// `LogLevel` as written somewhere: what it says, over what is inherited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLevelChange {
    /// The level without a module's name.
    pub default: Option<LogLevel>,
    /// Those of modules.
    pub modules: Vec<(String, LogLevel)>,
}

impl LogLevelChange {
    /// A later line of the same place. A level without a module forgets the modules before it, as in httpd.
    pub(crate) fn then(&mut self, later: Self) {
        if later.default.is_some() {
            *self = later;
        } else {
            self.modules.extend(later.modules);
        }
    }

    /// This, written in an inner place, over an outer one.
    pub(crate) fn over(&self, outer: &Self) -> Self {
        let modules = outer.modules.iter().chain(&self.modules);
        Self {
            default: self.default.or(outer.default),
            modules: modules.cloned().collect(),
        }
    }
}

impl LogLevels {
    /// These levels with a change made to them. The last that names a module counts.
    #[must_use]
    pub fn changed(&self, change: &LogLevelChange) -> Self {
        let modules = self.modules.iter().chain(&change.modules);
        Self {
            default: change.default.unwrap_or(self.default),
            modules: modules.cloned().collect(),
        }
    }
}

/// One `CustomLog`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessLog {
    /// Where lines go.
    pub target: LogTarget,
    /// What is in a line.
    pub format: LogFormat,
    /// `env=name`: only requests with (or without) this variable.
    pub condition: Option<EnvironmentCondition>,
    /// `expr=`: only requests for which it is true once they are answered.
    pub expression: Option<crate::expression::Condition>,
}

/// `env=name` or `env=!name`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentCondition {
    /// The variable.
    pub name: String,
    /// With `!`: the variable must not be set.
    pub negated: bool,
}

/// A parsed `LogFormat`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFormat {
    /// In order; a line ends after the last.
    pub tokens: Vec<LogToken>,
}

/// A piece of a log line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogToken {
    /// Text to copy.
    Literal(String),
    /// A value.
    Field {
        /// Which.
        field: LogField,
        /// `-` instead of the value unless the status fits.
        condition: Option<Condition>,
        /// Which request when an internal redirect took place.
        which: Which,
    },
}

/// `%400,501{...}i` or `%!200,304{...}i`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// With `!`.
    pub negated: bool,
    /// Status codes.
    pub statuses: Vec<u16>,
}

/// `%<s` looks at the request as it came, `%>s` at the one that answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Which {
    /// `<`, and the default of `%s %U %T %D %r`.
    Original,
    /// `>`, and the default of all others.
    Final,
}

/// A value in a log line. Header, cookie and note names are as written; compare them as their kind demands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LogField {
    /// `%h`: with `HostnameLookups Off`, the address.
    RemoteHost,
    /// `%a`.
    RemoteAddress,
    /// `%{c}a`: the connection's peer, whatever a proxy says.
    PeerAddress,
    /// `%A`.
    LocalAddress,
    /// `%l`: always `-`.
    RemoteLogname,
    /// `%u`.
    RemoteUser,
    /// `%t`.
    Time(LogTime),
    /// `%r`.
    RequestLine,
    /// `%m`.
    Method,
    /// `%U`: the path without the query.
    Path,
    /// `%q`: the query with its `?`, or nothing.
    Query,
    /// `%H`.
    Protocol,
    /// `%s`.
    Status,
    /// `%b`: bytes of content sent, `-` for 0.
    BodyBytesOrDash,
    /// `%B`: bytes of content sent.
    BodyBytes,
    /// `%O`: bytes sent with head.
    BytesOut,
    /// `%I`: bytes received with head.
    BytesIn,
    /// `%S`: both.
    BytesTotal,
    /// `%D`, `%T`, `%{unit}T`: how long the request took.
    Duration(DurationUnit),
    /// `%X`: `X` aborted, `+` kept alive, `-` closed.
    ConnectionState,
    /// `%k`: requests before this one on the connection.
    KeepAliveRequests,
    /// `%f`.
    File,
    /// `%v`: `ServerName`.
    ServerName,
    /// `%V`: the name according to `UseCanonicalName`.
    RequestedName,
    /// `%p`.
    Port(LogPort),
    /// `%P`.
    ProcessId,
    /// `%{tid}P`.
    ThreadId,
    /// `%{hextid}P`.
    ThreadIdHex,
    /// `%L`: the id of this request in the error log.
    LogId,
    /// `%R`: the handler's name.
    Handler,
    /// `%{name}i`.
    RequestHeader(String),
    /// `%{name}o`.
    ResponseHeader(String),
    /// `%{name}^ti`.
    RequestTrailer(String),
    /// `%{name}^to`.
    ResponseTrailer(String),
    /// `%{name}e`.
    Environment(String),
    /// `%{name}n`.
    Note(String),
    /// `%{name}C`.
    Cookie(String),
    /// `%{name}x`, `%{name}c`: a TLS variable.
    Tls(String),
    /// `%^FB`: microseconds until the first byte of the response.
    FirstByte,
}

/// How `%t` is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LogTime {
    /// `[24/Nov/2026:20:44:50 +0000]`, when the request began.
    Standard(TimeMoment),
    /// A `strftime` format.
    Strftime(TimeMoment, String),
    /// Seconds since 1970.
    Seconds(TimeMoment),
    /// Milliseconds since 1970.
    Milliseconds(TimeMoment),
    /// Microseconds since 1970.
    Microseconds(TimeMoment),
    /// The milliseconds within the second, three digits.
    MillisecondsFraction(TimeMoment),
    /// The microseconds within the second, six digits.
    MicrosecondsFraction(TimeMoment),
}

/// `begin:` or `end:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TimeMoment {
    /// When the request began.
    Begin,
    /// When the response was done.
    End,
}

/// The unit of `%T`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum DurationUnit {
    Seconds,
    Milliseconds,
    Microseconds,
}

/// Whose port `%p` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LogPort {
    /// `%p`, `%{canonical}p`: the server's.
    Canonical,
    /// `%{local}p`: the socket's.
    Local,
    /// `%{remote}p`: the client's.
    Remote,
}
