//! What each interpreter is given: everything that leads to it, summed up.
//!
//! An interpreter is started once, so where two places want it to be two things, one line here says so: an error where
//! they cannot live in one, a warning where one of them has to do without.

use super::draft::Draft;
use super::interpreter::MAIN;
use super::process_group::declared;
use super::uses::Use;
use super::{Import, Interpreter, Origin, Processes, PythonPathLine};
use crate::diagnostic::Severity;
use std::path::PathBuf;

/// The variable that says which Django project it is.
const DJANGO_SETTINGS_MODULE: &str = "DJANGO_SETTINGS_MODULE";

/// The interpreters that uses and imports add up to, in file order.
pub(super) fn interpreters(
    draft: &mut Draft,
    uses: Vec<Use>,
    processes: &Processes,
) -> Vec<Interpreter> {
    let mut worlds: Vec<(String, Vec<Use>)> = Vec::new();
    for found in uses {
        match worlds
            .iter_mut()
            .find(|(name, _)| *name == found.interpreter)
        {
            Some((_, uses)) => uses.push(found),
            None => worlds.push((found.interpreter.clone(), vec![found])),
        }
    }
    let imports = std::mem::take(&mut draft.imports);
    for import in &imports {
        if !worlds.iter().any(|(name, _)| *name == import.interpreter) {
            worlds.push((import.interpreter.clone(), Vec::new()));
        }
    }
    undeclared_groups(draft);
    let several = worlds.len() > 1;
    worlds
        .into_iter()
        .map(|(name, uses)| {
            let imports = imports.iter().filter(|import| import.interpreter == name);
            let imports = imports.cloned().collect();
            interpreter(draft, name, &uses, imports, several, processes)
        })
        .collect()
}

fn interpreter(
    draft: &mut Draft,
    name: String,
    uses: &[Use],
    imports: Vec<Import>,
    several: bool,
    processes: &Processes,
) -> Interpreter {
    let django_settings = django_settings(draft, &name, uses);
    let mut environment = environment(draft, uses);
    if let Some(module) = &django_settings {
        environment.retain(|(name, _)| name != DJANGO_SETTINGS_MODULE);
        environment.push((DJANGO_SETTINGS_MODULE.to_owned(), module.clone()));
    }
    let mut group = declared(&draft.groups, &name).cloned().unwrap_or_default();
    for (name, value) in &group.environment {
        environment.retain(|(known, _)| known != name);
        environment.push((name.clone(), value.clone()));
    }
    if group.python_path.is_empty() {
        group.python_path.clone_from(&draft.wsgi_python_path);
    }
    let requests_max = group.requests_max.unwrap_or(processes.requests_max);
    Interpreter {
        home: home(draft, uses, group.home.as_ref()),
        environment,
        paths: paths(draft, &name, uses, several),
        handler_directories: handler_directories(uses),
        imports,
        preload: requests_max != 1,
        auto_reload: uses
            .iter()
            .any(|found| found.settings.python.auto_reload == Some(true)),
        django_settings,
        workers: group.workers.or(processes.workers),
        threads: group.threads.unwrap_or(processes.threads),
        requests_max,
        processes: group,
        name,
    }
}

/// mod_wsgi answers 500 where nobody declared the group; here the line is an error.
fn undeclared_groups(draft: &mut Draft) {
    let asked = std::mem::take(&mut draft.groups_asked_for);
    for (name, span) in asked {
        if !draft.groups.iter().any(|(known, ..)| *known == name) {
            let message = format!("no WSGIDaemonProcess or PythonGroup has the name {name:?}");
            let hint = format!("WSGIDaemonProcess {name}");
            draft.report(Severity::Error, span, message, Some(&hint));
        }
    }
}

/// The variables that have one value wherever they are set. Others reach requests only, each its own value.
fn environment(draft: &mut Draft, uses: &[Use]) -> Vec<(String, String)> {
    let mut variables: Vec<(String, String)> = Vec::new();
    let mut ambiguous: Vec<String> = Vec::new();
    for found in uses {
        for (name, value) in found.settings.environment() {
            match variables.iter().find(|(known, _)| *known == name) {
                None => variables.push((name, value)),
                Some((_, first))
                    if *first != value
                        && name != DJANGO_SETTINGS_MODULE
                        && !ambiguous.contains(&name) =>
                {
                    let message = format!(
                        "SetEnv {name}: {value:?} here and {first:?} elsewhere in one interpreter; \
                         requests see their own value, os.environ has neither"
                    );
                    let span = draft.sources.span_of(&found.origin);
                    draft.report(Severity::Warning, span, message, None);
                    ambiguous.push(name);
                }
                Some(_) => {}
            }
        }
    }
    variables.retain(|(name, _)| !ambiguous.contains(name));
    variables
}

/// `DJANGO_SETTINGS_MODULE`; two of them cannot live in one interpreter.
fn django_settings(draft: &mut Draft, interpreter: &str, uses: &[Use]) -> Option<String> {
    let mut values: Vec<String> = Vec::new();
    for found in uses {
        let variables = found.settings.environment();
        let options = found.settings.python.options();
        for (name, value) in variables.into_iter().chain(options) {
            if name == DJANGO_SETTINGS_MODULE && !values.contains(&value) {
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
                "DJANGO_SETTINGS_MODULE is {second:?} here and {first:?} on {}; \
                 one interpreter can have one project, and both places are in {interpreter:?}",
                draft.sources.origin(first_span)
            );
            let hint = "PythonInterpreter with a name of its own beside one of them makes two";
            draft.report(Severity::Error, second_span, message, Some(hint));
        }
    }
    values.into_iter().next()
}

/// A group's own comes before what is in force around its scripts.
fn home(draft: &mut Draft, uses: &[Use], of_group: Option<&(PathBuf, Origin)>) -> Option<PathBuf> {
    if let Some((home, _)) = of_group {
        return Some(home.clone());
    }
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
        let hint = "PythonInterpreter with a name of its own beside one of them makes two";
        draft.report(Severity::Error, span, message, Some(hint));
    }
    Some(first.clone())
}

/// The `PythonPath`s, in file order and each distinct text once: all of the file for a lone interpreter, else those in
/// force where it answers.
fn paths(draft: &mut Draft, name: &str, uses: &[Use], several: bool) -> Vec<PythonPathLine> {
    let in_force = |line: &PythonPathLine| {
        !several
            || uses.iter().any(|found| found.settings.python.path.as_ref() == Some(line))
            // mod_python runs imports with the main server's.
            || name == MAIN && uses.is_empty()
    };
    let mut paths: Vec<PythonPathLine> = Vec::new();
    for (line, _) in &draft.python_paths {
        let known = paths
            .iter()
            .any(|known| known.expression == line.expression);
        if !known && in_force(line) {
            paths.push(line.clone());
        }
    }
    if let [first, second, ..] = paths.as_slice() {
        let message = format!(
            "PythonPath differs from {}, and both are in the interpreter {name:?}: they are evaluated one after the other",
            first.origin
        );
        let span = draft.sources.span_of(&second.origin);
        let hint = "one PythonPath outside all sections, or a PythonInterpreter of its own for one of them";
        draft.report(Severity::Warning, span, message, Some(hint));
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
