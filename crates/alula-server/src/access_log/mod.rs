//! The access log: `CustomLog` lines, written when a response is out.
//!
//! A host without `CustomLog` costs nothing. Lines gather in memory and are written together, a few times a
//! second or when there are many; each write is whole lines, so that workers can share a file.

mod file;
mod format;

pub use format::{fix_time_zone, local_time};

use crate::assembly::HostSettings;
use crate::connection::Connection;
use alula_routing::{Facts, Found, VirtualHostId, site};
use file::LogFile;
use http::{HeaderMap, Method, StatusCode, Version};
use hyper::body::Incoming;
use rustc_hash::FxHashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// All access logs of the server.
pub(crate) struct AccessLogs {
    hosts: Box<[Option<Arc<HostLogs>>]>,
    files: Box<[Arc<LogFile>]>,
}

struct HostLogs {
    server_name: String,
    logs: Box<[Log]>,
}

struct Log {
    format: site::LogFormat,
    condition: Option<site::EnvironmentCondition>,
    expression: Option<alula_routing::Condition>,
    file: Arc<LogFile>,
}

impl AccessLogs {
    /// Opens the logs. One that cannot be opened is reported and loses its lines; the server goes on.
    pub(crate) fn open(hosts: &[HostSettings], mut opened: Vec<(site::LogTarget, File)>) -> Self {
        let mut files: FxHashMap<site::LogTarget, Arc<LogFile>> = FxHashMap::default();
        let mut file_of = |target: &site::LogTarget| {
            if let Some(known) = files.get(target) {
                return known.clone();
            }
            let file = Arc::new(LogFile::open(target, &mut opened));
            files.insert(target.clone(), file.clone());
            file
        };
        let hosts = hosts
            .iter()
            .map(|host| {
                if host.access_logs.is_empty() {
                    return None;
                }
                let logs = host
                    .access_logs
                    .iter()
                    .map(|log| Log {
                        format: log.format.clone(),
                        condition: log.condition.clone(),
                        expression: log.expression.clone(),
                        file: file_of(&log.target),
                    })
                    .collect();
                Some(Arc::new(HostLogs {
                    server_name: host.server_name.clone(),
                    logs,
                }))
            })
            .collect();
        Self {
            hosts,
            files: files.into_values().collect(),
        }
    }

    /// Notes what a line may need of a request; `None` where nothing is logged.
    pub(crate) fn entry(
        &self,
        host: VirtualHostId,
        request: &http::Request<Incoming>,
        connection: &Arc<Connection>,
        id: u64,
    ) -> Option<Box<Entry>> {
        let logs = self.hosts.get(host.0)?.as_ref()?;
        Some(Box::new(Entry {
            logs: logs.clone(),
            connection: connection.clone(),
            id,
            began: SystemTime::now(),
            clock: Instant::now(),
            method: request.method().clone(),
            target: match request.uri().path_and_query() {
                // HTTP/2 has no request line; httpd logs one with the path alone.
                Some(target) if request.version() == Version::HTTP_2 => target.to_string(),
                _ => request.uri().to_string(),
            },
            version: request.version(),
            request_headers: request.headers().clone(),
            response: None,
            left_out: Vec::new(),
        }))
    }

    /// Whether an expression decides which requests of a host are logged.
    pub(crate) fn asks(&self, host: VirtualHostId) -> bool {
        let logs = self.hosts.get(host.0).and_then(Option::as_ref);
        logs.is_some_and(|logs| logs.logs.iter().any(|log| log.expression.is_some()))
    }

    /// Writes what has gathered.
    pub(crate) fn flush(&self) {
        for file in &self.files {
            file.flush();
        }
    }
}

/// A line in the making.
pub(crate) struct Entry {
    logs: Arc<HostLogs>,
    connection: Arc<Connection>,
    id: u64,
    began: SystemTime,
    clock: Instant,
    method: Method,
    target: String,
    version: Version,
    request_headers: HeaderMap,
    response: Option<ResponseNotes>,
    /// The logs whose expression is not true of it.
    left_out: Vec<usize>,
}

struct ResponseNotes {
    status: StatusCode,
    headers: HeaderMap,
    keep_alive: bool,
    first_byte: Duration,
    file: Option<PathBuf>,
    environment: Arc<[(String, String)]>,
    handler: &'static str,
    user: Option<Arc<str>>,
}

impl Entry {
    /// Asks the expressions which logs the request goes to; without, it goes to none that has one.
    pub(crate) fn decide(&mut self, facts: &Facts) {
        let logs = self.logs.logs.iter().enumerate();
        let left_out =
            logs.filter(|(_, log)| log.expression.as_ref().is_some_and(|e| !facts.holds(e)));
        self.left_out = left_out.map(|(index, _)| index).collect();
    }

    /// Notes the response's head.
    pub(crate) fn answered(
        &mut self,
        head: &http::response::Parts,
        _version: Version,
        keep_alive: bool,
        found: Option<&Found>,
        user: Option<Arc<str>>,
    ) {
        self.response = Some(ResponseNotes {
            status: head.status,
            headers: head.headers.clone(),
            keep_alive,
            first_byte: self.clock.elapsed(),
            file: found.and_then(|found| found.file.clone()),
            environment: found.map_or_else(|| Arc::new([]) as _, Found::environment),
            handler: match found.map(|found| &found.route.action) {
                Some(alula_routing::Action::Python(_)) => "python-program",
                Some(alula_routing::Action::Wsgi(_)) => "wsgi-script",
                Some(alula_routing::Action::Files(_)) => "default-handler",
                Some(alula_routing::Action::Proxy(_)) => "proxy-server",
                _ => "-",
            },
            user,
        });
    }

    /// The response is out: the lines are complete.
    pub(crate) fn log(&self, bytes: u64, complete: bool) {
        let Some(response) = &self.response else {
            return;
        };
        let mut line = Vec::with_capacity(256);
        for (index, log) in self.logs.logs.iter().enumerate() {
            if self.left_out.contains(&index) {
                continue;
            }
            if let Some(condition) = &log.condition {
                let set = response
                    .environment
                    .iter()
                    .any(|(name, _)| *name == condition.name);
                if set == condition.negated {
                    continue;
                }
            }
            line.clear();
            format::write(&mut line, &log.format, self, response, bytes, complete);
            log.file.add(&line);
        }
    }
}
