//! Directives whose behaviour cannot be changed yet: the value that says what Alula does anyway is accepted, any other is an error.

use super::{Apply, Arity, Contexts, Entry};

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    fixed("TraceEnable", "Off", Contexts::SERVERS, "TRACE requests are refused."),
    fixed("UseCanonicalName", "Off", Contexts::SERVERS.and(Contexts::DIRECTORY), "`SERVER_NAME` is what the client asked for."),
    fixed("UseCanonicalPhysicalPort", "Off", Contexts::SERVERS.and(Contexts::DIRECTORY), "`SERVER_PORT` is what the client asked for."),
    fixed("MergeSlashes", "On", Contexts::SERVERS, "Repeated slashes count as one for files and sections."),
    fixed("AcceptPathInfo", "Default", Contexts::EVERYWHERE, "What follows a file's name in a URL is for scripts and applications; a file with something after it is not found."),
    fixed("AuthBasicAuthoritative", "On", Contexts::SECTIONS, "A user whom no provider knows is refused."),
    fixed("AuthBasicUseDigestAlgorithm", "Off", Contexts::SECTIONS, "Passwords are kept as `htpasswd` writes them."),
    fixed("ContentDigest", "Off", Contexts::EVERYWHERE, "Responses have no `Content-MD5`."),
    fixed("MergeTrailers", "Off", Contexts::SERVERS, "Trailers of a request are dropped."),
    fixed("QualifyRedirectURL", "Off", Contexts::EVERYWHERE, "`REDIRECT_URL` is a path."),
    fixed("StrictHostCheck", "Off", Contexts::SERVERS, "A host nobody has is answered by the first virtual host."),
    fixed("IdentityCheck", "Off", Contexts::SERVERS.and(Contexts::DIRECTORY), "Clients are not asked for a user name (RFC 1413)."),
    fixed("Suexec", "Off", Contexts::SERVER, "There is no CGI to run as somebody else."),
    fixed("UserDir", "disabled", Contexts::SERVERS, "URLs do not lead into home directories."),
    fixed("CheckSpelling", "Off", Contexts::EVERYWHERE, "A misspelt URL is not corrected."),
    fixed("CheckCaseOnly", "Off", Contexts::EVERYWHERE, "A misspelt URL is not corrected."),
    fixed("CookieTracking", "Off", Contexts::EVERYWHERE, "Clients are not followed by a cookie."),
    fixed("DumpIOInput", "Off", Contexts::SERVER, "What clients send is not logged."),
    fixed("DumpIOOutput", "Off", Contexts::SERVER, "What is sent to clients is not logged."),
    fixed("WSGIMapHEADToGET", "Auto", Contexts::EVERYWHERE, "Applications see `HEAD` as what it is."),
    fixed("WSGIErrorOverride", "Off", Contexts::EVERYWHERE, "An application's own error page is sent."),
    fixed("WSGIChunkedRequest", "On", Contexts::EVERYWHERE, "Requests may be chunked."),
];

pub(super) const fn fixed(
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
