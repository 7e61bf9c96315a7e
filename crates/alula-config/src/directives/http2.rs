//! `Protocols` and mod_http2's directives: which versions of HTTP a server speaks, and the limits of the second.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::Protocol;
use std::ops::RangeInclusive;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "Protocols", args: Arity::at_least(1), syntax: "protocol ...", contexts: Contexts::SERVERS,
        default: "http/1.1", apply: Apply::Run(protocols),
        doc: "Which of `h2` (HTTP/2 over TLS), `h2c` (HTTP/2 without) and `http/1.1` a server speaks, the preferred one first. `http/1.1` always \
              works. Without TLS a client has to start with HTTP/2 at once: the `Upgrade: h2c` of HTTP/1.1 is obsolete (RFC 9113) and passed over.",
    },
    Entry {
        name: "ProtocolsHonorOrder", args: Arity::exactly(1), syntax: "On", contexts: Contexts::SERVERS,
        default: "On", apply: Apply::Fixed("On"),
        doc: "The order of `Protocols` counts, not the client's.",
    },
    Entry {
        name: "H2Direct", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::SERVERS,
        default: "On", apply: Apply::Run(direct),
        doc: "Whether a client may start with HTTP/2 on a connection without TLS, where `Protocols` has `h2c`.",
    },
    Entry {
        name: "H2MaxSessionStreams", args: Arity::exactly(1), syntax: "number", contexts: Contexts::SERVERS,
        default: "100", apply: Apply::Run(streams),
        doc: "How many requests may be under way on one HTTP/2 connection.",
    },
    Entry {
        name: "H2WindowSize", args: Arity::exactly(1), syntax: "bytes", contexts: Contexts::SERVERS,
        default: "65535", apply: Apply::Run(window),
        doc: "How much content a client may send ahead on one request.",
    },
    Entry {
        name: "H2MaxHeaderBlockLen", args: Arity::exactly(1), syntax: "bytes", contexts: Contexts::SERVERS,
        default: "65536", apply: Apply::Run(head),
        doc: "How long a request's head may be, decoded; a longer one is answered 431.",
    },
    Entry {
        name: "H2MaxDataFrameLen", args: Arity::exactly(1), syntax: "bytes", contexts: Contexts::SERVERS,
        default: "16384", apply: Apply::Run(frame),
        doc: "The longest frame a client may send.",
    },
    Entry {
        name: "H2MaxStreamErrors", args: Arity::exactly(1), syntax: "number", contexts: Contexts::SERVERS,
        default: "8", apply: Apply::Run(stream_errors),
        doc: "How many broken requests an HTTP/2 connection may carry before it is closed.",
    },
];

fn protocols(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let mut list = Vec::new();
    for word in args.words {
        let protocol = match word.text.to_ascii_lowercase().as_str() {
            "h2" => Protocol::H2,
            "h2c" => Protocol::H2c,
            "http/1.1" => Protocol::Http1,
            _ => {
                let message = format!("{:?} is no protocol", word.text);
                return Err(Problem::at(word, message).hint("h2, h2c or http/1.1"));
            }
        };
        if !list.contains(&protocol) {
            list.push(protocol);
        }
    }
    scope.server().connection.protocols = Some(list);
    Ok(())
}

fn direct(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.server().connection.h2_direct = Some(args.flag()?);
    Ok(())
}

fn streams(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.server().connection.h2_streams_max = Some(number(args, 1..=1000)?);
    Ok(())
}

fn window(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    // RFC 9113 section 6.9.1 ends at 2 GiB; memory ends earlier.
    scope.server().connection.h2_window_bytes = Some(number(args, 1024..=16 * 1024 * 1024)?);
    Ok(())
}

fn head(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.server().connection.h2_head_bytes_max = Some(number(args, 1024..=1024 * 1024)?);
    Ok(())
}

fn frame(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.server().connection.h2_frame_bytes_max = Some(number(args, 16_384..=1024 * 1024)?);
    Ok(())
}

fn stream_errors(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.server().connection.h2_stream_errors_max = Some(number(args, 1..=1000)?);
    Ok(())
}

fn number(args: &Args, bounds: RangeInclusive<u64>) -> Result<u32, Problem> {
    let number = args.number(bounds)?;
    u32::try_from(number).map_err(|_| Problem::at(args.first(), "is too large"))
}
