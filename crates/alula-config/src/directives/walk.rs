//! Walks the tree and applies each directive, collecting every error on the way.

use super::{
    Apply, Args, Contexts, Entry, Problem, Scope, SectionEntry, SectionKind, authz, htaccess,
    known, nearest, sections,
};
use crate::Written;
use crate::diagnostic::Severity;
use crate::site::{Limited, SectionPattern};
use crate::syntax::lexer::Word;
use crate::syntax::parser::{Directive, Node, Section};
use crate::syntax::span::Span;

pub(crate) fn walk(scope: &mut Scope, nodes: &[Node]) {
    for node in nodes {
        match node {
            Node::Directive(directive) => apply(scope, directive),
            Node::Section(section) => enter(scope, section),
        }
    }
}

fn apply(scope: &mut Scope, directive: &Directive) {
    let name = &directive.name;
    let Some(entry) = super::find(&name.text) else {
        return unknown(scope, name, &directive.words);
    };
    if !entry.contexts.contains(scope.context()) {
        let message = format!("{} not allowed {}", entry.name, scope.context_name());
        return error(scope, name.span, message, None);
    }
    if let Some(overrides) = &scope.overrides {
        let refused = htaccess::refused_option(overrides, &directive.words);
        if !htaccess::may_hold(overrides, entry.name) {
            let message = format!("{} not allowed here", entry.name);
            let hint = "AllowOverride says what may stand in this file";
            return error(scope, name.span, message, Some(hint));
        }
        if let Some(word) = refused.filter(|_| entry.name == "Options") {
            let message = format!("Options: {:?} not allowed here", word.text);
            return error(scope, word.span, message, None);
        }
    }
    let words = without_comment(scope, entry, &directive.words);
    if words.len() < entry.args.min || words.len() > entry.args.max {
        let message = format!("{} {}", entry.name, entry.args.describe());
        let hint = format!("{} {}", entry.name, entry.syntax);
        return error(scope, name.span, message, Some(&hint));
    }
    match entry.apply {
        Apply::WhileReading => {}
        Apply::Ignored(reason) => note_once(scope, entry.name, name.span, reason),
        Apply::Fixed(value) => {
            let other = words
                .iter()
                .find(|word| !word.text.eq_ignore_ascii_case(value));
            if let Some(other) = other {
                report(scope, entry.name, name.span, &Problem::not_yet(other));
            }
        }
        Apply::Run(run) => match run(scope, &Args { name, words }) {
            Err(problem) => report(scope, entry.name, name.span, &problem),
            Ok(()) if scope.draft.options.keep_written => keep(scope, entry, name, words),
            Ok(()) => {}
        },
    }
}

fn keep(scope: &mut Scope, entry: &Entry, name: &Word, words: &[Word]) {
    let mut text = entry.name.to_owned();
    for word in words {
        let quote = word.text.is_empty() || word.text.contains([' ', '\t', '"']);
        let quote = if quote { "\"" } else { "" };
        let escaped = match quote {
            "" => word.text.clone(),
            _ => word.text.replace('"', "\\\""),
        };
        text.push_str(&format!(" {quote}{escaped}{quote}"));
    }
    let written = Written {
        text,
        origin: scope.origin(name.span),
        server: scope.server,
        section: scope.sections.last().map(|section| section.origin.clone()),
        limit: Limited {
            methods: scope.limit.clone(),
            rule: (),
        },
        for_requests: entry.contexts.contains(Contexts::LOCATION),
    };
    scope.draft.written.push(written);
}

/// Cuts a trailing `# comment` off where httpd would refuse the line: the how-to's snippets have such comments.
///
/// Where a `#` word can be an argument it stays one, as in httpd.
fn without_comment<'w>(scope: &mut Scope, entry: &Entry, words: &'w [Word]) -> &'w [Word] {
    let listed = entry.args.max == usize::MAX;
    if words.len() <= entry.args.max && !listed {
        return words;
    }
    let starts = |word: &Word| !word.quoted && word.text.starts_with('#');
    let comment = words.iter().skip(entry.args.min).position(starts);
    let Some(at) = comment.map(|at| at + entry.args.min) else {
        return words;
    };
    let message = format!("{}: comment after the arguments", entry.name);
    if scope.draft.options.strict {
        let hint = "put the comment on a line of its own";
        error(scope, words[at].span, message, Some(hint));
    } else {
        scope.warn(
            words[at].span,
            message + " (httpd takes it for an argument)",
            None,
        );
    }
    &words[..at]
}

fn note_once(scope: &mut Scope, name: &'static str, span: Span, reason: &str) {
    if !scope.noted.contains(&name) {
        scope.noted.push(name);
        scope.note(span, format!("{name} has no effect: {reason}"));
    }
}

fn unknown(scope: &mut Scope, name: &Word, words: &[Word]) {
    if let Some((known, reason)) = known::ignored(&name.text) {
        return note_once(scope, known, name.span, reason);
    }
    if let Some(hint) = known::not_yet(&name.text) {
        let message = format!("{} is known to httpd, not supported yet", name.text);
        return error(scope, name.span, message, hint);
    }
    let message = format!("invalid command {:?}", name.text);
    let hint = if name
        .text
        .contains(|c: char| c.is_whitespace() || c == '\u{feff}')
    {
        Some("the line holds a blank that is not an ASCII blank; type it anew".to_owned())
    } else if words.first().is_some_and(|word| word.text == "=") {
        Some("write the name, a blank and the value; no equals sign".to_owned())
    } else {
        nearest::directive(&name.text).map(|nearest| format!("did you mean {nearest}?"))
    };
    error(scope, name.span, message, hint.as_deref());
}

fn enter(scope: &mut Scope, section: &Section) {
    let name = &section.name;
    let Some(entry) = super::find_section(&name.text) else {
        return unknown_section(scope, name);
    };
    if entry.kind == SectionKind::VirtualHost && (scope.server != 0 || !scope.sections.is_empty()) {
        let message = "<VirtualHost> cannot stand inside another section".to_owned();
        return error(scope, name.span, message, None);
    }
    if !entry.contexts.contains(scope.context()) {
        let message = format!("<{}> not allowed {}", entry.name, scope.context_name());
        return error(scope, name.span, message, None);
    }
    if let Some(overrides) = &scope.overrides
        && !htaccess::may_hold(overrides, &format!("<{}", entry.name))
    {
        let message = format!("<{}> not allowed here", entry.name);
        return error(scope, name.span, message, None);
    }
    let in_condition = scope
        .sections
        .iter()
        .any(|section| matches!(section.pattern, SectionPattern::If { .. }));
    if in_condition && matches!(entry.kind, SectionKind::Files | SectionKind::FilesMatch) {
        let message = format!("<{}> cannot stand inside <If>", entry.name);
        let hint = "the other way round: <If> inside it";
        return error(scope, name.span, message, Some(hint));
    }
    let in_rules = scope.limit.is_some() || !scope.groups.is_empty();
    if in_rules && !entry.kind.holds_rules() {
        let message = format!("<{}> cannot stand among access rules", entry.name);
        return error(scope, name.span, message, None);
    }
    if let Err(problem) = open(scope, entry, section) {
        report(scope, &format!("<{}>", entry.name), name.span, &problem);
    }
}

fn open(scope: &mut Scope, entry: &SectionEntry, section: &Section) -> Result<(), Problem> {
    let args = Args {
        name: &section.name,
        words: &section.words,
    };
    let inside = |scope: &mut Scope| walk(scope, &section.children);
    match entry.kind {
        SectionKind::RequireAll | SectionKind::RequireAny | SectionKind::RequireNone => {
            return authz::group(scope, entry.kind, &args, inside);
        }
        SectionKind::Limit => return authz::limit(scope, false, &args, inside),
        SectionKind::LimitExcept => return authz::limit(scope, true, &args, inside),
        _ => {}
    }
    if entry.kind == SectionKind::VirtualHost {
        sections::open_virtual_host(scope, &args);
        walk(scope, &section.children);
        scope.server = 0;
        return Ok(());
    }
    let opened = sections::open(scope, entry, &args);
    // What stands inside is looked at even if the section itself is wrong: all errors in one run.
    let problem = match opened {
        Ok(opened) => {
            scope.sections.push(opened);
            None
        }
        Err(problem) => {
            scope.sections.push(sections::stand_in(scope, entry, &args));
            Some(problem)
        }
    };
    walk(scope, &section.children);
    if let Some(done) = scope.sections.pop() {
        match scope.sections.last_mut() {
            Some(around) => around.inner.push(done),
            None => scope.server().sections.push(done),
        }
    }
    problem.map_or(Ok(()), Err)
}

fn unknown_section(scope: &mut Scope, name: &Word) {
    if known::is_section(&name.text) {
        let message = format!("<{}> is known to httpd, not supported yet", name.text);
        return error(scope, name.span, message, None);
    }
    let hint = nearest::section(&name.text).map(|nearest| format!("did you mean <{nearest}>?"));
    error(
        scope,
        name.span,
        format!("invalid section <{}>", name.text),
        hint.as_deref(),
    );
}

fn report(scope: &mut Scope, name: &str, span: Span, problem: &Problem) {
    let message = format!("{name}: {}", problem.message);
    error(
        scope,
        problem.span.unwrap_or(span),
        message,
        problem.hint.as_deref(),
    );
}

fn error(scope: &mut Scope, span: Span, message: String, hint: Option<&str>) {
    scope.draft.report(Severity::Error, span, message, hint);
}
