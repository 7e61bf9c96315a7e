//! Rules outside sections, before `Redirect` and `Alias` (httpd's `hook_uri2file`).

use super::{Changes, Course, Outcome, absolute_length, map::Maps};
use crate::asked::Facts;
use crate::passing::PREFIX;
use crate::redirect::Redirected;
use alula_config::site::Rewriting;
use alula_http::path;
use http::StatusCode;
use std::path::Path;

/// Where a request goes on.
#[derive(Debug)]
pub(crate) enum Translated {
    /// As it came, perhaps with another query.
    Same,
    /// `[PT]`: as if this path had been asked for.
    Path(Vec<u8>),
    /// To this file.
    File(Vec<u8>),
    /// `[P]`: on to the back end with this URL, its query aside.
    Proxy(Vec<u8>),
    /// Nowhere: this is the answer.
    Answer(Redirected),
}

/// Tries the rules of a server on a path. The query after it is the second of the two.
pub(crate) fn translate(
    rewriting: &Rewriting,
    maps: &Maps,
    facts: &Facts,
    changes: &mut Changes,
) -> (Translated, Option<Vec<u8>>) {
    note_original(facts, changes);
    let old_query = facts.query.map(<[u8]>::to_vec);
    let mut course = Course {
        facts: *facts,
        maps,
        changes,
        file: facts.path.to_vec(),
        query: old_query.clone(),
        path_info: Vec::new(),
        status: None,
        passes_through: false,
        is_proxied: false,
        starts_fixed: true,
        is_reduced: false,
    };
    let outcome = course.run(rewriting);
    let is_encoded = match outcome {
        Outcome::Same => return (Translated::Same, course.query),
        Outcome::Status(status) => return (Translated::Answer(answer(status)), course.query),
        Outcome::Changed { is_encoded } => is_encoded,
    };
    let (file, query) = (course.file, course.query);
    if course.is_proxied {
        return (Translated::Proxy(proxied(&file, is_encoded)), query);
    }
    if absolute_length(&file).is_some() {
        let as_before = query == old_query;
        let location = location(&file, query.as_deref(), is_encoded, as_before);
        let redirected = redirection(course.status, location);
        return (Translated::Answer(redirected), query);
    }
    if course.passes_through {
        return (Translated::Path(file), query);
    }
    if !file.starts_with(b"/") {
        return (Translated::Answer(answer(400)), query);
    }
    let on_disk = course.starts_fixed && !course.is_reduced && first_part_exists(&file);
    let translated = match facts.identity.root() {
        _ if on_disk => Translated::File(file),
        Some(root) => {
            let root = root.strip_suffix(b"/").unwrap_or(root);
            Translated::File([root, &file].concat())
        }
        None => Translated::Answer(answer(404)),
    };
    (translated, query)
}

/// Django finds out by these what a client asked for.
fn note_original(facts: &Facts, changes: &mut Changes) {
    let variables = &mut changes.variables;
    if variables.get("SCRIPT_URL").is_some() {
        // Led on to another path: what was asked for is known.
        return;
    }
    let url = match variables.get("REDIRECT_SCRIPT_URL") {
        Some(url) => url.to_owned(),
        None => String::from_utf8_lossy(facts.path).into_owned(),
    };
    let origin = facts.asked.origin(facts.identity);
    variables.set(
        "SCRIPT_URI",
        format!("{}{url}", String::from_utf8_lossy(&origin)),
    );
    variables.set("SCRIPT_URL", url);
}

/// A status without a target.
pub(super) fn answer(status: u16) -> Redirected {
    Redirected {
        status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        target: None,
        is_whole: true,
    }
}

/// A redirection; without a status of its own, 302.
pub(super) fn redirection(status: Option<u16>, location: Option<String>) -> Redirected {
    let status = status
        .filter(|status| (300..400).contains(status))
        .unwrap_or(302);
    match location {
        Some(location) => Redirected {
            target: Some(location),
            ..answer(status)
        },
        // httpd's AH10410.
        None => answer(403),
    }
}

/// A whole URL for `Location`; `None` when the query cannot stand in one.
pub(super) fn location(
    url: &[u8],
    query: Option<&[u8]>,
    is_encoded: bool,
    query_as_before: bool,
) -> Option<String> {
    let (start, _) = absolute_length(url).unwrap_or_default();
    let host = url[start..].iter().position(|&byte| byte == b'/');
    let path = host.map_or(url.len(), |slash| start + slash);
    let mut location = visible(&url[..path]);
    match is_encoded {
        true => location.push_str(&visible(&url[path..])),
        false => location.push_str(&path::encode(&url[path..])),
    }
    if let Some(query) = query {
        location.push('?');
        if is_encoded || query_as_before {
            location.push_str(&visible(query));
        } else {
            location.push_str(&path::encode(query));
        }
    }
    Some(location)
}

/// The URL of a back end, as the file of a request.
pub(super) fn proxied(url: &[u8], is_encoded: bool) -> Vec<u8> {
    let start = url
        .get(..5)
        .filter(|start| start.eq_ignore_ascii_case(b"unix:"));
    let bar = start.and_then(|_| url.iter().position(|&byte| byte == b'|'));
    let (socket, url) = url.split_at(bar.map_or(0, |bar| bar + 1));
    let url = location(url, None, is_encoded, true).unwrap_or_default();
    [PREFIX, socket, url.as_bytes()].concat()
}

/// A control character must not end the header line, whatever a flag says.
fn visible(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for &byte in text {
        match byte {
            0x21..=0x7e => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Whether the first part of a path is there: then it is a file's, not a URL's (httpd's `prefix_stat`).
fn first_part_exists(path: &[u8]) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let end = path[1..].iter().position(|&byte| byte == b'/');
    let first = end.map_or(path, |end| &path[..=end]);
    first.len() > 1 && Path::new(std::ffi::OsStr::from_bytes(first)).exists()
}
