//! `Header` and `RequestHeader`, ready to be done. Where nothing depends on the request, conditions and variables are decided beforehand,
//! since a route's environment is known; else they are looked at when the change is made.
//!
//! A response has two tables of fields, as in httpd: what the handler answered, and `always`, which starts empty and is added at
//! the end. An error of the server has the second one only.

use crate::asked::Facts;
use crate::expression::Evaluation;
use crate::substitution::expand;
use alula_config::Pattern;
use alula_config::expression::Condition;
use alula_config::site::{EnvironmentCondition, HeaderChange, HeaderPiece, HeaderVerb};
use http::header::{Entry, HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// What a route does to the header fields of a message, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct HeaderChanges {
    changes: Arc<[Change]>,
    tells_time: bool,
    asks: bool,
}

/// What `%t` and `%D`, variables and expressions tell.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'f> {
    received: SystemTime,
    facts: Option<&'f Facts<'f>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Change {
    name: HeaderName,
    verb: Verb,
    always: bool,
    when: Option<When>,
}

/// A condition that depends on the request.
#[derive(Debug, Clone, PartialEq)]
enum When {
    Variable(EnvironmentCondition),
    Expression(Condition),
}

#[derive(Debug, Clone, PartialEq)]
enum Verb {
    Add(Value),
    Append(Value),
    Merge(Value),
    Set(Value),
    SetIfEmpty(Value),
    Unset,
    Edit {
        pattern: Pattern,
        replacement: Value,
        all: bool,
    },
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Fixed(HeaderValue),
    /// Texts and times.
    Made(Vec<HeaderPiece>),
}

impl From<Option<SystemTime>> for Moment<'_> {
    /// Without a time, the request has only just arrived.
    fn from(received: Option<SystemTime>) -> Self {
        Self {
            received: received.unwrap_or_else(SystemTime::now),
            facts: None,
        }
    }
}

impl<'f> Moment<'f> {
    /// With what is known of the request.
    pub fn of(self, facts: &'f Facts<'f>) -> Self {
        Self {
            facts: Some(facts),
            ..self
        }
    }

    fn holds(&self, when: &When) -> bool {
        let Some(facts) = self.facts else {
            return false;
        };
        match when {
            When::Variable(condition) => {
                facts.variable(&condition.name).is_some() != condition.negated
            }
            When::Expression(condition) => facts.holds(condition),
        }
    }
}

impl HeaderChanges {
    /// Without `is_dynamic`, `environment` is all that a request can have.
    pub(crate) fn new(
        changes: &[HeaderChange],
        environment: &[(String, String)],
        is_dynamic: bool,
    ) -> Self {
        let changes = changes.iter().filter(|change| {
            let condition = change.condition.as_ref();
            is_dynamic
                || condition.is_none_or(|condition| {
                    let set = environment.iter().any(|(name, _)| *name == condition.name);
                    set != condition.negated
                })
        });
        let changes: Arc<[Change]> = changes
            .filter_map(|change| Change::new(change, environment, is_dynamic))
            .collect();
        let tells_time = changes.iter().any(Change::tells_time);
        Self {
            tells_time,
            asks: changes.iter().any(Change::asks),
            changes,
        }
    }

    /// Whether a [`Moment`] needs what is known of the request.
    pub fn asks(&self) -> bool {
        self.asks
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether a [`Moment`] matters.
    pub fn tells_time(&self) -> bool {
        self.tells_time
    }

    /// Changes the fields of a request.
    pub fn apply_to_request(&self, headers: &mut HeaderMap, moment: &Moment<'_>) {
        for change in self.changes.iter() {
            change.apply(headers, moment);
        }
    }

    /// Changes the fields of a response; `own_error` says that only `always` counts.
    pub fn apply_to_response(&self, headers: &mut HeaderMap, own_error: bool, moment: &Moment) {
        let mut always = HeaderMap::new();
        for change in self.changes.iter() {
            if change.always {
                change.apply(&mut always, moment);
            } else if !own_error {
                change.apply(headers, moment);
            }
        }
        let mut last = None;
        for (name, value) in always {
            last = name.or(last);
            if let Some(name) = &last {
                headers.append(name, value);
            }
        }
    }
}

impl Change {
    /// `None` when a variable holds what no header can.
    fn new(
        change: &HeaderChange,
        environment: &[(String, String)],
        is_dynamic: bool,
    ) -> Option<Self> {
        let value = |pieces: &[HeaderPiece]| Value::new(pieces, environment, is_dynamic);
        let verb = match &change.verb {
            HeaderVerb::Add(pieces) => Verb::Add(value(pieces)?),
            HeaderVerb::Append(pieces) => Verb::Append(value(pieces)?),
            HeaderVerb::Merge(pieces) => Verb::Merge(value(pieces)?),
            HeaderVerb::Set(pieces) => Verb::Set(value(pieces)?),
            HeaderVerb::SetIfEmpty(pieces) => Verb::SetIfEmpty(value(pieces)?),
            HeaderVerb::Unset => Verb::Unset,
            HeaderVerb::Edit {
                pattern,
                replacement,
                all,
            } => Verb::Edit {
                pattern: Pattern::new(pattern).ok()?,
                replacement: value(replacement)?,
                all: *all,
            },
        };
        Some(Self {
            name: HeaderName::from_bytes(change.name.as_bytes()).ok()?,
            verb,
            always: change.always,
            when: match (&change.condition, &change.expression) {
                (_, Some(expression)) => Some(When::Expression(expression.clone())),
                (Some(condition), None) if is_dynamic => Some(When::Variable(condition.clone())),
                _ => None,
            },
        })
    }

    fn tells_time(&self) -> bool {
        matches!(self.value(), Some(Value::Made(_)))
    }

    /// Whether it looks at the request.
    fn asks(&self) -> bool {
        let asks = |piece: &HeaderPiece| {
            matches!(
                piece,
                HeaderPiece::Environment(_) | HeaderPiece::Expression(_)
            )
        };
        let value = match self.value() {
            Some(Value::Made(pieces)) => pieces.iter().any(asks),
            _ => false,
        };
        value || self.when.is_some()
    }

    fn value(&self) -> Option<&Value> {
        match &self.verb {
            Verb::Add(value)
            | Verb::Append(value)
            | Verb::Merge(value)
            | Verb::Set(value)
            | Verb::SetIfEmpty(value)
            | Verb::Edit {
                replacement: value, ..
            } => Some(value),
            Verb::Unset => None,
        }
    }

    fn apply(&self, headers: &mut HeaderMap, moment: &Moment) {
        if self.when.as_ref().is_some_and(|when| !moment.holds(when)) {
            return;
        }
        let name = &self.name;
        match &self.verb {
            Verb::Add(value) => {
                headers.append(name, value.at(moment));
            }
            Verb::Set(value) => {
                headers.insert(name, value.at(moment));
            }
            Verb::SetIfEmpty(value) => {
                headers.entry(name).or_insert_with(|| value.at(moment));
            }
            Verb::Unset => {
                headers.remove(name);
            }
            Verb::Append(value) => append(headers, name, value.at(moment)),
            Verb::Merge(value) => {
                let value = value.at(moment);
                let there = headers.get_all(name).iter().any(|old| {
                    let mut items = old.as_bytes().split(|&byte| byte == b',');
                    items.any(|item| item.trim_ascii() == value.as_bytes().trim_ascii())
                });
                if !there {
                    append(headers, name, value);
                }
            }
            Verb::Edit {
                pattern,
                replacement,
                all,
            } => {
                if let Entry::Occupied(mut fields) = headers.entry(name) {
                    let replacement = replacement.at(moment);
                    for value in fields.iter_mut() {
                        edit(pattern, value, &replacement, *all);
                    }
                }
            }
        }
    }
}

/// After a comma to the value there is, if there is one.
fn append(headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue) {
    match headers.entry(name) {
        Entry::Vacant(none) => {
            none.insert(value);
        }
        Entry::Occupied(mut fields) => {
            let both = [fields.get().as_bytes(), b", ", value.as_bytes()].concat();
            if let Ok(both) = HeaderValue::try_from(both) {
                *fields.get_mut() = both;
            }
        }
    }
}

impl Value {
    fn new(
        pieces: &[HeaderPiece],
        environment: &[(String, String)],
        is_dynamic: bool,
    ) -> Option<Self> {
        let known = pieces.iter().map(|piece| match piece {
            HeaderPiece::Environment(name) if !is_dynamic => {
                let value = environment.iter().find(|(known, _)| known == name);
                // httpd prints what it has not so.
                let value = value.map_or("(null)", |(_, value)| value);
                HeaderPiece::Text(value.to_owned())
            }
            other => other.clone(),
        });
        let known: Vec<HeaderPiece> = known.collect();
        let mut text = String::new();
        for piece in &known {
            match piece {
                HeaderPiece::Text(more) => text.push_str(more),
                _ => return Some(Self::Made(known)),
            }
        }
        HeaderValue::try_from(text).ok().map(Self::Fixed)
    }

    fn at(&self, moment: &Moment) -> HeaderValue {
        let pieces = match self {
            Self::Fixed(value) => return value.clone(),
            Self::Made(pieces) => pieces,
        };
        let mut text = Vec::new();
        for piece in pieces {
            match piece {
                HeaderPiece::Text(more) => text.extend_from_slice(more.as_bytes()),
                HeaderPiece::Environment(name) => {
                    let value = moment.facts.and_then(|facts| facts.variable(name));
                    text.extend_from_slice(value.unwrap_or("(null)").as_bytes());
                }
                HeaderPiece::Expression(value) => {
                    if let Some(facts) = moment.facts {
                        text.extend_from_slice(&Evaluation::new(facts).text(value));
                    }
                }
                HeaderPiece::Received => {
                    let since = moment
                        .received
                        .duration_since(UNIX_EPOCH)
                        .unwrap_or_default();
                    text.extend(format!("t={}", since.as_micros()).into_bytes());
                }
                HeaderPiece::Taken => {
                    let taken = moment.received.elapsed().unwrap_or_default();
                    text.extend(format!("D={}", taken.as_micros()).into_bytes());
                }
            }
        }
        // A variable may hold a control character.
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }
}

/// Replaces what a pattern finds in a value, once or each time.
fn edit(pattern: &Pattern, value: &mut HeaderValue, replacement: &HeaderValue, all: bool) {
    let template = String::from_utf8_lossy(replacement.as_bytes());
    let old = value.as_bytes();
    let mut new = Vec::with_capacity(old.len() + template.len());
    let (mut copied, mut from) = (0, 0);
    while let Some(groups) = pattern.captures_from(old, from) {
        let Some(whole) = groups.place(0) else { break };
        new.extend_from_slice(&old[copied..whole.start]);
        new.extend(expand(&template, old, &groups, <[u8]>::to_vec));
        copied = whole.end;
        // After an empty match the next search starts a byte further on.
        from = whole.end + usize::from(whole.is_empty());
        if !all {
            break;
        }
    }
    new.extend_from_slice(&old[copied..]);
    if let Ok(new) = HeaderValue::try_from(new) {
        *value = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RouteTable, VirtualHostId};
    use alula_config::{LoadOptions, MemoryFiles, load_with};

    /// Fields as `name: value` before and after the directives of a configuration.
    #[track_caller]
    fn check_as(own_error: bool, config: &str, before: &[(&str, &str)], after: &[(&str, &str)]) {
        let text = format!("Listen 127.0.0.1:80\n{config}");
        let files = MemoryFiles::default().file("/site.conf", text);
        let loaded = load_with(&LoadOptions::new("/site.conf"), &files);
        let table = RouteTable::new(&loaded.expect("a valid configuration").site);
        let route = table.find(VirtualHostId(0), b"/a/b").route;
        let mut headers = HeaderMap::new();
        for (name, value) in before {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            headers.append(name, value.parse().expect("a value"));
        }
        let changes = &route.response_headers;
        changes.apply_to_response(&mut headers, own_error, &Moment::from(None));
        let found = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().expect("text")));
        assert_eq!(found.collect::<Vec<_>>(), after, "{config}");
    }

    #[track_caller]
    fn check(config: &str, before: &[(&str, &str)], after: &[(&str, &str)]) {
        check_as(false, config, before, after);
    }

    #[test]
    fn verbs() {
        let one = [("x", "1")];
        check("Header add X 2", &one, &[("x", "1"), ("x", "2")]);
        check("Header set X 2", &one, &[("x", "2")]);
        check("Header set X: \"2 3\"", &[], &[("x", "2 3")]);
        check("Header setifempty X 2", &one, &one);
        check("Header setifempty X 2", &[], &[("x", "2")]);
        check("Header append X 2", &one, &[("x", "1, 2")]);
        check("Header append X 2", &[], &[("x", "2")]);
        check("Header merge X 1", &one, &one);
        check("Header merge X 2", &[("x", "1,2 , 3")], &[("x", "1,2 , 3")]);
        check("Header merge X 2", &one, &[("x", "1, 2")]);
        check(
            "Header unset X",
            &[("x", "1"), ("x", "2"), ("y", "1")],
            &[("y", "1")],
        );
    }

    #[test]
    fn edits() {
        let cookies = [("c", "a=1; a=1"), ("c", "b=2")];
        check(
            "Header edit C a= A=",
            &cookies,
            &[("c", "A=1; a=1"), ("c", "b=2")],
        );
        check(
            "Header edit* C a= A=",
            &cookies,
            &[("c", "A=1; A=1"), ("c", "b=2")],
        );
        check(
            "Header edit C ^(.*)$ \"$1; Secure\"",
            &cookies,
            &[("c", "a=1; a=1; Secure"), ("c", "b=2; Secure")],
        );
        check("Header edit C ^a.* \"\"", &[("c", "abc")], &[("c", "")]);
        check("Header edit C x y", &[], &[]);
    }

    #[test]
    fn sections_add_up_in_order() {
        check(
            "Header set X 1\n<Location /a>\nHeader append X 2\n</Location>\n\
             <Location /b>\nHeader append X no\n</Location>\n<Location /a/b>\nHeader append X 3\n</Location>",
            &[],
            &[("x", "1, 2, 3")],
        );
    }

    #[test]
    fn always_is_a_table_of_its_own() {
        let config = "Header always set X 2\nHeader always append X 3\nHeader set Y 1\nHeader always unset Z";
        let before = [("x", "1"), ("z", "1")];
        check(
            config,
            &before,
            &[("x", "1"), ("x", "2, 3"), ("z", "1"), ("y", "1")],
        );
        check_as(
            true,
            config,
            &before,
            &[("x", "1"), ("x", "2, 3"), ("z", "1")],
        );
    }

    #[test]
    fn variables_and_conditions() {
        check(
            "SetEnv A \"1 2\"\nHeader set X \"<%{A}e>%%\"\nHeader set Y %{B}e\n\
             Header set C 1 env=A\nHeader set D 1 env=!A\nHeader set E 1 env=B\nHeader set F 1 env=!B",
            &[],
            &[("x", "<1 2>%"), ("y", "(null)"), ("c", "1"), ("f", "1")],
        );
    }
}
