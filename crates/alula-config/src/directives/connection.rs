//! Timeouts and limits of connections and requests.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use std::time::Duration;

const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3600);
const BYTES_MAX: u64 = 16 * 1024 * 1024;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "Timeout", args: Arity::exactly(1), syntax: "seconds", contexts: Contexts::SERVERS,
        default: "60", apply: Apply::Run(timeout),
        doc: "How long to wait for the other side while a request or response is under way. Units: `ms`, `s`, `mi`, `h`.",
    },
    Entry {
        name: "RequestReadTimeout", args: Arity::at_least(1), syntax: "[header=seconds[-max][,MinRate=bytes]] [body=seconds[-max][,MinRate=bytes]]",
        contexts: Contexts::SERVERS, default: "header=20-40,MinRate=500 body=20,MinRate=500", apply: Apply::Run(request_read_timeout),
        doc: "How long a request may take to arrive: all of its head within the larger number of `header`, and no silence in its content longer \
              than the first number of `body`. Rates are not counted. 0 leaves it to `Timeout`.",
    },
    Entry {
        name: "KeepAlive", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::SERVERS,
        default: "On", apply: Apply::Run(keep_alive),
        doc: "Whether a connection may carry more than one request.",
    },
    Entry {
        name: "KeepAliveTimeout", args: Arity::exactly(1), syntax: "seconds", contexts: Contexts::SERVERS,
        default: "5", apply: Apply::Run(keep_alive_timeout),
        doc: "How long to wait for the next request on a connection. Units: `ms`, `s`, `mi`, `h`.",
    },
    Entry {
        name: "MaxKeepAliveRequests", args: Arity::exactly(1), syntax: "number", contexts: Contexts::SERVERS,
        default: "100", apply: Apply::Run(max_keep_alive_requests),
        doc: "How many requests one connection may carry; 0 means any number.",
    },
    Entry {
        name: "LimitRequestLine", args: Arity::exactly(1), syntax: "bytes", contexts: Contexts::SERVERS,
        default: "8190", apply: Apply::Run(limit_request_line),
        doc: "How long a request line may be.",
    },
    Entry {
        name: "LimitRequestFields", args: Arity::exactly(1), syntax: "number", contexts: Contexts::SERVERS,
        default: "100", apply: Apply::Run(limit_request_fields),
        doc: "How many header fields a request may have; 0 means any number.",
    },
    Entry {
        name: "LimitRequestFieldSize", args: Arity::exactly(1), syntax: "bytes", contexts: Contexts::SERVERS,
        default: "8190", apply: Apply::Run(limit_request_field_size),
        doc: "How long a header field may be.",
    },
    Entry {
        name: "LimitRequestBody", args: Arity::exactly(1), syntax: "bytes", contexts: Contexts::EVERYWHERE,
        default: "1073741824", apply: Apply::Run(limit_request_body),
        doc: "How long a request's content may be; 0 means any length.",
    },
];

fn timeout(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let timeout = args.duration(TIMEOUT_MAX)?;
    if timeout.is_zero() {
        return Err(Problem::at(args.first(), "must be more than 0"));
    }
    scope.server().connection.timeout = Some(timeout);
    Ok(())
}

fn request_read_timeout(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    for word in args.words {
        let hint = "header=20-40,MinRate=500 body=20,MinRate=500";
        let wrong = |message: String| Problem::at(word, message).hint(hint);
        let Some((what, times)) = word.text.split_once('=') else {
            return Err(wrong(format!(
                "{:?} is not header= or body= with a time",
                word.text
            )));
        };
        let (times, rate) = match times.split_once(',') {
            Some((times, rate)) => (times, Some(rate)),
            None => (times, None),
        };
        if let Some(rate) = rate {
            let bytes = rate
                .get(..8)
                .filter(|name| name.eq_ignore_ascii_case("MinRate="));
            let bytes = bytes.and_then(|_| rate[8..].parse::<u32>().ok());
            bytes.ok_or_else(|| wrong(format!("{rate:?} is not MinRate= with a number")))?;
        }
        let seconds = |text: &str| {
            let seconds = text.parse().ok().map(Duration::from_secs);
            let seconds = seconds.filter(|seconds| *seconds <= TIMEOUT_MAX);
            seconds.ok_or_else(|| wrong(format!("{text:?} is not a number of seconds")))
        };
        let (first, most) = match times.split_once('-') {
            Some((first, most)) => (seconds(first)?, Some(seconds(most)?)),
            None => (seconds(times)?, None),
        };
        let connection = &mut scope.server().connection;
        match what.to_ascii_lowercase().as_str() {
            // A minimum rate without a maximum is no deadline.
            "header" => {
                let deadline = most.or(rate.is_none().then_some(first));
                connection.head_timeout = deadline.filter(|time| !time.is_zero());
            }
            "body" => connection.content_timeout = Some(first).filter(|time| !time.is_zero()),
            "handshake" => {}
            _ => {
                return Err(wrong(format!(
                    "{what:?} is neither header, body nor handshake"
                )));
            }
        }
    }
    Ok(())
}

fn keep_alive(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.server().connection.keep_alive = Some(args.flag()?);
    Ok(())
}

fn keep_alive_timeout(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.server().connection.keep_alive_timeout = Some(args.duration(TIMEOUT_MAX)?);
    Ok(())
}

fn max_keep_alive_requests(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let number = args.number(0..=u64::from(u32::MAX))?;
    scope.server().connection.keep_alive_requests_max = u32::try_from(number).ok();
    Ok(())
}

fn limit_request_line(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.server().connection.request_line_bytes_max = Some(size(args, 16)?);
    Ok(())
}

fn limit_request_fields(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let number = args.number(0..=32767)?;
    scope.server().connection.request_fields_max = usize::try_from(number).ok();
    Ok(())
}

fn limit_request_field_size(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.server().connection.request_field_bytes_max = Some(size(args, 16)?);
    Ok(())
}

fn limit_request_body(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().body_bytes_max = Some(args.number(0..=u64::MAX)?);
    Ok(())
}

fn size(args: &Args, min: u64) -> Result<usize, Problem> {
    let bytes = args.number(min..=BYTES_MAX)?;
    usize::try_from(bytes).map_err(|_| Problem::at(args.first(), "is too large"))
}
