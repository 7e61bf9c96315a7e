//! Which sections fit a request, in the order they apply.
//!
//! 1. `<Directory>` by number of path components, the main server's before the virtual host's, then file order
//! 2. `<DirectoryMatch>` and `<Directory ~>` by the number of slashes in the pattern (httpd counts them as if it were a path,
//!    whatever its manual says), then file order
//! 3. `<Files>` and `<FilesMatch>` in file order, then those inside matching directories
//! 4. `<Location>` and `<LocationMatch>` in file order
//! 5. `<If>` and its kin outside others in file order, then those inside the sections above, in their order
//!
//! Later ones win. That is why `<Location>` beats `<Directory>`, and why `<Location "/media">` must stand after `<Location "/">`.

use crate::section_index::PathIndex;
use crate::variables::Variables;
use alula_config::expression::Condition;
use alula_config::site::{DirectorySettings, Origin, ProxyPass, Section, SectionPattern};
use alula_config::{Pattern, glob};
use std::collections::VecDeque;
use std::sync::Arc;

/// A section ready to be matched.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub settings: DirectorySettings,
    /// The line it begins with, and where that stands.
    pub heading: (String, Origin),
    matcher: Matcher,
    /// The variables that groups of a regular expression with names set, `MATCH_NAME`.
    names: Box<[(usize, String)]>,
    /// `<Files>` inside a `<Directory>`.
    files: Vec<usize>,
    /// `<If>` inside any.
    conditions: Vec<usize>,
}

#[derive(Debug)]
enum Matcher {
    /// The start of a URL.
    Start(Box<[u8]>),
    /// A path and everything below it.
    Below(Box<[u8]>),
    /// Shell wildcards for a directory with so many components, and everything below it.
    BelowGlob(Box<[u8]>, usize),
    /// Shell wildcards for the whole text; `path` says whether `/` is special.
    Glob {
        pattern: Box<[u8]>,
        path: bool,
    },
    Equal(Box<[u8]>),
    Regex(Box<Pattern>),
    /// `<If>`: what must be true, and what must not.
    If {
        condition: Option<Condition>,
        unless: Vec<Condition>,
    },
    /// A pattern that does not compile; `alula-config` lets none through.
    Never,
}

/// All sections of a server, the main server's included, in the order they apply.
///
/// Those of the main server are compiled once and shared by all virtual hosts.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sections {
    all: Vec<Arc<Compiled>>,
    directories: Vec<usize>,
    files: Vec<usize>,
    locations: Vec<usize>,
    /// Of `directories` and `locations`, where there are many.
    directory_index: Option<PathIndex>,
    location_index: Option<PathIndex>,
    /// `<Proxy>`.
    proxies: Vec<usize>,
    /// `<If>` outside others.
    conditions: Vec<usize>,
    /// Whether there are any, inside others as well.
    has_conditions: bool,
    /// Whether groups of a regular expression have names.
    has_names: bool,
}

impl Sections {
    /// Sections in file order, after those of the main server.
    pub(crate) fn new(inherited: Option<&Self>, sections: &[Section]) -> Self {
        let mut compiled = inherited.cloned().unwrap_or_default();
        for section in sections {
            let index = compiled.add(section);
            match &section.pattern {
                pattern if pattern.is_directory() => compiled.directories.push(index),
                pattern if pattern.is_location() => compiled.locations.push(index),
                pattern if pattern.is_proxy() => compiled.proxies.push(index),
                SectionPattern::If { .. } => compiled.conditions.push(index),
                _ => compiled.files.push(index),
            }
        }
        let all = &compiled.all;
        // The sort is stable, so file order decides among equals.
        compiled
            .directories
            .sort_by_key(|&index| all[index].matcher.rank());
        let plain = |index: &usize| all[*index].matcher.plain();
        compiled.directory_index = PathIndex::new(compiled.directories.iter().map(plain));
        compiled.location_index = PathIndex::new(compiled.locations.iter().map(plain));
        compiled
    }

    fn add(&mut self, section: &Section) -> usize {
        let (mut files, mut conditions) = (Vec::new(), Vec::new());
        for inner in &section.inner {
            let index = self.add(inner);
            match inner.pattern {
                SectionPattern::If { .. } => conditions.push(index),
                _ => files.push(index),
            }
        }
        self.has_conditions |= matches!(section.pattern, SectionPattern::If { .. });
        let matcher = Matcher::new(&section.pattern);
        let names = matcher.names();
        self.has_names |= !names.is_empty();
        self.all.push(Arc::new(Compiled {
            settings: section.settings.clone(),
            heading: (section.pattern.heading(), section.origin.clone()),
            matcher,
            names,
            files,
            conditions,
        }));
        self.all.len() - 1
    }

    /// How deep a plain `<Directory>` lies; `None` for every other section.
    pub(crate) fn depth(&self, index: usize) -> Option<usize> {
        let (is_regex, depth) = self.all[index].matcher.rank();
        (!is_regex && self.directories.contains(&index)).then_some(depth)
    }

    /// The settings of the `<Directory>`s that fit a directory, outermost first.
    pub(crate) fn directories<'s>(
        &'s self,
        directory: &[u8],
    ) -> impl Iterator<Item = &'s DirectorySettings> {
        let fitting = self.directories.iter().map(|&index| &self.all[index]);
        fitting
            .filter(|section| section.matcher.fits(directory))
            .map(|section| &section.settings)
    }

    /// Whether any opens its directory to `.htaccess` files.
    pub(crate) fn allow_overrides(&self) -> bool {
        let directories = self.directories.iter();
        let mut settings = directories.map(|&index| &self.all[index].settings);
        settings.any(|settings| settings.overrides.is_active())
    }

    pub(crate) fn get(&self, index: usize) -> &Compiled {
        &self.all[index]
    }

    /// Calls `hit` for each `<Location>` that fits a path whose slashes are merged.
    pub(crate) fn locations(&self, path: &[u8], mut hit: impl FnMut(usize)) {
        self.fitting(
            &self.locations,
            self.location_index.as_ref(),
            path,
            &mut hit,
        );
    }

    /// Calls `hit` for each `<Proxy>` that fits the URL of a back end.
    pub(crate) fn proxies(&self, url: &[u8], mut hit: impl FnMut(usize)) {
        self.fitting(&self.proxies, None, url, &mut hit);
    }

    /// The `ProxyPass` of each `<Location>` that has one, by the numbers of the sections.
    pub(crate) fn passes(&self) -> impl Iterator<Item = (u32, &ProxyPass)> {
        let numbered = self.all.iter().enumerate();
        numbered.filter_map(|(index, section)| {
            let pass = section.settings.proxy.pass.as_ref()?;
            Some((u32::try_from(index).ok()?, pass))
        })
    }

    /// Calls `hit` for each section of a list that fits a path.
    fn fitting(
        &self,
        list: &[usize],
        by_path: Option<&PathIndex>,
        path: &[u8],
        hit: &mut dyn FnMut(usize),
    ) {
        let fits = |index: usize| self.all[index].matcher.fits(path);
        match by_path {
            None => list
                .iter()
                .copied()
                .filter(|&index| fits(index))
                .for_each(hit),
            Some(by_path) => {
                let places = by_path.places(path, |place| fits(list[place]));
                places
                    .into_iter()
                    .for_each(|place| hit(list[place as usize]));
            }
        }
    }

    /// Whether groups of a regular expression have names: then requests are asked more than whether they fit.
    pub(crate) fn has_names(&self) -> bool {
        self.has_names
    }

    /// What the named groups of `<LocationMatch>`s find in a path.
    pub(crate) fn location_names(&self, path: &[u8], variables: &mut Variables) {
        for &index in &self.locations {
            self.all[index].set_names(path, variables);
        }
    }

    /// What those of `<DirectoryMatch>`s and `<FilesMatch>`es find in a file's path and its name.
    pub(crate) fn file_names(&self, path: &[u8], variables: &mut Variables) {
        let name = path.rsplit(|&c| c == b'/').next().unwrap_or_default();
        let mut files = self.files.clone();
        for &index in &self.directories {
            let directory = &self.all[index];
            directory.set_names(path, variables);
            if !directory.files.is_empty() && directory.matcher.fits(path) {
                files.extend_from_slice(&directory.files);
            }
        }
        for index in files {
            self.all[index].set_names(name, variables);
        }
    }

    /// Whether there is an `<If>` anywhere.
    pub(crate) fn has_conditions(&self) -> bool {
        self.has_conditions
    }

    /// Calls `hit` for each `<If>` that holds: those outside others, and those inside the sections that fit.
    pub(crate) fn conditions(
        &self,
        fitting: &[u32],
        holds: &dyn Fn(&Condition) -> bool,
        mut hit: impl FnMut(usize),
    ) {
        let inside = |index: u32| self.all[index as usize].conditions.iter();
        let inside = fitting.iter().flat_map(|index| inside(*index));
        let mut left: VecDeque<usize> = self.conditions.iter().chain(inside).copied().collect();
        while let Some(index) = left.pop_front() {
            let Matcher::If { condition, unless } = &self.all[index].matcher else {
                continue;
            };
            if !unless.iter().any(holds) && condition.as_ref().is_none_or(holds) {
                hit(index);
                left.extend(&self.all[index].conditions);
            }
        }
    }

    /// Calls `hit` for each `<Directory>` and then each `<Files>` that fits a file path.
    pub(crate) fn file(&self, path: &[u8], mut hit: impl FnMut(usize)) {
        let name = path.rsplit(|&c| c == b'/').next().unwrap_or_default();
        let mut nested = Vec::new();
        let by_path = self.directory_index.as_ref();
        self.fitting(&self.directories, by_path, path, &mut |index| {
            hit(index);
            nested.extend_from_slice(&self.all[index].files);
        });
        // A directory has no base name.
        if name.is_empty() {
            return;
        }
        for &index in self.files.iter().chain(&nested) {
            if self.all[index].matcher.fits(name) {
                hit(index);
            }
        }
    }
}

impl Compiled {
    fn set_names(&self, text: &[u8], variables: &mut Variables) {
        let Matcher::Regex(regex) = &self.matcher else {
            return;
        };
        if self.names.is_empty() {
            return;
        }
        let Some(groups) = regex.captures(text) else {
            return;
        };
        for (number, name) in &self.names {
            if let Some(found) = groups.get(text, *number) {
                variables.set(name.clone(), String::from_utf8_lossy(found));
            }
        }
    }
}

impl Matcher {
    /// The variables that named groups set, as httpd calls them.
    fn names(&self) -> Box<[(usize, String)]> {
        let Self::Regex(regex) = self else {
            return Box::default();
        };
        let names = regex.names().into_iter();
        names
            .map(|(number, name)| (number, format!("MATCH_{}", name.to_ascii_uppercase())))
            .collect()
    }

    fn new(pattern: &SectionPattern) -> Self {
        let bytes = |text: &str| text.as_bytes().into();
        match pattern {
            SectionPattern::Directory(path) | SectionPattern::Location(path) => {
                Self::Below(bytes(path))
            }
            SectionPattern::DirectoryGlob(path) => {
                Self::BelowGlob(bytes(path), components(path.as_bytes()))
            }
            SectionPattern::Files(name) => Self::Equal(bytes(name)),
            SectionPattern::Proxy(url) => Self::Start(bytes(url)),
            SectionPattern::FilesGlob(name) | SectionPattern::ProxyGlob(name) => Self::Glob {
                pattern: bytes(name),
                path: false,
            },
            SectionPattern::LocationGlob(path) => Self::Glob {
                pattern: bytes(path),
                path: true,
            },
            SectionPattern::If { condition, unless } => Self::If {
                condition: condition.clone(),
                unless: unless.clone(),
            },
            SectionPattern::DirectoryMatch(regex)
            | SectionPattern::FilesMatch(regex)
            | SectionPattern::LocationMatch(regex)
            | SectionPattern::ProxyMatch(regex) => {
                Pattern::new(regex).map_or(Self::Never, |regex| Self::Regex(Box::new(regex)))
            }
        }
    }

    /// Where a `<Directory>` stands among its kind: regular expressions last.
    fn rank(&self) -> (bool, usize) {
        match self {
            Self::Below(path) => (false, components(path)),
            Self::BelowGlob(_, depth) => (false, *depth),
            Self::Regex(regex) => (true, regex.as_str().matches('/').count()),
            Self::Start(_) | Self::Glob { .. } | Self::Equal(_) | Self::If { .. } | Self::Never => {
                (true, 0)
            }
        }
    }

    /// The path, if that is all there is to it.
    fn plain(&self) -> Option<&[u8]> {
        match self {
            Self::Below(path) => Some(path),
            _ => None,
        }
    }

    fn fits(&self, text: &[u8]) -> bool {
        match self {
            Self::Start(start) => text.starts_with(start),
            Self::Below(path) => is_below(path, text),
            Self::BelowGlob(pattern, depth) => {
                first_components(text, *depth).is_some_and(|start| glob::fits(pattern, start, true))
            }
            Self::Glob { pattern, path } => glob::fits(pattern, text, *path),
            Self::Equal(name) => **name == *text,
            Self::Regex(regex) => regex.is_match(text),
            // They do not look at a path.
            Self::If { .. } | Self::Never => false,
        }
    }
}

/// Whether `text` is `path` or below it: `/a` holds `/a` and `/a/b`, not `/ab`; `/a/` does not hold `/a`.
fn is_below(path: &[u8], text: &[u8]) -> bool {
    match text.strip_prefix(path) {
        Some(rest) => rest.is_empty() || path.ends_with(b"/") || rest[0] == b'/',
        None => false,
    }
}

/// The number of components: `/` has none.
fn components(path: &[u8]) -> usize {
    path.split(|&c| c == b'/')
        .filter(|part| !part.is_empty())
        .count()
}

/// The start of a path with so many components, without a trailing slash.
fn first_components(path: &[u8], count: usize) -> Option<&[u8]> {
    let mut slashes = path
        .iter()
        .enumerate()
        .filter(|(_, c)| **c == b'/')
        .map(|(at, _)| at);
    slashes.next()?;
    for _ in 1..count {
        slashes.next()?;
    }
    let end = slashes.next().unwrap_or(path.len());
    Some(&path[..end])
}
