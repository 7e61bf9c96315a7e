//! mod_expires: how long a response may be kept.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::{Expiry, ExpiryBase};
use crate::syntax::lexer::Word;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "ExpiresActive", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::EVERYWHERE,
        default: "Off", apply: Apply::Run(expires_active),
        doc: "Whether responses get `Expires` and `Cache-Control: max-age`, as `ExpiresByType` and `ExpiresDefault` say. A response that \
              has an `Expires` or a `max-age` keeps its own; an error gets none.",
    },
    Entry {
        name: "ExpiresDefault", args: Arity::exactly(1), syntax: "\"access | modification [plus] number unit ...\" | Aseconds | Mseconds",
        contexts: Contexts::EVERYWHERE, default: "", apply: Apply::Run(expires_default),
        doc: "How long a response may be kept: counted from the request (`access`, `now`, `A`) or from the last change of the file \
              (`modification`, `M`; nothing for responses of applications). Units are years (of 365 days), months (of 30 days), weeks, days, \
              hours, minutes and seconds.",
    },
    Entry {
        name: "ExpiresByType", args: Arity::exactly(2), syntax: "media-type \"access | modification [plus] number unit ...\" | Aseconds | Mseconds",
        contexts: Contexts::EVERYWHERE, default: "", apply: Apply::Run(expires_by_type),
        doc: "The same for one media type; `image/*` stands for all that start so.",
    },
];

const DAY: u64 = 24 * 60 * 60;

/// Longest time, so that no date leaves the calendar.
const SECONDS_MAX: u64 = 1000 * 365 * DAY;

fn expires_active(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().expires.active = Some(args.flag()?);
    Ok(())
}

fn expires_default(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().expires.default = Some(expiry(args.first())?);
    Ok(())
}

fn expires_by_type(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let [media_type, time] = args.words else {
        return Err(Problem::new("takes two arguments"));
    };
    if !media_type.text.contains('/') {
        return Err(Problem::at(
            media_type,
            format!("{:?} is not a media type", media_type.text),
        ));
    }
    let expiry = expiry(time)?;
    let media_type = media_type.text.to_ascii_lowercase();
    scope.settings().expires.by_type.insert(media_type, expiry);
    Ok(())
}

fn expiry(word: &Word) -> Result<Expiry, Problem> {
    parse(&word.text).map_err(|fact| {
        let hint = "\"access plus 1 month\"";
        Problem::at(word, fact).hint(hint)
    })
}

/// httpd looks at the first letters of its words only; so does this.
fn parse(text: &str) -> Result<Expiry, String> {
    let code = text
        .strip_prefix('A')
        .map(|rest| (ExpiryBase::Access, rest));
    let code = code.or_else(|| Some((ExpiryBase::Modification, text.strip_prefix('M')?)));
    if let Some((base, digits)) =
        code.filter(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()))
    {
        let seconds = bounded(digits.parse().ok(), digits)?;
        return Ok(Expiry { base, seconds });
    }
    let text = text.to_ascii_lowercase();
    let mut words = text.split_ascii_whitespace().peekable();
    let base = match words.next().and_then(|word| word.chars().next()) {
        Some('a' | 'n') => ExpiryBase::Access,
        Some('m') => ExpiryBase::Modification,
        _ => {
            return Err(format!(
                "{text:?} starts with neither access, now nor modification"
            ));
        }
    };
    words.next_if(|word| word.starts_with('p'));
    let mut seconds = 0u64;
    while let Some(number) = words.next() {
        let count: u64 = number
            .parse()
            .map_err(|_| format!("{number:?} is not a number"))?;
        let unit = words
            .next()
            .ok_or_else(|| format!("{number:?} has no unit"))?;
        let unit = match unit {
            unit if unit.starts_with('y') => 365 * DAY,
            unit if unit.starts_with("mo") => 30 * DAY,
            unit if unit.starts_with('w') => 7 * DAY,
            unit if unit.starts_with('d') => DAY,
            unit if unit.starts_with('h') => 60 * 60,
            unit if unit.starts_with("mi") => 60,
            unit if unit.starts_with('s') => 1,
            unit => return Err(format!("{unit:?} is not a unit of time")),
        };
        let more = count.checked_mul(unit);
        seconds = bounded(more.and_then(|more| seconds.checked_add(more)), &text)?;
    }
    Ok(Expiry { base, seconds })
}

fn bounded(seconds: Option<u64>, text: &str) -> Result<u64, String> {
    let seconds = seconds.filter(|seconds| *seconds <= SECONDS_MAX);
    seconds.ok_or_else(|| format!("{text:?} is not a time up to 1000 years"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ExpiryBase::{Access, Modification};

    #[test]
    fn times_in_both_forms() {
        let check = |text: &str, base: ExpiryBase, seconds: u64| {
            assert_eq!(parse(text), Ok(Expiry { base, seconds }), "{text}");
        };
        check("access plus 1 month", Access, 30 * DAY);
        check("Access 1 year 2 weeks", Access, 379 * DAY);
        check("now plus 4 hours 5 minutes 6 seconds", Access, 14_706);
        check("modification plus 1 day", Modification, DAY);
        check("access", Access, 0);
        check("A2592000", Access, 2_592_000);
        check("M60", Modification, 60);
    }

    #[test]
    fn what_is_no_time() {
        let check = |text: &str, expected: &str| {
            assert_eq!(parse(text), Err(expected.to_owned()), "{text}")
        };
        check("", "\"\" starts with neither access, now nor modification");
        check(
            "1 month",
            "\"1 month\" starts with neither access, now nor modification",
        );
        check("access plus month", "\"month\" is not a number");
        check("access plus 1", "\"1\" has no unit");
        check("access plus 1 eon", "\"eon\" is not a unit of time");
        check(
            "access plus 2000 years",
            "\"access plus 2000 years\" is not a time up to 1000 years",
        );
    }
}
