//! One server of the table, compiled: its sections, mappings and rules.

use crate::asked::Identity;
use crate::cache::Key;
use crate::compose;
use crate::mapping::{Mapped, Mappings};
use crate::passing::Passing;
use crate::redirect::Redirects;
use crate::rewrite::map::Maps;
use crate::route::{Action, Found, Route, VirtualHostId};
use crate::sections::Sections;
use alula_config::Site;
use alula_config::expression::Condition;
use alula_config::site::{
    DirectorySettings, MappingTarget, Rewriting, Section, SectionPattern, SetEnvIf, VirtualHost,
};
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Server {
    pub(super) identity: Identity,
    /// `SetEnvIf` and its kin outside sections.
    pub(super) set_env_if: Vec<SetEnvIf>,
    /// Whether rules are on anywhere.
    pub(super) has_rewriting: bool,
    /// The rules outside sections.
    pub(super) rewriting: Rewriting,
    pub(super) maps: Maps,
    /// Whether something depends on more than the path.
    pub(super) is_dynamic: bool,
    /// In force outside sections.
    pub(super) settings: Arc<DirectorySettings>,
    pub(super) sections: Arc<Sections>,
    pub(super) redirects: Redirects,
    pub(super) mappings: Mappings,
    pub(super) passing: Passing,
    /// Whether any path is passed on.
    pub(super) passes_on: bool,
}

/// What virtual hosts have from the main server, once for all of them.
pub(super) struct Shared {
    settings: Arc<DirectorySettings>,
    sections: Arc<Sections>,
}

impl Shared {
    pub(super) fn new(main: &VirtualHost) -> Self {
        Self {
            settings: Arc::new(main.settings.clone()),
            sections: Arc::new(Sections::new(None, &main.sections)),
        }
    }
}

impl Server {
    pub(super) fn new(site: &Site, main: &Shared, server: &VirtualHost) -> Self {
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

    pub(super) fn route(
        &self,
        host: VirtualHostId,
        settings: &DirectorySettings,
        mapped: Mapped,
    ) -> Route {
        compose::route(host, settings, mapped, &self.mappings, self.is_dynamic)
    }

    /// The sections of a key without conditions, in the order they apply.
    pub(super) fn fitting(
        &self,
        key: &Key,
        locations: usize,
        files: usize,
        mapped: Mapped,
    ) -> Vec<u32> {
        let key = key.as_slice();
        let mut fitting = self.of_file(&key[locations + 2..files], mapped);
        fitting.extend_from_slice(&key[1..locations]);
        fitting
    }

    /// The sections of a file, and those of the script that stands for it.
    pub(super) fn of_file(&self, sections: &[u32], mapped: Mapped) -> Vec<u32> {
        let mut fitting = sections.to_vec();
        if let Some(script) = self.script(mapped) {
            self.sections.file(script, |index| {
                fitting.push(u32::try_from(index).unwrap_or(u32::MAX))
            });
        }
        fitting
    }

    /// Whether the rules outside sections are tried for a path: a location may switch them on or off, as in httpd.
    pub(super) fn rewrites(&self, merged: &[u8], holds: &dyn Fn(&Condition) -> bool) -> bool {
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

    pub(super) fn is_in_document_root(&self, file: &[u8]) -> bool {
        let root = self
            .identity
            .root()
            .map(|root| root.strip_suffix(b"/").unwrap_or(root));
        let rest = root.and_then(|root| file.strip_prefix(root));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }

    /// A script and what follows its URL.
    pub(super) fn script_path(&self, mapped: Mapped, merged: &[u8]) -> Option<Vec<u8>> {
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
    pub(super) fn whole_file(&self, found: &Found, merged: &[u8]) -> Option<Vec<u8>> {
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
    pub(super) fn overlaid(&self, sections: &[u32]) -> DirectorySettings {
        let mut settings = DirectorySettings::clone(&self.settings);
        for &index in sections {
            settings.overlay(&self.sections.get(index as usize).settings);
        }
        settings
    }

    /// The WSGI script a path was mapped to.
    pub(super) fn script(&self, mapped: Mapped) -> Option<&[u8]> {
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
