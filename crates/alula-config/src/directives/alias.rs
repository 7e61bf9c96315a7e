//! `Alias` and `AliasMatch`: a URL path to files elsewhere.

use super::sections::check_regex;
use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::{MappingTarget, UrlMapping};

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "Alias", args: Arity::exactly(2), syntax: "url-path file-path", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(alias),
        doc: "Looks URLs that start with a path up elsewhere than in `DocumentRoot`. The first fitting alias counts, a virtual host's own \
              before the main server's. End both with a slash or neither.",
    },
    Entry {
        name: "AliasMatch", args: Arity::exactly(2), syntax: "regex file-path", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(alias_match),
        doc: "Looks URL paths in which a regular expression is found up elsewhere than in `DocumentRoot`. `$1` to `$9` in the file path \
              are what the groups matched; nothing is appended. Tried in turn with `Alias`. The part of the file path before the \
              first `$`, up to its last slash, is the directory that nothing leaves.",
    },
];

fn alias(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let [url, path] = args.words else {
        return Err(Problem::new("takes two arguments"));
    };
    if !url.text.starts_with('/') {
        let message = format!(
            "Alias: {:?} fits no URL, since it does not start with a slash",
            url.text
        );
        scope.warn(url.span, message, None);
    }
    if url.text.ends_with('/') && !path.text.ends_with('/') {
        let message =
            "Alias: a URL that ends with a slash and a path that does not are joined without one";
        let hint = format!("Alias {} {}/", url.text, path.text);
        scope.warn(path.span, message, Some(&hint));
    }
    let origin = scope.origin(args.name.span);
    let target = scope.path(path).to_string_lossy().into_owned();
    let mapping = UrlMapping {
        url: url.text.clone(),
        target: MappingTarget::Files(target),
        origin,
    };
    let earlier = scope.server().url_map.iter().find(|earlier| {
        matches!(earlier.target, MappingTarget::Files(_)) && covers(&earlier.url, &mapping.url)
    });
    if let Some(earlier) = earlier {
        let message = format!(
            "Alias: never reached, the alias for {:?} on {} comes first",
            earlier.url, earlier.origin
        );
        scope.warn(url.span, message, None);
    }
    scope.server().url_map.push(mapping);
    Ok(())
}

fn alias_match(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let [url, path] = args.words else {
        return Err(Problem::new("takes two arguments"));
    };
    check_regex(url)?;
    if path.text.starts_with('$') {
        let message = "a file path cannot start with what the URL holds";
        return Err(Problem::at(path, message).hint("put a directory in front of it"));
    }
    let mapping = UrlMapping {
        url: url.text.clone(),
        target: MappingTarget::FilesMatch(scope.path(path).to_string_lossy().into_owned()),
        origin: scope.origin(args.name.span),
    };
    scope.server().url_map.push(mapping);
    Ok(())
}

/// Whether every URL below `inner` is also below `outer`.
fn covers(outer: &str, inner: &str) -> bool {
    inner
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || outer.ends_with('/') || rest.starts_with('/'))
}
