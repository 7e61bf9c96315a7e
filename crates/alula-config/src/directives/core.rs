//! The server itself: names, addresses, roots, identity.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::load::Files;
use crate::site::EncodedSlashes;
use crate::syntax::lexer::Word;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "ServerRoot", args: Arity::exactly(1), syntax: "directory", contexts: Contexts::SERVER,
        default: "the configuration file's folder", apply: Apply::Run(server_root),
        doc: "The directory that relative paths start at.",
    },
    Entry {
        name: "ServerName", args: Arity::exactly(1), syntax: "[scheme://]host[:port]", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(server_name),
        doc: "The name of a server. The port does not take part in choosing a virtual host.",
    },
    Entry {
        name: "ServerAlias", args: Arity::at_least(1), syntax: "host ...", contexts: Contexts::VIRTUAL_HOST,
        default: "", apply: Apply::Run(server_alias),
        doc: "More names of a virtual host; `*` and `?` are wildcards.",
    },
    Entry {
        name: "ServerAdmin", args: Arity::exactly(1), syntax: "address", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(server_admin),
        doc: "Whom to write to; applications see it as `SERVER_ADMIN`.",
    },
    Entry {
        name: "Listen", args: Arity::between(1, 2), syntax: "[address:]port [protocol]", contexts: Contexts::SERVER,
        default: "the ports of the virtual hosts, else 8080", apply: Apply::Run(listen),
        doc: "An address and port to listen on. A port alone means every IPv4 address; an IPv6 address stands in brackets. \
              Whether it is HTTPS says `SSLEngine` alone; the protocol is for the reader.",
    },
    Entry {
        name: "User", args: Arity::exactly(1), syntax: "name | #number", contexts: Contexts::SERVER,
        default: "", apply: Apply::Run(user),
        doc: "Whom the workers run as, when the server is started as root.",
    },
    Entry {
        name: "Group", args: Arity::exactly(1), syntax: "name | #number", contexts: Contexts::SERVER,
        default: "", apply: Apply::Run(group),
        doc: "The group the workers run as, when the server is started as root.",
    },
    Entry {
        name: "PidFile", args: Arity::exactly(1), syntax: "file", contexts: Contexts::SERVER,
        default: "alula.pid", apply: Apply::Run(pid_file),
        doc: "The file that holds the process id of the running server.",
    },
    Entry {
        name: "DocumentRoot", args: Arity::exactly(1), syntax: "directory", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(document_root),
        doc: "The directory that URLs without an alias or handler are looked up in. It must exist.",
    },
    Entry {
        name: "NameVirtualHost", args: Arity::exactly(1), syntax: "address[:port]", contexts: Contexts::SERVER,
        default: "", apply: Apply::Ignored("every address with a <VirtualHost> is named since httpd 2.4; the line can go"),
        doc: "2.2's way to say that virtual hosts share an address.",
    },
    Entry {
        name: "HostnameLookups", args: Arity::exactly(1), syntax: "On | Off | Double", contexts: Contexts::EVERYWHERE,
        default: "Off", apply: Apply::Run(hostname_lookups),
        doc: "Whether clients' names are looked up. Alula never does.",
    },
    Entry {
        name: "ServerTokens", args: Arity::exactly(1), syntax: "Full | OS | Minimal | Minor | Major | Prod",
        contexts: Contexts::SERVER, default: "", apply: Apply::Ignored("the Server header never says more than the name"),
        doc: "How much the Server header tells.",
    },
    Entry {
        name: "ServerSignature", args: Arity::exactly(1), syntax: "On | Off | EMail", contexts: Contexts::EVERYWHERE,
        default: "Off", apply: Apply::Ignored("pages made by the server have no footer"),
        doc: "A footer on pages made by the server.",
    },
    Entry {
        name: "AllowEncodedSlashes", args: Arity::exactly(1), syntax: "On | Off | NoDecode", contexts: Contexts::SERVERS,
        default: "Off", apply: Apply::Run(allow_encoded_slashes),
        doc: "What becomes of `%2F` in a path: with `Off` there is no file of such a name (404), with `On` it is a slash like others, with `NoDecode` \
              it stays `%2F`. To applications in a `<Location>` it is a slash also with `Off`.",
    },
    Entry {
        name: "HttpProtocolOptions", args: Arity::between(1, 3), syntax: "Strict LenientMethods Require1.0", contexts: Contexts::SERVERS,
        default: "Strict LenientMethods", apply: Apply::Run(http_protocol_options),
        doc: "How HTTP is read: strictly, any method is for the handler to judge, and HTTP/0.9 is not spoken.",
    },
    Entry {
        name: "Port", args: Arity::ANY, syntax: "number", contexts: Contexts::SERVER,
        default: "", apply: Apply::Run(port),
        doc: "Refused: `Listen` has taken its place since Apache 2.0.",
    },
    Entry {
        name: "Mutex", args: Arity::at_least(1), syntax: "mechanism [name ...]", contexts: Contexts::SERVER,
        default: "", apply: Apply::Ignored("workers need no such lock"),
        doc: "How httpd's processes lock one another out.",
    },
];

fn allow_encoded_slashes(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let slashes = match args.text().to_ascii_lowercase().as_str() {
        "off" => EncodedSlashes::Off,
        "on" => EncodedSlashes::Decode,
        "nodecode" => EncodedSlashes::Keep,
        _ => return Err(Problem::at(args.first(), "must be On, Off or NoDecode")),
    };
    scope.server().encoded_slashes = Some(slashes);
    Ok(())
}

fn http_protocol_options(_: &mut Scope, args: &Args) -> Result<(), Problem> {
    for word in args.words {
        match word.text.to_ascii_lowercase().as_str() {
            "strict" | "lenientmethods" | "require1.0" | "allow0.9" => {}
            "unsafe" | "registeredmethods" => return Err(Problem::not_yet(word)),
            _ => {
                let message = format!("{:?} is no option of HttpProtocolOptions", word.text);
                return Err(Problem::at(word, message).hint("Strict LenientMethods Require1.0"));
            }
        }
    }
    Ok(())
}

fn port(_: &mut Scope, _: &Args) -> Result<(), Problem> {
    Err(Problem::new("was replaced by Listen in Apache 2.0").hint("Listen 80"))
}

fn server_root(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let root = scope.draft.server_root.clone();
    if scope.draft.files.is_dir(&root) {
        return Ok(());
    }
    Err(Problem::at(
        args.first(),
        format!("no such directory {root:?}"),
    ))
}

fn server_name(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let word = args.first();
    let (scheme, rest) = match word.text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
        None => (None, word.text.as_str()),
    };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    if host.is_empty() || host.contains(['/', ' ', '"']) {
        let message = format!("{:?} is not a host name", word.text);
        return Err(Problem::at(word, message).hint("ServerName www.example.com, without a path"));
    }
    let port = match port.map(str::parse::<u16>) {
        None => None,
        Some(Ok(port)) if port > 0 => Some(port),
        Some(_) => return Err(Problem::at(word, "has no port number after the colon")),
    };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let server = scope.server();
    server.server_name = Some(host);
    server.port = port;
    server.scheme = scheme;
    Ok(())
}

fn server_alias(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let names = args
        .words
        .iter()
        .map(|word| word.text.trim_end_matches('.').to_ascii_lowercase());
    scope.server().aliases.extend(names);
    Ok(())
}

fn server_admin(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.server().server_admin = Some(args.text());
    Ok(())
}

fn listen(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let word = args.first();
    if let Some(protocol) = args
        .words
        .get(1)
        .filter(|word| !["http", "https"].contains(&word.text.to_ascii_lowercase().as_str()))
    {
        return Err(Problem::not_yet(protocol));
    }
    let address = listen_address(scope.draft.files, word)?;
    let earlier = scope
        .draft
        .listeners
        .iter()
        .find(|(known, _)| *known == address);
    if let Some((_, span)) = earlier {
        let origin = scope.origin(*span);
        let message = format!("{address} is listened on already, see {origin}");
        return Err(Problem::at(word, message));
    }
    scope.draft.listeners.push((address, args.name.span));
    Ok(())
}

fn listen_address(files: &dyn Files, word: &Word) -> Result<SocketAddr, Problem> {
    let text = &word.text;
    let (host, port) = text.rsplit_once(':').unwrap_or(("*", text));
    let wrong = |fact: &str| Err(Problem::at(word, format!("{text:?} {fact}")));
    let port = match port.parse::<u16>() {
        Ok(port) if port > 0 => port,
        _ => return wrong("does not end in a port number from 1 to 65535"),
    };
    let ip: IpAddr = match host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(inner) => match inner.parse() {
            Ok(IpAddr::V6(ip)) => ip.into(),
            _ => return wrong("is not an IPv6 address in brackets"),
        },
        None if host == "*" => Ipv4Addr::UNSPECIFIED.into(),
        None if host.eq_ignore_ascii_case("localhost") => Ipv4Addr::LOCALHOST.into(),
        None => match host.parse::<Ipv4Addr>() {
            Ok(ip) => ip.into(),
            Err(_) if host.contains(':') => {
                return wrong(
                    "does not start with an IP address (an IPv6 address stands in brackets)",
                );
            }
            Err(_) => match files.addresses(host).first() {
                Some(ip) => *ip,
                None => return wrong("begins with a host name that has no address"),
            },
        },
    };
    Ok(SocketAddr::new(ip, port))
}

fn user(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.draft.user = Some(identity(args)?);
    Ok(())
}

fn group(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.draft.group = Some(identity(args)?);
    Ok(())
}

fn identity(args: &Args) -> Result<String, Problem> {
    let text = args.text();
    let numeric = text
        .strip_prefix('#')
        .is_none_or(|number| number.parse::<u32>().is_ok());
    if text.is_empty() || !numeric {
        return Err(Problem::at(
            args.first(),
            format!("{text:?} is neither a name nor # and a number"),
        ));
    }
    Ok(text)
}

fn pid_file(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.draft.pid_file = Some(scope.path(args.first()));
    Ok(())
}

fn document_root(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let word = args.first();
    let path = scope.path(word);
    if scope.draft.options.check_document_roots && !scope.draft.files.is_dir(&path) {
        return Err(Problem::at(
            word,
            format!("{path:?} is not a directory, or is not readable"),
        ));
    }
    // Components drop a trailing slash and single dots.
    scope.server().document_root = Some(path.components().collect());
    Ok(())
}

fn hostname_lookups(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    match args.text().to_ascii_lowercase().as_str() {
        "off" => {}
        "on" | "double" => {
            let message = "HostnameLookups has no effect: logs and applications get addresses, names are never looked up";
            scope.note(args.name.span, message);
        }
        _ => return Err(Problem::at(args.first(), "must be On, Off or Double")),
    }
    Ok(())
}
