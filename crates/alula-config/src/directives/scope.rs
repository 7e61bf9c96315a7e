//! Where a directive takes effect: the draft, the server it stands in, the sections around it.

use super::{Contexts, SectionKind};
use crate::diagnostic::{Diagnostic, Severity};
use crate::site::draft::{Draft, ServerDraft};
use crate::site::{
    DirectorySettings, Limited, Methods, Origin, OverrideSettings, Requirement, RewriteCondition,
    Section, SectionPattern,
};
use crate::syntax::lexer::Word;
use crate::syntax::span::Span;
use std::path::PathBuf;

/// Where a rule stands: the server, how many sections are around, and where the innermost begins.
pub(crate) type PlaceOfRule = (usize, usize, Option<Origin>);

pub(crate) struct Scope<'d, 'a> {
    pub draft: &'d mut Draft<'a>,
    /// Index into the draft's servers; 0 is the main server.
    pub server: usize,
    /// The sections around, outermost first.
    pub sections: Vec<Section>,
    /// The `<Limit>` or `<LimitExcept>` around.
    pub limit: Option<Methods>,
    /// The `<RequireAll>`s and their kin around, outermost first.
    pub groups: Vec<SectionKind>,
    /// What stands in each of `groups` so far.
    pub requirements: Vec<Vec<Limited<Requirement>>>,
    /// What the `.htaccess` file that is read may hold; `None` for the server's own configuration.
    pub overrides: Option<OverrideSettings>,
    /// `RewriteCond`s that wait for their `RewriteRule`, and where they stand.
    pub rewrite_conditions: Vec<(PlaceOfRule, RewriteCondition)>,
    /// Directives whose note was already written.
    pub noted: Vec<&'static str>,
}

impl<'a> Scope<'_, 'a> {
    pub(crate) fn server(&mut self) -> &mut ServerDraft {
        &mut self.draft.servers[self.server]
    }

    /// The settings of the innermost section, or of the server outside sections.
    pub(crate) fn settings(&mut self) -> &mut DirectorySettings {
        match self.sections.last_mut() {
            Some(section) => &mut section.settings,
            None => &mut self.draft.servers[self.server].settings,
        }
    }

    pub(crate) fn context(&self) -> Contexts {
        match self.sections.last().map(|section| &section.pattern) {
            None if self.server == 0 => Contexts::SERVER,
            None => Contexts::VIRTUAL_HOST,
            Some(pattern) if pattern.is_directory() => Contexts::DIRECTORY,
            Some(pattern) if pattern.is_location() => Contexts::LOCATION,
            Some(pattern) if pattern.is_proxy() => Contexts::PROXY,
            Some(_) => Contexts::FILES,
        }
    }

    /// How httpd names the place in an error.
    pub(crate) fn context_name(&self) -> &'static str {
        match self.sections.last().map(|section| &section.pattern) {
            None if self.server == 0 => "outside sections",
            None => "in <VirtualHost> context",
            Some(pattern) => pattern.section_name(),
        }
    }

    /// The `<Location>` around, if any.
    pub(crate) fn location(&self) -> Option<String> {
        self.sections
            .iter()
            .rev()
            .find_map(|section| match &section.pattern {
                SectionPattern::Location(path)
                | SectionPattern::LocationGlob(path)
                | SectionPattern::LocationMatch(path) => Some(path.clone()),
                _ => None,
            })
    }

    /// The plain `<Directory>` around, if any, with a trailing slash.
    pub(crate) fn directory(&self) -> Option<String> {
        self.sections
            .iter()
            .rev()
            .find_map(|section| match &section.pattern {
                SectionPattern::Directory(path) => Some(format!("{}/", path.trim_end_matches('/'))),
                _ => None,
            })
    }

    /// A path, relative ones starting at `ServerRoot`.
    pub(crate) fn path(&self, word: &Word) -> PathBuf {
        self.draft.server_root.join(&word.text)
    }

    /// How many errors there are so far.
    pub(crate) fn errors(&self) -> usize {
        let errors = self.draft.diagnostics.iter();
        errors.filter(|found| Diagnostic::is_error(found)).count()
    }

    pub(crate) fn origin(&self, span: Span) -> Origin {
        self.draft.sources.origin(span)
    }

    pub(crate) fn warn(&mut self, span: Span, message: impl Into<String>, hint: Option<&str>) {
        self.draft
            .report(Severity::Warning, span, message.into(), hint);
    }

    pub(crate) fn note(&mut self, span: Span, message: impl Into<String>) {
        self.draft
            .report(Severity::Note, span, message.into(), None);
    }
}
