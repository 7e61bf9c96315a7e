//! `Define`, `UnDefine` and `${}`.
//!
//! Variables come from `Define` and `-D`, else from the environment, else from what Debian's `envvars` would have put there:
//! Debian's snippets use them everywhere, and outside its start script nothing sets them.

use crate::load::LoadOptions;
use crate::syntax::lexer::{Char, Line};
use crate::syntax::span::Span;
use std::collections::BTreeMap;

const DEBIAN_DEFAULTS: &[(&str, &str)] = &[
    ("APACHE_CONFDIR", "/etc/apache2"),
    ("APACHE_LOCK_DIR", "/var/lock/apache2"),
    ("APACHE_LOG_DIR", "/var/log/apache2"),
    ("APACHE_PID_FILE", "/var/run/apache2/apache2.pid"),
    ("APACHE_RUN_DIR", "/var/run/apache2"),
    ("APACHE_RUN_GROUP", "www-data"),
    ("APACHE_RUN_USER", "www-data"),
];

pub(super) struct Variables<'a> {
    defined: BTreeMap<String, String>,
    environment: &'a BTreeMap<String, String>,
}

impl<'a> Variables<'a> {
    pub(super) fn new(options: &'a LoadOptions) -> Self {
        let defines = options.defines.iter();
        Self {
            defined: defines
                .map(|(name, value)| (name.clone(), value.clone().unwrap_or_default()))
                .collect(),
            environment: &options.environment,
        }
    }

    pub(super) fn define(&mut self, name: &str, value: &str) {
        self.defined.insert(name.to_owned(), value.to_owned());
    }

    pub(super) fn undefine(&mut self, name: &str) {
        self.defined.remove(name);
    }

    /// For `<IfDefine>`: the environment does not count.
    pub(super) fn is_defined(&self, name: &str) -> bool {
        self.defined.contains_key(name)
    }

    fn get(&self, name: &str) -> Option<&str> {
        let known = self
            .defined
            .get(name)
            .or_else(|| self.environment.get(name));
        known.map(String::as_str).or_else(|| {
            let default = DEBIAN_DEFAULTS.iter().find(|(known, _)| *known == name);
            default.map(|(_, value)| *value)
        })
    }

    /// Replaces each `${NAME}`; returns the undefined ones, which stay. A value is not searched again.
    pub(super) fn expand(&self, line: &Line) -> (Line, Vec<(String, Span)>) {
        let mut chars = Vec::with_capacity(line.chars.len());
        let mut undefined = Vec::new();
        let mut rest = line.chars.as_slice();
        while let Some(first) = rest.first() {
            let Some((name, length)) = reference(rest) else {
                chars.push(*first);
                rest = &rest[1..];
                continue;
            };
            match self.get(&name) {
                Some(value) => chars.extend(value.chars().map(|value| Char { value, ..*first })),
                None => {
                    chars.extend_from_slice(&rest[..length]);
                    let part = Line {
                        file: line.file,
                        chars: rest[..length].to_vec(),
                    };
                    undefined.push((name, part.span()));
                }
            }
            rest = &rest[length..];
        }
        (
            Line {
                file: line.file,
                chars,
            },
            undefined,
        )
    }
}

/// The name in `${NAME}` at the start, and the length of the whole.
fn reference(chars: &[Char]) -> Option<(String, usize)> {
    if chars.len() < 4 || chars[0].value != '$' || chars[1].value != '{' {
        return None;
    }
    let end = chars.iter().position(|c| c.value == '}')?;
    let name: String = chars[2..end].iter().map(|c| c.value).collect();
    (!name.is_empty() && !name.contains(':')).then_some((name, end + 1))
}
