//! mod_proxy: what is passed on to other servers, and how.
//!
//! URLs are checked at load and start with `http://`, or with `unix:/path|http://`: the scheme `ws` is written as `http` with an
//! upgrade.

use super::Origin;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// What a server outside sections passes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proxy {
    /// `ProxyPass` and `ProxyPassMatch` in the order to try.
    pub passes: Vec<ProxyPass>,
    /// What `ProxySet` says of back ends in `<Proxy>` sections.
    pub back_ends: Vec<BackEnd>,
    /// `ProxyVia`.
    pub via: Option<ProxyVia>,
    /// `ProxyTimeout`; `None`: as long as `Timeout`, and for ever once a connection was upgraded.
    pub timeout: Option<Duration>,
    /// `ProxyPassInherit`.
    pub inherit: Option<bool>,
}

/// A `ProxyPass` or a `ProxyPassMatch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyPass {
    /// Which paths.
    pub from: ProxyFrom,
    /// Where to; `None` for `!`: they stay here.
    pub to: Option<ProxyTarget>,
    /// Where it was written.
    pub origin: Origin,
}

/// Which paths a [`ProxyPass`] is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProxyFrom {
    /// Those that start with this, on a border of segments.
    Prefix(String),
    /// Those in which this regular expression is found.
    Match(String),
}

/// Where a [`ProxyPass`] leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyTarget {
    /// The URL; what follows the prefix is appended, or `$1` is filled in.
    pub url: String,
    /// `nocanon`: the path as the client has written it.
    pub raw: bool,
    /// `noquery`: the query stays here.
    pub without_query: bool,
    /// How its back end is spoken to.
    pub options: BackEndOptions,
}

/// How the requests of one route are passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarding {
    /// The back ends that may be meant, each with the start of its URLs.
    pub back_ends: Arc<[BackEnd]>,
    /// `nocanon`: the start of the path that is replaced, and what replaces it.
    pub raw: Option<(String, String)>,
    /// `noquery`.
    pub without_query: bool,
    /// `ProxyVia`.
    pub via: ProxyVia,
    /// `ServerName`.
    pub server_name: String,
    /// `ProxyTimeout`, else `Timeout`.
    pub timeout: Duration,
    /// The same for connections that were upgraded; `None` = for ever.
    pub tunnel_timeout: Option<Duration>,
}

/// A server that requests are passed on to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackEnd {
    /// The start of the URLs that are its own.
    pub url: String,
    /// How it is spoken to.
    pub options: BackEndOptions,
}

/// `key=value` of `ProxyPass` and `ProxySet`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BackEndOptions {
    /// `connectiontimeout`.
    pub connect_timeout: Option<Duration>,
    /// `timeout`: longest silence.
    pub timeout: Option<Duration>,
    /// `retry`: how long a back end that cannot be reached is left alone.
    pub retry: Option<Duration>,
    /// `max`: connections of one process at the same time.
    pub connections_max: Option<u32>,
    /// `acquire`: how long a request waits for one of them.
    pub acquire: Option<Duration>,
    /// `ttl`: how long an idle connection is kept.
    pub idle_max: Option<Duration>,
    /// `enablereuse`, `disablereuse`: whether connections are kept.
    pub reuse: Option<bool>,
    /// `upgrade`: the protocol a connection may change to, in lower case; `any`.
    pub upgrade: Option<String>,
}

impl BackEndOptions {
    /// These, and for what they do not say others.
    pub fn over(&self, other: &Self) -> Self {
        Self {
            connect_timeout: self.connect_timeout.or(other.connect_timeout),
            timeout: self.timeout.or(other.timeout),
            retry: self.retry.or(other.retry),
            connections_max: self.connections_max.or(other.connections_max),
            acquire: self.acquire.or(other.acquire),
            idle_max: self.idle_max.or(other.idle_max),
            reuse: self.reuse.or(other.reuse),
            upgrade: self.upgrade.clone().or_else(|| other.upgrade.clone()),
        }
    }
}

/// `ProxyVia`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ProxyVia {
    /// `Via` is passed on as it is.
    #[default]
    Off,
    /// This server adds itself.
    On,
    /// With its name.
    Full,
    /// `Via` is taken out of requests.
    Block,
}

/// What sections say about requests that are passed on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxySettings {
    /// `ProxyPass` of a `<Location>`.
    pub pass: Option<ProxyPass>,
    /// `ProxyPassReverse` in the order to try: a path here, and the back end's URL that it stands for.
    pub reverse: Vec<(String, String)>,
    /// `ProxyPassReverseCookieDomain`: the back end's, and ours.
    pub cookie_domains: Vec<(String, String)>,
    /// `ProxyPassReverseCookiePath`: the start of the back end's, and ours.
    pub cookie_paths: Vec<(String, String)>,
    /// `ProxyPreserveHost`.
    pub preserve_host: Option<bool>,
    /// `ProxyAddHeaders`.
    pub add_headers: Option<bool>,
    /// `ProxyErrorOverride`: the statuses in whose place our own pages are sent; none: not one.
    pub error_override: Option<Vec<u16>>,
    /// `Proxy100Continue`.
    pub awaits_continue: Option<bool>,
}

impl ProxySettings {
    /// Whether nothing was said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Lays what a later section says over this.
    pub fn overlay(&mut self, later: &Self) {
        if later.is_default() {
            return;
        }
        super::merge::replace(&mut self.pass, &later.pass);
        self.reverse.extend_from_slice(&later.reverse);
        self.cookie_domains.extend_from_slice(&later.cookie_domains);
        self.cookie_paths.extend_from_slice(&later.cookie_paths);
        super::merge::replace(&mut self.preserve_host, &later.preserve_host);
        super::merge::replace(&mut self.add_headers, &later.add_headers);
        super::merge::replace(&mut self.error_override, &later.error_override);
        super::merge::replace(&mut self.awaits_continue, &later.awaits_continue);
    }
}

impl Proxy {
    /// Whether nothing was said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// A virtual host's, with what it has from the main server. The main server's lines come first, as in httpd.
    pub(crate) fn inheriting(&self, main: &Self) -> Self {
        let inherit = self.inherit.or(main.inherit) != Some(false);
        let passes = main.passes.iter().filter(|_| inherit);
        Self {
            passes: passes.chain(&self.passes).cloned().collect(),
            back_ends: main
                .back_ends
                .iter()
                .chain(&self.back_ends)
                .cloned()
                .collect(),
            via: self.via.or(main.via),
            timeout: self.timeout.or(main.timeout),
            inherit: self.inherit.or(main.inherit),
        }
    }

    /// What is known of the back end of a URL: the longest `<Proxy>` that it starts with.
    fn said_of(&self, url: &str) -> Option<&BackEndOptions> {
        let fitting = self
            .back_ends
            .iter()
            .filter(|end| url.starts_with(&end.url));
        fitting
            .max_by_key(|end| end.url.len())
            .map(|end| &end.options)
    }

    /// How the back end of a target is spoken to.
    pub fn options(&self, target: &ProxyTarget) -> BackEndOptions {
        let said = self.said_of(&target.url);
        said.map_or_else(|| target.options.clone(), |said| target.options.over(said))
    }

    /// Everything that is known of back ends, for URLs that rules make: each URL once, the first that says it.
    pub fn known(&self) -> Vec<BackEnd> {
        let targets = self.passes.iter().filter_map(|pass| pass.to.as_ref());
        let passes = targets.map(|target| BackEnd {
            url: target.fixed_start().to_owned(),
            options: self.options(target),
        });
        let mut known: Vec<BackEnd> = Vec::new();
        for end in passes.chain(self.back_ends.iter().cloned()) {
            if !known.iter().any(|earlier| earlier.url == end.url) {
                known.push(end);
            }
        }
        known
    }
}

impl ProxyTarget {
    /// The part of the URL that no request changes.
    pub fn fixed_start(&self) -> &str {
        let end = self.url.find('$').unwrap_or(self.url.len());
        &self.url[..end]
    }
}
