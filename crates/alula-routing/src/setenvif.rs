//! `SetEnvIf` and its kin, for a request.

use crate::asked::Facts;
use crate::expression::Evaluation;
use crate::substitution::expand;
use crate::variables::Variables;
use alula_config::site::{Attribute, SetEnvIf, SetEnvIfTest};
use std::borrow::Cow;

/// Does lines in turn; each sees what those before it have set.
pub(crate) fn apply(lines: &[SetEnvIf], facts: &Facts, variables: &mut Variables) {
    for line in lines {
        let before = variables.clone();
        let now = Facts {
            variables: &before,
            ..*facts
        };
        let matched = match &line.test {
            SetEnvIfTest::Attribute(attribute, pattern) => {
                let text = said(&now, attribute).into_owned();
                pattern.captures(&text).map(|groups| (text, groups))
            }
            SetEnvIfTest::Expression(condition) => {
                let mut evaluation = Evaluation::new(&now);
                let holds = evaluation.holds(condition);
                holds.then(|| evaluation.matched().unwrap_or_default())
            }
        };
        let Some((text, groups)) = matched else {
            continue;
        };
        for (name, value) in &line.changes {
            match value {
                None => variables.unset(name),
                Some(value) => {
                    let value = expand(value, &text, &groups, <[u8]>::to_vec);
                    variables.set(name.clone(), String::from_utf8_lossy(&value));
                }
            }
        }
    }
}

/// What an attribute says; nothing for one that is not there.
fn said<'f>(facts: &Facts<'f>, attribute: &Attribute) -> Cow<'f, [u8]> {
    let asked = facts.asked;
    let address = |ip: std::net::IpAddr| ip.to_canonical().to_string().into_bytes();
    match attribute {
        Attribute::RemoteAddress => address(asked.peer.remote.ip()).into(),
        Attribute::ServerAddress => address(asked.peer.local.ip()).into(),
        Attribute::Method => asked.method.as_bytes().into(),
        Attribute::Protocol => asked.protocol().as_bytes().into(),
        Attribute::Path => facts.path.into(),
        Attribute::Named(name) if name.eq_ignore_ascii_case("host") => {
            asked.authority().unwrap_or_default().into()
        }
        Attribute::Named(name) => match asked.header(name) {
            Some(value) => value.into(),
            None => {
                let variable = facts.variables.get(name).unwrap_or_default();
                variable.as_bytes().to_vec().into()
            }
        },
        Attribute::HeaderLike(pattern) => {
            let mut names = asked.headers.keys();
            let name = names.find(|name| pattern.is_match(name.as_str().as_bytes()));
            name.and_then(|name| asked.header(name.as_str()))
                .unwrap_or_default()
                .into()
        }
    }
}
