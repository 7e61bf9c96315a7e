//! `ErrorLogFormat`, split into pieces once.
//!
//! Pieces stand in groups, begun by a blank: a group in which something has no value is left out as a whole.

use serde::{Deserialize, Serialize};

/// The lines of an error log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorLogFormat {
    /// In order; a line ends after the last.
    pub pieces: Vec<ErrorLogPiece>,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorLogPiece {
    /// A group begins.
    Group,
    /// Text to copy.
    Literal(String),
    /// A value.
    Field {
        /// Which.
        field: ErrorLogField,
        /// What to do where there is none.
        missing: Missing,
        /// `%7F`: only for levels from this number on (`info` is 6, `debug` 7).
        from_level: u8,
    },
}

/// What a field without a value does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Missing {
    /// Its group is left out.
    LeaveOutGroup,
    /// `%-`: a hyphen.
    Hyphen,
    /// `%+`: the whole line is left out.
    LeaveOutLine,
}

/// A value in a line of the error log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorLogField {
    /// `%a`, `%{c}a`: the client with its port.
    Client,
    /// `%F`: the line of Alula's source.
    Source,
    /// `%l`.
    Level,
    /// `%L`: the request's id.
    LogId,
    /// `%m`.
    Module,
    /// `%M`.
    Message,
    /// `%P`.
    ProcessId,
    /// `%T`, `%{g}T`.
    ThreadId,
    /// `%t` and its kin.
    Time(ErrorLogTime),
    /// `%v`, `%V`.
    ServerName,
    /// Known to httpd, never with a value here: `%A`, `%E`, `%{name}e`, `%{name}i`, `%{name}n`, `%k`, `%{c}L`.
    Nothing,
}

/// How the time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorLogTime {
    /// `Tue Nov 24 20:44:50 2026`.
    Seconds,
    /// With microseconds.
    Microseconds,
    /// ISO 8601, with microseconds.
    Compact,
    /// ISO 8601, to the second: `%{c}t`.
    CompactSeconds,
}
