//! Known mistakes that show only when the whole configuration is known. All of them are warnings.

use super::draft::Draft;
use super::uses::is_below;
use super::{HandlerChoice, Interpreter, Listener, Section, SectionPattern, VirtualHost};
use crate::diagnostic::Severity;
use std::path::Path;

pub(super) fn check(
    draft: &mut Draft,
    servers: &[VirtualHost],
    listeners: &[Listener],
    interpreter: Option<&Interpreter>,
) {
    django_roots(draft, servers);
    debug_beside_public_listener(draft, listeners);
    handler_without_set_handler(draft, servers);
    ports_without_listener(draft, servers, listeners);
    if let Some(module) = interpreter.and_then(|interpreter| interpreter.django_settings.clone()) {
        project_directory_on_path(draft, &module);
    }
}

/// `django.root` strips nothing where no `<Location>` leads to it.
fn django_roots(draft: &mut Draft, servers: &[VirtualHost]) {
    let mut wrong = Vec::new();
    for root in &draft.django_roots {
        let fits = |path: &str| is_below(&root.value, path.trim_end_matches('/'));
        let matches = match &root.section {
            Some(SectionPattern::Location(path)) => fits(path),
            Some(_) => true,
            None => {
                let sections = servers[0]
                    .sections
                    .iter()
                    .chain(&servers[root.server].sections);
                let mut locations = sections.filter(|section| section.pattern.is_location());
                locations.any(|section| match &section.pattern {
                    SectionPattern::Location(path) => fits(path),
                    _ => true,
                })
            }
        };
        if !matches {
            wrong.push((root.value.clone(), root.span));
        }
    }
    for (value, span) in wrong {
        let message = format!("PythonOption: django.root {value:?} has no matching <Location>");
        let hint = format!("<Location {value:?}> around it, or leave the line out");
        draft.report(Severity::Warning, span, message, Some(&hint));
    }
}

fn debug_beside_public_listener(draft: &mut Draft, listeners: &[Listener]) {
    let public = listeners
        .iter()
        .find(|listener| !listener.address.ip().is_loopback());
    if let (Some(span), Some(listener)) = (draft.debug_on, public) {
        let message = format!(
            "PythonDebug On shows tracebacks to everyone who reaches {}",
            listener.address
        );
        draft.report(
            Severity::Warning,
            span,
            message,
            Some("Listen 127.0.0.1:8080 while debugging"),
        );
    }
}

/// `PythonHandler` alone does nothing.
fn handler_without_set_handler(draft: &mut Draft, servers: &[VirtualHost]) {
    let mut handlers = Vec::new();
    let mut switched_on = false;
    for server in servers {
        let mut look = |settings: &super::DirectorySettings| {
            handlers.extend(
                settings
                    .python
                    .handlers
                    .as_ref()
                    .map(|list| list.origin.clone()),
            );
            switched_on |= settings.handler == Some(HandlerChoice::Python);
        };
        look(&server.settings);
        server
            .sections
            .iter()
            .for_each(|section| each(section, &mut look));
    }
    if let (Some(origin), false) = (handlers.first(), switched_on) {
        let span = draft.sources.span_of(origin);
        let message = "PythonHandler has no effect without SetHandler python-program".to_owned();
        draft.report(
            Severity::Warning,
            span,
            message,
            Some("SetHandler python-program"),
        );
    }
}

fn each(section: &Section, look: &mut impl FnMut(&super::DirectorySettings)) {
    look(&section.settings);
    for inner in &section.files {
        each(inner, look);
    }
}

fn ports_without_listener(draft: &mut Draft, servers: &[VirtualHost], listeners: &[Listener]) {
    for server in servers {
        let heard = server.addresses.iter().any(|address| {
            listeners.iter().any(|listener| {
                address
                    .port
                    .is_none_or(|port| port == listener.address.port())
            })
        });
        let unheard = server.addresses.first().filter(|_| !heard);
        if let (Some(address), Some(origin)) = (unheard, &server.origin) {
            let message =
                format!("<VirtualHost {address}> is never reached: nothing listens on its port");
            let hint = address.port.map(|port| format!("Listen {port}"));
            let span = draft.sources.span_of(origin);
            draft.report(Severity::Warning, span, message, hint.as_deref());
        }
    }
}

/// `mysite.settings` is found through the parent of `mysite`; naming `mysite` itself is the classic slip.
fn project_directory_on_path(draft: &mut Draft, settings_module: &str) {
    let Some((package, rest)) = settings_module.split_once('.') else {
        return;
    };
    let file = format!("{}.py", rest.replace('.', "/"));
    let mut found = Vec::new();
    for (line, span) in &draft.python_paths {
        for text in quoted(&line.expression) {
            let folder = Path::new(text);
            let Some(parent) = folder.parent().filter(|_| folder.is_absolute()) else {
                continue;
            };
            let is_project = folder.file_name().is_some_and(|name| name == package);
            let holds_package = draft.files.exists(&folder.join(package));
            if is_project && !holds_package && draft.files.exists(&folder.join(&file)) {
                found.push((*span, text.to_owned(), parent.to_owned()));
            }
        }
    }
    for (span, text, parent) in found {
        let message = format!(
            "PythonPath: {text:?} is the project itself; {settings_module} is found through its parent"
        );
        let hint = format!("PythonPath \"['{}'] + sys.path\"", parent.display());
        draft.report(Severity::Warning, span, message, Some(&hint));
    }
}

/// The texts in quotes in a Python expression, roughly.
fn quoted(expression: &str) -> Vec<&str> {
    let mut texts = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find(['\'', '"']) {
        let quote = if rest[start..].starts_with('"') {
            '"'
        } else {
            '\''
        };
        rest = &rest[start + 1..];
        let Some(end) = rest.find(quote) else { break };
        texts.push(&rest[..end]);
        rest = &rest[end + 1..];
    }
    texts
}
