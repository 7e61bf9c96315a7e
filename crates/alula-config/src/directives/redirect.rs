//! `Redirect` and its kin: URLs answered with another URL.
//!
//! Outside sections a redirect comes before everything else, access control included; inside a section after access control.

use super::sections::check_regex;
use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::{Redirect, RedirectFrom};
use crate::syntax::lexer::Word;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "Redirect", args: Arity::between(1, 3), syntax: "[status] [url-path] [URL]", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(redirect),
        doc: "Answers URLs that start with a path with another URL, to which the rest of the path and the query are appended. A URL that \
              is a path gets the scheme and host of the request. The status is `permanent` (301), `temp` (302, when left out), `seeother` \
              (303), `gone` (410) or a number; one that is no redirection takes no URL. Inside `<Location>` the path can be left out: all \
              of the location then leads to that very URL. Redirects are tried before aliases, a virtual host's before the main \
              server's, the first that fits counts.",
    },
    Entry {
        name: "RedirectMatch", args: Arity::between(1, 3), syntax: "[status] regex [URL]", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(redirect_match),
        doc: "Like `Redirect`, for paths in which a regular expression is found. `$1` to `$9` in the URL are what the groups matched; of \
              the request only the query is appended.",
    },
    Entry {
        name: "RedirectPermanent", args: Arity::exactly(2), syntax: "url-path URL", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(redirect_permanent),
        doc: "`Redirect permanent`.",
    },
    Entry {
        name: "RedirectTemp", args: Arity::exactly(2), syntax: "url-path URL", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(redirect_temp),
        doc: "`Redirect temp`.",
    },
];

const FOUND: u16 = 302;

fn redirect(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let (status, rest) = status(args.words)?;
    let (from, to) = match (rest, is_redirection(status)) {
        // Only a location says by itself which URLs are meant.
        ([to], true) if scope.context() == Contexts::LOCATION => {
            if to.text.contains("%{") {
                return Err(Problem::not_yet(to));
            }
            (RedirectFrom::All, Some(to))
        }
        ([], false) if scope.context() == Contexts::LOCATION => (RedirectFrom::All, None),
        ([from, to @ ..], _) => (prefix(scope, from), to.first()),
        ([], _) => return Err(Problem::new("names no URL path")),
    };
    add(scope, args, status, from, to)
}

fn redirect_match(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let (status, rest) = status(args.words)?;
    let [from, to @ ..] = rest else {
        return Err(Problem::new("names no regular expression"));
    };
    check_regex(from)?;
    let pattern = RedirectFrom::Match(from.text.clone());
    add(scope, args, status, pattern, to.first())
}

fn redirect_permanent(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let from = prefix(scope, args.first());
    add(scope, args, 301, from, args.words.get(1))
}

fn redirect_temp(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let from = prefix(scope, args.first());
    add(scope, args, FOUND, from, args.words.get(1))
}

fn prefix(scope: &mut Scope, from: &Word) -> RedirectFrom {
    if !from.text.starts_with('/') {
        let message = format!(
            "Redirect: {:?} fits no URL, since it does not start with a slash",
            from.text
        );
        scope.warn(from.span, message, None);
    }
    RedirectFrom::Prefix(from.text.clone())
}

/// The status, and the words after it; without one, it is 302.
fn status(words: &[Word]) -> Result<(u16, &[Word]), Problem> {
    let Some((first, rest)) = words.split_first() else {
        return Ok((FOUND, words));
    };
    let status = match first.text.to_ascii_lowercase().as_str() {
        "permanent" => 301,
        "temp" => FOUND,
        "seeother" => 303,
        "gone" => 410,
        number if number.starts_with(|c: char| c.is_ascii_digit()) => {
            let status = number.parse().ok();
            let status = status.filter(|status| (300..=599).contains(status));
            status.ok_or_else(|| {
                let message = format!("{number:?} is not a status from 300 to 599");
                Problem::at(first, message)
            })?
        }
        _ if words.len() == 3 => {
            let message = format!("{:?} is not a status", first.text);
            let hint = "permanent, temp, seeother, gone or a number";
            return Err(Problem::at(first, message).hint(hint));
        }
        _ => return Ok((FOUND, words)),
    };
    Ok((status, rest))
}

fn is_redirection(status: u16) -> bool {
    (300..400).contains(&status)
}

fn add(
    scope: &mut Scope,
    args: &Args,
    status: u16,
    from: RedirectFrom,
    to: Option<&Word>,
) -> Result<(), Problem> {
    match to {
        None if is_redirection(status) => return Err(Problem::new("the URL is missing")),
        Some(to) if !is_redirection(status) => {
            return Err(Problem::at(to, format!("status {status} takes no URL")));
        }
        Some(to) if !is_target(&to.text, &from) => {
            let message = format!("{:?} is neither a URL nor a path", to.text);
            return Err(Problem::at(to, message));
        }
        _ => {}
    }
    if let (RedirectFrom::Prefix(path), Some(to)) = (&from, to)
        && path.ends_with('/')
        && !to.text.ends_with('/')
    {
        let message =
            "a URL path that ends with a slash and a URL that does not are joined without one";
        let hint = format!("{}/", to.text);
        scope.warn(to.span, format!("Redirect: {message}"), Some(&hint));
    }
    let redirect = Redirect {
        from,
        status,
        to: to.map(|word| word.text.clone()),
        origin: scope.origin(args.name.span),
    };
    if scope.sections.is_empty() {
        scope.server().redirects.push(redirect);
    } else {
        scope.settings().redirects.push(redirect);
    }
    Ok(())
}

fn is_target(text: &str, from: &RedirectFrom) -> bool {
    let scheme = |text: &str| {
        let scheme = text.split_once(':').map(|(scheme, _)| scheme);
        scheme.is_some_and(|scheme| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
            !scheme.is_empty() && scheme.chars().all(allowed)
        })
    };
    // What a group matched may be the whole URL.
    let made = matches!(from, RedirectFrom::Match(_)) && text.starts_with('$');
    !text.contains(char::is_control) && (text.starts_with('/') || made || scheme(text))
}
