//! Lines, words and sections. Knows nothing of what a directive means.

pub(crate) mod lexer;
pub(crate) mod parser;
pub(crate) mod span;
