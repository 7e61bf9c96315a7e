//! The table a request is looked up in.
//!
//! 0. `ProxyPass`: what is passed on has the sections `<Proxy>` and `<Location>`, and no file.
//!    `Redirect`s outside sections: they come before access control.
//! 1. `<Location>`s that fit the path. If they make Python answer, that is all: files are never looked at (mod_python skips
//!    map-to-storage there).
//! 2. The path is mapped to a file or script.
//! 3. `<Directory>` and `<Files>` that fit the file; those of a script are known beforehand.
//!
//! The numbers of everything that fit make a key, and the key has a route. Where there is an `<If>`, the numbers of those that
//! hold are in the key as well.
//!
//! A virtual host with rules that look at the request goes through [`RouteTable::find_for`]: `SetEnvIf` and the rewrite rules
//! of the server come before all that, `SetEnvIf` of sections after it, and rewrite rules of sections when access was checked.

use crate::asked::{Asked, Facts, Identity};
use crate::cache::{Cache, Entry, Key};
use crate::compose;
use crate::htaccess::{Chain, Chains, Htaccess};
use crate::layers::{Fitting, held_in_htaccess};
use crate::mapping::{Mapped, Mappings, prefix_length};
use crate::passing::{Passed, Passing};
use crate::redirect::{Redirected, Redirects};
use crate::rewrite::Changes;
use crate::rewrite::map::Maps;
use crate::rewrite::section::{FixedUp, ROUNDS_MAX, Roots, fix_up};
use crate::rewrite::server::{Translated, translate};
use crate::route::{Access, Action, Dynamic, Found, Route, VirtualHostId};
use crate::sections::Sections;
use crate::setenvif;
use crate::site_files::{KnownFiles, SiteFiles};
use crate::variables::Variables;
use crate::virtual_host::VirtualHosts;
use alula_config::Site;
use alula_config::expression::Condition;
use alula_config::site::{
    DirectorySettings, HandlerChoice, Judge, MappingTarget, Merging, Origin, Rewriting, Section,
    SectionPattern, SetEnvIf, VirtualHost,
};
use alula_http::path::merge_slashes;
use bytes::Bytes;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod site_file;

/// A site, compiled for look-up. Shared by all threads.
#[derive(Debug)]
pub struct RouteTable {
    virtual_hosts: VirtualHosts,
    /// By [`VirtualHostId`].
    servers: Vec<Server>,
    cache: Cache,
    chains: Chains,
    allow_overrides: bool,
    site_files: KnownFiles,
}

/// A request that was found, for access rules to ask.
#[derive(Debug)]
pub struct Asking<'a> {
    table: &'a RouteTable,
    host: VirtualHostId,
    found: &'a Found,
    asked: Asked<'a>,
}

impl Judge for Asking<'_> {
    fn holds(&self, condition: &Condition, user: Option<&str>) -> bool {
        let asked = Asked { user, ..self.asked };
        let (host, found) = (self.host, Some(self.found));
        self.table
            .with_facts(host, found, &asked, |facts| facts.holds(condition))
    }
}

/// A section, or a `.htaccess` file, that applies to a request.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The line it begins with; of a file, its path.
    pub heading: String,
    /// Where that stands.
    pub origin: Origin,
    /// Whether its `Order`, `Allow` and `Deny` replace those before it.
    pub has_order: bool,
    /// How its `Require` lines go with those before it, where it has any.
    pub requires: Option<Merging>,
}

/// What comes after access was checked.
#[derive(Debug)]
pub enum FixUp {
    /// The request goes on.
    Same,
    /// It starts again, with this.
    Again(Box<Dynamic>),
    /// This is the answer.
    Answer(Box<Redirected>),
}

/// Marks where a key's mapping and file sections begin; no section has so high a number.
const FILES: usize = u32::MAX as usize;

/// Marks where the `<Proxy>` sections of what is passed on begin.
const PROXY: usize = u32::MAX as usize - 3;

/// Marks a route that a rule of a section made another of.
const RULED: usize = u32::MAX as usize - 4;

/// Marks where the `.htaccess` files begin.
const HTACCESS: usize = u32::MAX as usize - 2;

/// Marks a file of the project's own.
const SITE_FILES: usize = u32::MAX as usize - 5;

/// Marks where the `<If>` sections that hold begin.
const CONDITIONS: usize = u32::MAX as usize - 1;

#[derive(Debug)]
struct Server {
    identity: Identity,
    /// `SetEnvIf` and its kin outside sections.
    set_env_if: Vec<SetEnvIf>,
    /// Whether rules are on anywhere.
    has_rewriting: bool,
    /// The rules outside sections.
    rewriting: Rewriting,
    maps: Maps,
    /// Whether something depends on more than the path.
    is_dynamic: bool,
    /// In force outside sections.
    settings: Arc<DirectorySettings>,
    sections: Arc<Sections>,
    redirects: Redirects,
    mappings: Mappings,
    passing: Passing,
    /// Whether any path is passed on.
    passes_on: bool,
}

/// What virtual hosts have from the main server, once for all of them.
struct Shared {
    settings: Arc<DirectorySettings>,
    sections: Arc<Sections>,
}

impl Shared {
    fn new(main: &VirtualHost) -> Self {
        Self {
            settings: Arc::new(main.settings.clone()),
            sections: Arc::new(Sections::new(None, &main.sections)),
        }
    }
}

impl RouteTable {
    /// Compiles a site, and makes the routes that its `Location`s and aliases lead to where there are applications to load.
    pub fn new(site: &Site) -> Self {
        let main = Shared::new(&site.main_server);
        let servers: Vec<Server> = site
            .servers()
            .map(|server| Server::new(site, &main, server))
            .collect();
        let mut opened = servers.iter();
        let table = Self {
            virtual_hosts: VirtualHosts::new(site),
            allow_overrides: opened.any(|server| server.sections.allow_overrides()),
            servers,
            cache: Cache::default(),
            chains: Chains::default(),
            site_files: KnownFiles::new(site.interpreters.len() == 1),
        };
        if site.interpreters.is_empty() {
            return table;
        }
        let paths = |server| foreseen_paths(site, server).count();
        // A path makes up to two combinations.
        table
            .cache
            .foresee(2 * site.servers().map(paths).sum::<usize>());
        for (id, server) in site.servers().enumerate() {
            for path in foreseen_paths(site, server) {
                table.find(VirtualHostId(id), path.as_bytes());
            }
        }
        table
    }

    /// The virtual host for a connection's local address and the authority asked for (`Host`, port allowed), which is only
    /// looked at where several have the address.
    pub fn virtual_host<'h>(
        &self,
        local: SocketAddr,
        host: impl FnOnce() -> Option<&'h [u8]>,
    ) -> VirtualHostId {
        self.virtual_hosts.find(local, host)
    }

    /// The route for a path: percent-decoded, dot segments removed, slashes not merged. Of what depends on more than the path,
    /// nothing counts.
    pub fn find(&self, host: VirtualHostId, path: &[u8]) -> Found {
        self.find_with(host, path, &[])
    }

    /// Whether there can be `.htaccess` files at all.
    pub fn allow_overrides(&self) -> bool {
        self.allow_overrides
    }

    /// The directories to ask for `.htaccess` files on the way to a file; `None` if none is open to them.
    pub fn htaccess(&self, host: VirtualHostId, file: &Path) -> Option<Arc<Chain>> {
        // A request that is passed on has no file.
        if !self.allow_overrides || !file.is_absolute() {
            return None;
        }
        let server = self.servers.get(host.0)?;
        let allowed = |directory: &[u8]| {
            let mut overrides = server.settings.overrides.clone();
            for settings in server.sections.directories(directory) {
                overrides.overlay(&settings.overrides);
            }
            overrides
        };
        // The file may turn out to be a directory, so its own is asked for as well; it has none if it is a file.
        let chain = self
            .chains
            .get(host.0, file.as_os_str().as_encoded_bytes(), allowed);
        Some(chain)
    }

    /// The same with the `.htaccess` files on the way, outermost first.
    pub fn find_with(&self, host: VirtualHostId, path: &[u8], htaccess: &[Arc<Htaccess>]) -> Found {
        let merged = merge_slashes(path);
        self.look_up(host, path, &merged, None, htaccess, &|_, _| false)
    }

    /// Whether a request has to be asked more than its path: then [`RouteTable::find_for`] finds its route.
    pub fn is_dynamic(&self, host: VirtualHostId) -> bool {
        self.server(host).is_dynamic
    }

    /// The route for a request. `started` is what it started again with ([`RouteTable::fix_up`]).
    pub fn find_for(
        &self,
        host: VirtualHostId,
        asked: &Asked,
        started: Option<Box<Dynamic>>,
        htaccess: &[Arc<Htaccess>],
    ) -> Found {
        let server = self.server(host);
        let is_first = started.is_none();
        let mut dynamic = started.unwrap_or_default();
        let path = dynamic.path.clone();
        let path = path.as_deref().unwrap_or(asked.path);
        let merged = merge_slashes(path);
        let query = dynamic.query.clone();
        let query = query.as_ref().map_or(asked.query, Option::as_deref);
        let no_variables = Variables::default();
        let facts = Facts {
            asked,
            identity: &server.identity,
            path: &merged,
            query,
            file: None,
            file_length: None,
            variables: &no_variables,
            environment: &[],
            handler: "",
        };
        setenvif::apply(&server.set_env_if, &facts, &mut dynamic.changes.variables);
        let has_names = server.sections.has_names();
        if has_names {
            let variables = &mut dynamic.changes.variables;
            server.sections.location_names(&merged, variables);
        }

        let mut new_path = None;
        let mut file = None;
        let mut new_query = None;
        let switched_on = server.has_rewriting && {
            let facts = Facts {
                variables: &dynamic.changes.variables,
                ..facts
            };
            server.rewrites(&merged, &|condition| facts.holds(condition))
        };
        if switched_on {
            let rewriting = &server.rewriting;
            let (translated, query) =
                translate(rewriting, &server.maps, &facts, &mut dynamic.changes);
            new_query = Some(query);
            match translated {
                Translated::Same => {}
                // What a rule joins shall be a path: `/app.wsgi/$1` with a `$1` that starts with a slash.
                Translated::Path(path) => new_path = Some(merge_slashes(&path).into_owned()),
                Translated::File(path) | Translated::Proxy(path) => file = Some(path),
                Translated::Answer(redirected) => {
                    dynamic.query = new_query.map(|query| query.map(Bytes::from));
                    let mut key = Key::new();
                    key.push(host.0);
                    server.sections.locations(&merged, |index| key.push(index));
                    let mut found = self.redirected(host, key, Box::new(redirected));
                    found.dynamic = Some(dynamic);
                    return found;
                }
            }
        }
        if let Some(query) = &new_query
            && query.as_deref() != facts.query
        {
            dynamic.query = Some(query.clone().map(Bytes::from));
        }
        if let Some(path) = new_path {
            dynamic.path = Some(path.into());
        }
        let path = dynamic.path.clone();
        let path = path.as_deref().unwrap_or(asked.path);
        let merged = merge_slashes(path);
        let query = match &new_query {
            Some(query) => query.as_deref(),
            None => facts.query,
        };
        let judge = |condition: &Condition, file: Option<&[u8]>| {
            let facts = Facts {
                path: &merged,
                query,
                file,
                variables: &dynamic.changes.variables,
                ..facts
            };
            facts.holds(condition)
        };
        let mut found = self.look_up(host, path, &merged, file, htaccess, &judge);
        if has_names {
            let variables = &mut dynamic.changes.variables;
            server.sections.location_names(&merged, variables);
            if let Some(file) = server.whole_file(&found, &merged) {
                server.sections.file_names(&file, variables);
            }
        }
        if is_first && !found.route.set_env_if.is_empty() {
            let lines = found.route.set_env_if.clone();
            let file = server.whole_file(&found, &merged);
            let facts = Facts {
                path: &merged,
                query,
                file: file.as_deref(),
                ..facts
            };
            setenvif::apply(&lines, &facts, &mut dynamic.changes.variables);
        }
        found.dynamic = Some(dynamic);
        found
    }

    /// Does what comes after access was checked: the rewrite rules of sections.
    pub fn fix_up(&self, host: VirtualHostId, found: &mut Found, asked: &Asked) -> FixUp {
        let Some(rewriting) = found.route.rewriting.clone() else {
            return FixUp::Same;
        };
        let server = self.server(host);
        let mut dynamic = found.dynamic.take().unwrap_or_default();
        let path = dynamic.path.clone();
        let path = path.as_deref().unwrap_or(asked.path);
        let merged = merge_slashes(path);
        let query = dynamic.query.clone();
        let file = server.whole_file(found, &merged);
        let before = dynamic.changes.variables.clone();
        let facts = Facts {
            asked,
            identity: &server.identity,
            path: &merged,
            query: query.as_ref().map_or(asked.query, Option::as_deref),
            file: file.as_deref(),
            file_length: None,
            variables: &before,
            environment: &[],
            handler: found.route.handler_name(),
        };
        let roots = Roots {
            document: server.identity.root(),
            alias: server.mappings.alias(&merged),
        };
        let done = fix_up(
            &rewriting,
            &server.maps,
            &facts,
            roots,
            &mut dynamic.changes,
        );
        let result = match done {
            FixedUp::Same => FixUp::Same,
            FixedUp::Proxy(file, query) => {
                dynamic.query = Some(query.map(Bytes::from));
                found.file = Some(path_buf(file));
                found.route = self.passed_by_rule(host, &found.route);
                FixUp::Same
            }
            FixedUp::Answer(redirected) => FixUp::Answer(Box::new(redirected)),
            FixedUp::Again(..) if dynamic.rounds >= ROUNDS_MAX => {
                FixUp::Answer(Box::new(Redirected {
                    status: http::StatusCode::INTERNAL_SERVER_ERROR,
                    target: None,
                    is_whole: true,
                }))
            }
            FixedUp::Again(path, query) => {
                let environment = dynamic.changes.variables.with(&found.route.environment);
                let again = Dynamic {
                    changes: Changes {
                        variables: redirected_variables(&environment),
                        ..dynamic.changes.clone()
                    },
                    path: Some(merge_slashes(&path).into_owned().into()),
                    query: Some(query.map(Bytes::from)),
                    rounds: dynamic.rounds + 1,
                    before: Some((
                        Bytes::copy_from_slice(facts.path),
                        facts.query.map(Bytes::copy_from_slice),
                    )),
                };
                return FixUp::Again(Box::new(again));
            }
        };
        found.dynamic = Some(dynamic);
        result
    }

    /// What is known of a request that was found, for expressions and variables.
    pub fn with_facts<R>(
        &self,
        host: VirtualHostId,
        found: Option<&Found>,
        asked: &Asked,
        look: impl FnOnce(&Facts) -> R,
    ) -> R {
        let server = self.server(host);
        let none = Variables::default();
        let dynamic = found.and_then(|found| found.dynamic.as_deref());
        let path = dynamic.and_then(|dynamic| dynamic.path.as_deref());
        let merged = merge_slashes(path.unwrap_or(asked.path));
        let file = found.and_then(|found| server.whole_file(found, &merged));
        let query = dynamic.and_then(|dynamic| dynamic.query.as_ref());
        look(&Facts {
            asked,
            identity: &server.identity,
            path: &merged,
            query: query.map_or(asked.query, Option::as_deref),
            file: file.as_deref(),
            file_length: None,
            variables: dynamic.map_or(&none, |dynamic| &dynamic.changes.variables),
            environment: found.map_or(&[], |found| &found.route.environment),
            handler: found.map_or("", |found| found.route.handler_name()),
        })
    }

    /// Judges the expressions of access rules for a request that was found.
    pub fn asking<'a>(
        &'a self,
        host: VirtualHostId,
        found: &'a Found,
        asked: Asked<'a>,
    ) -> Asking<'a> {
        Asking {
            table: self,
            host,
            found,
            asked,
        }
    }

    fn server(&self, host: VirtualHostId) -> &Server {
        // An id comes from `virtual_host`; a wrong one is the main server.
        self.servers.get(host.0).unwrap_or(&self.servers[0])
    }

    /// Finds a route. `file` is one that a rule named; `judge` says whether the condition of an `<If>` holds.
    fn look_up(
        &self,
        host: VirtualHostId,
        path: &[u8],
        merged: &[u8],
        file: Option<Vec<u8>>,
        htaccess: &[Arc<Htaccess>],
        judge: &dyn Fn(&Condition, Option<&[u8]>) -> bool,
    ) -> Found {
        let server = self.server(host);
        let mut key = Key::new();
        key.push(host.0);
        server.sections.locations(merged, |index| key.push(index));
        let passed = match &file {
            None if !server.passes_on => None,
            None => server.passing.find(&key.as_slice()[1..], merged),
            Some(file) => Passing::by_rule(file),
        };
        if let Some(passed) = passed {
            return self.passed(host, key, passed, (path, merged), judge);
        }
        if file.is_none()
            && let Some(redirect) = server.redirects.find(merged)
        {
            return self.redirected(host, key, redirect);
        }
        let locations = key.as_slice().len();
        let entry = self
            .cache
            .get(&key)
            .unwrap_or_else(|| self.by_location(host, &key));
        if let Entry::Route(route) = entry {
            let conditional = self.in_location(host, &key, merged, judge);
            let route = match conditional {
                None => Some(route),
                Some(Entry::Route(route)) => Some(route),
                // An `<If>` took the handler away.
                Some(Entry::NeedsFile) => None,
            };
            if let Some(route) = route {
                let found = found(route, None, path, merged);
                return match found.route.site_files {
                    None => found,
                    Some(_) => self.or_site_file(host, found, (path, merged), htaccess, judge),
                };
            }
        }
        let is_named = file.is_some();
        let mapped = match &file {
            None => server.mappings.find(merged),
            Some(file) if server.is_in_document_root(file) => Mapped::DocumentRoot,
            Some(_) => Mapped::Anywhere,
        };
        let mapped_number = match mapped {
            Mapped::By { index, .. } => index,
            Mapped::DocumentRoot => server.mappings.mappings.len(),
            Mapped::Nowhere => server.mappings.mappings.len() + 1,
            Mapped::Anywhere => server.mappings.mappings.len() + 2,
        };
        let file = file.or_else(|| server.mappings.file(mapped, merged));
        key.push(FILES);
        key.push(mapped_number);
        if let Some(file) = &file {
            server.sections.file(file, |index| key.push(index));
        }
        let files = key.as_slice().len();
        if server.sections.has_conditions() {
            let fitting = server.fitting(&key, locations, files, mapped);
            let whole = server.script_path(mapped, merged).or_else(|| file.clone());
            let holds = |condition: &Condition| judge(condition, whole.as_deref());
            key.push(CONDITIONS);
            server
                .sections
                .conditions(&fitting, &holds, |index| key.push(index));
        }
        let mut conditions: Box<[u32]> = key.as_slice().get(files + 1..).unwrap_or_default().into();
        if !htaccess.is_empty() {
            key.push(HTACCESS);
            htaccess.iter().for_each(|read| key.push(read.id as usize));
            let holds = |condition: &Condition| judge(condition, file.as_deref());
            let held = held_in_htaccess(htaccess, file.as_deref(), &holds);
            if !held.is_empty() {
                held.iter().for_each(|&number| key.push(number as usize));
                conditions = [&*conditions, &held].concat().into();
            }
        }
        let route = self.kept(&key, |key| {
            let of_file = server.of_file(&key[locations + 2..files], mapped);
            let fitting = Fitting {
                sections: &server.sections,
                of_file: &of_file,
                htaccess,
                file: file.as_deref(),
                locations: &key[1..locations],
                conditions: &conditions,
            };
            let settings = fitting.over(&server.settings);
            self.made(host, &settings, mapped)
        });
        let mut found = found(route, file.map(path_buf), path, merged);
        found.conditions = conditions;
        if found.route.site_files.is_some() && !is_named {
            return self.or_site_file(host, found, (path, merged), htaccess, judge);
        }
        found
    }

    /// The files of the project that an interpreter has imported, from now on (`PythonStatic`).
    pub fn set_site_files(&self, interpreter: &str, files: SiteFiles) {
        self.site_files.set(interpreter, files);
    }

    /// What locations that Python answers lead to with the `<If>` sections that hold; `None`: none does.
    fn in_location(
        &self,
        host: VirtualHostId,
        locations: &Key,
        merged: &[u8],
        judge: &dyn Fn(&Condition, Option<&[u8]>) -> bool,
    ) -> Option<Entry> {
        let server = self.server(host);
        if !server.sections.has_conditions() {
            return None;
        }
        let fitting = &locations.as_slice()[1..];
        let file = server.mappings.file(Mapped::DocumentRoot, merged);
        let holds = |condition: &Condition| judge(condition, file.as_deref());
        let mut key = locations.clone();
        key.push(CONDITIONS);
        let before = key.as_slice().len();
        server
            .sections
            .conditions(fitting, &holds, |index| key.push(index));
        let conditions = &key.as_slice()[before..];
        if conditions.is_empty() {
            return None;
        }
        let known = self.cache.get(&key);
        Some(known.unwrap_or_else(|| {
            let settings = server.overlaid(&[fitting, conditions].concat());
            let entry = match compose::python_handlers(&settings) {
                Some(list) if list.location.is_some() => {
                    Entry::Route(self.route(host, &settings, Mapped::Nowhere))
                }
                _ => Entry::NeedsFile,
            };
            self.cache.insert(&key, &entry);
            entry
        }))
    }

    /// The route of a combination, made if it is new.
    fn kept(&self, key: &Key, make: impl FnOnce(&[u32]) -> Route) -> Arc<Route> {
        if let Some(Entry::Route(route)) = self.cache.get(key) {
            return route;
        }
        let route = self.cache.intern(make(key.as_slice()));
        self.cache.insert(key, &Entry::Route(route.clone()));
        route
    }

    /// The route for a path once the file system was looked at: it leads to `file`, with what is after the first
    /// `path_len` bytes left over (`PATH_INFO`), and the file's name says who answers (`AddHandler`). `before` is what the
    /// path led to until then.
    pub fn find_named(
        &self,
        host: VirtualHostId,
        path: &[u8],
        file: PathBuf,
        path_len: usize,
        htaccess: &[Arc<Htaccess>],
        before: Found,
    ) -> Found {
        let server = self.server(host);
        let merged = merge_slashes(path);
        let bytes = file.as_os_str().as_encoded_bytes();
        let mapped = server.mappings.find(&merged);
        let mut fitting = Vec::new();
        let number = |index| u32::try_from(index).unwrap_or(u32::MAX);
        server
            .sections
            .file(bytes, |index| fitting.push(number(index)));
        let mut locations = Vec::new();
        server
            .sections
            .locations(&merged, |index| locations.push(number(index)));
        let fitting = Fitting {
            sections: &server.sections,
            of_file: &fitting,
            htaccess,
            file: Some(bytes),
            locations: &locations,
            conditions: &before.conditions,
        };
        let mut settings = fitting.over(&server.settings);
        let by_name = compose::handler_by_name(&settings, bytes);
        // `SetHandler` wins, and `SetHandler None` lets the name decide.
        if matches!(settings.handler, None | Some(HandlerChoice::None)) && by_name.is_some() {
            settings.handler = by_name;
        }
        let route = match settings.handler {
            Some(HandlerChoice::WsgiScript { in_main_server }) => {
                let mappings = &server.mappings;
                let action = compose::script_action(&settings, &file, in_main_server, mappings);
                let files = server.route(host, &settings, mapped);
                self.cache.intern(Route { action, ..files })
            }
            _ => self.route(host, &settings, mapped),
        };
        Found {
            redirect: route.redirects.find(&merged),
            script_name_len: match &route.action {
                Action::Python(python) if python.django_root.is_some() => {
                    script_name_len(&route, path)
                }
                Action::Python(_) | Action::Wsgi(_) => path_len.min(path.len()),
                Action::Files(_) | Action::Proxy(_) | Action::ServerStatus | Action::Status(_) => 0,
            },
            route,
            file: Some(file),
            dynamic: before.dynamic,
            conditions: before.conditions,
        }
    }

    /// What applies to a request that was found, in the order it applies. To be shown, not to be asked for each request.
    pub fn applied(
        &self,
        host: VirtualHostId,
        found: &Found,
        asked: &Asked,
        htaccess: &[Arc<Htaccess>],
    ) -> Vec<Applied> {
        let server = self.server(host);
        let dynamic = found.dynamic.as_deref();
        let path = dynamic.and_then(|dynamic| dynamic.path.as_deref());
        let merged = merge_slashes(path.unwrap_or(asked.path));
        let number = |index| u32::try_from(index).unwrap_or(u32::MAX);
        let (mut of_file, mut locations) = (Vec::new(), Vec::new());
        let script = match &found.route.action {
            Action::Wsgi(_) => server.script(server.mappings.find(&merged)),
            _ => None,
        };
        let file = found.file.as_ref();
        let file = script.or(file.map(|file| file.as_os_str().as_encoded_bytes()));
        if let Some(file) = file {
            server
                .sections
                .file(file, |index| of_file.push(number(index)));
        }
        server
            .sections
            .locations(&merged, |index| locations.push(number(index)));
        let fitting = [&of_file[..], &locations].concat();
        let mut conditions = Vec::new();
        self.with_facts(host, Some(found), asked, |facts| {
            let holds = |condition: &Condition| facts.holds(condition);
            server
                .sections
                .conditions(&fitting, &holds, |index| conditions.push(number(index)));
            conditions.extend(held_in_htaccess(htaccess, file, &holds));
        });
        let fitting = Fitting {
            sections: &server.sections,
            of_file: &of_file,
            htaccess,
            file,
            locations: &locations,
            conditions: &conditions,
        };
        let mut applied = Vec::new();
        fitting.each(|layer| {
            let (heading, origin) = layer.heading();
            let settings = layer.settings();
            applied.push(Applied {
                heading,
                origin,
                has_order: settings.order.is_some(),
                requires: (settings.access.is_some() || settings.auth_merging.is_some())
                    .then(|| settings.auth_merging.unwrap_or(Merging::Off)),
            });
        });
        applied
    }

    /// Every route made so far, by id. Most are made by [`RouteTable::new`]; a combination of sections nobody
    /// foresaw is made when first asked for.
    pub fn routes(&self) -> Vec<Arc<Route>> {
        self.cache.routes()
    }

    /// What a request that is passed on leads to; `path` is the one asked for, and the same with its slashes merged.
    fn passed(
        &self,
        host: VirtualHostId,
        mut key: Key,
        passed: Passed,
        path: (&[u8], &[u8]),
        judge: &dyn Fn(&Condition, Option<&[u8]>) -> bool,
    ) -> Found {
        let server = self.server(host);
        let locations = key.as_slice().len();
        key.push(PROXY);
        key.push(passed.number);
        let url = &passed.file[crate::passing::PREFIX.len()..];
        server.sections.proxies(url, |index| key.push(index));
        let proxies = key.as_slice().len();
        let in_order = |key: &[u32]| [&key[locations + 2..proxies], &key[1..locations]].concat();
        if server.sections.has_conditions() {
            let fitting = in_order(key.as_slice());
            let holds = |condition: &Condition| judge(condition, Some(&passed.file));
            key.push(CONDITIONS);
            server
                .sections
                .conditions(&fitting, &holds, |index| key.push(index));
        }
        let conditions: Box<[u32]> = key.as_slice().get(proxies + 1..).unwrap_or_default().into();
        let route = self.kept(&key, |key| {
            let settings = server.overlaid(&[&in_order(key)[..], &conditions].concat());
            Route {
                action: Action::Proxy(server.passing.route(&passed)),
                ..server.route(host, &settings, Mapped::Nowhere)
            }
        });
        let (path, merged) = path;
        let mut found = found(route, Some(path_buf(passed.file)), path, merged);
        found.conditions = conditions;
        found
    }

    /// The route of a request that a rule of a section passes on: with the same settings.
    fn passed_by_rule(&self, host: VirtualHostId, route: &Arc<Route>) -> Arc<Route> {
        let mut key = Key::new();
        key.push(host.0);
        key.push(RULED);
        key.push(route.id.0);
        self.kept(&key, |_| Route {
            action: Action::Proxy(self.server(host).passing.route_by_rule()),
            rewriting: None,
            when_declined: None,
            ..Route::clone(route)
        })
    }

    /// What a redirect outside sections leads to: a status that everyone may see.
    fn redirected(&self, host: VirtualHostId, mut key: Key, redirect: Box<Redirected>) -> Found {
        let locations = key.as_slice().len();
        // No mapping has this number.
        key.push(FILES);
        key.push(FILES);
        key.push(usize::from(redirect.status.as_u16()));
        let server = self.server(host);
        let route = self.kept(&key, |key| {
            let settings = server.overlaid(&key[1..locations]);
            Route {
                action: Action::Status(redirect.status),
                access: Access::default(),
                redirects: Redirects::default(),
                set_env_if: Arc::default(),
                rewriting: None,
                asks_expressions: false,
                ..server.route(host, &settings, Mapped::Nowhere)
            }
        });
        Found {
            route,
            file: None,
            redirect: Some(redirect),
            dynamic: None,
            conditions: Box::default(),
            script_name_len: 0,
        }
    }

    /// What a new combination of locations leads to.
    fn by_location(&self, host: VirtualHostId, key: &Key) -> Entry {
        let server = self.server(host);
        let settings = server.overlaid(&key.as_slice()[1..]);
        let in_location =
            compose::python_handlers(&settings).is_some_and(|list| list.location.is_some());
        let entry = if in_location {
            Entry::Route(self.route(host, &settings, Mapped::Nowhere))
        } else {
            Entry::NeedsFile
        };
        self.cache.insert(key, &entry);
        entry
    }

    fn route(
        &self,
        host: VirtualHostId,
        settings: &DirectorySettings,
        mapped: Mapped,
    ) -> Arc<Route> {
        self.cache.intern(self.made(host, settings, mapped))
    }

    /// The route for a sum of settings; a mod_python handler that declines leaves the request to files.
    fn made(&self, host: VirtualHostId, settings: &DirectorySettings, mapped: Mapped) -> Route {
        let server = &self.servers[host.0];
        let mut route = server.route(host, settings, mapped);
        if matches!(&route.action, Action::Python(python) if !python.is_framework()) {
            let files = DirectorySettings {
                handler: Some(HandlerChoice::Files),
                ..settings.clone()
            };
            let declined = server.route(host, &files, mapped);
            route.when_declined = Some(self.cache.intern(declined));
        } else if settings.python.site_files == Some(true)
            && matches!(route.action, Action::Python(_) | Action::Wsgi(_))
        {
            let files = DirectorySettings {
                handler: Some(HandlerChoice::Files),
                ..settings.clone()
            };
            let files = server.route(host, &files, Mapped::Anywhere);
            let asking = Route {
                when_declined: Some(self.cache.intern(files)),
                asks_for_site_files: true,
                ..route.clone()
            };
            route.site_files = Some(self.cache.intern(asking));
        }
        route
    }
}

impl Server {
    fn new(site: &Site, main: &Shared, server: &VirtualHost) -> Self {
        let inherited = match server.origin {
            Some(_) => site.main_server.sections.as_slice(),
            None => &[],
        };
        let rewriting = server.rewriting.clone().unwrap_or_default();
        let written = || inherited.iter().chain(&server.sections);
        let has_rewriting = rewriting.is_on() || written().any(rewrites);
        let settings = if server.settings == *main.settings && !has_rewriting {
            main.settings.clone()
        } else {
            // Sections inherit the switch and the options, not the rules.
            let inherited_rewriting = has_rewriting.then(|| Rewriting {
                engine: rewriting.engine,
                options: rewriting.options,
                ..Rewriting::default()
            });
            Arc::new(DirectorySettings {
                rewriting: inherited_rewriting,
                ..server.settings.clone()
            })
        };
        let sections = match server.origin {
            Some(_) if !server.sections.is_empty() => {
                Arc::new(Sections::new(Some(&main.sections), &server.sections))
            }
            _ => main.sections.clone(),
        };
        let allows_overrides = sections.allow_overrides();
        let has_names = sections.has_names();
        let passing = Passing::new(server, &sections);
        Self {
            passes_on: passing.is_active(),
            passing,
            identity: Identity::new(server),
            settings,
            sections,
            redirects: Redirects::new(&server.redirects),
            mappings: Mappings::new(site, server),
            set_env_if: server.set_env_if.clone(),
            maps: Maps::new(&rewriting.maps),
            // A `.htaccess` file may hold such lines as well.
            is_dynamic: !server.set_env_if.is_empty()
                || allows_overrides
                || has_names
                || has_rewriting
                || written().any(is_dynamic),
            has_rewriting,
            rewriting,
        }
    }

    fn route(&self, host: VirtualHostId, settings: &DirectorySettings, mapped: Mapped) -> Route {
        compose::route(host, settings, mapped, &self.mappings, self.is_dynamic)
    }

    /// The sections of a key without conditions, in the order they apply.
    fn fitting(&self, key: &Key, locations: usize, files: usize, mapped: Mapped) -> Vec<u32> {
        let key = key.as_slice();
        let mut fitting = self.of_file(&key[locations + 2..files], mapped);
        fitting.extend_from_slice(&key[1..locations]);
        fitting
    }

    /// The sections of a file, and those of the script that stands for it.
    fn of_file(&self, sections: &[u32], mapped: Mapped) -> Vec<u32> {
        let mut fitting = sections.to_vec();
        if let Some(script) = self.script(mapped) {
            self.sections.file(script, |index| {
                fitting.push(u32::try_from(index).unwrap_or(u32::MAX))
            });
        }
        fitting
    }

    /// Whether the rules outside sections are tried for a path: a location may switch them on or off, as in httpd.
    fn rewrites(&self, merged: &[u8], holds: &dyn Fn(&Condition) -> bool) -> bool {
        let mut fitting = Vec::new();
        let number = |index| u32::try_from(index).unwrap_or(u32::MAX);
        self.sections
            .locations(merged, |index| fitting.push(number(index)));
        if self.sections.has_conditions() {
            let locations = fitting.clone();
            self.sections
                .conditions(&locations, holds, |index| fitting.push(number(index)));
        }
        let last = fitting.iter().rev().find_map(|&index| {
            let settings = &self.sections.get(index as usize).settings;
            settings.rewriting.as_ref()?.engine
        });
        last.or(self.rewriting.engine) == Some(true)
    }

    fn is_in_document_root(&self, file: &[u8]) -> bool {
        let root = self
            .identity
            .root()
            .map(|root| root.strip_suffix(b"/").unwrap_or(root));
        let rest = root.and_then(|root| file.strip_prefix(root));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }

    /// A script and what follows its URL.
    fn script_path(&self, mapped: Mapped, merged: &[u8]) -> Option<Vec<u8>> {
        let Mapped::By { length, .. } = mapped else {
            return None;
        };
        let script = self.script(mapped)?;
        let rest = merged.get(length..).unwrap_or_default();
        let slash: &[u8] = if rest.is_empty() || rest.starts_with(b"/") {
            b""
        } else {
            b"/"
        };
        Some([script, slash, rest].concat())
    }

    /// The file of a request, with what follows it in the path; below `DocumentRoot` where Python answers without one.
    fn whole_file(&self, found: &Found, merged: &[u8]) -> Option<Vec<u8>> {
        use std::os::unix::ffi::OsStrExt;
        if let Some(file) = &found.file {
            return Some(file.as_os_str().as_bytes().to_vec());
        }
        match &found.route.action {
            Action::Wsgi(_) => self.script_path(self.mappings.find(merged), merged),
            _ => self.mappings.file(Mapped::DocumentRoot, merged),
        }
    }

    /// The settings outside sections with those of sections laid over, in order.
    fn overlaid(&self, sections: &[u32]) -> DirectorySettings {
        let mut settings = DirectorySettings::clone(&self.settings);
        for &index in sections {
            settings.overlay(&self.sections.get(index as usize).settings);
        }
        settings
    }

    /// The WSGI script a path was mapped to.
    fn script(&self, mapped: Mapped) -> Option<&[u8]> {
        let Mapped::By { index, .. } = mapped else {
            return None;
        };
        match &self.mappings.mappings[index].target {
            MappingTarget::WsgiScript { script, .. } => Some(script.as_os_str().as_encoded_bytes()),
            MappingTarget::Files(_) | MappingTarget::FilesMatch(_) => None,
        }
    }
}

/// Whether what a section says depends on more than the path.
fn is_dynamic(section: &Section) -> bool {
    let settings = &section.settings;
    matches!(section.pattern, SectionPattern::If { .. })
        || !settings.set_env_if.is_empty()
        || section.inner.iter().any(is_dynamic)
}

/// Whether a section switches rewriting on.
fn rewrites(section: &Section) -> bool {
    let rewriting = section.settings.rewriting.as_ref();
    rewriting.is_some_and(Rewriting::is_on) || section.inner.iter().any(rewrites)
}

/// The variables of a request that starts again: those it had are kept under another name.
fn redirected_variables(environment: &Variables) -> Variables {
    let mut variables = Variables::default();
    for (name, value) in environment.as_slice() {
        variables.set(format!("REDIRECT_{name}"), value.clone());
    }
    variables.set("REDIRECT_STATUS", "200");
    variables
}

fn found(route: Arc<Route>, file: Option<PathBuf>, path: &[u8], merged: &[u8]) -> Found {
    Found {
        redirect: route.redirects.find(merged),
        script_name_len: script_name_len(&route, path),
        route,
        file,
        dynamic: None,
        conditions: Box::default(),
    }
}

fn script_name_len(route: &Route, path: &[u8]) -> usize {
    let prefix = match &route.action {
        Action::Python(python) => python.django_root.as_deref(),
        Action::Wsgi(wsgi) => Some(wsgi.script_name.as_str()),
        Action::Files(_) | Action::Proxy(_) | Action::ServerStatus | Action::Status(_) => None,
    };
    prefix
        .and_then(|prefix| prefix_length(path, prefix.as_bytes()))
        .unwrap_or(0)
}

fn path_buf(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(bytes).into()
}

/// Paths whose routes are wanted at start: applications are loaded for them.
fn foreseen_paths<'s>(site: &'s Site, server: &'s VirtualHost) -> impl Iterator<Item = &'s str> {
    let sections = site.main_server.sections.iter().chain(&server.sections);
    let locations = sections.filter_map(|section| match &section.pattern {
        SectionPattern::Location(path) => Some(path.as_str()),
        _ => None,
    });
    let paths = server.url_map.iter();
    let paths = paths.filter(|mapping| !matches!(mapping.target, MappingTarget::FilesMatch(_)));
    let mapped = paths.map(|mapping| mapping.url.as_str());
    ["/"].into_iter().chain(locations).chain(mapped)
}
