//! Known mistakes that show only when the whole configuration is known. All of them are warnings.

use super::draft::Draft;
use super::uses::is_below;
use super::{
    Access, AuthType, Interpreter, Listener, OrderRules, Rewriting, Section, SectionPattern,
    SetEnvIf, VirtualHost,
};
use crate::diagnostic::Severity;
use std::collections::BTreeSet;
use std::path::Path;

pub(super) fn check(
    draft: &mut Draft,
    servers: &[VirtualHost],
    listeners: &[Listener],
    interpreters: &[Interpreter],
) {
    django_roots(draft, servers);
    debug_beside_public_listener(draft, listeners);
    handler_without_set_handler(draft, servers);
    ports_without_listener(draft, servers, listeners);
    variables_nothing_sets(draft, servers);
    users_without_authentication(draft, servers);
    satisfied_by_everybody(draft, servers);
    for interpreter in interpreters {
        if let Some(module) = &interpreter.django_settings {
            project_directory_on_path(draft, module);
        }
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
            switched_on |= settings.leads_to_python();
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
    for inner in &section.inner {
        each(inner, look);
    }
}

/// A rule that never holds should not surprise.
fn variables_nothing_sets(draft: &mut Draft, servers: &[VirtualHost]) {
    let mut set = EarlyVariables::default();
    for server in servers {
        set.note(&server.set_env_if, server.rewriting.as_ref());
        for section in &server.sections {
            each(section, &mut |settings| {
                set.note(&settings.set_env_if, settings.rewriting.as_ref());
            });
        }
    }
    for (names, span) in std::mem::take(&mut draft.required_variables) {
        let known = |name: &String| set.any || set.names.contains(name);
        if !names.iter().any(known) {
            let message = format!(
                "Require: nothing sets {} before access is checked, so this never holds (SetEnv comes later, as in httpd)",
                names.join(", ")
            );
            draft.report(
                Severity::Warning,
                span,
                message,
                Some("SetEnvIf comes in time"),
            );
        }
    }
}

/// What is set before access is checked.
#[derive(Default)]
struct EarlyVariables {
    names: BTreeSet<String>,
    /// A name is made from the request.
    any: bool,
}

impl EarlyVariables {
    fn note(&mut self, set_env_if: &[SetEnvIf], rewriting: Option<&Rewriting>) {
        let changes = set_env_if.iter().flat_map(|line| &line.changes);
        self.names.extend(changes.map(|(name, _)| name.clone()));
        let rules = rewriting.iter().flat_map(|rewriting| &rewriting.rules);
        for variable in rules.flat_map(|rule| &rule.flags.variables) {
            match variable.name.constant() {
                Some(name) => drop(self.names.insert(name.to_owned())),
                None => self.any = true,
            }
        }
    }
}

/// Where a user is required and nothing says how to prove who one is, httpd answers 500, and so do we.
fn users_without_authentication(draft: &mut Draft, servers: &[VirtualHost]) {
    let mut asking = None;
    let mut basic = false;
    let mut left: Vec<&Section> = servers.iter().flat_map(|server| &server.sections).collect();
    while let Some(section) = left.pop() {
        let settings = &section.settings;
        basic |= settings.authentication.kind == Some(AuthType::Basic);
        if settings.access.as_ref().is_some_and(Access::asks_user) {
            asking = Some(section.origin.clone());
        }
        left.extend(&section.inner);
    }
    if let (Some(origin), false) = (asking, basic) {
        let span = draft.sources.span_of(&origin);
        let message = "a user is required here, and there is no AuthType anywhere".to_owned();
        let hint = "AuthType Basic, with AuthName and AuthUserFile";
        draft.report(Severity::Warning, span, message, Some(hint));
    }
}

/// `Satisfy Any` beside an `Order` that refuses nobody asks nobody for a password, as in httpd.
fn satisfied_by_everybody(draft: &mut Draft, servers: &[VirtualHost]) {
    let mut open = Vec::new();
    let mut left: Vec<&Section> = servers.iter().flat_map(|server| &server.sections).collect();
    while let Some(section) = left.pop() {
        let order = section.settings.order.as_ref();
        if order.is_some_and(OrderRules::satisfies_everybody) {
            open.push(section.origin.clone());
        }
        left.extend(&section.inner);
    }
    for origin in open {
        let span = draft.sources.span_of(&origin);
        let message = "Satisfy Any lets everybody pass here: no Deny or Order refuses an address";
        let hint = "Order deny,allow, Deny from all, and Allow from those who need no password";
        draft.report(Severity::Warning, span, message.to_owned(), Some(hint));
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
