//! What a configuration says of error logs: the main server's, those of virtual hosts, levels in sections.

use alula_config::Site;
use alula_config::site::{
    DirectorySettings, ErrorLogFormat, LogLevelChange, LogTarget, Section, VirtualHost,
};
use tracing::Span;

use super::{Levels, span};

/// One error log, or one server's view of one.
#[derive(Clone, Debug, PartialEq)]
pub struct LogSettings {
    /// `ErrorLog`.
    pub target: LogTarget,
    /// `LogLevel`.
    pub levels: Levels,
    /// `ErrorLogFormat`; `None` is httpd's usual one.
    pub format: Option<ErrorLogFormat>,
    /// `ServerName`, for `%v`.
    pub server_name: String,
}

/// All error logs of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorLogs {
    /// The main server's.
    pub main: LogSettings,
    /// By virtual host, the main server being the first; `None` where it is as the main server's.
    pub hosts: Vec<Option<LogSettings>>,
    /// Levels that hold in sections.
    pub sections: Vec<Levels>,
}

impl ErrorLogs {
    /// What the events of a virtual host happen in; `None` where they belong to the main server's log. To be made after
    /// [`super::ErrorLog::install`].
    #[must_use]
    pub fn host_span(&self, host: usize) -> Option<Span> {
        self.hosts.get(host)?.as_ref()?;
        Some(span(host, None))
    }

    /// The same of a route whose sections have a `LogLevel`.
    #[must_use]
    pub fn section_span(&self, host: usize, change: &LogLevelChange) -> Span {
        let own = self.hosts.get(host).and_then(Option::as_ref);
        let levels = &own.unwrap_or(&self.main).levels;
        span(host, Some(&levels.changed(change)))
    }
}

impl From<&Site> for ErrorLogs {
    fn from(site: &Site) -> Self {
        let main = LogSettings::from(&site.main_server);
        let own = |host: &VirtualHost| {
            let own = LogSettings::from(host);
            let alike =
                own.target == main.target && own.levels == main.levels && own.format == main.format;
            (!alike).then_some(own)
        };
        let mut sections = Vec::new();
        for server in site.servers() {
            let levels = Levels::from(&server.log_level);
            collect(&server.settings, &levels, &mut sections);
            // The main server's sections hold for every host, over its levels.
            let inherited = site.main_server.sections.iter();
            for section in inherited.chain(&server.sections) {
                visit(section, &levels, &mut sections);
            }
        }
        Self {
            hosts: site.servers().map(own).collect(),
            main,
            sections,
        }
    }
}

impl From<&VirtualHost> for LogSettings {
    fn from(host: &VirtualHost) -> Self {
        Self {
            target: host.error_log.clone(),
            levels: Levels::from(&host.log_level),
            format: host.error_log_format.clone(),
            server_name: host.server_name.clone().unwrap_or_default(),
        }
    }
}

fn visit(section: &Section, outer: &Levels, found: &mut Vec<Levels>) {
    collect(&section.settings, outer, found);
    for inner in &section.inner {
        visit(inner, outer, found);
    }
}

fn collect(settings: &DirectorySettings, outer: &Levels, found: &mut Vec<Levels>) {
    if let Some(change) = &settings.log_level {
        let levels = outer.changed(change);
        if !found.contains(&levels) {
            found.push(levels);
        }
    }
}
