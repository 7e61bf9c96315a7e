//! What is wrong with a configuration, where, and what to write instead.
//!
//! Printed as `site.conf:12:5: SSLCertificateFile: no such file "/etc/x.pem"`, the line itself with a caret, and a hint when
//! the fix is known.

use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Accepted without effect, or decided for the reader.
    Note,
    /// Probably not what was meant.
    Warning,
    /// The configuration cannot be used.
    Error,
}

/// One thing to say about a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How much it matters.
    pub severity: Severity,
    /// The fact: lower case, no full stop.
    pub message: String,
    /// Where; `None` for what concerns no line.
    pub place: Option<Place>,
    /// The `Include` lines that led there, innermost first.
    pub included_from: Vec<Place>,
    /// What to write instead, when known.
    pub hint: Option<String>,
}

/// A place in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
    /// How many characters are meant.
    pub width: u32,
    /// The line's text.
    pub text: String,
}

impl Diagnostic {
    /// Whether the configuration cannot be used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(
                f,
                "{}:{}:{}: ",
                place.file.display(),
                place.line,
                place.column
            )?;
        }
        match self.severity {
            Severity::Error => {}
            Severity::Warning => f.write_str("warning: ")?,
            Severity::Note => f.write_str("note: ")?,
        }
        f.write_str(&self.message)?;
        if let Some(place) = &self.place {
            place.show(f)?;
        }
        for place in &self.included_from {
            write!(
                f,
                "\n  included from {}:{}",
                place.file.display(),
                place.line
            )?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl Place {
    /// The line with a caret below the place. Tabs stay tabs so that the caret stands right.
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self
            .text
            .chars()
            .take(self.column.saturating_sub(1) as usize);
        let indent: String = before.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let carets = "^".repeat(self.width.max(1) as usize);
        write!(f, "\n    {}\n    {indent}{carets}", self.text)
    }
}
