//! Which processes answer: the groups that `PythonGroup` and `WSGIDaemonProcess` declare, and how mod_wsgi's names lead
//! to them.
//!
//! mod_wsgi has two names for where an application runs: a group of processes, and an interpreter inside each of them.
//! Here an interpreter is a group of processes, so a named application group makes a group of its own, with the size of
//! the one it is in.

use super::interpreter::MAIN;
use super::{DirectorySettings, Origin};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// The properties of an interpreter's processes. What is `None` was not written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessGroup {
    /// `processes=`.
    pub workers: Option<u32>,
    /// `threads=`.
    pub threads: Option<u32>,
    /// `maximum-requests=`; 0 = never.
    pub requests_max: Option<u64>,
    /// `home=` of `PythonGroup`, `python-home=` of `WSGIDaemonProcess`.
    pub home: Option<(PathBuf, Origin)>,
    /// `user=`.
    pub user: Option<String>,
    /// `group=`.
    pub group: Option<String>,
    /// `umask=`.
    pub umask: Option<u32>,
    /// `directory=` of `PythonGroup`, `home=` of `WSGIDaemonProcess`: the current directory.
    pub directory: Option<PathBuf>,
    /// `python-path=`: directories that come first in `sys.path`.
    pub python_path: Vec<PathBuf>,
    /// `lang=` and `locale=`, as variables.
    pub environment: Vec<(String, String)>,
    /// `lifetime=`, `restart-interval=`: a worker is replaced after about this long.
    pub lifetime: Option<Duration>,
    /// `memory-limit=`: a worker that has more than this is replaced; in bytes.
    pub memory_bytes_max: Option<u64>,
    /// `request-timeout=`: a request that is inside Python for longer is answered 504, and its worker replaced.
    pub request_timeout: Option<Duration>,
}

/// The name of a process or application group, as far as it is known before a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupName {
    /// `%{GLOBAL}`.
    Global,
    /// `%{SERVER}`: the virtual host's.
    Server,
    /// `%{RESOURCE}`: the script's own.
    Resource,
    /// `%{ENV:variable}`: what `SetEnv` has set.
    Variable(String),
    /// A name.
    Named(String),
}

impl GroupName {
    /// Reads a name; what begins with `%{` and is nothing mod_wsgi knows is `None`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "%{GLOBAL}" => Some(Self::Global),
            "%{SERVER}" => Some(Self::Server),
            "%{RESOURCE}" => Some(Self::Resource),
            _ => match text
                .strip_prefix("%{ENV:")
                .map(|rest| rest.strip_suffix('}'))
            {
                Some(variable) => Some(Self::Variable(variable?.to_owned())),
                None if text.starts_with("%{") || text.is_empty() => None,
                None => Some(Self::Named(text.to_owned())),
            },
        }
    }

    /// The name itself, where it is one.
    fn resolve(
        &self,
        settings: &DirectorySettings,
        server: &str,
        resource: &str,
    ) -> Option<String> {
        match self {
            Self::Global => None,
            Self::Server => Some(server.to_owned()),
            Self::Resource => Some(resource.to_owned()),
            Self::Named(name) => Some(name.clone()),
            Self::Variable(variable) => {
                let variables = settings.environment();
                let found = variables.into_iter().find(|(name, _)| name == variable);
                match found.map(|(_, value)| Self::parse(&value))?? {
                    Self::Variable(_) => None,
                    other => other.resolve(settings, server, resource),
                }
            }
        }
    }
}

/// mod_wsgi's directives of one section.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WsgiSettings {
    /// `WSGIProcessGroup`.
    pub process_group: Option<GroupName>,
    /// `WSGIApplicationGroup`.
    pub application_group: Option<GroupName>,
    /// `WSGIPassAuthorization`.
    pub pass_authorization: Option<bool>,
    /// `WSGICallableObject`.
    pub callable: Option<String>,
}

impl WsgiSettings {
    /// These settings with those laid over that `later` has.
    #[must_use]
    pub fn overlaid(&self, later: &Self) -> Self {
        Self {
            process_group: later
                .process_group
                .clone()
                .or_else(|| self.process_group.clone()),
            application_group: later
                .application_group
                .clone()
                .or_else(|| self.application_group.clone()),
            pass_authorization: later.pass_authorization.or(self.pass_authorization),
            callable: later.callable.clone().or_else(|| self.callable.clone()),
        }
    }

    /// The interpreter of a `WSGIImportScript`, which stands for no request.
    pub(crate) fn interpreter_of_import(&self) -> String {
        let settings = DirectorySettings::default();
        let named = self.interpreter(&settings, MAIN, MAIN, MAIN);
        named.unwrap_or_else(|| MAIN.to_owned())
    }

    /// The interpreter these lead to, if they name one; `default` is the one of where the script stands.
    pub(super) fn interpreter(
        &self,
        settings: &DirectorySettings,
        default: &str,
        server: &str,
        resource: &str,
    ) -> Option<String> {
        let resolve = |name: &Option<GroupName>| name.as_ref()?.resolve(settings, server, resource);
        match (
            resolve(&self.process_group),
            resolve(&self.application_group),
        ) {
            (Some(process), None) => Some(process),
            (Some(process), Some(application)) => Some(format!("{process}/{application}")),
            (None, Some(application)) => Some(application),
            // `%{GLOBAL}`: httpd's own processes, which are those of the main server.
            (None, None) => self.process_group.is_some().then(|| default.to_owned()),
        }
    }
}

/// The group whose size an interpreter has: its own, or the process group it is an application group of.
pub(super) fn declared<'g>(
    groups: &'g [(String, ProcessGroup, Origin)],
    interpreter: &str,
) -> Option<&'g ProcessGroup> {
    let of = |wanted: &str| groups.iter().find(|(name, ..)| name == wanted);
    let process = || of(interpreter.split_once('/')?.0);
    of(interpreter).or_else(process).map(|(_, group, _)| group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_interpreters() {
        let check = |process: Option<&str>, application: Option<&str>, expected: Option<&str>| {
            let parse = |text: Option<&str>| text.map(|text| GroupName::parse(text).unwrap());
            let wsgi = WsgiSettings {
                process_group: parse(process),
                application_group: parse(application),
                ..WsgiSettings::default()
            };
            let mut settings = DirectorySettings::default();
            let set = |name: &str, value: &str| {
                super::super::EnvironmentChange::Set(name.to_owned(), value.to_owned())
            };
            settings.environment = vec![set("GROUP", "blue"), set("LOOP", "%{ENV:LOOP}")];
            let found = wsgi.interpreter(&settings, "main", "h.test", "h.test|/app");
            assert_eq!(found.as_deref(), expected, "{process:?} {application:?}");
        };
        check(None, None, None);
        check(Some("mysite"), None, Some("mysite"));
        check(Some("mysite"), Some("%{GLOBAL}"), Some("mysite"));
        check(Some("mysite"), Some("shop"), Some("mysite/shop"));
        check(
            Some("mysite"),
            Some("%{RESOURCE}"),
            Some("mysite/h.test|/app"),
        );
        check(Some("%{GLOBAL}"), None, Some("main"));
        check(None, Some("%{SERVER}"), Some("h.test"));
        check(Some("%{ENV:GROUP}"), None, Some("blue"));
        check(Some("%{ENV:NONE}"), None, Some("main"));
        check(Some("%{ENV:LOOP}"), None, Some("main"));
        assert_eq!(GroupName::parse("%{OTHER}"), None);
        assert_eq!(GroupName::parse(""), None);
    }
}
