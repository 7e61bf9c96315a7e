//! Which modules `<IfModule>` finds.
//!
//! Alula stands in for a fixed set, and for whatever `LoadModule` names. mod_wsgi and mod_python are special: some files
//! hold a deliberate error for a server that has both, so without a `LoadModule` only the one the configuration uses is claimed.

use std::collections::BTreeSet;

/// What Alula does the work of, as httpd's own build would have it.
pub(crate) const BUILT_IN: &[&str] = &[
    "access_compat",
    "alias",
    "auth_basic",
    "authn_core",
    "authn_file",
    "authz_core",
    "authz_groupfile",
    "authz_host",
    "authz_user",
    "autoindex",
    "brotli",
    "core",
    "deflate",
    "dir",
    "env",
    "expires",
    "filter",
    "headers",
    "http",
    "http2",
    "log_config",
    "logio",
    "macro",
    "mime",
    "proxy",
    "proxy_http",
    "proxy_wstunnel",
    "remoteip",
    "so",
    "unixd",
    "version",
    "xsendfile",
];

/// What `<IfModule>` may ask for, as seen so far. Names without `_module`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Modules {
    /// Claimed from the start.
    claimed: BTreeSet<String>,
    /// Named by a `LoadModule` so far.
    loaded: BTreeSet<String>,
    uses: Uses,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Uses {
    wsgi: bool,
    python: bool,
    wsgi_in_condition: bool,
    python_in_condition: bool,
    tls: bool,
}

impl Modules {
    pub(super) fn load(&mut self, name: &str) {
        self.loaded
            .insert(name.strip_suffix("_module").unwrap_or(name).to_owned());
    }

    /// Remembers that a directive was seen, in the body of a false condition or not.
    pub(super) fn used(&mut self, directive: &str, skipped: bool) {
        let starts = |prefix: &str| {
            directive
                .get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        // In the body of a condition or not: where httpd has no mod_ssl, nothing asks for it.
        self.uses.tls |= directive.eq_ignore_ascii_case("SSLEngine");
        let flag = match (starts("WSGI"), starts("Python"), skipped) {
            (true, _, false) => &mut self.uses.wsgi,
            (true, _, true) => &mut self.uses.wsgi_in_condition,
            (_, true, false) => &mut self.uses.python,
            (_, true, true) => &mut self.uses.python_in_condition,
            _ => return,
        };
        *flag = true;
    }

    /// What a second reading claims from the start, now that the whole configuration was seen once.
    pub(super) fn claims(&self) -> Self {
        let mut claimed = BTreeSet::new();
        let uses = &self.uses;
        if !self.loaded.contains("wsgi") && !self.loaded.contains("python") {
            let wsgi = uses.wsgi || (!uses.python && uses.wsgi_in_condition);
            let python =
                uses.python || (!uses.wsgi && !uses.wsgi_in_condition && uses.python_in_condition);
            claimed.extend(wsgi.then(|| "wsgi".to_owned()));
            claimed.extend(python.then(|| "python".to_owned()));
        }
        claimed.extend(uses.tls.then(|| "ssl".to_owned()));
        // Without a LoadModule for an MPM, `prefork`: workers are forked processes.
        Self {
            claimed,
            ..Self::default()
        }
    }

    /// `mod_x.c` or `x_module`, as `<IfModule>` writes it; case matters.
    pub(super) fn has(&self, name: &str) -> bool {
        let Some(module) = module_name(name) else {
            return false;
        };
        if module == "mpm_prefork" {
            let other = ["mpm_event", "mpm_worker", "mpm_itk"];
            return !other.iter().any(|mpm| self.loaded.contains(*mpm));
        }
        BUILT_IN.contains(&module) || self.claimed.contains(module) || self.loaded.contains(module)
    }
}

fn module_name(name: &str) -> Option<&str> {
    match name {
        "core.c" => Some("core"),
        "http_core.c" => Some("http"),
        "prefork.c" => Some("mpm_prefork"),
        "worker.c" => Some("mpm_worker"),
        "event.c" => Some("mpm_event"),
        _ => name
            .strip_suffix("_module")
            .or_else(|| name.strip_prefix("mod_")?.strip_suffix(".c")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_name_are_known() {
        let mut modules = Modules::default();
        modules.load("rewrite_module");
        for name in [
            "mod_rewrite.c",
            "rewrite_module",
            "mod_log_config.c",
            "prefork.c",
            "mpm_prefork_module",
        ] {
            assert!(modules.has(name), "{name}");
        }
        for name in [
            "mod_cache.c",
            "rewrite_module.c",
            "REWRITE_MODULE",
            "mod_wsgi.c",
            "worker.c",
        ] {
            assert!(!modules.has(name), "{name}");
        }
    }

    #[test]
    fn only_the_family_in_use_is_claimed() {
        let mut modules = Modules::default();
        modules.used("WSGIScriptAlias", true);
        modules.used("PythonHandler", true);
        assert!(modules.claims().has("mod_wsgi.c"));
        assert!(!modules.claims().has("mod_python.c"));
        modules.used("pythonpath", false);
        assert!(modules.claims().has("python_module"));
        assert!(!modules.claims().has("wsgi_module"));
        modules.load("wsgi_module");
        assert!(!modules.claims().has("python_module"));
    }
}
