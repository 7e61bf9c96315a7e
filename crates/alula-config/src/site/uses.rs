//! Which parts of a configuration use Python, and in which interpreter.
//!
//! What a virtual host inherits is looked at once for each host, because what the host changes for it (`SetEnv`) counts.
//! A main server that no connection can reach, since virtual hosts have all its addresses, uses nothing.

use super::{
    DirectorySettings, Listener, MappingTarget, Origin, Section, SectionPattern, UrlMapping,
    VirtualHost, WsgiSettings,
};

/// A place where Python answers.
pub(super) struct Use {
    pub(super) interpreter: String,
    /// The line that leads to Python.
    pub(super) origin: Origin,
    /// What is in force there.
    pub(super) settings: DirectorySettings,
}

/// Every place where Python answers, main server first.
pub(super) fn find(servers: &[VirtualHost], listeners: &[Listener]) -> Vec<Use> {
    let mut uses = Vec::new();
    for (index, server) in servers.iter().enumerate() {
        if index == 0 && !is_reachable(servers, listeners) {
            continue;
        }
        let finder = Finder::new(index, server, &servers[0]);
        finder.server_level(&mut uses);
        // What is in force in a section takes a look at all others, which a large site without Python can do without.
        if finder.mentions_python() {
            for section in &finder.sections {
                finder.section(section, finder.in_force(&section.pattern), &mut uses);
            }
        }
        finder.scripts(&server.url_map, &mut uses);
    }
    uses
}

/// Whether a connection can come to an address that no virtual host has.
fn is_reachable(servers: &[VirtualHost], listeners: &[Listener]) -> bool {
    let is_taken = |listener: &Listener| {
        let mut addresses = servers.iter().flat_map(|server| &server.addresses);
        addresses.any(|address| {
            let port = address
                .port
                .is_none_or(|port| port == listener.address.port());
            let ip = address.ip.is_none_or(|ip| ip == listener.address.ip());
            port && ip
        })
    };
    !listeners.iter().all(is_taken)
}

struct Finder<'a> {
    server: &'a VirtualHost,
    /// Those of the main server, then its own.
    sections: Vec<&'a Section>,
}

impl<'a> Finder<'a> {
    fn new(index: usize, server: &'a VirtualHost, main: &'a VirtualHost) -> Self {
        let inherited = if index == 0 {
            &[]
        } else {
            main.sections.as_slice()
        };
        Self {
            server,
            sections: inherited.iter().chain(&server.sections).collect(),
        }
    }

    /// Whether anything outside or inside sections leads to Python.
    fn mentions_python(&self) -> bool {
        mentions_python_itself(&self.server.settings)
            || self.sections.iter().any(|section| mentions_python(section))
    }

    fn scripts(&self, url_map: &[UrlMapping], uses: &mut Vec<Use>) {
        for mapping in url_map {
            let MappingTarget::WsgiScript {
                script,
                wsgi,
                in_main_server,
            } = &mapping.target
            else {
                continue;
            };
            let folder = script
                .parent()
                .map(|folder| folder.to_string_lossy().into_owned());
            let directory = SectionPattern::Directory(folder.unwrap_or_default());
            let location = SectionPattern::Location(mapping.url.clone());
            let mut settings = self.server.settings.clone();
            self.lay_over(&mut settings, &directory);
            self.lay_over(&mut settings, &location);
            let names = &self.server.interpreters;
            uses.push(Use {
                interpreter: names.find_script(&settings, wsgi, &mapping.url, *in_main_server),
                origin: mapping.origin.clone(),
                settings,
            });
        }
    }

    fn server_level(&self, uses: &mut Vec<Use>) {
        if self.server.settings.leads_to_scripts().is_some() {
            let origin = self.server.origin.clone();
            let origin = origin.or_else(|| Some(self.sections.first()?.origin.clone()));
            let nowhere = || Origin {
                file: "/".into(),
                line: 0,
            };
            let origin = origin.unwrap_or_else(nowhere);
            self.other_scripts(&self.server.settings, &origin, uses);
        }
        self.use_of(self.server.settings.clone(), uses);
    }

    fn section(&self, section: &Section, settings: DirectorySettings, uses: &mut Vec<Use>) {
        for inner in &section.inner {
            let mut inner_settings = settings.clone();
            inner_settings.overlay(&inner.settings);
            self.section(inner, inner_settings, uses);
        }
        self.other_scripts(&settings, &section.origin, uses);
        self.use_of(settings, uses);
    }

    /// Scripts that are asked who may pass, and files that are scripts.
    fn other_scripts(&self, settings: &DirectorySettings, origin: &Origin, uses: &mut Vec<Use>) {
        let names = &self.server.interpreters;
        let mut add = |wsgi: &WsgiSettings, in_main_server, origin: &Origin| {
            uses.push(Use {
                interpreter: names.find_script(settings, wsgi, "", in_main_server),
                origin: origin.clone(),
                settings: settings.clone(),
            });
        };
        for script in settings.authentication.scripts() {
            let wsgi = WsgiSettings {
                application_group: script.application_group.clone(),
                ..WsgiSettings::default()
            };
            add(&wsgi, script.in_main_server, &script.origin);
        }
        if let Some(in_main_server) = settings.leads_to_scripts() {
            add(&WsgiSettings::default(), in_main_server, origin);
        }
    }

    fn use_of(&self, settings: DirectorySettings, uses: &mut Vec<Use>) {
        if !settings.leads_to_python() {
            return;
        }
        let list = settings.python.handlers.as_ref();
        let list = list.map(|list| (list.origin.clone(), list.in_main_server));
        if let Some((origin, in_main_server)) = list {
            uses.push(self.found(settings, origin, in_main_server));
        }
    }

    fn found(&self, settings: DirectorySettings, origin: Origin, in_main_server: bool) -> Use {
        let names = &self.server.interpreters;
        Use {
            interpreter: names.find(&settings, in_main_server).to_owned(),
            origin,
            settings,
        }
    }

    /// The server's settings with those sections laid over that certainly apply wherever `pattern` does.
    fn in_force(&self, pattern: &SectionPattern) -> DirectorySettings {
        let mut settings = self.server.settings.clone();
        self.lay_over(&mut settings, pattern);
        settings
    }

    fn lay_over(&self, settings: &mut DirectorySettings, pattern: &SectionPattern) {
        for section in &self.sections {
            if covers(&section.pattern, pattern) {
                settings.overlay(&section.settings);
            }
        }
    }
}

fn mentions_python_itself(settings: &DirectorySettings) -> bool {
    settings.leads_to_python()
        || settings.leads_to_scripts().is_some()
        || settings.authentication.scripts().next().is_some()
}

fn mentions_python(section: &Section) -> bool {
    mentions_python_itself(&section.settings) || section.inner.iter().any(mentions_python)
}

fn covers(outer: &SectionPattern, inner: &SectionPattern) -> bool {
    use SectionPattern::{Directory, Location};
    match (outer, inner) {
        (Location(outer), Location(inner)) | (Directory(outer), Directory(inner)) => {
            is_below(outer, inner)
        }
        (Location(outer), inner) if inner.is_location() => {
            outer == "/" || SectionPattern::Location(outer.clone()) == *inner
        }
        (Directory(outer), inner) if inner.is_directory() => outer == "/",
        (outer, inner) => outer == inner,
    }
}

/// Whether a path is another or below it.
pub(super) fn is_below(outer: &str, inner: &str) -> bool {
    let rest = inner.strip_prefix(outer);
    rest.is_some_and(|rest| rest.is_empty() || outer.ends_with('/') || rest.starts_with('/'))
}
