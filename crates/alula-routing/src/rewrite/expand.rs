//! Texts with `$1`, `%1`, `%{...}` and `${map:key}` filled in.

use super::Course;
use super::rule::Matched;
use crate::expression::named;
use alula_config::site::{GroupEscape, RewritePiece, RewriteText};

impl Course<'_> {
    /// Fills a text in; groups are encoded as `escape` says.
    pub(super) fn expand(
        &self,
        text: &RewriteText,
        matched: &Matched,
        escape: Option<&GroupEscape>,
    ) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in &text.0 {
            match piece {
                RewritePiece::Text(text) => out.extend_from_slice(text.as_bytes()),
                RewritePiece::RuleGroup(group) => {
                    add_group(&mut out, matched.rule.as_ref(), *group, escape);
                }
                RewritePiece::ConditionGroup(group) => {
                    add_group(&mut out, matched.condition.as_ref(), *group, escape);
                }
                RewritePiece::Named(name) => {
                    self.facts_now(|facts| out.extend_from_slice(&named(facts, name)));
                }
                RewritePiece::Header(name) if name.eq_ignore_ascii_case("host") => {
                    out.extend_from_slice(self.facts.asked.authority().unwrap_or_default());
                }
                RewritePiece::Header(name) => {
                    out.extend(self.facts.asked.header(name).unwrap_or_default());
                }
                RewritePiece::Variable(name) => {
                    let value = self.changes.variables.get(name).map(str::to_owned);
                    let value = value.or_else(|| std::env::var(name).ok());
                    out.extend_from_slice(value.unwrap_or_default().as_bytes());
                }
                RewritePiece::Map { name, key, default } => {
                    let key = self.expand(key, matched, escape);
                    match self.maps.find(name, &key) {
                        Some(value) => out.extend(value),
                        None => out.extend(self.expand(default, matched, escape)),
                    }
                }
            }
        }
        out
    }
}

fn add_group(
    out: &mut Vec<u8>,
    matched: Option<&(Vec<u8>, alula_config::pattern::Groups)>,
    group: u8,
    escape: Option<&GroupEscape>,
) {
    let found = matched.and_then(|(text, groups)| groups.get(text, usize::from(group)));
    let found = found.unwrap_or_default();
    match escape {
        None => out.extend_from_slice(found),
        Some(escape) => add_escaped(out, found, escape),
    }
}

fn add_escaped(out: &mut Vec<u8>, text: &[u8], escape: &GroupEscape) {
    for &byte in text {
        let plain = if byte.is_ascii_alphanumeric() || byte == b'_' {
            true
        } else if let Some(only) = &escape.only {
            !only.as_bytes().contains(&byte)
        } else if escape.controls {
            !(byte.is_ascii_control() || byte == b' ')
        } else {
            let except = escape.except.as_ref();
            except.is_some_and(|except| except.as_bytes().contains(&byte))
        };
        match byte {
            byte if plain => out.push(byte),
            b' ' if !escape.no_plus => out.push(b'+'),
            byte => out.extend_from_slice(format!("%{byte:02x}").as_bytes()),
        }
    }
}
