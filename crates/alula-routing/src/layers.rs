//! In which order what fits a request is laid over one another: sections of the server, `.htaccess` files, `<If>`s.
//!
//! A `.htaccess` file comes right after the plain `<Directory>`s of its directory, its `<Files>` after all others, its `<If>`s
//! last of all. Which `<If>`s hold is a list of numbers: those of the server's, then [`Mark::HtaccessConditions`] and a pair for
//! each in a file, the file's number and its own.

use crate::cache::Mark;
use crate::htaccess::Htaccess;
use crate::sections::{Compiled, Sections};
use alula_config::expression::Condition;
use alula_config::site::{DirectorySettings, Origin};
use std::sync::Arc;

/// Where the `<If>`s of `.htaccess` files begin.
const HTACCESS_CONDITIONS: u32 = Mark::HtaccessConditions as u32;

/// What fits a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fitting<'f> {
    pub sections: &'f Sections,
    /// `<Directory>`s and `<Files>`, in order.
    pub of_file: &'f [u32],
    pub htaccess: &'f [Arc<Htaccess>],
    pub file: Option<&'f [u8]>,
    /// `<Location>`s, in order.
    pub locations: &'f [u32],
    /// `<If>`s that hold.
    pub conditions: &'f [u32],
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Layer<'f> {
    Section(&'f Compiled),
    Htaccess(&'f Htaccess),
}

impl<'f> Layer<'f> {
    pub(crate) fn settings(self) -> &'f DirectorySettings {
        match self {
            Self::Section(section) => &section.settings,
            Self::Htaccess(read) => &read.settings,
        }
    }

    /// The line it begins with, and where that stands.
    pub(crate) fn heading(self) -> (String, Origin) {
        match self {
            Self::Section(section) => section.heading.clone(),
            Self::Htaccess(read) => (read.path().display().to_string(), read.origin()),
        }
    }
}

impl<'f> Fitting<'f> {
    /// The settings outside sections with everything laid over.
    pub(crate) fn over(&self, outside: &DirectorySettings) -> DirectorySettings {
        let mut settings = outside.clone();
        self.each(|layer| settings.overlay(layer.settings()));
        settings
    }

    /// Calls `hit` with each, in order.
    pub(crate) fn each(&self, mut hit: impl FnMut(Layer<'f>)) {
        let mut files = self.htaccess.iter().peekable();
        for &index in self.of_file {
            let depth = self.sections.depth(index as usize);
            while let Some(read) =
                files.next_if(|read| depth.is_none_or(|depth| read.depth < depth))
            {
                hit(Layer::Htaccess(read));
            }
            hit(Layer::Section(self.sections.get(index as usize)));
        }
        for read in files {
            hit(Layer::Htaccess(read));
        }
        for read in self.htaccess {
            let file = self.file.unwrap_or_default();
            read.sections
                .file(file, |index| hit(Layer::Section(read.sections.get(index))));
        }
        for &index in self.locations {
            hit(Layer::Section(self.sections.get(index as usize)));
        }
        let mut held = self
            .conditions
            .split(|&number| number == HTACCESS_CONDITIONS);
        for &index in held.next().unwrap_or_default() {
            hit(Layer::Section(self.sections.get(index as usize)));
        }
        for pair in held.next().unwrap_or_default().chunks_exact(2) {
            // A file that has changed meanwhile has another number.
            if let Some(read) = self.htaccess.iter().find(|read| read.id == pair[0]) {
                hit(Layer::Section(read.sections.get(pair[1] as usize)));
            }
        }
    }
}

/// The `<If>`s in `.htaccess` files that hold, as [`Fitting::conditions`] has them; nothing without any.
pub(crate) fn held_in_htaccess(
    htaccess: &[Arc<Htaccess>],
    file: Option<&[u8]>,
    holds: &dyn Fn(&Condition) -> bool,
) -> Vec<u32> {
    let mut held = Vec::new();
    for read in htaccess
        .iter()
        .filter(|read| read.sections.has_conditions())
    {
        let mut fitting = Vec::new();
        let number = |index| u32::try_from(index).unwrap_or(u32::MAX);
        let file = file.unwrap_or_default();
        read.sections
            .file(file, |index| fitting.push(number(index)));
        read.sections.conditions(&fitting, holds, |index| {
            held.extend([read.id, number(index)]);
        });
    }
    if !held.is_empty() {
        held.insert(0, HTACCESS_CONDITIONS);
    }
    held
}
