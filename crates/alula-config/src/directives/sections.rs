//! Sections: what their first line says.
//!
//! `~` as first argument of `<Directory>`, `<Files>` and `<Location>` turns the second into a regular expression.

use super::expressions::condition;
use super::{Args, Contexts, Problem, Scope, SectionEntry, SectionKind, proxy_url};
use crate::diagnostic::Severity;
use crate::expression::Condition;
use crate::glob;
use crate::pattern::{Pattern, PatternError};
use crate::site::draft::ServerDraft;
use crate::site::{DirectorySettings, Section, SectionPattern, VirtualHostAddress};
use crate::syntax::lexer::Word;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const FILES_CONTEXTS: Contexts = Contexts::SERVERS
    .and(Contexts::DIRECTORY)
    .and(Contexts::FILES);

#[rustfmt::skip]
pub(super) const ENTRIES: &[SectionEntry] = &[
    SectionEntry {
        name: "VirtualHost", syntax: "address[:port] ...", contexts: Contexts::SERVER, kind: SectionKind::VirtualHost,
        doc: "A server with a name of its own. Of the sections for the address a request arrived at, the first whose \
              `ServerName` or `ServerAlias` fits answers, else the first. `*` stands for any address or port.",
    },
    SectionEntry {
        name: "Directory", syntax: "path | ~ regex", contexts: Contexts::SERVERS, kind: SectionKind::Directory,
        doc: "Settings for files in a directory and below. The path is absolute; `*`, `?` and `[...]` do not cross `/`.",
    },
    SectionEntry {
        name: "DirectoryMatch", syntax: "regex", contexts: Contexts::SERVERS, kind: SectionKind::DirectoryMatch,
        doc: "Settings for files in whose path a regular expression is found; a directory's path ends with a slash. What a group with a \
              name, `(?<name>...)`, finds is the variable `MATCH_NAME`.",
    },
    SectionEntry {
        name: "Files", syntax: "name | ~ regex", contexts: FILES_CONTEXTS, kind: SectionKind::Files,
        doc: "Settings for files by their base name; `*`, `?` and `[...]` are wildcards.",
    },
    SectionEntry {
        name: "FilesMatch", syntax: "regex", contexts: FILES_CONTEXTS, kind: SectionKind::FilesMatch,
        doc: "Settings for files whose base name fits a regular expression. What a group with a name finds is a variable, as for \
              `<DirectoryMatch>`.",
    },
    SectionEntry {
        name: "Location", syntax: "path | ~ regex", contexts: Contexts::SERVERS, kind: SectionKind::Location,
        doc: "Settings for a URL path and everything below. `/a` fits `/a` and `/a/b`, not `/ab`; `/a/` does not fit `/a`.",
    },
    SectionEntry {
        name: "LocationMatch", syntax: "regex", contexts: Contexts::SERVERS, kind: SectionKind::LocationMatch,
        doc: "Settings for URL paths in which a regular expression is found. What a group with a name finds is a variable, as for \
              `<DirectoryMatch>`.",
    },
    SectionEntry {
        name: "Proxy", syntax: "URL | ~ regex", contexts: Contexts::SERVERS, kind: SectionKind::Proxy,
        doc: "Settings for requests that are passed on to back ends whose URL starts with this; `*`, `?` and `[...]` are wildcards for the \
              whole URL, and `<Proxy *>` means all. They come before those of `<Location>`.",
    },
    SectionEntry {
        name: "ProxyMatch", syntax: "regex", contexts: Contexts::SERVERS, kind: SectionKind::ProxyMatch,
        doc: "Settings for requests that are passed on to URLs in which a regular expression is found.",
    },
    SectionEntry {
        name: "If", syntax: "\"expression\"", contexts: Contexts::EVERYWHERE, kind: SectionKind::If,
        doc: "Settings for requests for which an expression is true. They come after those of all other sections. Inside `<Directory>`, `<Files>` or \
              `<Location>` they are for its requests only.",
    },
    SectionEntry {
        name: "ElseIf", syntax: "\"expression\"", contexts: Contexts::EVERYWHERE, kind: SectionKind::ElseIf,
        doc: "Settings for requests for which the `<If>` and `<ElseIf>` sections before it did not count, and for which an expression is true.",
    },
    SectionEntry {
        name: "Else", syntax: "", contexts: Contexts::EVERYWHERE, kind: SectionKind::Else,
        doc: "Settings for requests for which the `<If>` and `<ElseIf>` sections before it did not count.",
    },
    SectionEntry {
        name: "RequireAll", syntax: "", contexts: Contexts::SECTIONS, kind: SectionKind::RequireAll,
        doc: "`Require` lines that must all let a client pass. `Require not` lines refuse; at least one other must let pass.",
    },
    SectionEntry {
        name: "RequireAny", syntax: "", contexts: Contexts::SECTIONS, kind: SectionKind::RequireAny,
        doc: "`Require` lines of which one must let a client pass.",
    },
    SectionEntry {
        name: "RequireNone", syntax: "", contexts: Contexts::SECTIONS, kind: SectionKind::RequireNone,
        doc: "`Require` lines of which none may fit. It only refuses, so it stands inside `<RequireAll>`.",
    },
    SectionEntry {
        name: "Limit", syntax: "method ...", contexts: Contexts::SECTIONS, kind: SectionKind::Limit,
        doc: "`Require`, `Order`, `Allow` and `Deny` lines that count for some methods only; other directives inside count for all. `GET` means \
              `HEAD` as well. A method not listed is not restricted: `<LimitExcept>` is commonly what is meant.",
    },
    SectionEntry {
        name: "LimitExcept", syntax: "method ...", contexts: Contexts::SECTIONS, kind: SectionKind::LimitExcept,
        doc: "`Require`, `Order`, `Allow` and `Deny` lines that count for all methods but these; other directives inside count for all.",
    },
    SectionEntry {
        name: "IfModule", syntax: "[!]name", contexts: Contexts::EVERYWHERE, kind: SectionKind::Condition,
        doc: "Lines that count only if a module is there (`mod_x.c` or `x_module`): what Alula does itself, and what a `LoadModule` \
              named. Of `mod_python.c` and `mod_wsgi.c`, without a `LoadModule`, the one whose directives the configuration uses.",
    },
    SectionEntry {
        name: "IfDefine", syntax: "[!]name", contexts: Contexts::EVERYWHERE, kind: SectionKind::Condition,
        doc: "Lines that count only if a name was given with `Define` or `-D`.",
    },
    SectionEntry {
        name: "IfVersion", syntax: "[[!]operator] version", contexts: Contexts::EVERYWHERE, kind: SectionKind::Condition,
        doc: "Lines that count only for some versions of httpd; Alula says it is 2.4.71.",
    },
    SectionEntry {
        name: "IfFile", syntax: "[!]path", contexts: Contexts::EVERYWHERE, kind: SectionKind::Condition,
        doc: "Lines that count only if a file exists.",
    },
    SectionEntry {
        name: "IfDirective", syntax: "[!]name", contexts: Contexts::EVERYWHERE, kind: SectionKind::Condition,
        doc: "Lines that count only if a directive is supported.",
    },
    SectionEntry {
        name: "IfSection", syntax: "[!]name", contexts: Contexts::EVERYWHERE, kind: SectionKind::Condition,
        doc: "Lines that count only if a section is supported.",
    },
    SectionEntry {
        name: "Macro", syntax: "name parameter ...", contexts: Contexts::EVERYWHERE, kind: SectionKind::Condition,
        doc: "Lines for `Use` to read, as often as wanted: each parameter in them, commonly written `$name`, is replaced by a value, also within \
              words. Names of macros are case-insensitive, parameters are not.",
    },
];

/// Makes the section that directives inside will fill.
pub(super) fn open(scope: &Scope, entry: &SectionEntry, args: &Args) -> Result<Section, Problem> {
    if let SectionKind::If | SectionKind::ElseIf | SectionKind::Else = entry.kind {
        let pattern = conditional(scope, entry.kind, args)?;
        return Ok(section(scope, args, pattern));
    }
    let (regex, word) = match args.words {
        [word] => (false, word),
        [tilde, word] if tilde.text == "~" => (true, word),
        [] => return Err(Problem::new("requires additional arguments")),
        _ => {
            let hint = "put a path with blanks in quotes";
            return Err(Problem::new("takes one argument").hint(hint));
        }
    };
    let text = word.text.clone();
    let glob = glob::is_pattern(&text);
    let pattern = match (entry.kind, regex) {
        (SectionKind::Directory, false) => directory(word)?,
        (SectionKind::Files, false) if glob => SectionPattern::FilesGlob(text),
        (SectionKind::Files, false) => SectionPattern::Files(text),
        (SectionKind::Location, false) if glob => SectionPattern::LocationGlob(text),
        (SectionKind::Location, false) => SectionPattern::Location(text),
        (SectionKind::Proxy, false) => proxy_url::section(word)?,
        (kind, _) => {
            check_regex(word)?;
            match kind {
                SectionKind::Directory | SectionKind::DirectoryMatch => {
                    SectionPattern::DirectoryMatch(text)
                }
                SectionKind::Files | SectionKind::FilesMatch => SectionPattern::FilesMatch(text),
                SectionKind::Proxy | SectionKind::ProxyMatch => SectionPattern::ProxyMatch(text),
                _ => SectionPattern::LocationMatch(text),
            }
        }
    };
    Ok(section(scope, args, pattern))
}

/// A section whose first line is wrong, so that its inside can still be checked.
pub(super) fn stand_in(scope: &Scope, entry: &SectionEntry, args: &Args) -> Section {
    let pattern = match entry.kind {
        SectionKind::Directory | SectionKind::DirectoryMatch => {
            SectionPattern::Directory("/".into())
        }
        SectionKind::Files | SectionKind::FilesMatch => SectionPattern::Files(String::new()),
        SectionKind::Proxy | SectionKind::ProxyMatch => SectionPattern::ProxyGlob("*".into()),
        SectionKind::If | SectionKind::ElseIf | SectionKind::Else => SectionPattern::If {
            condition: Some(Condition::Constant(false)),
            unless: Vec::new(),
        },
        _ => SectionPattern::Location("/".into()),
    };
    section(scope, args, pattern)
}

fn section(scope: &Scope, args: &Args, pattern: SectionPattern) -> Section {
    Section {
        pattern,
        settings: DirectorySettings::default(),
        inner: Vec::new(),
        origin: scope.origin(args.name.span),
    }
}

fn directory(word: &Word) -> Result<SectionPattern, Problem> {
    if !word.text.starts_with('/') {
        return Err(Problem::at(
            word,
            format!("path {:?} is not absolute", word.text),
        ));
    }
    let parts: Vec<&str> = word
        .text
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if parts.contains(&"..") {
        return Err(Problem::at(word, "path holds \"..\""));
    }
    let path = format!("/{}", parts.join("/"));
    Ok(if glob::is_pattern(&path) {
        SectionPattern::DirectoryGlob(path)
    } else {
        SectionPattern::Directory(path)
    })
}

/// `<If>`, `<ElseIf>` and `<Else>`: the latter two know what must not hold before them.
fn conditional(scope: &Scope, kind: SectionKind, args: &Args) -> Result<SectionPattern, Problem> {
    let condition = match (kind, args.words) {
        (SectionKind::Else, []) => None,
        (SectionKind::Else, [word, ..]) => return Err(Problem::at(word, "takes no arguments")),
        (_, [word]) => Some(condition(word)?),
        (_, []) => return Err(Problem::new("requires additional arguments")),
        _ => {
            let hint = "put the whole expression in quotes";
            return Err(Problem::new("takes one argument").hint(hint));
        }
    };
    if kind == SectionKind::If {
        return Ok(SectionPattern::If {
            condition,
            unless: Vec::new(),
        });
    }
    let before = match scope.sections.last() {
        Some(around) => &around.inner,
        None => &scope.draft.servers[scope.server].sections,
    };
    let before = before
        .iter()
        .rev()
        .find_map(|section| match &section.pattern {
            SectionPattern::If { condition, unless } => Some((condition, unless)),
            _ => None,
        });
    match before {
        Some((Some(before), unless)) => Ok(SectionPattern::If {
            condition,
            unless: unless.iter().chain([before]).cloned().collect(),
        }),
        _ => Err(Problem::new(
            "stands after no <If> or <ElseIf> in the same section",
        )),
    }
}

pub(super) fn check_regex(word: &Word) -> Result<(), Problem> {
    let compiled = Pattern::new(&word.text);
    compiled
        .map(drop)
        .map_err(|error| wrong_regex(word, &error))
}

pub(super) fn wrong_regex(word: &Word, error: &PatternError) -> Problem {
    Problem::at(word, format!("regular expression {:?}: {error}", word.text))
}

/// Starts a virtual host; directives go to it until the walker leaves the section.
pub(super) fn open_virtual_host(scope: &mut Scope, args: &Args) {
    let mut server = ServerDraft::new(Some(args.name.span));
    if args.words.is_empty() {
        let message = "<VirtualHost> requires additional arguments".to_owned();
        scope.draft.report(
            Severity::Error,
            args.name.span,
            message,
            Some("<VirtualHost *:80>"),
        );
    }
    for word in args.words {
        match address(&word.text) {
            Address::Known(address) => server.addresses.push(address),
            Address::Name(name, port) => {
                let found = scope.draft.files.addresses(&name);
                if found.is_empty() {
                    let message =
                        format!("<VirtualHost>: the host {name:?} has no address, it is ignored");
                    let hint = "write * or an IP address; ServerName holds the name";
                    scope.warn(word.span, message, Some(hint));
                }
                let address = |ip| VirtualHostAddress { ip: Some(ip), port };
                server.addresses.extend(found.into_iter().map(address));
            }
            Address::Wrong(fact) => {
                let message = format!("<VirtualHost>: {:?} {fact}", word.text);
                scope
                    .draft
                    .report(Severity::Error, word.span, message, None);
            }
        }
    }
    scope.draft.servers.push(server);
    scope.server = scope.draft.servers.len() - 1;
}

#[derive(Debug, PartialEq)]
enum Address {
    Known(VirtualHostAddress),
    Name(String, Option<u16>),
    Wrong(&'static str),
}

fn address(text: &str) -> Address {
    if let Ok(ip) = text.parse::<Ipv6Addr>() {
        return Address::Known(VirtualHostAddress {
            ip: Some(ip.into()),
            port: None,
        });
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (text, "*"),
    };
    let port = match port {
        "*" => None,
        number => match number.parse() {
            Ok(number) => Some(number),
            Err(_) => return Address::Wrong("has no port number after the colon"),
        },
    };
    let bracketed = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let ip: Option<IpAddr> = match bracketed {
        Some(inner) => match inner.parse::<Ipv6Addr>() {
            Ok(ip) => Some(ip.into()),
            Err(_) => return Address::Wrong("is not an IPv6 address in brackets"),
        },
        None if host == "*" || host.eq_ignore_ascii_case("_default_") => None,
        None if host.eq_ignore_ascii_case("localhost") => Some(Ipv4Addr::LOCALHOST.into()),
        None => match host.parse::<Ipv4Addr>() {
            Ok(ip) if ip.is_unspecified() => None,
            Ok(ip) => Some(ip.into()),
            Err(_) if host.is_empty() => return Address::Wrong("has no address before the colon"),
            Err(_) => return Address::Name(host.to_owned(), port),
        },
    };
    Address::Known(VirtualHostAddress { ip, port })
}

#[cfg(test)]
mod tests {
    use super::{Address, address};

    #[test]
    fn addresses_of_virtual_hosts() {
        for (text, expected) in [
            ("*", "*:*"),
            ("*:80", "*:80"),
            ("_default_:443", "*:443"),
            ("127.0.0.1:8000", "127.0.0.1:8000"),
            ("[::1]:80", "[::1]:80"),
            ("::1", "[::1]:*"),
            ("localhost:80", "127.0.0.1:80"),
        ] {
            match address(text) {
                Address::Known(address) => assert_eq!(address.to_string(), expected),
                other => panic!("{text}: {other:?}"),
            }
        }
        assert_eq!(
            address("www.example.com:80"),
            Address::Name("www.example.com".into(), Some(80))
        );
        assert!(matches!(address("*:http"), Address::Wrong(_)));
        assert!(matches!(address(":80"), Address::Wrong(_)));
    }
}
