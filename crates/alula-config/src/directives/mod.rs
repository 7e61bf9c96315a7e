//! What each directive means: one [`Entry`] owns its name, arguments, contexts, documentation and effect.
//!
//! The reference page is generated from these entries. A name in none of them is either known to httpd (`known.txt`) or a mistake,
//! and both are errors.

mod access_compat;
mod alias;
mod args;
mod authn;
mod authz;
mod autoindex;
mod connection;
mod core;
mod dir;
mod env;
mod error_document;
mod error_log_format;
mod expires;
mod expressions;
mod files;
mod fixed;
mod headers;
mod htaccess;
mod http2;
mod known;
mod log;
mod log_format;
mod log_target;
mod mime;
mod mpm;
mod nearest;
mod network;
mod output;
mod process_group;
mod proxy;
mod proxy_url;
mod python;
mod reading;
mod redirect;
mod reference;
mod remote_ip;
mod rewrite;
mod scope;
mod sections;
mod setenvif;
mod ssl;
mod status;
mod walk;
mod wsgi;
mod wsgi_gates;

use std::collections::HashMap;
use std::sync::LazyLock;

pub(crate) use args::{Args, Problem};
pub(crate) use log_format::{parse as parse_log_format, predefined as predefined_log_format};
pub(crate) use network::parse as parse_network;
pub use reference::reference_page;
pub(crate) use scope::Scope;
pub(crate) use walk::walk;

/// Everything about a directive.
pub(crate) struct Entry {
    pub name: &'static str,
    pub args: Arity,
    /// The arguments as the reference shows them.
    pub syntax: &'static str,
    pub contexts: Contexts,
    /// Empty when there is none.
    pub default: &'static str,
    pub doc: &'static str,
    pub apply: Apply,
}

/// Everything about a section.
pub(crate) struct SectionEntry {
    pub name: &'static str,
    pub syntax: &'static str,
    pub contexts: Contexts,
    pub doc: &'static str,
    pub kind: SectionKind,
}

/// What a section is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SectionKind {
    VirtualHost,
    Directory,
    DirectoryMatch,
    Files,
    FilesMatch,
    Location,
    LocationMatch,
    Proxy,
    ProxyMatch,
    If,
    ElseIf,
    Else,
    RequireAll,
    RequireAny,
    RequireNone,
    Limit,
    LimitExcept,
    /// Decided while reading.
    Condition,
}

impl SectionKind {
    /// Whether it groups access rules rather than requests.
    fn holds_rules(self) -> bool {
        matches!(
            self,
            Self::RequireAll
                | Self::RequireAny
                | Self::RequireNone
                | Self::Limit
                | Self::LimitExcept
        )
    }
}

/// What a directive does.
pub(crate) enum Apply {
    /// Changes the draft.
    Run(fn(&mut Scope, &Args) -> Result<(), Problem>),
    /// Nothing, for this reason; noted once.
    Ignored(&'static str),
    /// Nothing, with this value; any other is not supported.
    Fixed(&'static str),
    /// It already acted while the file was read.
    WhileReading,
}

/// How many arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arity {
    pub min: usize,
    pub max: usize,
}

impl Arity {
    pub(crate) const ANY: Self = Self {
        min: 0,
        max: usize::MAX,
    };

    pub(crate) const fn exactly(count: usize) -> Self {
        Self {
            min: count,
            max: count,
        }
    }

    pub(crate) const fn between(min: usize, max: usize) -> Self {
        Self { min, max }
    }

    pub(crate) const fn at_least(min: usize) -> Self {
        Self {
            min,
            max: usize::MAX,
        }
    }

    /// `takes one argument`, as httpd words it.
    pub(crate) fn describe(self) -> String {
        let plural = |count: usize| match count {
            0 => "no arguments".to_owned(),
            1 => "one argument".to_owned(),
            2 => "two arguments".to_owned(),
            3 => "three arguments".to_owned(),
            more => format!("{more} arguments"),
        };
        match (self.min, self.max) {
            (min, max) if min == max => format!("takes {}", plural(min)),
            (min, usize::MAX) => format!("requires at least {}", plural(min)),
            (min, max) => format!("takes {min}-{max} arguments"),
        }
    }
}

/// A set of places a directive may stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Contexts(u8);

impl Contexts {
    pub(crate) const SERVER: Self = Self(1);
    pub(crate) const VIRTUAL_HOST: Self = Self(2);
    pub(crate) const DIRECTORY: Self = Self(4);
    pub(crate) const FILES: Self = Self(8);
    pub(crate) const LOCATION: Self = Self(16);
    /// `<Proxy>`.
    pub(crate) const PROXY: Self = Self(32);
    /// Outside every section that depends on the request.
    pub(crate) const SERVERS: Self = Self(1 | 2);
    /// `<Directory>`, `<Files>`, `<Location>`, `<Proxy>`.
    pub(crate) const SECTIONS: Self = Self(4 | 8 | 16 | 32);
    pub(crate) const EVERYWHERE: Self = Self(63);

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// For the reference page.
    pub(crate) fn describe(self) -> String {
        let names = [
            (Self::SERVER, "server"),
            (Self::VIRTUAL_HOST, "virtual host"),
            (Self::SECTIONS, "directory"),
        ];
        let present = names.iter().filter(|(context, _)| self.0 & context.0 != 0);
        present
            .map(|(_, name)| *name)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// All entries, in the order of the reference page.
pub(crate) fn all() -> impl Iterator<Item = &'static Entry> {
    [
        core::ENTRIES,
        files::ENTRIES,
        htaccess::ENTRIES,
        dir::ENTRIES,
        mime::ENTRIES,
        autoindex::ENTRIES,
        output::ENTRIES,
        mpm::ENTRIES,
        connection::ENTRIES,
        http2::ENTRIES,
        ssl::ENTRIES,
        remote_ip::ENTRIES,
        reading::ENTRIES,
        error_document::ENTRIES,
        alias::ENTRIES,
        redirect::ENTRIES,
        authn::ENTRIES,
        authz::ENTRIES,
        access_compat::ENTRIES,
        env::ENTRIES,
        setenvif::ENTRIES,
        rewrite::ENTRIES,
        proxy::ENTRIES,
        headers::ENTRIES,
        expires::ENTRIES,
        log::ENTRIES,
        process_group::ENTRIES,
        status::ENTRIES,
        python::ENTRIES,
        wsgi::ENTRIES,
        wsgi_gates::ENTRIES,
        fixed::ENTRIES,
    ]
    .into_iter()
    .flatten()
}

pub(crate) fn find(name: &str) -> Option<&'static Entry> {
    /// By name in lower case: a configuration may have tens of thousands of lines.
    static BY_NAME: LazyLock<HashMap<String, &'static Entry>> = LazyLock::new(|| {
        let mut entries = HashMap::new();
        for entry in all() {
            entries
                .entry(entry.name.to_ascii_lowercase())
                .or_insert(entry);
        }
        entries
    });
    BY_NAME.get(&name.to_ascii_lowercase()).copied()
}

pub(crate) fn find_section(name: &str) -> Option<&'static SectionEntry> {
    sections::ENTRIES
        .iter()
        .find(|entry| entry.name.eq_ignore_ascii_case(name))
}
