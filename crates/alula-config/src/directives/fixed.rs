//! Directives whose behaviour cannot be changed yet: the value that says what Alula does anyway is accepted, any other is an error.

use super::{Apply, Arity, Contexts, Entry};

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    fixed("TraceEnable", "Off", Contexts::SERVERS, "TRACE requests are refused."),
    fixed("UseCanonicalName", "Off", Contexts::SERVERS.and(Contexts::DIRECTORY), "`SERVER_NAME` is what the client asked for."),
    fixed("UseCanonicalPhysicalPort", "Off", Contexts::SERVERS.and(Contexts::DIRECTORY), "`SERVER_PORT` is what the client asked for."),
    fixed("MergeSlashes", "On", Contexts::SERVERS, "Repeated slashes count as one for files and sections."),
    fixed("AuthMerging", "Off", Contexts::SECTIONS, "A section's `Require` lines replace those it inherits."),
    fixed("RewriteEngine", "Off", Contexts::EVERYWHERE, "URLs are not rewritten."),
    fixed("ProxyRequests", "Off", Contexts::SERVERS, "The server is no forward proxy."),
    fixed("WSGIPassAuthorization", "On", Contexts::EVERYWHERE, "Applications see the `Authorization` header."),
    fixed("WSGIChunkedRequest", "On", Contexts::EVERYWHERE, "Requests may be chunked."),
];

const fn fixed(
    name: &'static str,
    value: &'static str,
    contexts: Contexts,
    doc: &'static str,
) -> Entry {
    Entry {
        name,
        args: Arity::at_least(1),
        syntax: value,
        contexts,
        default: value,
        apply: Apply::Fixed(value),
        doc,
    }
}
