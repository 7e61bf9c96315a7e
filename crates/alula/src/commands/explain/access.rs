//! Whether the request would be let in, and what each access rule in force says of it.
//!
//! A rule is judged by itself: its line is read once more, in a configuration that holds nothing else.

use alula_config::site::{Asker, Merging, OrderRules, Outcome};
use alula_config::{LoadOptions, MemoryFiles, Written, load_with};
use alula_routing::{Applied, Verdict};
use serde::Serialize;

use super::Line;

/// The verdict.
#[derive(Debug, Serialize)]
pub(super) struct Access {
    pub(super) client: String,
    pub(super) verdict: String,
    pub(super) rules: Vec<Rule>,
}

#[derive(Debug, Serialize)]
pub(super) struct Rule {
    #[serde(flatten)]
    pub(super) line: Line,
    pub(super) says: &'static str,
}

/// `directives` has those of each section in `applied`.
pub(super) fn explain(
    verdict: Verdict,
    applied: &[Applied],
    directives: &[Vec<&Written>],
    asker: &Asker,
) -> Access {
    let mut rules = Vec::new();
    let (requires, order) = in_force(applied);
    for (number, lines) in directives.iter().enumerate() {
        for line in lines {
            let (name, rest) = first_word(&line.text);
            let says = match name {
                "Require" if requires.contains(&number) => require(line, rest, asker),
                "Order" | "Satisfy"
                    if order == Some(number) && line.limit.concerns(asker.method) =>
                {
                    ""
                }
                "Allow" | "Deny" if order == Some(number) => allow(line, rest, asker),
                "SSLRequireSSL" if asker.secure => "fits",
                "SSLRequireSSL" => "refuses: it came without TLS",
                "WSGIAccessScript" => "the script decides",
                _ => continue,
            };
            rules.push(Rule {
                line: Line::from(*line),
                says,
            });
        }
    }
    Access {
        client: asker.client.to_string(),
        verdict: match verdict {
            Verdict::Pass => "allowed".to_owned(),
            Verdict::Refuse => "refused with 403".to_owned(),
            Verdict::AskUser => "depends on who asks: nobody in particular gets 401".to_owned(),
        },
        rules,
    }
}

/// The sections whose `Require` lines count, and the one whose `Order` does: an inner one replaces what is inherited.
fn in_force(applied: &[Applied]) -> (Vec<usize>, Option<usize>) {
    let mut requires = Vec::new();
    for (number, section) in applied.iter().enumerate().rev() {
        if let Some(merging) = section.requires {
            requires.push(number);
            if merging == Merging::Off {
                break;
            }
        }
    }
    let order = applied.iter().rposition(|section| section.has_order);
    (requires, order)
}

/// A line's first word and the rest.
fn first_word(text: &str) -> (&str, &str) {
    text.split_once(' ').unwrap_or((text, ""))
}

/// `rest` is the line without its name.
fn require(line: &Written, rest: &str, asker: &Asker) -> &'static str {
    if !line.limit.concerns(asker.method) {
        return "is for other methods";
    }
    // A `Require not` stands only beside others.
    let (first, others) = first_word(rest);
    let negated = first.eq_ignore_ascii_case("not");
    let rest = if negated { others } else { rest };
    let Some(access) = settings_of(&format!("Require {rest}")).and_then(|settings| settings.access)
    else {
        return "";
    };
    match (access.judge(asker), negated) {
        (Outcome::Granted, false) => "lets pass",
        (Outcome::Granted, true) => "refuses",
        (Outcome::NeedsUser, _) => "depends on the user",
        (_, true) => "does not refuse",
        (_, false) => "does not let pass",
    }
}

fn allow(line: &Written, rest: &str, asker: &Asker) -> &'static str {
    if !line.limit.concerns(asker.method) {
        return "is for other methods";
    }
    let rules: Option<OrderRules> =
        settings_of(&format!("Order Allow,Deny\nAllow {rest}")).and_then(|settings| settings.order);
    match rules {
        Some(rules) if rules.allows(asker) => "fits",
        Some(_) => "does not fit",
        None => "",
    }
}

fn settings_of(lines: &str) -> Option<alula_config::site::DirectorySettings> {
    let text = format!("Listen 127.0.0.1:80\n<Location />\n{lines}\n</Location>\n");
    let files = MemoryFiles::default().file("/rule.conf", text);
    let loaded = load_with(&LoadOptions::new("/rule.conf"), &files).ok()?;
    let sections = loaded.site.main_server.sections;
    Some(sections.into_iter().next()?.settings)
}
