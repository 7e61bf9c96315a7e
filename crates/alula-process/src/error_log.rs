//! The error log: httpd's line format, httpd's levels, written by every process of the server.
//!
//! Workers do not open the main one: their standard error *is* the log. A line is one `write` to a descriptor opened for
//! appending, so lines of many processes never mix. Text in the message is trusted to be ours; what a client sent belongs into
//! fields, where line ends are escaped.
//!
//! Virtual hosts may have logs of their own. Which one an event belongs to is said by the span it happens in ([`span`]).

mod record;
mod scope;
mod settings;

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, PoisonError, RwLock};

use alula_config::site::{ErrorLogFormat, LogLevel, LogLevelChange, LogLevels, LogTarget};
use tracing::span::{Attributes, Id};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::worker::LogFile;
use record::{Circumstances, Record};
use scope::Scope;
pub use scope::span;
pub use settings::{ErrorLogs, LogSettings};

/// What a pipe takes in one piece (Linux's `PIPE_BUF`): longer writes of several workers could mix.
pub(crate) const PIPE_BYTES: usize = 4096;

/// httpd's levels, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The server cannot go on.
    Emerg,
    /// Somebody must act at once.
    Alert,
    /// A critical condition.
    Crit,
    /// `tracing::error!`.
    Error,
    /// `tracing::warn!`.
    Warn,
    /// `tracing::info!(notice = true, ...)`: what the server itself does; written whatever the level says.
    Notice,
    /// `tracing::info!`.
    Info,
    /// `tracing::debug!`.
    Debug,
    /// `tracing::trace!`.
    Trace,
}

const WORDS: [(Level, &str); 9] = [
    (Level::Emerg, "emerg"),
    (Level::Alert, "alert"),
    (Level::Crit, "crit"),
    (Level::Error, "error"),
    (Level::Warn, "warn"),
    (Level::Notice, "notice"),
    (Level::Info, "info"),
    (Level::Debug, "debug"),
    (Level::Trace, "trace1"),
];

impl Level {
    fn of(metadata: &Metadata<'_>) -> Self {
        match *metadata.level() {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warn,
            tracing::Level::INFO if metadata.fields().field("notice").is_some() => Self::Notice,
            tracing::Level::INFO => Self::Info,
            tracing::Level::DEBUG => Self::Debug,
            tracing::Level::TRACE => Self::Trace,
        }
    }

    fn word(self) -> &'static str {
        WORDS[usize::from(self.number())].1
    }

    /// syslog's number: 0 for `emerg`, 7 for `debug`.
    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    /// The level with this name.
    pub(crate) fn named(word: &str) -> Option<Self> {
        let found = WORDS.iter().find(|(_, known)| *known == word);
        found.map(|(level, _)| *level)
    }
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Emerg => Self::Emerg,
            LogLevel::Alert => Self::Alert,
            LogLevel::Crit => Self::Crit,
            LogLevel::Error => Self::Error,
            LogLevel::Warn => Self::Warn,
            LogLevel::Notice => Self::Notice,
            LogLevel::Info => Self::Info,
            LogLevel::Debug => Self::Debug,
            LogLevel::Trace(_) => Self::Trace,
        }
    }
}

/// `LogLevel warn python:debug`: the level of everything, and of single modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Levels {
    /// For modules not named.
    pub default: Level,
    /// A module is a crate without its `alula_`, or the target of an event. The last that names one counts.
    pub modules: Vec<(String, Level)>,
}

impl Levels {
    /// These levels with a section's change made to them.
    #[must_use]
    pub fn changed(&self, change: &LogLevelChange) -> Self {
        let later = change.modules.iter();
        let later = later.map(|(module, level)| (module.clone(), Level::from(*level)));
        Self {
            default: change.default.map_or(self.default, Level::from),
            modules: self.modules.iter().cloned().chain(later).collect(),
        }
    }

    /// What `Display` wrote.
    fn parse(text: &str) -> Self {
        let mut levels = Self {
            default: Level::Warn,
            modules: Vec::new(),
        };
        for word in text.split(' ') {
            match word.rsplit_once(':') {
                None => levels.default = Level::named(word).unwrap_or(Level::Warn),
                Some((module, word)) => {
                    let level = Level::named(word).unwrap_or(Level::Warn);
                    levels.modules.push((module.to_owned(), level));
                }
            }
        }
        levels
    }

    fn of(&self, module: &str) -> Level {
        let named = self
            .modules
            .iter()
            .rev()
            .find(|(name, _)| name.eq_ignore_ascii_case(module));
        named.map_or(self.default, |(_, level)| *level)
    }

    fn lets_through(&self, metadata: &Metadata<'_>) -> bool {
        let level = Level::of(metadata);
        level == Level::Notice || level <= self.of(module_of(metadata))
    }

    fn most_verbose(&self) -> Level {
        let modules = self.modules.iter().map(|(_, level)| *level);
        modules.chain([self.default]).max().unwrap_or(self.default)
    }
}

impl fmt::Display for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.default.word())?;
        for (module, level) in &self.modules {
            write!(f, " {module}:{}", level.word())?;
        }
        Ok(())
    }
}

impl From<&LogLevels> for Levels {
    fn from(levels: &LogLevels) -> Self {
        let modules = levels.modules.iter();
        Self {
            default: Level::from(levels.default),
            modules: modules
                .map(|(module, level)| (module.clone(), Level::from(*level)))
                .collect(),
        }
    }
}

/// The log of this process. Every `tracing` event goes there once [`ErrorLog::install`] was called.
#[derive(Clone, Debug)]
pub struct ErrorLog {
    sinks: Arc<RwLock<Sinks>>,
}

#[derive(Debug)]
struct Sinks {
    main: Sink,
    /// By virtual host; `None` where it is the main server's.
    hosts: Vec<Option<Sink>>,
    /// Levels that hold in sections.
    sections: Vec<Levels>,
}

/// One log as one server writes it.
#[derive(Clone, Debug)]
struct Sink {
    file: Arc<File>,
    levels: Levels,
    format: Option<Arc<ErrorLogFormat>>,
    server_name: String,
}

impl ErrorLog {
    /// The log of a supervisor, open already. Nothing is written there yet.
    pub(crate) fn new(file: File, settings: &LogSettings) -> Self {
        Self::with(Sinks {
            main: Sink::new(Arc::new(file), settings),
            hosts: Vec::new(),
            sections: Vec::new(),
        })
    }

    /// The logs of a template or worker, which has the main one as its standard error. `files` are the log files it was
    /// given.
    pub fn inherited(logs: &ErrorLogs, files: &[LogFile]) -> io::Result<Self> {
        let main = Arc::new(File::from(io::stderr().as_fd().try_clone_to_owned()?));
        let mut hosts = Vec::new();
        let own = logs.hosts.iter().flatten();
        let mut opened: Vec<(&LogTarget, Arc<File>)> = vec![(&logs.main.target, main.clone())];
        for target in own.map(|own| &own.target) {
            let known = opened.iter().any(|(known, _)| *known == target);
            let given = files.iter().find(|file| file.target == *target);
            if let Some(given) = given.filter(|_| !known) {
                opened.push((target, Arc::new(given.file.try_clone()?)));
            }
        }
        for own in &logs.hosts {
            let sink = own.as_ref().map(|own| {
                let file = opened.iter().find(|(known, _)| **known == own.target);
                let file = file.map_or_else(|| main.clone(), |(_, file)| file.clone());
                Sink::new(file, own)
            });
            hosts.push(sink);
        }
        Ok(Self::with(Sinks {
            main: Sink::new(main, &logs.main),
            hosts,
            sections: logs.sections.clone(),
        }))
    }

    fn with(sinks: Sinks) -> Self {
        Self {
            sinks: Arc::new(RwLock::new(sinks)),
        }
    }

    /// Sends the `tracing` events of this process here, for the rest of its life. A second call has no effect.
    pub fn install(&self) {
        record::fix_time_zone();
        let subscriber = tracing_subscriber::registry().with(self.clone());
        // Fails only when another one is installed already: a test of the same process.
        let _ = tracing::subscriber::set_global_default(subscriber);
    }

    /// Goes on in what `other` has opened: after a restart, or when the file was rotated away.
    pub(crate) fn switch_to(&self, other: &Self) {
        let main = other.read(|sinks| sinks.main.clone());
        let mut sinks = self.sinks.write().unwrap_or_else(PoisonError::into_inner);
        sinks.main = main;
        drop(sinks);
        tracing::callsite::rebuild_interest_cache();
    }

    /// Lets go of the log; what is still to say goes to `file`.
    pub(crate) fn close(&self, file: File) {
        let mut sinks = self.sinks.write().unwrap_or_else(PoisonError::into_inner);
        sinks.main.file = Arc::new(file);
    }

    /// Another descriptor of the same file, for a child's standard error.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.read(|sinks| sinks.main.file.as_fd().try_clone_to_owned())
    }

    fn read<T>(&self, look: impl FnOnce(&Sinks) -> T) -> T {
        look(&self.sinks.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sinks {
    fn levels(&self) -> impl Iterator<Item = &Levels> {
        let hosts = self.hosts.iter().flatten().map(|sink| &sink.levels);
        [&self.main.levels]
            .into_iter()
            .chain(hosts)
            .chain(&self.sections)
    }

    fn of(&self, scope: Option<&Scope>) -> &Sink {
        let own = scope.and_then(|scope| self.hosts.get(scope.host)?.as_ref());
        own.unwrap_or(&self.main)
    }
}

impl Sink {
    fn new(file: Arc<File>, settings: &LogSettings) -> Self {
        Self {
            file,
            levels: settings.levels.clone(),
            format: settings.format.clone().map(Arc::new),
            server_name: settings.server_name.clone(),
        }
    }

    fn write(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let at = Circumstances {
            module: module_of(metadata),
            level: Level::of(metadata),
            metadata,
            server_name: &self.server_name,
        };
        let record = Record::new(event);
        let text = match &self.format {
            None => record.line(at),
            Some(format) => record.formatted(format, at),
        };
        // When even the log cannot be written there is nobody left to tell.
        let _ = write_whole_lines(&self.file, text.as_bytes());
    }
}

/// Writes in pieces that a pipe takes as they are, ended at line ends where that can be.
fn write_whole_lines(mut file: &File, text: &[u8]) -> io::Result<()> {
    let mut rest = text;
    while rest.len() > PIPE_BYTES {
        let end = rest[..PIPE_BYTES].iter().rposition(|&byte| byte == b'\n');
        let (piece, after) = rest.split_at(end.map_or(PIPE_BYTES, |end| end + 1));
        file.write_all(piece)?;
        rest = after;
    }
    file.write_all(rest)
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ErrorLog {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.is_span() {
            return Interest::always();
        }
        self.read(|sinks| {
            let mut all = true;
            let mut any = false;
            for levels in sinks.levels() {
                let lets = levels.lets_through(metadata);
                all &= lets;
                any |= lets;
            }
            match (any, all) {
                (_, true) => Interest::always(),
                (false, _) => Interest::never(),
                (true, false) => Interest::sometimes(),
            }
        })
    }

    fn enabled(&self, metadata: &Metadata<'_>, context: Context<'_, S>) -> bool {
        metadata.is_span()
            || in_scope(&context, |scope| {
                self.read(|sinks| {
                    let section = scope.and_then(|scope| scope.levels.as_ref());
                    let levels = section.unwrap_or_else(|| &sinks.of(scope).levels);
                    levels.lets_through(metadata)
                })
            })
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        use tracing::level_filters::LevelFilter;
        let most = self.read(|sinks| sinks.levels().map(Levels::most_verbose).max());
        Some(match most {
            Some(Level::Trace) => LevelFilter::TRACE,
            Some(Level::Debug) => LevelFilter::DEBUG,
            // Never below: notices are INFO events.
            _ => LevelFilter::INFO,
        })
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().target() == scope::TARGET
            && let Some(span) = context.span(id)
        {
            span.extensions_mut().insert(Scope::new(attributes));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        in_scope(&context, |scope| {
            self.read(|sinks| sinks.of(scope).write(event));
        });
    }
}

/// Looks at the innermost span that says whose log it is.
fn in_scope<S, T>(context: &Context<'_, S>, look: impl FnOnce(Option<&Scope>) -> T) -> T
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let mut span = context.lookup_current();
    while let Some(current) = span {
        if let Some(scope) = current.extensions().get::<Scope>() {
            return look(Some(scope));
        }
        span = current.parent();
    }
    look(None)
}

fn module_of<'a>(metadata: &Metadata<'a>) -> &'a str {
    let target = metadata.target();
    let krate = target.split("::").next().unwrap_or(target);
    krate.strip_prefix("alula_").unwrap_or(krate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(levels: Levels, format: Option<&str>) -> LogSettings {
        let mut site = "{}".to_owned();
        if let Some(format) = format {
            site = format.to_owned();
        }
        LogSettings {
            target: LogTarget::Stderr,
            levels,
            format: format.map(|_| serde_json::from_str(&site).unwrap()),
            server_name: "www.example.com".to_owned(),
        }
    }

    fn logged(levels: Levels, events: impl FnOnce()) -> String {
        logged_with(&settings(levels, None), events)
    }

    fn logged_with(settings: &LogSettings, events: impl FnOnce()) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        let log = ErrorLog::new(file.reopen().unwrap(), settings);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(log), events);
        std::fs::read_to_string(file.path()).unwrap()
    }

    fn levels(default: Level, modules: &[(&str, Level)]) -> Levels {
        Levels {
            default,
            modules: modules
                .iter()
                .map(|(name, level)| ((*name).to_owned(), *level))
                .collect(),
        }
    }

    #[test]
    fn lines_look_like_httpd_s() {
        let text = logged(
            levels(Level::Warn, &[]),
            || tracing::warn!(target: "alula_server::connection", "slow"),
        );
        let pid = std::process::id();
        assert!(
            text.ends_with(&format!(" [server:warn] [pid {pid}] slow\n")),
            "{text}"
        );
        // [Tue Nov 24 20:44:50.375145 2026]
        assert_eq!(text.find(']'), Some(32), "{text}");
    }

    #[test]
    fn the_level_holds_back_all_but_notices() {
        let text = logged(levels(Level::Error, &[]), || {
            tracing::warn!("hidden");
            tracing::info!("hidden");
            tracing::info!(notice = true, "started");
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.contains("[process:notice]") && text.ends_with("started\n"),
            "{text}"
        );
    }

    #[test]
    fn a_module_has_its_own_level() {
        let text = logged(levels(Level::Warn, &[("python", Level::Debug)]), || {
            tracing::debug!(target: "alula_python", "shown");
            tracing::debug!(target: "alula_server", "hidden");
        });
        assert_eq!(text.matches("[python:debug]").count(), 1, "{text}");
        assert!(!text.contains("hidden"), "{text}");
    }

    #[test]
    fn a_host_has_its_own_log_and_a_section_its_own_level() {
        let (main, own) = (
            tempfile::NamedTempFile::new().unwrap(),
            tempfile::NamedTempFile::new().unwrap(),
        );
        let warn = settings(levels(Level::Warn, &[]), None);
        let debug = levels(Level::Debug, &[]);
        let log = ErrorLog::with(Sinks {
            main: Sink::new(Arc::new(main.reopen().unwrap()), &warn),
            hosts: vec![
                None,
                Some(Sink::new(Arc::new(own.reopen().unwrap()), &warn)),
            ],
            sections: vec![debug.clone()],
        });
        tracing::subscriber::with_default(tracing_subscriber::registry().with(log), || {
            tracing::warn!("of the main server");
            span(1, None).in_scope(|| {
                tracing::warn!("of the host");
                tracing::debug!("hidden");
            });
            span(1, Some(&debug)).in_scope(|| tracing::debug!("of the section"));
            tracing::debug!("hidden");
        });
        let read = |file: &tempfile::NamedTempFile| std::fs::read_to_string(file.path()).unwrap();
        let ends = |text: &str| -> Vec<String> {
            let end = |line: &str| line.rsplit("] ").next().unwrap().to_owned();
            text.lines().map(end).collect()
        };
        assert_eq!(ends(&read(&main)), ["of the main server"]);
        assert_eq!(ends(&read(&own)), ["of the host", "of the section"]);
    }

    #[test]
    fn levels_survive_their_text() {
        let levels = levels(
            Level::Info,
            &[("ssl", Level::Warn), ("python", Level::Trace)],
        );
        assert_eq!(levels.to_string(), "info ssl:warn python:trace1");
        assert_eq!(Levels::parse(&levels.to_string()), levels);
    }

    #[test]
    fn a_format_of_ones_own() {
        let format = r#"{"pieces": [
            {"Literal": "["}, {"Field": {"field": "Module", "missing": "Hyphen", "from_level": 0}}, {"Literal": "]"},
            "Group", {"Literal": " "}, {"Field": {"field": "Source", "missing": "LeaveOutGroup", "from_level": 7}},
            "Group", {"Literal": " [client "}, {"Field": {"field": "Client", "missing": "LeaveOutGroup", "from_level": 0}}, {"Literal": "]"},
            "Group", {"Literal": " "}, {"Field": {"field": "ServerName", "missing": "LeaveOutGroup", "from_level": 0}},
            "Group", {"Literal": " "}, {"Field": {"field": "Message", "missing": "LeaveOutGroup", "from_level": 0}},
            "Group", {"Literal": " id "}, {"Field": {"field": "LogId", "missing": "LeaveOutGroup", "from_level": 0}}
        ]}"#;
        let settings = settings(levels(Level::Warn, &[]), Some(format));
        let text = logged_with(&settings, || {
            tracing::warn!(target: "core", "alone");
            tracing::warn!(target: "core", client = "10.0.0.7:1", request = 31_u64, "with all");
        });
        assert_eq!(
            text,
            "[core] www.example.com alone\n[core] [client 10.0.0.7:1] www.example.com with all id 1f\n"
        );
    }

    #[test]
    fn long_records_go_out_at_line_ends() {
        let text = format!("{}\n{}\nend\n", "a".repeat(3000), "b".repeat(3000));
        let (reader, writer) = std::io::pipe().unwrap();
        write_whole_lines(&File::from(OwnedFd::from(writer)), text.as_bytes()).unwrap();
        let mut buffer = vec![0; 8192];
        let mut reader = reader;
        let read = std::io::Read::read(&mut reader, &mut buffer).unwrap();
        assert_eq!(&buffer[..read], text.as_bytes());
    }
}
