//! `Header` and `RequestHeader`: changes of header fields.

use super::EnvironmentCondition;
use crate::expression::{Condition, Value};
use serde::{Deserialize, Serialize};

/// One `Header` or `RequestHeader`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderChange {
    /// The field's name as written; a token (RFC 9110 section 5.1).
    pub name: String,
    /// What is done.
    pub verb: HeaderVerb,
    /// `always`: concerns a table of its own, that the server's own errors carry too.
    pub always: bool,
    /// `env=`.
    pub condition: Option<EnvironmentCondition>,
    /// `expr=`.
    pub expression: Option<Condition>,
}

/// What a [`HeaderChange`] does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeaderVerb {
    /// Another field, whatever there is.
    Add(Vec<HeaderPiece>),
    /// After a comma to the value there is.
    Append(Vec<HeaderPiece>),
    /// The same, unless the value is among those there are.
    Merge(Vec<HeaderPiece>),
    /// Instead of what there is.
    Set(Vec<HeaderPiece>),
    /// If there is none.
    SetIfEmpty(Vec<HeaderPiece>),
    /// None.
    Unset,
    /// Replaces what a regular expression finds in each value.
    Edit {
        /// The regular expression.
        pattern: String,
        /// What to put there; `$1` is what the first group matched.
        replacement: Vec<HeaderPiece>,
        /// `edit*`: each match, not only the first.
        all: bool,
    },
}

/// A part of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeaderPiece {
    /// As it is.
    Text(String),
    /// `%{name}e`: a variable of the request's environment.
    Environment(String),
    /// `%t`: when the request arrived, `t=` and microseconds since 1970.
    Received,
    /// `%D`: how long it has taken so far, `D=` and microseconds.
    Taken,
    /// The whole value is an expression: `expr=%{REQUEST_URI}`.
    Expression(Value),
}
