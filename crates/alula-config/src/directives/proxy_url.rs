//! URLs of back ends: which can be spoken to, and how they are written down.
//!
//! `ws://` becomes `http://` with an upgrade to `websocket`; a URL without a path gets one, so that nothing of a request is
//! ever appended to a host name.

use super::Problem;
use super::sections::check_regex;
use crate::glob;
use crate::site::SectionPattern;
use crate::syntax::lexer::Word;

/// A back end's URL, checked.
#[derive(Debug)]
pub(super) struct BackEndUrl {
    pub url: String,
    /// `ws://`.
    pub upgrades: bool,
    /// A path was missing.
    pub had_no_path: bool,
}

/// Takes a URL apart, in which there may be `$1` if it `is_template`.
pub(super) fn parse(word: &Word, is_template: bool) -> Result<BackEndUrl, Problem> {
    let text = word.text.as_str();
    let (socket, url) = match text.get(..5) {
        Some(start) if start.eq_ignore_ascii_case("unix:") => {
            let Some((socket, url)) = text[5..].split_once('|') else {
                let hint = "unix:/run/app.sock|http://localhost/";
                return Err(Problem::at(word, "names a socket and no URL").hint(hint));
            };
            if !socket.starts_with('/') || socket.contains('$') {
                let message = format!("{socket:?} is not the absolute path of a socket");
                return Err(Problem::at(word, message));
            }
            (Some(socket), url)
        }
        _ => (None, text),
    };
    let (scheme, rest) = scheme(word, url)?;
    let upgrades = match scheme.as_str() {
        "http" => false,
        "ws" => true,
        other => return Err(refused(word, other)),
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if !is_template || !authority.contains('$') {
        check_authority(word, authority)?;
    }
    if !is_template && path.contains(|c: char| c.is_control() || c == ' ' || c == '#') {
        let message = format!("{path:?} cannot stand in a URL");
        return Err(Problem::at(word, message).hint("percent-encode it"));
    }
    let socket = socket.map_or_else(String::new, |socket| format!("unix:{socket}|"));
    // `http://host$1`: what the group matched begins with the slash.
    let had_no_path = path.is_empty() && !authority.contains('$');
    let slash = if path.starts_with('/') || authority.contains('$') {
        ""
    } else {
        "/"
    };
    Ok(BackEndUrl {
        url: format!(
            "{socket}http://{}{slash}{path}",
            match authority.contains('$') {
                true => authority.to_owned(),
                false => authority.to_ascii_lowercase(),
            }
        ),
        upgrades,
        had_no_path,
    })
}

fn scheme<'u>(word: &Word, url: &'u str) -> Result<(String, &'u str), Problem> {
    let found = url.split_once("://").or_else(|| url.split_once(':'));
    let (scheme, rest) = found.ok_or_else(|| {
        let message = format!("{url:?} is not the URL of a back end");
        Problem::at(word, message).hint("http://localhost:8001/")
    })?;
    Ok((scheme.to_ascii_lowercase(), rest))
}

/// Why a back end cannot be spoken to.
fn refused(word: &Word, scheme: &str) -> Problem {
    match scheme {
        "https" | "wss" | "h2" => {
            let message =
                format!("{scheme}:// is not supported: back ends are spoken to without TLS");
            Problem::at(word, message).hint("http:// to a back end on this machine")
        }
        "h2c" => Problem::at(
            word,
            "h2c:// is not supported: back ends are spoken to in HTTP/1.1",
        )
        .hint("http://"),
        "balancer" => {
            let message = "balancer:// is not supported: a request is passed on to one back end";
            Problem::at(word, message).hint("http:// with the back end's address")
        }
        "fcgi" | "scgi" | "uwsgi" | "ajp" => {
            let message = format!("{scheme}:// is not supported: back ends speak HTTP");
            Problem::at(word, message)
                .hint("WSGIScriptAlias runs a Python application in Alula itself")
        }
        "ftp" => Problem::at(word, "ftp:// is not supported: back ends speak HTTP"),
        _ => {
            let message = format!("{:?} is not the URL of a back end", word.text);
            Problem::at(word, message).hint("http://localhost:8001/")
        }
    }
}

fn check_authority(word: &Word, authority: &str) -> Result<(), Problem> {
    let wrong = |fact: &str| Err(Problem::at(word, format!("{authority:?} {fact}")));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if authority.contains('@') {
        return wrong("has a user in it; RequestHeader set Authorization says who asks");
    }
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let colons = host.contains([':', '[', ']']);
    if host.is_empty() || !host.chars().all(is_host) || (colons && bare.is_none()) {
        return wrong("is not a host");
    }
    if let Some(port) = port
        && !port.parse::<u16>().is_ok_and(|port| port > 0)
    {
        return wrong("has no port number after the colon");
    }
    Ok(())
}

/// What a `<Proxy>` is for.
pub(super) fn section(word: &Word) -> Result<SectionPattern, Problem> {
    let text = &word.text;
    if glob::is_pattern(text) && !text.contains("://[") {
        return Ok(SectionPattern::ProxyGlob(text.clone()));
    }
    if text.starts_with('^') {
        check_regex(word)?;
        let hint = format!("<ProxyMatch {text:?}>");
        return Err(Problem::at(word, "a URL does not start with ^").hint(hint));
    }
    Ok(SectionPattern::Proxy(parse(word, false)?.url))
}

/// Whether what a rule's `[P]` makes can be spoken to, as far as its text says.
pub(super) fn check_rule(word: &Word, start: &str) -> Result<(), Problem> {
    // Without a scheme it is a URL of this very server.
    if start.starts_with('/') || !start.contains(':') {
        return Ok(());
    }
    let url = match start.split_once('|') {
        Some((socket, url)) if socket.starts_with("unix:") => url,
        _ if start.starts_with("unix:") => return Ok(()),
        _ => start,
    };
    match scheme(word, url)?.0.as_str() {
        "http" | "ws" => Ok(()),
        other => Err(refused(word, other)),
    }
}
