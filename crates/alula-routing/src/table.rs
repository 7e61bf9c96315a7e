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

use crate::cache::{Cache, Entry, Key, Mark};
use crate::compose;
use crate::htaccess::{Chain, Chains, Htaccess};
use crate::layers::{Fitting, held_in_htaccess};
use crate::mapping::{Mapped, prefix_length};
use crate::passing::Passing;
use crate::redirect::{Redirected, Redirects};
use crate::route::{Access, Action, Found, Route, VirtualHostId};
use crate::site_files::{KnownFiles, SiteFiles};
use crate::virtual_host::VirtualHosts;
use alula_config::Site;
use alula_config::expression::Condition;
use alula_config::site::{
    DirectorySettings, HandlerChoice, MappingTarget, SectionPattern, VirtualHost,
};
use alula_http::path::merge_slashes;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod applied;
mod dynamic;
mod passed;
mod server;
mod site_file;

pub use applied::Applied;
pub use dynamic::{Asking, FixUp};
use server::{Server, Shared};

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
        key.mark(Mark::Files);
        key.push(mapped_number);
        if let Some(file) = &file {
            server.sections.file(file, |index| key.push(index));
        }
        let files = key.as_slice().len();
        if server.sections.has_conditions() {
            let fitting = server.fitting(&key, locations, files, mapped);
            let whole = server.script_path(mapped, merged).or_else(|| file.clone());
            let holds = |condition: &Condition| judge(condition, whole.as_deref());
            key.mark(Mark::Conditions);
            server
                .sections
                .conditions(&fitting, &holds, |index| key.push(index));
        }
        let mut conditions: Box<[u32]> = key.as_slice().get(files + 1..).unwrap_or_default().into();
        if !htaccess.is_empty() {
            key.mark(Mark::Htaccess);
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
        key.mark(Mark::Conditions);
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

    /// Every route made so far, by id. Most are made by [`RouteTable::new`]; a combination of sections nobody
    /// foresaw is made when first asked for.
    pub fn routes(&self) -> Vec<Arc<Route>> {
        self.cache.routes()
    }

    /// What a redirect outside sections leads to: a status that everyone may see.
    fn redirected(&self, host: VirtualHostId, mut key: Key, redirect: Box<Redirected>) -> Found {
        let locations = key.as_slice().len();
        // No mapping has this number.
        key.mark(Mark::Files);
        key.mark(Mark::Files);
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
