//! How settings of an inner or later section are laid over those of an outer or earlier one.

use super::{
    AuthenticationSettings, DirectoryOptions, DirectorySettings, EnvironmentChange, Merging,
    OptionsChange, PythonSettings,
};

impl DirectorySettings {
    /// Lays `later` over these settings, directive by directive, by each directive's own rule (httpd's merge).
    pub fn overlay(&mut self, later: &Self) {
        replace(&mut self.handler, &later.handler);
        if later.access.is_some() || later.auth_merging.is_some() {
            let merging = later.auth_merging.unwrap_or(Merging::Off);
            self.access = merging.merge(self.access.as_ref(), later.access.as_ref());
        }
        replace(&mut self.order, &later.order);
        self.authentication.overlay(&later.authentication);
        replace(&mut self.directory_index, &later.directory_index);
        replace(&mut self.default_charset, &later.default_charset);
        self.files.overlay(&later.files);
        self.compression.overlay(&later.compression);
        self.send_file.overlay(&later.send_file);
        self.overrides.overlay(&later.overrides);
        replace(&mut self.body_bytes_max, &later.body_bytes_max);
        self.environment.extend(later.environment.iter().cloned());
        let documents = later.error_documents.iter();
        self.error_documents
            .extend(documents.map(|(status, document)| (*status, document.clone())));
        replace(&mut self.expires.active, &later.expires.active);
        replace(&mut self.expires.default, &later.expires.default);
        let types = later.expires.by_type.iter();
        self.expires
            .by_type
            .extend(types.map(|(media_type, expiry)| (media_type.clone(), *expiry)));
        self.response_headers
            .extend(later.response_headers.iter().cloned());
        self.request_headers
            .extend(later.request_headers.iter().cloned());
        self.set_env_if.extend(later.set_env_if.iter().cloned());
        match (&mut self.rewriting, &later.rewriting) {
            (_, None) => {}
            (Some(earlier), Some(later)) => earlier.overlay(later),
            (earlier, Some(later)) => *earlier = Some(later.clone()),
        }
        // A later section's are tried first.
        self.redirects = [&later.redirects[..], &self.redirects].concat();
        replace(&mut self.requires_tls, &later.requires_tls);
        let (tls, later_tls) = (&mut self.tls_options, &later.tls_options);
        replace(&mut tls.variables, &later_tls.variables);
        replace(&mut tls.certificates, &later_tls.certificates);
        self.options = match (self.options, later.options) {
            (earlier, None) => earlier,
            (earlier, Some(change)) => Some(change.after(earlier)),
        };
        if let Some(later) = &later.log_level {
            let earlier = self.log_level.take().unwrap_or_default();
            self.log_level = Some(later.over(&earlier));
        }
        self.proxy.overlay(&later.proxy);
        self.python.overlay(&later.python);
    }

    /// The variables a request sees: each name once, in the order first set.
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut variables: Vec<(String, String)> = Vec::new();
        for change in &self.environment {
            match change {
                EnvironmentChange::Set(name, value) => {
                    match variables.iter_mut().find(|(known, _)| known == name) {
                        Some((_, old)) => old.clone_from(value),
                        None => variables.push((name.clone(), value.clone())),
                    }
                }
                EnvironmentChange::Unset(name) => variables.retain(|(known, _)| known != name),
            }
        }
        variables
    }

    /// The `Options` in force; `FollowSymLinks` alone when none were written.
    pub fn options(&self) -> DirectoryOptions {
        match self.options {
            Some(OptionsChange::Replace(options)) => options,
            Some(OptionsChange::Edit { add, remove }) => {
                DirectoryOptions::default_set().edited(add, remove)
            }
            None => DirectoryOptions::default_set(),
        }
    }
}

impl AuthenticationSettings {
    fn overlay(&mut self, later: &Self) {
        replace(&mut self.kind, &later.kind);
        replace(&mut self.realm, &later.realm);
        replace(&mut self.user_file, &later.user_file);
        replace(&mut self.group_file, &later.group_file);
        replace(&mut self.forbidden_on_failure, &later.forbidden_on_failure);
        replace(&mut self.providers, &later.providers);
        replace(&mut self.user_script, &later.user_script);
        replace(&mut self.group_script, &later.group_script);
        replace(&mut self.access_script, &later.access_script);
    }
}

impl PythonSettings {
    fn overlay(&mut self, later: &Self) {
        replace(&mut self.handlers, &later.handlers);
        replace(&mut self.path, &later.path);
        replace(&mut self.debug, &later.debug);
        replace(&mut self.auto_reload, &later.auto_reload);
        replace(&mut self.site_files, &later.site_files);
        replace(&mut self.interpreter, &later.interpreter);
        replace(&mut self.home, &later.home);
        self.wsgi = self.wsgi.overlaid(&later.wsgi);
        self.options.extend(later.options.iter().cloned());
    }

    /// The `PythonOption`s in force: each key once, in the order first set.
    pub fn options(&self) -> Vec<(String, String)> {
        let mut options: Vec<(String, String)> = Vec::new();
        for (key, value) in &self.options {
            let known = options.iter().position(|(known, _)| known == key);
            match (known, value) {
                (Some(at), Some(value)) => options[at].1.clone_from(value),
                (Some(at), None) => drop(options.remove(at)),
                (None, Some(value)) => options.push((key.clone(), value.clone())),
                (None, None) => {}
            }
        }
        options
    }
}

impl OptionsChange {
    /// This change made after an earlier one.
    pub fn after(self, earlier: Option<Self>) -> Self {
        match (self, earlier) {
            (replacement @ Self::Replace(_), _) | (replacement, None) => replacement,
            (Self::Edit { add, remove }, Some(Self::Replace(options))) => {
                Self::Replace(options.edited(add, remove))
            }
            (
                Self::Edit { add, remove },
                Some(Self::Edit {
                    add: added,
                    remove: removed,
                }),
            ) => Self::Edit {
                add: added.edited(add, remove),
                remove: removed.edited(remove, add),
            },
        }
    }
}

impl DirectoryOptions {
    fn default_set() -> Self {
        Self {
            follow_symlinks: true,
            ..Self::default()
        }
    }

    fn edited(self, add: Self, remove: Self) -> Self {
        Self {
            indexes: (self.indexes || add.indexes) && !remove.indexes,
            follow_symlinks: (self.follow_symlinks || add.follow_symlinks)
                && !remove.follow_symlinks,
            symlinks_if_owner_match: (self.symlinks_if_owner_match || add.symlinks_if_owner_match)
                && !remove.symlinks_if_owner_match,
            exec_cgi: (self.exec_cgi || add.exec_cgi) && !remove.exec_cgi,
            includes: (self.includes || add.includes) && !remove.includes,
            multi_views: (self.multi_views || add.multi_views) && !remove.multi_views,
        }
    }
}

pub(super) fn replace<T: Clone>(earlier: &mut Option<T>, later: &Option<T>) {
    if later.is_some() {
        earlier.clone_from(later);
    }
}
