//! Rules inside sections, after access was checked (httpd's `hook_fixup`).
//!
//! Their result is asked for like another URL. A rule whose result is what it started from is ignored, else it would go round
//! for ever; what goes round otherwise is stopped after [`ROUNDS_MAX`] times.

use super::server::{answer, location, proxied, redirection};
use super::{Changes, Course, Outcome, absolute_length, map::Maps};
use crate::asked::Facts;
use crate::redirect::Redirected;
use alula_config::site::Rewriting;

/// How often in turn a result is asked for, as `LimitInternalRecursion` has it.
pub const ROUNDS_MAX: usize = 10;

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum FixedUp {
    /// It goes on.
    Same,
    /// It starts again with this path and query.
    Again(Vec<u8>, Option<Vec<u8>>),
    /// `[P]`: it is passed on, with this file and query.
    Proxy(Vec<u8>, Option<Vec<u8>>),
    /// This is the answer.
    Answer(Redirected),
}

/// Where files come from: what replaces a directory in a result.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Roots<'r> {
    /// `DocumentRoot`.
    pub document: Option<&'r [u8]>,
    /// An `Alias`'s directory and its URL.
    pub alias: Option<(&'r [u8], &'r [u8])>,
}

/// Tries the rules of a section on a file.
pub(crate) fn fix_up(
    rewriting: &Rewriting,
    maps: &Maps,
    facts: &Facts,
    roots: Roots,
    changes: &mut Changes,
) -> FixedUp {
    let directory = rewriting
        .directory
        .as_deref()
        .unwrap_or_default()
        .as_bytes();
    let (file, path_info) = match facts.file {
        Some(_) => facts.split_file(),
        None => (facts.path, &b""[..]),
    };
    let options = rewriting.options.unwrap_or_default();
    let without_slash = directory.strip_suffix(b"/") == Some(file);
    if changes.has_ended || (without_slash && !options.allow_no_slash) {
        return FixedUp::Same;
    }
    let old_query = facts.query.map(<[u8]>::to_vec);
    let mut course = Course {
        facts: *facts,
        maps,
        changes,
        file: file.to_vec(),
        query: old_query.clone(),
        path_info: path_info.to_vec(),
        status: None,
        passes_through: false,
        is_proxied: false,
        starts_fixed: true,
        is_reduced: false,
    };
    let is_encoded = match course.run(rewriting) {
        Outcome::Same => return FixedUp::Same,
        Outcome::Status(status) => return FixedUp::Answer(answer(status)),
        Outcome::Changed { is_encoded } => is_encoded,
    };
    let (mut result, query) = (course.file, course.query);
    if course.is_proxied {
        return FixedUp::Proxy(proxied(&result, is_encoded), query);
    }
    let base = rewriting.base.as_deref().map(str::as_bytes);
    if let Some((start, _)) = absolute_length(&result) {
        if let Some(base) = base
            && let Some(slash) = result[start..].iter().position(|&byte| byte == b'/')
            && let Some(path) = replaced(&result[start + slash..], directory, base)
        {
            result.truncate(start + slash);
            result.extend(path);
        }
        let as_before = query == old_query;
        let location = location(&result, query.as_deref(), is_encoded, as_before);
        return FixedUp::Answer(redirection(course.status, location));
    }
    if !result.starts_with(b"/") {
        return FixedUp::Answer(answer(400));
    }
    if result == file {
        return FixedUp::Same;
    }
    let url = match base {
        Some(base) => replaced(&result, directory, base),
        None => roots.document.and_then(|root| {
            let root = root.strip_suffix(b"/").unwrap_or(root);
            let rest = result.strip_prefix(root)?;
            rest.starts_with(b"/").then(|| rest.to_vec())
        }),
    };
    let by_alias = || {
        let (root, url) = roots.alias?;
        replaced(&result, root, url)
    };
    let url = url.or_else(by_alias).unwrap_or(result);
    FixedUp::Again(url, query)
}

/// A path with the directory at its start replaced by a URL (httpd's `subst_prefix_path`).
fn replaced(path: &[u8], directory: &[u8], url: &[u8]) -> Option<Vec<u8>> {
    let directory = directory.strip_suffix(b"/").unwrap_or(directory);
    let rest = path.strip_prefix(directory)?.strip_prefix(b"/")?;
    let url = url.strip_suffix(b"/").unwrap_or(url);
    Some([url, b"/", rest].concat())
}
