//! `Redirect` and its kin, ready to be tried: a path to a status and a target.
//!
//! The first that fits counts. What comes from the path is percent-encoded again, so that it can neither start a query nor end
//! the header line; httpd leaves what a group of `RedirectMatch` puts into a query as it is.

use crate::mapping::prefix_length;
use crate::substitution::expand;
use alula_config::Pattern;
use alula_config::site::{Redirect, RedirectFrom};
use alula_http::path;
use http::StatusCode;
use std::sync::Arc;

/// The redirects of a server or a route, in the order to try.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Redirects(Arc<[Compiled]>);

/// What a redirect answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirected {
    /// The status.
    pub status: StatusCode,
    /// A URL, or a path on this server; the query is still to be added. `None` for a status that is no redirection.
    pub target: Option<String>,
    /// Whether the target is complete without the query of the request.
    pub is_whole: bool,
}

#[derive(Debug)]
struct Compiled {
    redirect: Redirect,
    regex: Option<Pattern>,
}

impl PartialEq for Compiled {
    fn eq(&self, other: &Self) -> bool {
        self.redirect == other.redirect
    }
}

impl Redirects {
    pub(crate) fn new(redirects: &[Redirect]) -> Self {
        let compile = |redirect: &Redirect| Compiled {
            regex: match &redirect.from {
                RedirectFrom::Match(regex) => Pattern::new(regex).ok(),
                _ => None,
            },
            redirect: redirect.clone(),
        };
        Self(redirects.iter().map(compile).collect())
    }

    /// The answer for a path, decoded and with its slashes merged.
    pub(crate) fn find(&self, path: &[u8]) -> Option<Box<Redirected>> {
        self.0.iter().find_map(|redirect| redirect.answer(path))
    }
}

impl Compiled {
    fn answer(&self, path: &[u8]) -> Option<Box<Redirected>> {
        // `OPTIONS *` asks about the server.
        if !path.starts_with(b"/") {
            return None;
        }
        let to = self.redirect.to.as_deref();
        let target = match (&self.redirect.from, &self.regex) {
            (RedirectFrom::All, _) => to.map(|to| to.as_bytes().to_vec()),
            (RedirectFrom::Prefix(prefix), _) => {
                let length = prefix_length(path, prefix.as_bytes())?;
                let rest = path::encode(&path[length..]);
                to.map(|to| [to.as_bytes(), rest.as_bytes()].concat())
            }
            (RedirectFrom::Match(_), Some(regex)) => {
                let groups = regex.captures(path)?;
                let encoded = |group: &[u8]| path::encode(group).into_bytes();
                to.map(|to| expand(to, path, &groups, encoded))
            }
            (RedirectFrom::Match(_), None) => return None,
        };
        let target = target.map(|target| printable(&target));
        let well = target
            .as_deref()
            .is_none_or(|t| t.starts_with('/') || t.contains(':'));
        let status = StatusCode::from_u16(self.redirect.status)
            .ok()
            .filter(|_| well);
        Some(Box::new(match status {
            Some(status) => Redirected {
                status,
                target,
                is_whole: false,
            },
            // Known only now: `RedirectMatch ^/(.*) $1`.
            None => Redirected {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                target: None,
                is_whole: true,
            },
        }))
    }
}

/// Percent-encodes what a URL cannot hold at all, and nothing else: the configuration may have encoded the rest.
fn printable(target: &[u8]) -> String {
    let mut text = String::with_capacity(target.len());
    for byte in target {
        if byte.is_ascii_graphic() {
            text.push(char::from(*byte));
        } else {
            text.push_str(&path::encode(&[*byte]));
        }
    }
    text
}
