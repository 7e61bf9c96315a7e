//! mod_remoteip's directives: the client's address by the word of a proxy.

use super::network::network;
use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::KnownProxy;
use crate::syntax::lexer::Word;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "RemoteIPHeader", args: Arity::exactly(1), syntax: "name", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(header),
        doc: "The header in which a proxy says who a request comes from, `X-Forwarded-For` or the like. Read from the right, as long as whoever \
              wrote it is to be believed; what was believed is taken out. `Require ip`, `REMOTE_ADDR` and `%a` go by the address found, `%{c}a` is \
              the connection's own.",
    },
    Entry {
        name: "RemoteIPInternalProxy", args: Arity::at_least(1), syntax: "address ...", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(internal_proxy),
        doc: "Proxies of one's own, which may name private addresses too. Without this and `RemoteIPTrustedProxy` everybody is believed.",
    },
    Entry {
        name: "RemoteIPInternalProxyList", args: Arity::exactly(1), syntax: "file", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(internal_list),
        doc: "A file with addresses for `RemoteIPInternalProxy`, `#` beginning a comment.",
    },
    Entry {
        name: "RemoteIPTrustedProxy", args: Arity::at_least(1), syntax: "address ...", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(trusted_proxy),
        doc: "Proxies of others that are believed, but not when they name private addresses.",
    },
    Entry {
        name: "RemoteIPTrustedProxyList", args: Arity::exactly(1), syntax: "file", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(trusted_list),
        doc: "A file with addresses for `RemoteIPTrustedProxy`, `#` beginning a comment.",
    },
    Entry {
        name: "RemoteIPProxiesHeader", args: Arity::exactly(1), syntax: "name", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(proxies_header),
        doc: "A header for applications, with the addresses of the proxies that were believed, internal ones left out.",
    },
    Entry {
        name: "RemoteIPProxyProtocol", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::SERVERS,
        default: "Off", apply: Apply::Run(protocol),
        doc: "Whether connections begin with the PROXY protocol (version 1 or 2); one that does not is closed. All virtual hosts of one address \
              and port share the answer of the first of them.",
    },
    Entry {
        name: "RemoteIPProxyProtocolExceptions", args: Arity::at_least(1), syntax: "address ...", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(exceptions),
        doc: "Where connections come from that do not begin with the PROXY protocol.",
    },
];

fn header(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.server().remote_ip.header = Some((name(args)?, args.name.span));
    Ok(())
}

fn proxies_header(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.server().remote_ip.proxies_header = Some(name(args)?);
    Ok(())
}

fn name(args: &Args) -> Result<String, Problem> {
    let text = args.text();
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if text.is_empty() || !text.chars().all(is_token) {
        let message = format!("{text:?} is not the name of a header");
        return Err(Problem::at(args.first(), message));
    }
    Ok(text)
}

fn internal_proxy(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    add(scope, args.words, true)
}

fn trusted_proxy(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    add(scope, args.words, false)
}

fn add(scope: &mut Scope, words: &[Word], internal: bool) -> Result<(), Problem> {
    for word in words {
        let network = network(word)?;
        let proxies = &mut scope.server().remote_ip.proxies;
        proxies.push(KnownProxy { network, internal });
    }
    Ok(())
}

fn internal_list(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    add_list(scope, args, true)
}

fn trusted_list(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    add_list(scope, args, false)
}

fn add_list(scope: &mut Scope, args: &Args, internal: bool) -> Result<(), Problem> {
    let word = args.first();
    let path = scope.path(word);
    let read = scope.draft.files.read(&path);
    let text = read.map_err(|error| Problem::at(word, format!("cannot read {path:?}: {error}")))?;
    for (number, line) in (1..).zip(String::from_utf8_lossy(&text).lines()) {
        let line = line.split('#').next().unwrap_or_default();
        for address in line.split_whitespace() {
            let listed = Word {
                text: address.to_owned(),
                ..word.clone()
            };
            let network = network(&listed).map_err(|problem| {
                let message = format!("{}:{number}: {}", path.display(), problem.message);
                Problem::at(word, message)
            })?;
            let proxies = &mut scope.server().remote_ip.proxies;
            proxies.push(KnownProxy { network, internal });
        }
    }
    Ok(())
}

fn protocol(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.server().remote_ip.proxy_protocol = Some(args.flag()?);
    Ok(())
}

fn exceptions(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    for word in args.words {
        let network = network(word)?;
        scope.server().remote_ip.exceptions.push(network);
    }
    Ok(())
}
