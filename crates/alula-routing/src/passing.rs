//! `ProxyPass` and `ProxyPassMatch`, ready to be tried: a path to the URL of a back end.
//!
//! They come before redirects, aliases and handlers, as in httpd, whose word for the result is kept as well: a request that is
//! passed on has `proxy:` and the URL as its file. What comes from the request's path is percent-encoded again; the query is
//! appended by whoever sends the request.

use crate::mapping::prefix_length;
use crate::sections::Sections;
use crate::substitution::expand;
use alula_config::Pattern;
use alula_config::site::{
    BackEnd, EncodedSlashes, Forwarding, ProxyFrom, ProxyPass, ProxyTarget, VirtualHost,
};
use alula_http::path;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// What the file of a request that is passed on starts with.
pub(crate) const PREFIX: &[u8] = b"proxy:";

/// Stands for the line of a `<Location>` among the numbers of the server's.
const OF_LOCATION: usize = u32::MAX as usize - 8;

/// Stands for a rewrite rule.
const OF_RULE: usize = u32::MAX as usize - 9;

/// What a server passes on.
#[derive(Debug)]
pub(crate) struct Passing {
    passes: Vec<Pass>,
    /// Those of `<Location>`s, by the numbers of the sections.
    locations: FxHashMap<u32, Pass>,
    /// `AllowEncodedSlashes NoDecode`: `%2F` in a path is a slash that was encoded.
    keeps_slashes: bool,
    /// What is known of back ends that rules name.
    known: Arc<[BackEnd]>,
    /// What is the same for all.
    common: Forwarding,
    proxy: alula_config::site::Proxy,
}

#[derive(Debug)]
struct Pass {
    from: ProxyFrom,
    regex: Option<Pattern>,
    to: Option<ProxyTarget>,
}

/// Where a request is passed on to.
#[derive(Debug)]
pub(crate) struct Passed<'p> {
    /// `proxy:` and the URL.
    pub file: Vec<u8>,
    /// Names the line within the server.
    pub number: usize,
    pass: Option<&'p Pass>,
}

impl Passing {
    pub(crate) fn new(server: &VirtualHost, sections: &Sections) -> Self {
        let locations = sections.passes();
        let known = server.proxy.known();
        Self {
            passes: server.proxy.passes.iter().map(Pass::new).collect(),
            locations: locations
                .map(|(index, pass)| (index, Pass::new(pass)))
                .collect(),
            keeps_slashes: server.encoded_slashes == EncodedSlashes::Keep,
            known: known.into(),
            common: Forwarding {
                back_ends: Arc::new([]),
                raw: None,
                without_query: false,
                via: server.proxy.via.unwrap_or_default(),
                server_name: server
                    .server_name
                    .clone()
                    .unwrap_or_else(|| "localhost".to_owned()),
                timeout: server.proxy.timeout.unwrap_or(server.connection.timeout),
                tunnel_timeout: server.proxy.timeout,
            },
            proxy: server.proxy.clone(),
        }
    }

    /// Whether any path is passed on.
    pub(crate) fn is_active(&self) -> bool {
        !self.passes.is_empty() || !self.locations.is_empty()
    }

    /// Where a path is passed on to, its slashes merged; `locations` are the sections that fit it.
    pub(crate) fn find(&self, locations: &[u32], path: &[u8]) -> Option<Passed<'_>> {
        // `OPTIONS *` asks about this server.
        if !path.starts_with(b"/") {
            return None;
        }
        let of_location = locations.iter().rev();
        let of_location = of_location.filter_map(|index| self.locations.get(index));
        let of_location = of_location.take(1).map(|pass| (OF_LOCATION, pass));
        let lines = of_location.chain(self.passes.iter().enumerate());
        for (number, pass) in lines {
            if let Some(url) = pass.url(path, self.keeps_slashes) {
                return url.map(|url| Passed {
                    file: [PREFIX, &url].concat(),
                    number,
                    pass: Some(pass),
                });
            }
        }
        None
    }

    /// Where a rule has sent a request, if the file it names is a URL.
    pub(crate) fn by_rule(file: &[u8]) -> Option<Passed<'static>> {
        file.starts_with(PREFIX).then(|| Passed {
            file: file.to_vec(),
            number: OF_RULE,
            pass: None,
        })
    }

    /// What there is to know of requests that a line or a rule passes on.
    pub(crate) fn route(&self, passed: &Passed) -> Forwarding {
        match passed.pass.and_then(|pass| Some((pass, pass.to.as_ref()?))) {
            None => self.route_by_rule(),
            Some((pass, target)) => Forwarding {
                back_ends: Arc::new([BackEnd {
                    url: target.fixed_start().to_owned(),
                    options: self.proxy.options(target),
                }]),
                raw: match &pass.from {
                    ProxyFrom::Prefix(prefix) if target.raw => {
                        Some((prefix.clone(), target.url.clone()))
                    }
                    _ => None,
                },
                without_query: target.without_query,
                ..self.common.clone()
            },
        }
    }

    /// The same for rules.
    pub(crate) fn route_by_rule(&self) -> Forwarding {
        Forwarding {
            back_ends: self.known.clone(),
            ..self.common.clone()
        }
    }
}

impl Pass {
    fn new(pass: &ProxyPass) -> Self {
        Self {
            regex: match &pass.from {
                ProxyFrom::Match(regex) => Pattern::new(regex).ok(),
                ProxyFrom::Prefix(_) => None,
            },
            from: pass.from.clone(),
            to: pass.to.clone(),
        }
    }

    /// The URL for a path; `None` if the line is not for it, and no URL if it says that the path stays here.
    fn url(&self, path: &[u8], keeps_slashes: bool) -> Option<Option<Vec<u8>>> {
        let encode = |path: &[u8]| encode(path, keeps_slashes);
        let url = match &self.from {
            ProxyFrom::Prefix(prefix) => {
                let length = prefix_length(path, prefix.as_bytes())?;
                let Some(to) = &self.to else {
                    return Some(None);
                };
                [to.url.as_bytes(), &encode(&path[length..])].concat()
            }
            ProxyFrom::Match(_) => {
                let groups = self.regex.as_ref()?.captures(path)?;
                let Some(to) = &self.to else {
                    return Some(None);
                };
                let url = expand(&to.url, path, &groups, encode);
                match url == to.url.as_bytes() {
                    true => [to.url.as_bytes(), &encode(path)].concat(),
                    false => url,
                }
            }
        };
        Some(Some(url))
    }
}

/// Percent-encodes a path; `%2F` was never decoded where it is kept.
fn encode(path: &[u8], keeps_slashes: bool) -> Vec<u8> {
    let encoded = path::encode(path);
    if !keeps_slashes || !encoded.contains("%252") {
        return encoded.into_bytes();
    }
    encoded
        .replace("%252F", "%2F")
        .replace("%252f", "%2f")
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::Pass;
    use alula_config::site::{BackEndOptions, ProxyFrom, ProxyTarget};

    fn pass(from: ProxyFrom, url: Option<&str>) -> Pass {
        let to = url.map(|url| ProxyTarget {
            url: url.to_owned(),
            raw: false,
            without_query: false,
            options: BackEndOptions::default(),
        });
        Pass {
            regex: match &from {
                ProxyFrom::Match(regex) => alula_config::Pattern::new(regex).ok(),
                ProxyFrom::Prefix(_) => None,
            },
            from,
            to,
        }
    }

    fn shown(found: Option<Option<Vec<u8>>>) -> String {
        match found {
            None => "another".to_owned(),
            Some(None) => "here".to_owned(),
            Some(Some(url)) => String::from_utf8_lossy(&url).into_owned(),
        }
    }

    #[test]
    fn prefixes_are_replaced() {
        let check = |prefix: &str, url: &str, path: &str, expected: &str| {
            let pass = pass(ProxyFrom::Prefix(prefix.to_owned()), Some(url));
            assert_eq!(
                shown(pass.url(path.as_bytes(), false)),
                expected,
                "{prefix} {path}"
            );
        };
        check("/", "http://h/", "/a/b", "http://h/a/b");
        check("/", "http://h/", "/", "http://h/");
        check("/app", "http://h", "/app/x", "http://h/x");
        check("/app", "http://h/y", "/app", "http://h/y");
        check("/app", "http://h/y", "/apple", "another");
        check("/app/", "http://h/", "/app", "another");
        check(
            "/app/",
            "http://h/",
            "/app/a b?#%",
            "http://h/a%20b%3F%23%25",
        );
        check("/app/", "unix:/s|http://h/", "/app/x", "unix:/s|http://h/x");
    }

    #[test]
    fn groups_are_filled_in() {
        let check = |regex: &str, url: &str, path: &str, expected: &str| {
            let pass = pass(ProxyFrom::Match(regex.to_owned()), Some(url));
            assert_eq!(
                shown(pass.url(path.as_bytes(), false)),
                expected,
                "{regex} {path}"
            );
        };
        check(
            "^/u/([^/]+)/(.*)$",
            "http://h/$2/$1",
            "/u/me/x y",
            "http://h/x%20y/me",
        );
        check(r"\.gif$", "http://h", "/a/b.gif", "http://h/a/b.gif");
        check(r"\.gif$", "http://h", "/a/b.png", "another");
        check("^(/.*)$", "http://h$1", "/a?b", "http://h/a%3Fb");
    }

    #[test]
    fn exceptions_stay() {
        let check = |path: &str, expected: &str| {
            let pass = pass(ProxyFrom::Prefix("/static".to_owned()), None);
            assert_eq!(shown(pass.url(path.as_bytes(), false)), expected, "{path}");
        };
        check("/static/a", "here");
        check("/statics", "another");
    }

    #[test]
    fn encoded_slashes_stay_encoded_where_they_were_kept() {
        assert_eq!(super::encode(b"/a%2Fb%", true), b"/a%2Fb%25");
        assert_eq!(super::encode(b"/a%2Fb", false), b"/a%252Fb");
    }
}
