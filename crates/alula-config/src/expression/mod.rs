//! httpd's expression language (its `ap_expr`): what stands in `<If "...">`, in `Require expr` and after `expr=`.
//!
//! Parsed while the configuration is read, with names and regular expressions checked; what a condition says of a request is found
//! in `alula-routing`. A word is a [`Value`]: pieces whose texts are joined.

mod names;
mod parser;
#[cfg(test)]
mod tests;

pub use names::{Function, Header, Moment, Name};

use crate::pattern::Pattern;
use crate::site::IpNetwork;
use serde::{Deserialize, Serialize};

/// Something that is true of a request or not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Condition {
    /// `true` and `false`.
    Constant(bool),
    /// `!`.
    Not(Box<Self>),
    /// `&&`.
    All(Vec<Self>),
    /// `||`.
    Any(Vec<Self>),
    /// `==`, `<` and their kin: by bytes.
    Text(Value, Order, Value),
    /// `-eq`, `-lt` and their kin: as whole numbers; a text that is none is 0.
    Number(Value, Order, Value),
    /// `=~`, and `!~` when negated.
    Found {
        /// What is searched.
        value: Value,
        /// What for.
        pattern: Pattern,
        /// True when it is not found.
        negated: bool,
    },
    /// `in { ... }`: equal to one of these.
    Listed(Value, Vec<Value>),
    /// `-n`, `-f` and their kin.
    Test(Test, Value),
    /// `-ipmatch`: an address in this network.
    InNetwork(Value, IpNetwork),
    /// `-strmatch` and its kin.
    Fits {
        /// The text.
        value: Value,
        /// The shell pattern it has to fit.
        pattern: Value,
        /// `-strcmatch`: upper and lower case are alike.
        ignores_case: bool,
        /// `-fnmatch`: wildcards do not cross a slash.
        is_path: bool,
    },
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Order {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A test of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Test {
    /// `-n`.
    NotEmpty,
    /// `-z`.
    Empty,
    /// `-T`: not empty, `0`, `off`, `false` or `no`.
    True,
    /// `-e`.
    Exists,
    /// `-f`.
    IsFile,
    /// `-d`.
    IsDirectory,
    /// `-s`: a file that is not empty.
    HasSize,
    /// `-L`, `-h`.
    IsSymlink,
    /// `-x`.
    IsExecutable,
}

/// A text that depends on the request: its pieces, joined.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Value(pub Vec<Piece>);

/// A part of a [`Value`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Piece {
    /// As it is.
    Text(String),
    /// `%{NAME}`.
    Named(Name),
    /// `$1`: what a group of the last `=~` matched.
    Group(u8),
    /// `name(word)`, and `%{name:word}`.
    Call(Function, Value),
}

/// What is wrong with an expression, and where: characters from its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// How many characters stand before it.
    pub at: usize,
    /// What is wrong.
    pub fact: String,
}

impl Condition {
    /// Reads a condition.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        parser::condition(text)
    }
}

impl Condition {
    /// Whether it looks at who the request comes from.
    pub fn asks_user(&self) -> bool {
        match self {
            Self::Constant(_) => false,
            Self::Not(inner) => inner.asks_user(),
            Self::All(inner) | Self::Any(inner) => inner.iter().any(Self::asks_user),
            Self::Text(left, _, right) | Self::Number(left, _, right) => {
                left.asks_user() || right.asks_user()
            }
            Self::Listed(value, list) => value.asks_user() || list.iter().any(Value::asks_user),
            Self::Found { value, .. }
            | Self::Fits { value, .. }
            | Self::Test(_, value)
            | Self::InNetwork(value, _) => value.asks_user(),
        }
    }
}

impl Value {
    fn asks_user(&self) -> bool {
        self.0.iter().any(|piece| match piece {
            Piece::Named(name) => *name == Name::RemoteUser,
            Piece::Call(_, argument) => argument.asks_user(),
            Piece::Text(_) | Piece::Group(_) => false,
        })
    }

    /// Reads a text with `%{...}` in it.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        parser::template(text)
    }

    /// The text, when it does not depend on anything.
    pub fn constant(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }
}
