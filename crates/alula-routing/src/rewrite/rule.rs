//! One rule: whether it applies, and what it does (httpd's `apply_rewrite_rule`).

use super::{Course, absolute_length, cookie};
use crate::asked::Facts;
use crate::expression::{Evaluation, fits, number, passes};
use alula_config::pattern::Groups;
use alula_config::site::{QueryFlags, RewriteCondition, RewriteRule, RewriteTest};
use alula_http::Scheme;
use http::HeaderValue;
use std::cmp::Ordering;

/// What a rule that applied has done.
pub(super) enum Applied {
    /// Not changed the path.
    Same,
    Changed,
    /// The answer is a status.
    Refused(u16),
}

/// Texts that were searched, and what was found.
#[derive(Debug, Default)]
pub(super) struct Matched {
    /// `$1`.
    pub rule: Option<(Vec<u8>, Groups)>,
    /// `%1`.
    pub condition: Option<(Vec<u8>, Groups)>,
}

impl Course<'_> {
    /// What is known at this point of the rules.
    pub(super) fn facts_now<R>(&self, look: impl FnOnce(&Facts) -> R) -> R {
        let whole = [self.file.as_slice(), &self.path_info].concat();
        look(&Facts {
            query: self.query.as_deref(),
            file: Some(&whole),
            file_length: Some(self.file.len()),
            variables: &self.changes.variables,
            ..self.facts
        })
    }

    /// Tries a rule; `None`: it does not apply.
    pub(super) fn apply(&mut self, rule: &RewriteRule, directory: Option<&str>) -> Option<Applied> {
        let mut searched = self.file.clone();
        if let Some(directory) = directory {
            searched.extend_from_slice(&self.path_info);
            if let Some(rest) = searched.strip_prefix(directory.as_bytes()) {
                searched = rest.to_vec();
            }
        }
        let groups = rule.pattern.captures(&searched);
        if groups.is_some() == rule.negated {
            return None;
        }
        let mut matched = Matched {
            rule: groups.map(|groups| (searched, groups)),
            condition: None,
        };
        if !self.conditions_hold(&rule.conditions, &mut matched) {
            return None;
        }
        let flags = &rule.flags;
        let escape = flags.escape.as_ref();
        let to = rule.to.as_ref().map(|to| self.expand(to, &matched, escape));
        for variable in &flags.variables {
            let name = self.expand(&variable.name, &matched, escape);
            let name = String::from_utf8_lossy(&name).into_owned();
            match &variable.value {
                None => self.changes.variables.unset(&name),
                Some(value) => {
                    let value = self.expand(value, &matched, escape);
                    let value = String::from_utf8_lossy(&value).into_owned();
                    self.changes.variables.set(name, value);
                }
            }
        }
        for text in &flags.cookies {
            let text = self.expand(text, &matched, escape);
            self.changes.cookies.extend(cookie::field(&text));
        }
        if let Some(text) = &flags.media_type {
            let text = self.expand(text, &matched, escape);
            self.changes.media_type = HeaderValue::try_from(text).ok();
        }
        let redirects = flags
            .status
            .is_some_and(|status| (300..400).contains(&status));
        let Some(to) = to else {
            return Some(match flags.status {
                Some(status) if !redirects => Applied::Refused(status),
                _ => Applied::Same,
            });
        };
        // What was encoded shall not start a query now (CVE-2024-38474).
        let hidden = self
            .facts
            .asked
            .target
            .windows(3)
            .any(|three| three.eq_ignore_ascii_case(b"%3f"));
        let literal = rule.to.as_ref().is_some_and(|to| to.has_literal(b'?'));
        if hidden && to.contains(&b'?') && !literal && !flags.unsafe_allow_3f {
            return Some(Applied::Refused(403));
        }
        self.file = to;
        self.starts_fixed = flags.unsafe_prefix_stat
            || rule.to.as_ref().is_some_and(|to| {
                matches!(
                    to.0.first(),
                    Some(alula_config::site::RewritePiece::Text(_))
                )
            });
        if directory.is_some() && flags.discard_path_info {
            self.path_info.clear();
        }
        self.split_query(&flags.query);
        if !self.file.starts_with(b"/") && absolute_length(&self.file).is_none() {
            let start = directory.unwrap_or("/");
            self.file.splice(..0, start.bytes());
        }
        if flags.proxy {
            self.qualify();
            self.is_proxied = true;
            return Some(Applied::Changed);
        }
        if redirects {
            self.status = flags.status;
            self.qualify();
            return Some(Applied::Changed);
        }
        self.reduce();
        if absolute_length(&self.file).is_some() {
            self.status = flags.status;
        }
        Some(Applied::Changed)
    }

    fn conditions_hold(&self, conditions: &[RewriteCondition], matched: &mut Matched) -> bool {
        let mut at = 0;
        while let Some(condition) = conditions.get(at) {
            at += 1;
            let holds = self.condition_holds(condition, matched);
            if condition.or_next {
                if holds {
                    // The others of the chain are not asked.
                    let mut chained = true;
                    while chained && let Some(next) = conditions.get(at) {
                        chained = next.or_next;
                        at += 1;
                    }
                }
            } else if !holds {
                return false;
            }
        }
        true
    }

    fn condition_holds(&self, condition: &RewriteCondition, matched: &mut Matched) -> bool {
        if let RewriteTest::Expression(expression) = &condition.test {
            let (holds, found) = self.facts_now(|facts| {
                let mut evaluation = Evaluation::new(facts);
                (evaluation.holds(expression), evaluation.matched())
            });
            if holds && found.is_some() {
                matched.condition = found;
            }
            return holds != condition.negated;
        }
        let subject = self.expand(&condition.subject, matched, None);
        let holds = match &condition.test {
            RewriteTest::Pattern(pattern) => match pattern.captures(&subject) {
                Some(groups) => {
                    if !condition.negated {
                        matched.condition = Some((subject, groups));
                    }
                    true
                }
                None => false,
            },
            RewriteTest::Equal(text) if condition.ignores_case => {
                subject.eq_ignore_ascii_case(text.as_bytes())
            }
            RewriteTest::Equal(text) => subject == text.as_bytes(),
            RewriteTest::Less(text) => by_length(&subject, text).is_lt(),
            RewriteTest::LessOrEqual(text) => by_length(&subject, text).is_le(),
            RewriteTest::Greater(text) => by_length(&subject, text).is_gt(),
            RewriteTest::GreaterOrEqual(text) => by_length(&subject, text).is_ge(),
            RewriteTest::Number(order, other) => fits(*order, number(&subject).cmp(other)),
            RewriteTest::File(test) => passes(*test, &subject),
            RewriteTest::Expression(_) => false,
        };
        holds != condition.negated
    }

    /// Moves what follows a question mark into the query.
    fn split_query(&mut self, flags: &QueryFlags) {
        let start = match absolute_length(&self.file) {
            Some((_, false)) => {
                self.query = None;
                return;
            }
            Some((length, true)) => length,
            None => 0,
        };
        if flags.discard {
            self.query = None;
        }
        let mark = match flags.last {
            true => self.file[start..].iter().rposition(|&byte| byte == b'?'),
            false => self.file[start..].iter().position(|&byte| byte == b'?'),
        };
        let Some(mark) = mark else { return };
        let mut query = self.file.split_off(start + mark).split_off(1);
        if flags.append {
            match self.query.take() {
                Some(old) if query.is_empty() => query = old,
                Some(old) => {
                    query.push(b'&');
                    query.extend(old);
                }
                None => {}
            }
        }
        if query.ends_with(b"&") {
            query.pop();
        }
        self.query = (!query.is_empty()).then_some(query);
    }

    /// Makes a whole URL of what is none.
    fn qualify(&mut self) {
        if absolute_length(&self.file).is_some() {
            return;
        }
        let mut url = self.facts.asked.origin(self.facts.identity);
        if !self.file.starts_with(b"/") {
            url.push(b'/');
        }
        url.append(&mut self.file);
        self.file = url;
    }

    /// Makes a path of a URL of this very server.
    fn reduce(&mut self) {
        let asked = self.facts.asked;
        let scheme = format!("{}://", asked.peer.scheme.as_str());
        let start = self.file.get(..scheme.len());
        if !start.is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes())) {
            return;
        }
        let rest = &self.file[scheme.len()..];
        let end = rest
            .iter()
            .position(|&byte| byte == b'/')
            .unwrap_or(rest.len());
        let authority = String::from_utf8_lossy(&rest[..end]).to_ascii_lowercase();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host.to_owned(), port.parse().ok()),
            None => {
                let own = match asked.peer.scheme {
                    Scheme::Http => 80,
                    Scheme::Https => 443,
                };
                (authority, Some(own))
            }
        };
        let identity = self.facts.identity;
        let port_fits = port == Some(asked.peer.local.port());
        let name_fits = identity.server_name.eq_ignore_ascii_case(&host)
            || identity
                .aliases
                .iter()
                .any(|alias| alula_config::glob::fits(alias.as_bytes(), host.as_bytes(), false));
        if port_fits && name_fits {
            let path = rest[end..].to_vec();
            self.file = if path.is_empty() { b"/".to_vec() } else { path };
            self.is_reduced = true;
        }
    }
}

/// httpd's order of texts: the shorter one comes first.
fn by_length(left: &[u8], right: &str) -> Ordering {
    let right = right.as_bytes();
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}
