//! mod_proxy's directives: what is passed on to other servers.

use super::proxy_url::{self, BackEndUrl};
use super::sections::check_regex;
use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::{
    BackEnd, BackEndOptions, ProxyFrom, ProxyPass, ProxyTarget, ProxyVia, SectionPattern,
};
use crate::syntax::lexer::Word;
use std::time::Duration;

/// The longest time a back end may be given.
const TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

const PASSING: Contexts = Contexts::SERVERS.and(Contexts::LOCATION);

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "ProxyPass", args: Arity::at_least(1), syntax: "[url-path] !|URL [key=value ...] [nocanon] [noquery]", contexts: PASSING,
        default: "", apply: Apply::Run(pass),
        doc: "Passes requests for a path and everything below it on to a back end: `http://host:port/path`, `ws://` the same with \
              WebSockets, `unix:/path/of/socket|http://host/path`. What follows the path is appended to the URL; end both with a slash \
              or neither. The first line that fits counts, and it comes before `Redirect`, `Alias` and handlers; with `!` instead of a URL \
              the path stays here, so exceptions stand first. In a `<Location>` the path is left out. Keys: `timeout` and \
              `connectiontimeout` (seconds, or with `ms`), `retry` (how long a back end that cannot be reached is left alone; 60 seconds), \
              `max` (connections of one process at a time) with `acquire` (milliseconds to wait for one), `ttl`, `disablereuse=On`, \
              `upgrade=websocket` or `ANY` (protocols a connection may change to). `nocanon` passes the path on as the client wrote it, \
              `noquery` leaves the query out.",
    },
    Entry {
        name: "ProxyPassMatch", args: Arity::at_least(1), syntax: "[regex] !|URL [key=value ...]", contexts: PASSING,
        default: "", apply: Apply::Run(pass_match),
        doc: "`ProxyPass` for paths in which a regular expression is found. `$1` to `$9` in the URL are what the groups matched; to a URL \
              without any the whole path is appended.",
    },
    Entry {
        name: "ProxyPassReverse", args: Arity::between(1, 3), syntax: "[url-path] URL", contexts: PASSING,
        default: "", apply: Apply::Run(reverse),
        doc: "Replaces a back end's URL at the start of its `Location`, `Content-Location` and `URI` headers by a path of this server, so \
              that redirects do not lead past it. In a `<Location>` the path is left out.",
    },
    Entry {
        name: "ProxyPassReverseCookieDomain", args: Arity::between(2, 3), syntax: "internal-domain public-domain", contexts: PASSING,
        default: "", apply: Apply::Run(cookie_domain),
        doc: "Replaces the domain of cookies that a back end sets.",
    },
    Entry {
        name: "ProxyPassReverseCookiePath", args: Arity::between(2, 3), syntax: "internal-path public-path", contexts: PASSING,
        default: "", apply: Apply::Run(cookie_path),
        doc: "Replaces the path of cookies that a back end sets, where it starts with another; by the whole public path, as in httpd.",
    },
    Entry {
        name: "ProxyPreserveHost", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::EVERYWHERE,
        default: "Off", apply: Apply::Run(preserve_host),
        doc: "Whether a back end sees the `Host` that the client asked for, instead of its own.",
    },
    Entry {
        name: "ProxyAddHeaders", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::EVERYWHERE,
        default: "On", apply: Apply::Run(add_headers),
        doc: "Whether a back end is told of the client by `X-Forwarded-For`, of the `Host` it asked for by `X-Forwarded-Host`, and of this \
              server by `X-Forwarded-Server`. `RequestHeader set X-Forwarded-Proto` tells it of TLS.",
    },
    Entry {
        name: "ProxyErrorOverride", args: Arity::at_least(1), syntax: "On | Off [status ...]", contexts: Contexts::EVERYWHERE,
        default: "Off", apply: Apply::Run(error_override),
        doc: "Sends pages of this server (`ErrorDocument`) in place of a back end's for errors: all from 400 on, or those listed.",
    },
    Entry {
        name: "Proxy100Continue", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::EVERYWHERE,
        default: "On", apply: Apply::Run(awaits_continue),
        doc: "Whether a back end is asked before a client that waits for it is told to send its content (`Expect: 100-continue`).",
    },
    Entry {
        name: "ProxyTimeout", args: Arity::exactly(1), syntax: "seconds", contexts: Contexts::SERVERS,
        default: "`Timeout`", apply: Apply::Run(timeout),
        doc: "How long a back end may be silent while its response is awaited (504) or on its way (the client sees it end early). \
              Connections that were upgraded, WebSockets, are closed after so long a silence only where this or `timeout=` is written.",
    },
    Entry {
        name: "ProxyVia", args: Arity::exactly(1), syntax: "Off | On | Full | Block", contexts: Contexts::SERVERS,
        default: "Off", apply: Apply::Run(via),
        doc: "Whether this server adds itself to the `Via` headers of what it passes on, `Full` with its version. `Block` takes them out.",
    },
    Entry {
        name: "ProxyPassInherit", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::SERVERS,
        default: "On", apply: Apply::Run(inherit),
        doc: "Whether a virtual host has the main server's `ProxyPass` lines as well, before its own.",
    },
    Entry {
        name: "ProxySet", args: Arity::at_least(1), syntax: "[URL] key=value ...", contexts: PASSING.and(Contexts::PROXY),
        default: "", apply: Apply::Run(set),
        doc: "The keys of `ProxyPass` for a back end, which is that of the `<Proxy>` around.",
    },
    Entry {
        name: "ProxyRequests", args: Arity::exactly(1), syntax: "Off", contexts: Contexts::SERVERS,
        default: "Off", apply: Apply::Run(requests),
        doc: "The server is no forward proxy.",
    },
    super::fixed::fixed("ProxyBadHeader", "IsError", Contexts::SERVERS, "A back end whose headers are malformed is answered for with 502."),
    super::fixed::fixed("ProxyWebsocketFallbackToProxyHttp", "On", Contexts::SERVERS, "Requests to `ws://` that ask for no WebSocket are passed on as HTTP."),
];

fn pass(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    add(scope, args, false)
}

fn pass_match(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    add(scope, args, true)
}

fn add(scope: &mut Scope, args: &Args, is_match: bool) -> Result<(), Problem> {
    let location = scope.sections.last().map(|section| section.pattern.clone());
    let (from, rest) = match &location {
        None => {
            let [from, rest @ ..] = args.words else {
                return Err(Problem::new("takes a path and a URL"));
            };
            if rest.is_empty() {
                let hint = format!("{} /path {}", args.name.text, from.text);
                return Err(Problem::new("takes a path and a URL").hint(hint));
            }
            (from_of(scope, from, is_match)?, rest)
        }
        Some(pattern) => {
            if let [first, second, ..] = args.words
                && (second.text == "!" || second.text.contains("://"))
            {
                let message = "takes no path in a <Location>";
                return Err(Problem::at(first, message).hint("the location says it"));
            }
            let from = match pattern {
                SectionPattern::Location(path) if !is_match => ProxyFrom::Prefix(path.clone()),
                SectionPattern::LocationMatch(regex) => ProxyFrom::Match(regex.clone()),
                SectionPattern::Location(path) => {
                    check_regex(&Word {
                        text: path.clone(),
                        ..args.name.clone()
                    })?;
                    ProxyFrom::Match(path.clone())
                }
                _ => {
                    let message = "cannot stand in a <Location> with wildcards";
                    return Err(Problem::new(message).hint("<LocationMatch>"));
                }
            };
            (from, args.words)
        }
    };
    let [to, options @ ..] = rest else {
        return Err(Problem::new("takes a URL"));
    };
    let to = match to.text.as_str() {
        "!" => None,
        _ => Some(target(scope, args, &from, to, options)?),
    };
    let pass = ProxyPass {
        from,
        to,
        origin: scope.origin(args.name.span),
    };
    match location {
        None => {
            warn_of_earlier(scope, args, &pass);
            scope.server().proxy.passes.push(pass);
        }
        Some(_) => scope.settings().proxy.pass = Some(pass),
    }
    Ok(())
}

fn from_of(scope: &mut Scope, word: &Word, is_match: bool) -> Result<ProxyFrom, Problem> {
    if is_match {
        check_regex(word)?;
        return Ok(ProxyFrom::Match(word.text.clone()));
    }
    if !word.text.starts_with('/') {
        let message = format!(
            "ProxyPass: {:?} fits no URL, since it does not start with a slash",
            word.text
        );
        scope.warn(word.span, message, None);
    }
    Ok(ProxyFrom::Prefix(word.text.clone()))
}

/// A line that another hides, `!` above all: order decides.
fn warn_of_earlier(scope: &mut Scope, args: &Args, pass: &ProxyPass) {
    let ProxyFrom::Prefix(path) = &pass.from else {
        return;
    };
    let covers = |earlier: &&ProxyPass| match &earlier.from {
        ProxyFrom::Prefix(outer) => path
            .strip_prefix(outer.as_str())
            .is_some_and(|rest| rest.is_empty() || outer.ends_with('/') || rest.starts_with('/')),
        ProxyFrom::Match(_) => false,
    };
    let earlier = scope.server().proxy.passes.iter().find(covers);
    if let Some(earlier) = earlier.map(|earlier| earlier.origin.clone()) {
        let message = format!("ProxyPass: never reached, the one on {earlier} comes first");
        scope.warn(
            args.first().span,
            message,
            Some("exceptions stand before what they are exceptions of"),
        );
    }
}

fn target(
    scope: &mut Scope,
    args: &Args,
    from: &ProxyFrom,
    word: &Word,
    options: &[Word],
) -> Result<ProxyTarget, Problem> {
    let is_template = matches!(from, ProxyFrom::Match(_));
    let BackEndUrl {
        url,
        upgrades,
        had_no_path,
    } = proxy_url::parse(word, is_template)?;
    if let ProxyFrom::Prefix(path) = from {
        let joined = if path.ends_with('/') {
            // A slash was added to a URL without a path.
            !url.ends_with('/')
        } else {
            url.ends_with('/') && !had_no_path
        };
        if joined && path != "/" {
            let message = "ProxyPass: of the path and the URL one ends with a slash and the other does not; they are joined as they are";
            scope.warn(
                word.span,
                message,
                Some("end both with a slash, or neither"),
            );
        }
    }
    // The slash that follows a path without one at its end is in the rest of the request's.
    let url = match from {
        ProxyFrom::Prefix(path) if had_no_path && !path.ends_with('/') => {
            url.trim_end_matches('/').to_owned()
        }
        ProxyFrom::Match(_) if had_no_path => url.trim_end_matches('/').to_owned(),
        _ => url,
    };
    let mut target = ProxyTarget {
        url,
        raw: false,
        without_query: false,
        options: BackEndOptions::default(),
    };
    if upgrades {
        target.options.upgrade = Some("websocket".to_owned());
    }
    for option in options {
        match option.text.to_ascii_lowercase().as_str() {
            "nocanon" => target.raw = true,
            "noquery" => target.without_query = true,
            "interpolate" => return Err(Problem::not_yet(option)),
            _ => set_option(scope, args, &mut target.options, option)?,
        }
    }
    Ok(target)
}

/// One `key=value`.
fn set_option(
    scope: &mut Scope,
    args: &Args,
    options: &mut BackEndOptions,
    word: &Word,
) -> Result<(), Problem> {
    let Some((key, value)) = word.text.split_once('=') else {
        let message = format!("{:?} is neither key=value nor nocanon", word.text);
        return Err(Problem::at(word, message));
    };
    let seconds = |smallest| time(word, value, Duration::from_secs(1), smallest);
    match key.to_ascii_lowercase().as_str() {
        "timeout" => options.timeout = Some(seconds(1)?),
        "connectiontimeout" => options.connect_timeout = Some(seconds(1)?),
        "retry" => options.retry = Some(seconds(0)?),
        "ttl" => options.idle_max = Some(seconds(1)?),
        "acquire" => options.acquire = Some(time(word, value, Duration::from_millis(1), 1)?),
        "max" => {
            let max = value.parse().ok().filter(|max| *max > 0);
            let message = format!("{value:?} is not a number of connections");
            options.connections_max = Some(max.ok_or_else(|| Problem::at(word, message))?);
        }
        "disablereuse" => options.reuse = Some(!switch(word, value)?),
        "enablereuse" => options.reuse = Some(switch(word, value)?),
        "upgrade" => {
            if value.is_empty() || !value.chars().all(|c| c.is_ascii_graphic() && c != ',') {
                return Err(Problem::at(word, format!("{value:?} is no protocol")));
            }
            let protocol = value.to_ascii_lowercase();
            options.upgrade = (protocol != "none").then_some(protocol);
        }
        // Errors are ignored: the back end is tried each time.
        "status" if value.eq_ignore_ascii_case("+i") => options.retry = Some(Duration::ZERO),
        "status" | "route" | "redirect" | "loadfactor" | "lbset" | "lbmethod" | "stickysession"
        | "failonstatus" | "failontimeout" | "forcerecovery" | "growth" | "maxattempts"
        | "nofailover" | "scolonpathdelim" | "stickysessionsep" | "bnonce" | "mapping"
        | "secret" => {
            return Err(Problem::not_yet(word));
        }
        "keepalive" | "min" | "smax" | "ping" | "flushpackets" | "flushwait" | "iobuffersize"
        | "receivebuffersize" | "responsefieldsize" | "address_ttl" | "addressttl" => {
            let name = key.to_ascii_lowercase();
            scope.note(
                word.span,
                format!("{}: {name}= has no effect: connections and buffers are looked after as they are needed", args.name.text),
            );
        }
        _ => {
            let hint = "timeout, connectiontimeout, retry, max, acquire, ttl, disablereuse, enablereuse, upgrade";
            return Err(Problem::at(word, format!("there is no key {key:?}")).hint(hint));
        }
    }
    Ok(())
}

fn switch(word: &Word, value: &str) -> Result<bool, Problem> {
    match value.to_ascii_lowercase().as_str() {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(Problem::at(word, "must be On or Off")),
    }
}

/// A time in `unit`s, or with `ms` or `s`.
fn time(word: &Word, value: &str, unit: Duration, smallest: u64) -> Result<Duration, Problem> {
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match value[digits.len()..].to_ascii_lowercase().as_str() {
        "" => Some(unit),
        "s" => Some(Duration::from_secs(1)),
        "ms" => Some(Duration::from_millis(1)),
        _ => None,
    };
    let number = digits.parse::<u32>().ok();
    let number = number.filter(|number| u64::from(*number) >= smallest);
    let time = number
        .zip(unit)
        .and_then(|(number, unit)| unit.checked_mul(number));
    time.filter(|time| *time <= TIME_MAX).ok_or_else(|| {
        let message = format!("{value:?} is not a time (seconds, or a number with ms)");
        Problem::at(word, message)
    })
}

fn reverse(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let words = without_interpolate(args)?;
    let (from, url) = match (words, scope.location()) {
        ([url], Some(location)) => (location, url),
        ([from, url], None) => (from.text.clone(), url),
        ([first, _], Some(_)) => {
            let message = "takes no path in a <Location>";
            return Err(Problem::at(first, message).hint("the location says it"));
        }
        _ => return Err(Problem::new("takes a path and a URL")),
    };
    if url.text.contains(char::is_control) || from.contains(char::is_control) {
        return Err(Problem::at(url, "holds a control character"));
    }
    // Redirects know nothing of `ws`.
    let text = match url.text.strip_prefix("ws://") {
        Some(rest) => format!("http://{rest}"),
        None => match url.text.split_once('|') {
            Some((socket, rest)) if socket.starts_with("unix:") => rest.to_owned(),
            _ => url.text.clone(),
        },
    };
    scope.settings().proxy.reverse.push((from, text));
    Ok(())
}

/// The words without a trailing `interpolate`, which is not done.
fn without_interpolate<'w>(args: &Args<'w>) -> Result<&'w [Word], Problem> {
    match args.words {
        [.., last] if last.text.eq_ignore_ascii_case("interpolate") => Err(Problem::not_yet(last)),
        words => Ok(words),
    }
}

fn pair(args: &Args) -> Result<(String, String), Problem> {
    match without_interpolate(args)? {
        [from, to] => match to.text.contains(|c: char| c.is_control() || c == ';') {
            true => Err(Problem::at(to, "cannot stand in a cookie")),
            false => Ok((from.text.clone(), to.text.clone())),
        },
        _ => Err(Problem::new("takes two arguments")),
    }
}

fn cookie_domain(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let pair = pair(args)?;
    scope.settings().proxy.cookie_domains.push(pair);
    Ok(())
}

fn cookie_path(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let pair = pair(args)?;
    scope.settings().proxy.cookie_paths.push(pair);
    Ok(())
}

fn preserve_host(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().proxy.preserve_host = Some(args.flag()?);
    Ok(())
}

fn add_headers(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().proxy.add_headers = Some(args.flag()?);
    Ok(())
}

fn awaits_continue(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().proxy.awaits_continue = Some(args.flag()?);
    Ok(())
}

fn error_override(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let statuses = match (args.flag()?, &args.words[1..]) {
        (false, []) => Vec::new(),
        (false, [word, ..]) => return Err(Problem::at(word, "Off takes no statuses")),
        (true, []) => (400..=599).collect(),
        (true, words) => words
            .iter()
            .map(|word| {
                let status = word.text.parse().ok();
                let status = status.filter(|status| (400..=599).contains(status));
                let message = format!("{:?} is not a status from 400 to 599", word.text);
                status.ok_or_else(|| Problem::at(word, message))
            })
            .collect::<Result<_, _>>()?,
    };
    scope.settings().proxy.error_override = Some(statuses);
    Ok(())
}

fn timeout(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let timeout = args.duration(TIME_MAX)?;
    if timeout.is_zero() {
        return Err(Problem::at(args.first(), "must be at least a second"));
    }
    scope.server().proxy.timeout = Some(timeout);
    Ok(())
}

fn via(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let via = match args.text().to_ascii_lowercase().as_str() {
        "off" => ProxyVia::Off,
        "on" => ProxyVia::On,
        "full" => ProxyVia::Full,
        "block" => ProxyVia::Block,
        _ => return Err(Problem::at(args.first(), "must be Off, On, Full or Block")),
    };
    scope.server().proxy.via = Some(via);
    Ok(())
}

fn inherit(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.server().proxy.inherit = Some(args.flag()?);
    Ok(())
}

fn set(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let around = scope.sections.last().map(|section| section.pattern.clone());
    let (url, words) = match (around, args.words) {
        (Some(SectionPattern::Proxy(url)), words) => (url, words),
        (Some(pattern), _) if pattern.is_proxy() => {
            let message = "says nothing of a <Proxy> with wildcards: that is no single back end";
            return Err(Problem::new(message).hint("the URL of one back end"));
        }
        (_, [url, words @ ..]) => (proxy_url::parse(url, false)?.url, words),
        _ => return Err(Problem::new("takes a URL")),
    };
    let mut options = BackEndOptions::default();
    for word in words {
        set_option(scope, args, &mut options, word)?;
    }
    let known = scope.server().proxy.back_ends.iter_mut();
    match known.into_iter().find(|known| known.url == url) {
        Some(known) => known.options = options.over(&known.options),
        None => scope
            .server()
            .proxy
            .back_ends
            .push(BackEnd { url, options }),
    }
    Ok(())
}

fn requests(_: &mut Scope, args: &Args) -> Result<(), Problem> {
    if args.flag()? {
        let message = "On is not supported: this is no forward proxy";
        let hint = "Off; ProxyPass passes requests on to back ends of your own";
        return Err(Problem::at(args.first(), message).hint(hint));
    }
    Ok(())
}
