//! Processes and threads, under the names of httpd's process models.
//!
//! The number of workers is fixed: there are no spare servers to keep.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use std::time::Duration;

/// More threads than this in one process only wait for one another.
const THREADS_MAX: u64 = 1024;
const WORKERS_MAX: u64 = 4096;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "StartServers", args: Arity::exactly(1), syntax: "number", contexts: Contexts::SERVER,
        default: "one for each processor core", apply: Apply::Run(start_servers),
        doc: "How many worker processes there are.",
    },
    Entry {
        name: "ThreadsPerChild", args: Arity::exactly(1), syntax: "number", contexts: Contexts::SERVER,
        default: "25", apply: Apply::Run(threads_per_child),
        doc: "How many Python threads a worker has.",
    },
    Entry {
        name: "MaxRequestWorkers", args: Arity::exactly(1), syntax: "number", contexts: Contexts::SERVER,
        default: "", apply: Apply::Run(max_request_workers),
        doc: "How many requests are answered at the same time, all workers together.",
    },
    Entry {
        name: "MaxClients", args: Arity::exactly(1), syntax: "number", contexts: Contexts::SERVER,
        default: "", apply: Apply::Run(max_request_workers),
        doc: "The old name of `MaxRequestWorkers`.",
    },
    Entry {
        name: "MaxConnectionsPerChild", args: Arity::exactly(1), syntax: "number", contexts: Contexts::SERVER,
        default: "0", apply: Apply::Run(max_connections_per_child),
        doc: "A worker is replaced after so many requests; 0 means never. With 1, the how-to's setting for development, every request \
              sees fresh code.",
    },
    Entry {
        name: "MaxRequestsPerChild", args: Arity::exactly(1), syntax: "number", contexts: Contexts::SERVER,
        default: "0", apply: Apply::Run(max_connections_per_child),
        doc: "The old name of `MaxConnectionsPerChild`.",
    },
    Entry {
        name: "GracefulShutdownTimeout", args: Arity::exactly(1), syntax: "seconds", contexts: Contexts::SERVER,
        default: "0", apply: Apply::Run(graceful_shutdown_timeout),
        doc: "How long a worker may take to finish what it has begun, after a graceful stop or restart; 0 means as long as it takes.",
    },
    spare("MinSpareServers"),
    spare("MaxSpareServers"),
    spare("MinSpareThreads"),
    spare("MaxSpareThreads"),
    spare("ServerLimit"),
    spare("ThreadLimit"),
];

const fn spare(name: &'static str) -> Entry {
    Entry {
        name,
        args: Arity::exactly(1),
        syntax: "number",
        contexts: Contexts::SERVER,
        default: "",
        apply: Apply::Ignored(
            "the number of workers and threads is fixed by StartServers and ThreadsPerChild",
        ),
        doc: "Bounds of httpd's changing number of processes and threads.",
    }
}

fn graceful_shutdown_timeout(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let timeout = args.duration(Duration::from_secs(24 * 3600))?;
    scope.draft.graceful_timeout = Some(timeout).filter(|timeout| !timeout.is_zero());
    Ok(())
}

fn start_servers(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.draft.workers = Some(small(args, WORKERS_MAX)?);
    Ok(())
}

fn threads_per_child(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.draft.threads = Some(small(args, THREADS_MAX)?);
    Ok(())
}

fn max_request_workers(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.draft.max_request_workers = Some(small(args, WORKERS_MAX * THREADS_MAX)?);
    Ok(())
}

fn max_connections_per_child(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.draft.requests_max = Some(args.number(0..=u64::MAX)?);
    Ok(())
}

fn small(args: &Args, max: u64) -> Result<u32, Problem> {
    let number = args.number(1..=max)?;
    u32::try_from(number).map_err(|_| Problem::at(args.first(), "is too large"))
}
