//! The table a request is looked up in.
//!
//! 0. `Redirect`s outside sections: they come before access control.
//! 1. `<Location>`s that fit the path. If they make Python answer, that is all: files are never looked at (mod_python skips
//!    map-to-storage there).
//! 2. The path is mapped to a file or script.
//! 3. `<Directory>` and `<Files>` that fit the file; those of a script are known beforehand.
//!
//! The numbers of everything that fit make a key, and the key has a route.

use crate::cache::{Cache, Entry, Key};
use crate::compose;
use crate::htaccess::{Chain, Chains, Htaccess};
use crate::mapping::{Mapped, Mappings, prefix_length};
use crate::redirect::{Redirected, Redirects};
use crate::route::{Access, Action, Found, Route, VirtualHostId};
use crate::sections::Sections;
use crate::virtual_host::VirtualHosts;
use alula_config::Site;
use alula_config::site::{
    DirectorySettings, HandlerChoice, MappingTarget, Origin, SectionPattern, VirtualHost,
};
use alula_http::path::merge_slashes;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A site, compiled for look-up. Shared by all threads.
#[derive(Debug)]
pub struct RouteTable {
    virtual_hosts: VirtualHosts,
    /// By [`VirtualHostId`].
    servers: Vec<Server>,
    cache: Cache,
    chains: Chains,
    allow_overrides: bool,
}

#[derive(Debug)]
struct Server {
    /// In force outside sections.
    settings: Arc<DirectorySettings>,
    sections: Arc<Sections>,
    redirects: Redirects,
    mappings: Mappings,
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

    /// The virtual host for a connection's local address and the authority asked for (`Host`, port allowed).
    pub fn virtual_host(&self, local: SocketAddr, host: Option<&[u8]>) -> VirtualHostId {
        self.virtual_hosts.find(local, host)
    }

    /// The route for a path: percent-decoded, dot segments removed, slashes not merged.
    pub fn find(&self, host: VirtualHostId, path: &[u8]) -> Found {
        self.find_with(host, path, &[])
    }

    /// Whether there can be `.htaccess` files at all.
    pub fn allow_overrides(&self) -> bool {
        self.allow_overrides
    }

    /// The directories to ask for `.htaccess` files on the way to a file; `None` if none is open to them.
    pub fn htaccess(&self, host: VirtualHostId, file: &Path) -> Option<Arc<Chain>> {
        if !self.allow_overrides {
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
        // An id comes from `virtual_host`; a wrong one is the main server.
        let host = if host.0 < self.servers.len() {
            host
        } else {
            VirtualHostId(0)
        };
        let server = &self.servers[host.0];
        let merged = merge_slashes(path);
        let mut key = Key::new();
        key.push(host.0);
        server.sections.locations(&merged, |index| key.push(index));
        if let Some(redirect) = server.redirects.find(&merged) {
            return self.redirected(host, key, redirect);
        }
        let entry = self
            .cache
            .get(&key)
            .unwrap_or_else(|| self.by_location(host, &key));
        if let Entry::Route(route) = entry {
            return found(route, None, path, &merged);
        }
        let mapped = server.mappings.find(&merged);
        let mapped_number = match mapped {
            Mapped::By { index, .. } => index,
            Mapped::DocumentRoot => server.mappings.mappings.len(),
            Mapped::Nowhere => server.mappings.mappings.len() + 1,
        };
        let locations = key.as_slice().len();
        let file = server.mappings.file(mapped, &merged);
        // Sections are numbered from 0, so this cannot be taken for one.
        key.push(u32::MAX as usize);
        key.push(mapped_number);
        if let Some(file) = &file {
            server.sections.file(file, |index| key.push(index));
        }
        let sections = key.as_slice().len();
        if !htaccess.is_empty() {
            key.push(u32::MAX as usize);
            htaccess.iter().for_each(|read| key.push(read.id as usize));
        }
        let route = match self.cache.get(&key) {
            Some(Entry::Route(route)) => route,
            _ => {
                let named = Named {
                    key: &key,
                    locations,
                    sections,
                };
                self.by_file(host, &named, mapped, file.as_deref(), htaccess)
            }
        };
        found(route, file.map(path_buf), path, &merged)
    }

    /// The route for a path once the file system was looked at: it leads to `file`, with what is after the first
    /// `path_len` bytes left over (`PATH_INFO`), and the file's name says who answers (`AddHandler`).
    pub fn find_named(
        &self,
        host: VirtualHostId,
        path: &[u8],
        file: PathBuf,
        path_len: usize,
        htaccess: &[Arc<Htaccess>],
    ) -> Found {
        let host = VirtualHostId(host.0.min(self.servers.len() - 1));
        let server = &self.servers[host.0];
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
        let mut settings = server.overlaid_with(&fitting, htaccess, Some(bytes), &locations);
        let by_name = compose::handler_by_name(&settings, bytes);
        // `SetHandler` wins, and `SetHandler None` lets the name decide.
        if matches!(settings.handler, None | Some(HandlerChoice::None)) && by_name.is_some() {
            settings.handler = by_name;
        }
        let route = self.route(host, &settings, mapped);
        Found {
            redirect: route.redirects.find(&merged),
            script_name_len: match &route.action {
                Action::Python(python) if python.django_root.is_some() => {
                    script_name_len(&route, path)
                }
                Action::Python(_) | Action::Wsgi(_) => path_len.min(path.len()),
                Action::Files(_) | Action::Status(_) => 0,
            },
            route,
            file: Some(file),
        }
    }

    /// The sections that apply to a path, in their order: the line each begins with, and where it stands. To be shown, not to
    /// be asked for each request.
    pub fn sections(&self, host: VirtualHostId, path: &[u8]) -> Vec<(String, Origin)> {
        let server = &self.servers[host.0.min(self.servers.len() - 1)];
        let merged = merge_slashes(path);
        let found = self.find(host, path);
        let mut fitting = Vec::new();
        let script = server.script(server.mappings.find(&merged));
        let file = found
            .file
            .as_ref()
            .map(|file| file.as_os_str().as_encoded_bytes());
        if let Some(file) = script.or(file) {
            server.sections.file(file, |index| fitting.push(index));
        }
        server
            .sections
            .locations(&merged, |index| fitting.push(index));
        let heading = |index: usize| server.sections.get(index).heading.clone();
        fitting.into_iter().map(heading).collect()
    }

    /// Every route made so far, by id. Most are made by [`RouteTable::new`]; a combination of sections nobody
    /// foresaw is made when first asked for.
    pub fn routes(&self) -> Vec<Arc<Route>> {
        self.cache.routes()
    }

    /// What a redirect outside sections leads to: a status that everyone may see.
    fn redirected(&self, host: VirtualHostId, mut key: Key, redirect: Box<Redirected>) -> Found {
        let locations = key.as_slice().len();
        // No mapping and no section has this number.
        key.push(u32::MAX as usize);
        key.push(u32::MAX as usize);
        key.push(usize::from(redirect.status.as_u16()));
        let route = match self.cache.get(&key) {
            Some(Entry::Route(route)) => route,
            _ => {
                let server = &self.servers[host.0];
                let settings = server.overlaid(&key.as_slice()[1..locations]);
                let route = self.cache.intern(Route {
                    action: Action::Status(redirect.status),
                    access: Access::default(),
                    redirects: Redirects::default(),
                    ..compose::route(host, &settings, Mapped::Nowhere, &server.mappings)
                });
                self.cache.insert(&key, &Entry::Route(route.clone()));
                route
            }
        };
        Found {
            route,
            file: None,
            redirect: Some(redirect),
            script_name_len: 0,
        }
    }

    /// What a new combination of locations leads to.
    fn by_location(&self, host: VirtualHostId, key: &Key) -> Entry {
        let server = &self.servers[host.0];
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

    /// What a new combination of locations, mapping and file sections leads to.
    fn by_file(
        &self,
        host: VirtualHostId,
        named: &Named,
        mapped: Mapped,
        file: Option<&[u8]>,
        htaccess: &[Arc<Htaccess>],
    ) -> Arc<Route> {
        let server = &self.servers[host.0];
        let numbers = named.key.as_slice();
        let mut fitting = numbers[named.locations + 2..named.sections].to_vec();
        if let Some(script) = server.script(mapped) {
            server.sections.file(script, |index| {
                fitting.push(u32::try_from(index).unwrap_or(u32::MAX))
            });
        }
        let locations = &numbers[1..named.locations];
        let settings = server.overlaid_with(&fitting, htaccess, file, locations);
        let route = self.route(host, &settings, mapped);
        self.cache.insert(named.key, &Entry::Route(route.clone()));
        route
    }

    /// The route for a sum of settings; a mod_python handler that declines leaves the request to files.
    fn route(
        &self,
        host: VirtualHostId,
        settings: &DirectorySettings,
        mapped: Mapped,
    ) -> Arc<Route> {
        let mappings = &self.servers[host.0].mappings;
        let mut route = compose::route(host, settings, mapped, mappings);
        if matches!(&route.action, Action::Python(python) if !python.is_framework()) {
            let files = DirectorySettings {
                handler: Some(HandlerChoice::Files),
                ..settings.clone()
            };
            let declined = compose::route(host, &files, mapped, mappings);
            route.when_declined = Some(self.cache.intern(declined));
        }
        self.cache.intern(route)
    }
}

/// A key and what its parts are.
struct Named<'k> {
    key: &'k Key,
    /// How many numbers are the host and its `<Location>`s.
    locations: usize,
    /// How many numbers come before those of `.htaccess` files.
    sections: usize,
}

impl Server {
    fn new(site: &Site, main: &Shared, server: &VirtualHost) -> Self {
        let settings = match server.settings == *main.settings {
            true => main.settings.clone(),
            false => Arc::new(server.settings.clone()),
        };
        let sections = match server.origin {
            Some(_) if !server.sections.is_empty() => {
                Arc::new(Sections::new(Some(&main.sections), &server.sections))
            }
            _ => main.sections.clone(),
        };
        Self {
            settings,
            sections,
            redirects: Redirects::new(&server.redirects),
            mappings: Mappings::new(site, server),
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

    /// The same with `.htaccess` files: each right after the plain `<Directory>`s of its directory, its `<Files>` after all others.
    fn overlaid_with(
        &self,
        sections: &[u32],
        htaccess: &[Arc<Htaccess>],
        file: Option<&[u8]>,
        locations: &[u32],
    ) -> DirectorySettings {
        let mut settings = DirectorySettings::clone(&self.settings);
        let mut files = htaccess.iter().peekable();
        for &index in sections {
            let depth = self.sections.depth(index as usize);
            while let Some(read) =
                files.next_if(|read| depth.is_none_or(|depth| read.depth < depth))
            {
                settings.overlay(&read.settings);
            }
            settings.overlay(&self.sections.get(index as usize).settings);
        }
        for read in files {
            settings.overlay(&read.settings);
        }
        for read in htaccess {
            read.sections.file(file.unwrap_or_default(), |index| {
                settings.overlay(&read.sections.get(index).settings);
            });
        }
        for &index in locations {
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

fn found(route: Arc<Route>, file: Option<PathBuf>, path: &[u8], merged: &[u8]) -> Found {
    Found {
        redirect: route.redirects.find(merged),
        script_name_len: script_name_len(&route, path),
        route,
        file,
    }
}

fn script_name_len(route: &Route, path: &[u8]) -> usize {
    let prefix = match &route.action {
        Action::Python(python) => python.django_root.as_deref(),
        Action::Wsgi(wsgi) => Some(wsgi.script_name.as_str()),
        Action::Files(_) | Action::Status(_) => None,
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
