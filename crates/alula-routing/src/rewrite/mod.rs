//! mod_rewrite: rules tried in turn on a path, in httpd's order and with httpd's exceptions (its `apply_rewrite_list`).
//!
//! What comes out means something else outside sections ([`server`]) than inside ([`section`]).

mod cookie;
mod expand;
pub(crate) mod map;
mod rule;
pub(crate) mod section;
pub(crate) mod server;

use crate::asked::Facts;
use crate::variables::Variables;
use alula_config::site::{RewriteEnd, Rewriting};
use http::HeaderValue;
use map::Maps;

/// A path longer than this is a rule that feeds itself, in bytes: twice httpd's `LimitRequestLine`.
const PATH_BYTES_MAX: usize = 2 * 8190;

/// How much is searched for one request, in bytes: `N` can go round while a path grows, and the loop waits meanwhile.
const SEARCHED_BYTES_MAX: usize = 4 << 20;

/// How much is kept of what rules set, whatever they do.
const VARIABLES_MAX: usize = 1000;

/// A path on its way through the rules.
#[derive(Debug)]
pub(crate) struct Course<'c> {
    pub facts: Facts<'c>,
    pub maps: &'c Maps,
    pub changes: &'c mut Changes,
    /// The path or file as it is now; a whole URL for a redirection.
    pub file: Vec<u8>,
    pub query: Option<Vec<u8>>,
    /// What follows the file in the path.
    pub path_info: Vec<u8>,
    pub status: Option<u16>,
    /// `[PT]`.
    pub passes_through: bool,
    /// `[P]`: the result is a back end's URL.
    pub is_proxied: bool,
    /// The last substitution started with a text of the configuration, not of the request.
    pub starts_fixed: bool,
    /// The result was a URL of this very server.
    pub is_reduced: bool,
}

/// What rules change beside the path.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// `E`, and `SetEnvIf`.
    pub variables: Variables,
    /// `CO`: `Set-Cookie` fields of the response.
    pub cookies: Vec<HeaderValue>,
    /// `T`: the media type of a file.
    pub media_type: Option<HeaderValue>,
    /// `END`: no rule of a section is tried any more.
    pub has_ended: bool,
}

/// What rules made of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// No rule changed it.
    Same,
    /// It is another.
    Changed {
        /// `NE`: it is not to be encoded.
        is_encoded: bool,
    },
    /// The answer is a status.
    Status(u16),
}

impl Course<'_> {
    /// Tries the rules of a place.
    pub(crate) fn run(&mut self, rewriting: &Rewriting) -> Outcome {
        let rules = &rewriting.rules;
        let mut outcome = Outcome::Same;
        let mut rounds = 0;
        let mut searched = 0;
        let mut at = 0;
        while let Some(rule) = rules.get(at) {
            at += 1;
            searched += self.file.len();
            let Some(applied) = self.apply(rule, rewriting.directory.as_deref()) else {
                // What is chained to it goes with it.
                let mut chained = rule.flags.chain;
                while chained && let Some(next) = rules.get(at) {
                    chained = next.flags.chain;
                    at += 1;
                }
                continue;
            };
            if searched > SEARCHED_BYTES_MAX
                || self.file.len() > PATH_BYTES_MAX
                || self.changes.variables.as_slice().len() > VARIABLES_MAX
            {
                return Outcome::Status(500);
            }
            match applied {
                rule::Applied::Refused(status) => return Outcome::Status(status),
                rule::Applied::Same => {}
                rule::Applied::Changed => {
                    outcome = Outcome::Changed {
                        is_encoded: rule.flags.no_escape,
                    };
                }
            }
            if self.is_proxied {
                break;
            }
            if rule.flags.pass_through {
                self.passes_through = true;
                outcome = Outcome::Changed { is_encoded: false };
                break;
            }
            match rule.flags.ends {
                Some(RewriteEnd::All) => {
                    self.changes.has_ended = true;
                    break;
                }
                Some(RewriteEnd::Round) => break,
                None => {}
            }
            if let Some(rounds_max) = rule.flags.again {
                rounds += 1;
                if rounds >= rounds_max {
                    return Outcome::Status(500);
                }
                at = 0;
                continue;
            }
            at += rule.flags.skip;
        }
        outcome
    }
}

/// How long the scheme and the slashes of a whole URL are (httpd's `is_absolute_uri`), and whether it can have a query.
pub(crate) fn absolute_length(text: &[u8]) -> Option<(usize, bool)> {
    const SCHEMES: [(&[u8], bool); 17] = [
        (b"ajp://", true),
        (b"balancer://", true),
        (b"fcgi://", true),
        (b"ftp://", true),
        (b"gopher://", true),
        (b"http://", true),
        (b"https://", true),
        (b"ldap://", false),
        (b"ldaps://", false),
        (b"mailto:", true),
        (b"news:", false),
        (b"nntp://", true),
        (b"scgi://", true),
        (b"uwsgi://", true),
        (b"ws://", true),
        (b"wss://", true),
        (b"unix:", true),
    ];
    let found = SCHEMES.iter().find(|(scheme, _)| {
        let start = text.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    found.map(|(scheme, query)| (scheme.len(), *query))
}
