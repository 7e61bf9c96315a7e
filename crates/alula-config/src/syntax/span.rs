//! Where something was written, and the files it can have been written in.

use crate::diagnostic::{Diagnostic, Place, Severity};
use crate::site::Origin;
use crate::syntax::lexer::is_blank;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A file in [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId(usize);

/// Some characters on one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub file: FileId,
    pub line: u32,
    pub column: u32,
    pub width: u32,
}

/// Every file read so far, kept for diagnostics.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    files: Vec<Source>,
}

#[derive(Debug)]
struct Source {
    path: PathBuf,
    lines: Rc<[String]>,
    included_from: Option<Span>,
}

impl Sources {
    pub(crate) fn add(&mut self, path: PathBuf, text: &str, included_from: Option<Span>) -> FileId {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        self.files.push(Source {
            path,
            lines: text.lines().map(str::to_owned).collect(),
            included_from,
        });
        FileId(self.files.len() - 1)
    }

    /// The same file once more, as included from elsewhere: the body of a macro in it.
    pub(crate) fn again(&mut self, file: FileId, from: Span) -> FileId {
        let known = &self.files[file.0];
        self.files.push(Source {
            path: known.path.clone(),
            lines: known.lines.clone(),
            included_from: Some(from),
        });
        FileId(self.files.len() - 1)
    }

    pub(crate) fn path(&self, file: FileId) -> &Path {
        &self.files[file.0].path
    }

    /// Every file's path, each once, in reading order; `-C` and `-c` are no files.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = Vec::new();
        for source in &self.files {
            if source.path.is_absolute() && !paths.contains(&source.path) {
                paths.push(source.path.clone());
            }
        }
        paths
    }

    pub(crate) fn origin(&self, span: Span) -> Origin {
        Origin {
            file: self.path(span.file).to_owned(),
            line: span.line,
        }
    }

    /// The text on a line.
    pub(crate) fn span_of(&self, origin: &Origin) -> Span {
        let file = self
            .files
            .iter()
            .position(|source| source.path == origin.file)
            .unwrap_or(0);
        let lines = self
            .files
            .get(file)
            .map(|source| &*source.lines)
            .unwrap_or_default();
        let text = lines
            .get(origin.line.saturating_sub(1) as usize)
            .map(String::as_str)
            .unwrap_or_default();
        let blanks = text.chars().take_while(|c| is_blank(*c)).count();
        Span {
            file: FileId(file),
            line: origin.line,
            column: u32::try_from(blanks + 1).unwrap_or(1),
            width: u32::try_from(text.trim().chars().count()).unwrap_or(1),
        }
    }

    pub(crate) fn diagnostic(&self, severity: Severity, span: Span, message: String) -> Diagnostic {
        let mut included_from = Vec::new();
        let mut file = span.file;
        while let Some(include) = self.files[file.0].included_from {
            included_from.push(self.place(include));
            file = include.file;
        }
        Diagnostic {
            severity,
            message,
            place: Some(self.place(span)),
            included_from,
            hint: None,
        }
    }

    fn place(&self, span: Span) -> Place {
        let source = &self.files[span.file.0];
        let text = source.lines.get(span.line.saturating_sub(1) as usize);
        Place {
            file: source.path.clone(),
            line: span.line,
            column: span.column,
            width: span.width,
            text: text
                .map(|line| line.trim_end().to_owned())
                .unwrap_or_default(),
        }
    }
}
