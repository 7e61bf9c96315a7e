//! Whose log an event belongs to: a `tracing` span that the server enters while it works for a virtual host.
//!
//! The span is made once for a host or route and entered often. Where a host's log is the main server's there is none.

use std::fmt;

use tracing::Span;
use tracing::field::{Field, Visit};
use tracing::span::Attributes;

use super::Levels;

/// The name of the span's fields, and what tells it from the spans of others.
pub(super) const TARGET: &str = "alula_error_log";

/// What a span says, kept beside it.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// The virtual host, by its place in [`super::ErrorLogs::hosts`].
    pub(super) host: usize,
    /// A section's levels.
    pub(super) levels: Option<Levels>,
}

/// A span for work that belongs to a virtual host, with the levels of a section if it has its own.
#[must_use]
pub fn span(host: usize, levels: Option<&Levels>) -> Span {
    let host = host as u64;
    match levels {
        None => tracing::error_span!(target: TARGET, "log", host),
        Some(levels) => {
            let levels = levels.to_string();
            tracing::error_span!(target: TARGET, "log", host, levels)
        }
    }
}

impl Scope {
    pub(super) fn new(attributes: &Attributes<'_>) -> Self {
        let mut scope = Self::default();
        attributes.record(&mut scope);
        scope
    }
}

impl Visit for Scope {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "host" {
            self.host = usize::try_from(value).unwrap_or(0);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "levels" {
            self.levels = Some(Levels::parse(value));
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
