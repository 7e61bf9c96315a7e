//! `[...]` after a rule or a condition.

use super::text;
use crate::directives::{Problem, Scope};
use crate::site::{GroupEscape, RewriteEnd, RewriteFlags, RewriteVariable};
use crate::syntax::lexer::Word;

/// How often `N` starts again unless it says so itself, as in httpd.
const ROUNDS_DEFAULT: u32 = 32_000;

/// The flags of a condition.
#[derive(Default)]
pub(super) struct ConditionFlags {
    pub ignores_case: bool,
    pub or_next: bool,
}

/// What stands between the brackets, at the commas.
fn split(word: &Word) -> Result<impl Iterator<Item = (&str, Option<&str>)>, Problem> {
    let inside = word
        .text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let inside = inside.ok_or_else(|| {
        let hint = "no blanks between flags, or quotes around them";
        Problem::at(word, format!("bad flag delimiters in {:?}", word.text)).hint(hint)
    })?;
    let flags = inside.split(',').map(str::trim);
    Ok(flags
        .filter(|flag| !flag.is_empty())
        .map(|flag| match flag.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (flag, None),
        }))
}

fn unknown(word: &Word, name: &str) -> Problem {
    Problem::at(word, format!("there is no flag {name:?}"))
}

pub(super) fn condition(word: Option<&Word>) -> Result<ConditionFlags, Problem> {
    let mut flags = ConditionFlags::default();
    let Some(word) = word else {
        return Ok(flags);
    };
    for (name, _) in split(word)? {
        match name.to_ascii_lowercase().as_str() {
            "nc" | "nocase" => flags.ignores_case = true,
            "or" | "ornext" => flags.or_next = true,
            // Rewriting adds nothing to `Vary`.
            "nv" | "novary" => {}
            _ => return Err(unknown(word, name)),
        }
    }
    Ok(flags)
}

/// The flags of a rule, and whether its pattern ignores case.
pub(super) fn rule(
    scope: &mut Scope,
    word: Option<&Word>,
) -> Result<(RewriteFlags, bool), Problem> {
    let mut flags = RewriteFlags::default();
    let mut ignores_case = false;
    let Some(word) = word else {
        return Ok((flags, ignores_case));
    };
    for (name, value) in split(word)? {
        let needed = || {
            let message = format!("the flag {name:?} needs a value");
            value.ok_or_else(|| Problem::at(word, message))
        };
        match name.to_ascii_lowercase().as_str() {
            "b" => {
                let escape = flags.escape.get_or_insert_default();
                escape.only = value.map(str::to_owned);
            }
            "bctls" => flags.escape.get_or_insert_default().controls = true,
            "bne" => flags.escape.get_or_insert_default().except = Some(needed()?.to_owned()),
            "bnp" | "backrefnoplus" => flags.escape.get_or_insert_default().no_plus = true,
            "c" | "chain" => flags.chain = true,
            "co" | "cookie" => {
                let parsed = text::parse(scope, word, needed()?)?;
                flags.cookies.push(parsed);
            }
            "dpi" | "discardpath" => flags.discard_path_info = true,
            "e" | "env" => {
                let variable = variable(scope, word, needed()?)?;
                flags.variables.push(variable);
            }
            "end" => flags.ends = Some(RewriteEnd::All),
            "f" | "forbidden" => flags.status = Some(403),
            "g" | "gone" => flags.status = Some(410),
            "h" | "handler" => {
                let message = "[H] is not supported yet: a rule cannot choose a handler";
                return Err(Problem::at(word, message).hint("SetHandler in a section"));
            }
            "l" | "last" => flags.ends = flags.ends.or(Some(RewriteEnd::Round)),
            "n" | "next" => {
                let rounds = value.map_or(Ok(ROUNDS_DEFAULT), str::parse);
                let rounds = rounds
                    .ok()
                    .filter(|rounds| (1..=ROUNDS_DEFAULT).contains(rounds));
                let message = format!("N takes a number from 1 to {ROUNDS_DEFAULT}");
                flags.again = Some(rounds.ok_or_else(|| Problem::at(word, message))?);
            }
            "nc" | "nocase" => ignores_case = true,
            "ne" | "noescape" => flags.no_escape = true,
            // There are no sub-requests.
            "ns" | "nosubreq" => {}
            "p" | "proxy" => flags.proxy = true,
            "pt" | "passthrough" => flags.pass_through = true,
            "qsa" | "qsappend" => flags.query.append = true,
            "qsd" | "qsdiscard" => flags.query.discard = true,
            "qsl" | "qslast" => flags.query.last = true,
            "r" | "redirect" => flags.status = Some(status(word, value)?),
            "s" | "skip" => {
                let message = "S takes the number of rules to leave out";
                let count = needed()?.parse();
                flags.skip = count.map_err(|_| Problem::at(word, message))?;
            }
            "t" | "type" => flags.media_type = Some(text::parse(scope, word, needed()?)?),
            "unsafeallow3f" => flags.unsafe_allow_3f = true,
            "unsafeprefixstat" => flags.unsafe_prefix_stat = true,
            _ => return Err(unknown(word, name)),
        }
    }
    if let Some(GroupEscape { no_plus: true, .. }) = &flags.escape
        && !split(word)?.any(|(name, _)| {
            name.to_ascii_lowercase().starts_with("b")
                && name.len() < 5
                && !name.eq_ignore_ascii_case("bnp")
        })
    {
        let message = "BNP alone changes nothing; it goes with B".to_owned();
        scope.warn(word.span, message, None);
        flags.escape = None;
    }
    Ok((flags, ignores_case))
}

fn status(word: &Word, value: Option<&str>) -> Result<u16, Problem> {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(302);
    };
    match value.to_ascii_lowercase().as_str() {
        "permanent" => Ok(301),
        "temp" => Ok(302),
        "seeother" => Ok(303),
        number => {
            let status = number.parse().ok();
            let status = status.filter(|status| (200..=599).contains(status));
            status.ok_or_else(|| {
                let message = format!("{value:?} is no status for the flag R");
                Problem::at(word, message).hint("permanent, temp, seeother or a number")
            })
        }
    }
}

/// `name:value`, `name`, `!name`.
fn variable(scope: &mut Scope, word: &Word, text: &str) -> Result<RewriteVariable, Problem> {
    let removed = text.strip_prefix('!');
    let (name, value) = match (removed, text.split_once(':')) {
        (Some(name), _) => (name, None),
        (None, Some((name, value))) => (name, Some(value)),
        (None, None) => (text, Some("")),
    };
    Ok(RewriteVariable {
        name: text::parse(scope, word, name)?,
        value: match value {
            Some(value) => Some(text::parse(scope, word, value)?),
            None => None,
        },
    })
}
