//! Which parts of a configuration use Python, and the one interpreter they add up to.
//!
//! A section of the main server counts under the main server's name, also where virtual hosts inherit it: mod_python would
//! name it after whichever virtual host answers, but then no section could serve two hosts from one interpreter. What
//! a virtual host changes for it (`SetEnv`) still counts.

use super::draft::Draft;
use super::{
    DirectorySettings, Interpreter, MappingTarget, Origin, PythonPathLine, Section, SectionPattern,
    UrlMapping, VirtualHost,
};
use crate::diagnostic::Severity;
use std::path::PathBuf;

/// A place where Python answers.
struct Use {
    interpreter: String,
    /// The line that leads to Python.
    origin: Origin,
    /// What is in force there.
    settings: DirectorySettings,
}

/// The interpreter, when there is Python.
pub(super) fn interpreter(
    draft: &mut Draft,
    servers: &[VirtualHost],
    requests_max: u64,
) -> Option<Interpreter> {
    let uses = find(draft, servers);
    let named = uses
        .iter()
        .map(|found| (found.interpreter.clone(), found.origin.clone()));
    let imported = draft
        .imports
        .iter()
        .map(|import| (import.interpreter.clone(), import.origin.clone()));
    let names: Vec<(String, Origin)> = named.chain(imported).collect();
    let (name, first) = names.first()?;
    if let Some((other, origin)) = names.iter().find(|(other, _)| other != name) {
        let message = format!(
            "two interpreters arise: {name:?} on {first} and {other:?} here; \
             a configuration can have one for now"
        );
        let hint = format!("PythonInterpreter {name} outside all sections puts both in one");
        let span = draft.sources.span_of(origin);
        draft.report(Severity::Error, span, message, Some(&hint));
        return None;
    }
    let mut environment = environment(draft, &uses);
    let django_settings = django_settings(draft, &uses);
    let missing = !environment
        .iter()
        .any(|(known, _)| known == "DJANGO_SETTINGS_MODULE");
    if let Some(module) = django_settings.clone().filter(|_| missing) {
        environment.push(("DJANGO_SETTINGS_MODULE".to_owned(), module));
    }
    Some(Interpreter {
        name: name.clone(),
        home: home(draft, &uses),
        environment,
        paths: paths(draft),
        handler_directories: handler_directories(&uses),
        imports: draft.imports.clone(),
        preload: requests_max != 1,
        django_settings,
    })
}

fn find(draft: &Draft, servers: &[VirtualHost]) -> Vec<Use> {
    let mut uses = Vec::new();
    for (index, server) in servers.iter().enumerate() {
        let own = Finder::new(index, server, &servers[0]);
        own.server_level(&draft.servers[index].settings, &mut uses);
        own.sections(&server.sections, &mut uses);
        own.scripts(&draft.servers[index].url_map, &mut uses);
        if index > 0 {
            let inherited = Finder {
                name: MAIN.to_owned(),
                ..own
            };
            inherited.server_level(&draft.servers[0].settings, &mut uses);
            inherited.sections(&servers[0].sections, &mut uses);
            inherited.scripts(&draft.servers[0].url_map, &mut uses);
        }
    }
    uses
}

/// mod_python's name for the interpreter of the main server.
const MAIN: &str = "main_interpreter";

struct Finder<'a> {
    name: String,
    server: &'a VirtualHost,
    /// Those of the main server, then its own.
    sections: Vec<&'a Section>,
}

impl<'a> Finder<'a> {
    fn new(index: usize, server: &'a VirtualHost, main: &'a VirtualHost) -> Self {
        let inherited = if index == 0 {
            &[]
        } else {
            main.sections.as_slice()
        };
        let name = server.server_name.clone().filter(|_| index > 0);
        Self {
            name: name.unwrap_or_else(|| MAIN.to_owned()),
            server,
            sections: inherited.iter().chain(&server.sections).collect(),
        }
    }

    fn sections(&self, sections: &[Section], uses: &mut Vec<Use>) {
        for section in sections {
            let settings = self.in_force(&section.pattern);
            self.section(section, settings, uses);
        }
    }

    fn scripts(&self, url_map: &[UrlMapping], uses: &mut Vec<Use>) {
        for mapping in url_map {
            let MappingTarget::WsgiScript { script, .. } = &mapping.target else {
                continue;
            };
            let folder = script
                .parent()
                .map(|folder| folder.to_string_lossy().into_owned());
            let directory = SectionPattern::Directory(folder.unwrap_or_default());
            let location = SectionPattern::Location(mapping.url.clone());
            let mut settings = self.server.settings.clone();
            self.lay_over(&mut settings, &directory);
            self.lay_over(&mut settings, &location);
            uses.push(self.found(settings, mapping.origin.clone()));
        }
    }

    fn server_level(&self, own: &DirectorySettings, uses: &mut Vec<Use>) {
        let concerned = own.python.handlers.is_some() || own.leads_to_python();
        self.use_of(concerned, self.server.settings.clone(), uses);
    }

    fn section(&self, section: &Section, settings: DirectorySettings, uses: &mut Vec<Use>) {
        let own = &section.settings;
        let concerned = own.python.handlers.is_some() || own.leads_to_python();
        for inner in &section.files {
            let mut inner_settings = settings.clone();
            inner_settings.overlay(&inner.settings);
            self.section(inner, inner_settings, uses);
        }
        self.use_of(concerned, settings, uses);
    }

    fn use_of(&self, concerned: bool, settings: DirectorySettings, uses: &mut Vec<Use>) {
        if !concerned || !settings.leads_to_python() {
            return;
        }
        let origin = settings
            .python
            .handlers
            .as_ref()
            .map(|list| list.origin.clone());
        if let Some(origin) = origin {
            uses.push(self.found(settings, origin));
        }
    }

    fn found(&self, settings: DirectorySettings, origin: Origin) -> Use {
        let named = settings
            .python
            .interpreter
            .as_ref()
            .map(|(name, _)| name.clone());
        Use {
            interpreter: named.unwrap_or_else(|| self.name.clone()),
            origin,
            settings,
        }
    }

    /// The server's settings with those sections laid over that certainly apply wherever `pattern` does.
    fn in_force(&self, pattern: &SectionPattern) -> DirectorySettings {
        let mut settings = self.server.settings.clone();
        self.lay_over(&mut settings, pattern);
        settings
    }

    fn lay_over(&self, settings: &mut DirectorySettings, pattern: &SectionPattern) {
        for section in &self.sections {
            if covers(&section.pattern, pattern) {
                settings.overlay(&section.settings);
            }
        }
    }
}

fn covers(outer: &SectionPattern, inner: &SectionPattern) -> bool {
    use SectionPattern::{Directory, Location};
    match (outer, inner) {
        (Location(outer), Location(inner)) | (Directory(outer), Directory(inner)) => {
            is_below(outer, inner)
        }
        (Location(outer), inner) if inner.is_location() => {
            outer == "/" || SectionPattern::Location(outer.clone()) == *inner
        }
        (Directory(outer), inner) if inner.is_directory() => outer == "/",
        (outer, inner) => outer == inner,
    }
}

/// Whether a path is another or below it.
pub(super) fn is_below(outer: &str, inner: &str) -> bool {
    let rest = inner.strip_prefix(outer);
    rest.is_some_and(|rest| rest.is_empty() || outer.ends_with('/') || rest.starts_with('/'))
}

/// All variables that reach the interpreter. The first value wins.
fn environment(draft: &mut Draft, uses: &[Use]) -> Vec<(String, String)> {
    let mut variables: Vec<(String, String)> = Vec::new();
    for found in uses {
        for (name, value) in found.settings.environment() {
            let known = variables.iter().find(|(known, _)| *known == name);
            match known {
                None => variables.push((name, value)),
                Some((_, first)) if *first != value && name != "DJANGO_SETTINGS_MODULE" => {
                    let message = format!(
                        "SetEnv {name}: os.environ can have one value, it starts with {first:?}; \
                         requests here see {value:?} in their own environment"
                    );
                    let span = draft.sources.span_of(&found.origin);
                    draft.report(Severity::Warning, span, message, None);
                }
                Some(_) => {}
            }
        }
    }
    variables
}

/// `DJANGO_SETTINGS_MODULE`; two of them cannot live in one interpreter.
fn django_settings(draft: &mut Draft, uses: &[Use]) -> Option<String> {
    let mut values: Vec<String> = Vec::new();
    for found in uses {
        let variables = found.settings.environment();
        let options = found.settings.python.options();
        for (name, value) in variables.into_iter().chain(options) {
            if name == "DJANGO_SETTINGS_MODULE" && !values.contains(&value) {
                values.push(value);
            }
        }
    }
    if let [first, second, ..] = values.as_slice() {
        let span_of = |value| {
            draft
                .settings_modules
                .iter()
                .find(|(known, _)| known == value)
                .map(|(_, span)| *span)
        };
        if let (Some(first_span), Some(second_span)) = (span_of(first), span_of(second)) {
            let message = format!(
                "DJANGO_SETTINGS_MODULE is {second:?} here and {first:?} on {}; one interpreter can have one project",
                draft.sources.origin(first_span)
            );
            let hint = "serve the second project with a configuration of its own";
            draft.report(Severity::Error, second_span, message, Some(hint));
        }
    }
    values.into_iter().next()
}

fn home(draft: &mut Draft, uses: &[Use]) -> Option<PathBuf> {
    let homes: Vec<_> = uses
        .iter()
        .filter_map(|found| found.settings.python.home.clone())
        .collect();
    let (first, origin) = homes.first()?;
    if let Some((other, other_origin)) = homes.iter().find(|(home, _)| home != first) {
        let message = format!(
            "PythonHome is {other:?} here and {first:?} on {origin}; one interpreter can have one"
        );
        let span = draft.sources.span_of(other_origin);
        draft.report(Severity::Error, span, message, None);
    }
    Some(first.clone())
}

fn paths(draft: &Draft) -> Vec<PythonPathLine> {
    let mut paths: Vec<PythonPathLine> = Vec::new();
    for (line, _) in &draft.python_paths {
        if !paths
            .iter()
            .any(|known| known.expression == line.expression)
        {
            paths.push(line.clone());
        }
    }
    paths
}

fn handler_directories(uses: &[Use]) -> Vec<String> {
    let mut directories = Vec::new();
    for found in uses
        .iter()
        .filter(|found| found.settings.python.path.is_none())
    {
        let list = found.settings.python.handlers.as_ref();
        let directory = list.and_then(|list| list.directory.clone());
        directories.extend(directory.filter(|directory| !directories.contains(directory)));
    }
    directories
}
