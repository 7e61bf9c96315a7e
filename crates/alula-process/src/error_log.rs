//! The error log: httpd's line format, httpd's levels, written by every process of the server.
//!
//! Workers do not open it: their standard error *is* the log. A line is one `write` to a descriptor opened for appending,
//! so lines of many processes never mix. Text in the message is trusted to be ours; what a client sent belongs into
//! fields, where line ends are escaped.

mod record;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use record::Record;

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
        match self {
            Self::Emerg => "emerg",
            Self::Alert => "alert",
            Self::Crit => "crit",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace1",
        }
    }
}

/// `LogLevel warn python:debug`: the level of everything, and of single modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Levels {
    /// For modules not named.
    pub default: Level,
    /// A module is a crate without its `alula_`, or the target of an event.
    pub modules: Vec<(String, Level)>,
}

impl Levels {
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

    fn most_verbose(&self) -> tracing::level_filters::LevelFilter {
        use tracing::level_filters::LevelFilter;
        let most = self
            .modules
            .iter()
            .map(|(_, level)| *level)
            .chain([self.default])
            .max();
        match most.unwrap_or(self.default) {
            Level::Trace => LevelFilter::TRACE,
            Level::Debug => LevelFilter::DEBUG,
            // Never below: notices are INFO events.
            _ => LevelFilter::INFO,
        }
    }
}

/// `ErrorLog`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A file, appended to, made when missing.
    File(PathBuf),
    /// The standard error this process was started with.
    Stderr,
    /// The standard output this process was started with.
    Stdout,
}

/// The log of this process. Every `tracing` event goes there once [`ErrorLog::install`] was called.
#[derive(Clone, Debug)]
pub struct ErrorLog {
    sink: Arc<RwLock<Sink>>,
}

#[derive(Debug)]
struct Sink {
    file: File,
    levels: Levels,
}

impl ErrorLog {
    /// Opens the log. Nothing is written there yet.
    pub fn open(target: &Target, levels: Levels) -> Result<Self, OpenError> {
        Ok(Self {
            sink: Arc::new(RwLock::new(Sink {
                file: open(target)?,
                levels,
            })),
        })
    }

    /// The log of a template or worker, which has it as its standard error.
    pub fn inherited(levels: Levels) -> io::Result<Self> {
        let file = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        Ok(Self {
            sink: Arc::new(RwLock::new(Sink { file, levels })),
        })
    }

    /// Sends the `tracing` events of this process here, for the rest of its life. A second call has no effect.
    pub fn install(&self) {
        record::fix_time_zone();
        let subscriber = tracing_subscriber::registry().with(self.clone());
        // Fails only when another one is installed already: a test of the same process.
        let _ = tracing::subscriber::set_global_default(subscriber);
    }

    /// Goes on in what `other` has opened: after a restart, or when the file was rotated away.
    pub(crate) fn switch_to(&self, other: &Self) -> io::Result<()> {
        let (file, levels) = other.read(|sink| (sink.file.try_clone(), sink.levels.clone()));
        let mut sink = self.sink.write().unwrap_or_else(PoisonError::into_inner);
        *sink = Sink {
            file: file?,
            levels,
        };
        drop(sink);
        tracing::callsite::rebuild_interest_cache();
        Ok(())
    }

    /// Another descriptor of the same file, for a child's standard error.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.read(|sink| sink.file.as_fd().try_clone_to_owned())
    }

    fn read<T>(&self, look: impl FnOnce(&Sink) -> T) -> T {
        look(&self.sink.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: Subscriber> Layer<S> for ErrorLog {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.read(|sink| sink.levels.lets_through(metadata)) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.read(|sink| sink.levels.lets_through(metadata))
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(self.read(|sink| sink.levels.most_verbose()))
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let line = Record::new(event).line(module_of(metadata), Level::of(metadata));
        // When even the log cannot be written there is nobody left to tell.
        let _ = self.read(|sink| (&sink.file).write_all(line.as_bytes()));
    }
}

/// The log file could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the error log {path:?}: {reason}")]
pub struct OpenError {
    path: PathBuf,
    reason: io::Error,
}

fn open(target: &Target) -> Result<File, OpenError> {
    let (path, opened) = match target {
        Target::File(path) => (
            path.clone(),
            OpenOptions::new().append(true).create(true).open(path),
        ),
        Target::Stderr => (
            "/dev/stderr".into(),
            io::stderr().as_fd().try_clone_to_owned().map(File::from),
        ),
        Target::Stdout => (
            "/dev/stdout".into(),
            io::stdout().as_fd().try_clone_to_owned().map(File::from),
        ),
    };
    opened.map_err(|reason| OpenError { path, reason })
}

fn module_of<'a>(metadata: &Metadata<'a>) -> &'a str {
    let target = metadata.target();
    let krate = target.split("::").next().unwrap_or(target);
    krate.strip_prefix("alula_").unwrap_or(krate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(levels: Levels, events: impl FnOnce()) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("error_log");
        let log = ErrorLog::open(&Target::File(path.clone()), levels).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(log), events);
        std::fs::read_to_string(path).unwrap()
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
    fn a_file_that_cannot_be_opened_is_named() {
        let target = Target::File("/nowhere/at/all".into());
        let error = ErrorLog::open(&target, levels(Level::Warn, &[])).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot open the error log \"/nowhere/at/all\": No such file"),
            "{error}"
        );
    }
}
