//! The command line: our commands, and Apache's own flags as they are.
//!
//! `alula -k start -f site.conf -DFOREGROUND` is what httpd's users type, `alula run -f site.conf` what is easier to guess.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A web server with Python inside, configured like Apache httpd.
#[derive(Debug, Parser)]
#[command(
    name = "alula",
    disable_version_flag = true,
    subcommand_negates_reqs = true
)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) apache: Apache,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve in the foreground
    Run,
    /// Check the configuration
    Check {
        /// Print what was found as JSON
        #[arg(long)]
        json: bool,
        /// How long the import of one application may take
        #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3600))]
        import_timeout: u32,
    },
    /// Say what a request would meet: virtual host, sections, directives, access, and who answers
    Explain {
        /// A URL, or a path
        url: String,
        /// The request's method
        #[arg(long, default_value = "GET")]
        method: String,
        /// A header field of the request, `Name: value`
        #[arg(long = "header", value_name = "FIELD")]
        headers: Vec<String>,
        /// The client's address, for access rules; this machine's unless given
        #[arg(long, value_name = "ADDRESS")]
        client: Option<IpAddr>,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what the running server is doing
    Status {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Stop the running server
    Stop {
        /// Let running requests finish
        #[arg(long)]
        graceful: bool,
    },
    /// Let the running server read its configuration and code again; nobody notices
    Reload,
    /// The same, ending the old workers as soon as the new ones are ready
    Restart,
    /// A worker without Python, started by the supervisor
    #[command(name = alula_process::front::SUBCOMMAND, hide = true)]
    Front { description: String },
    /// Takes the lines of a log, started by the supervisor
    #[command(name = alula_process::log_writer::SUBCOMMAND, hide = true)]
    LogWriter { description: String },
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Args)]
pub(crate) struct Source {
    /// The configuration file
    #[arg(short = 'f', value_name = "FILE", global = true)]
    pub(crate) file: Option<PathBuf>,
    /// The initial ServerRoot
    #[arg(short = 'd', value_name = "DIRECTORY", global = true)]
    pub(crate) server_root: Option<PathBuf>,
    /// Define a name for <IfDefine> and ${}; FOREGROUND stays in the foreground
    #[arg(short = 'D', value_name = "NAME[=VALUE]", global = true)]
    pub(crate) defines: Vec<String>,
    /// A directive to process before the file
    #[arg(short = 'C', value_name = "DIRECTIVE", global = true)]
    pub(crate) before: Vec<String>,
    /// A directive to process after the file
    #[arg(short = 'c', value_name = "DIRECTIVE", global = true)]
    pub(crate) after: Vec<String>,
    /// Start even if a DocumentRoot does not exist
    #[arg(short = 'T', global = true)]
    pub(crate) no_document_root_check: bool,
    /// Exactly Apache: no comment after a directive, and no warning is passed over
    #[arg(long, global = true)]
    pub(crate) strict: bool,
    /// The log level, instead of the configured one
    #[arg(short = 'e', value_name = "LEVEL", global = true)]
    pub(crate) log_level: Option<LevelName>,
}

impl Source {
    pub(crate) fn defines(&self, name: &str) -> bool {
        self.defines.iter().any(|define| define == name)
    }
}

/// Apache's flags that say what to do.
#[derive(Clone, Debug, Args)]
pub(crate) struct Apache {
    /// Start or signal the server
    #[arg(short = 'k', value_name = "ACTION")]
    pub(crate) action: Option<Action>,
    /// Check the syntax of the configuration
    #[arg(short = 't')]
    pub(crate) test: bool,
    /// Show the virtual hosts
    #[arg(short = 'S')]
    pub(crate) show: bool,
    /// Show the modules that <IfModule> finds
    #[arg(short = 'M')]
    pub(crate) modules: bool,
    /// Show the modules that need no LoadModule
    #[arg(short = 'l')]
    pub(crate) built_in: bool,
    /// Show all directives
    #[arg(short = 'L')]
    pub(crate) directives: bool,
    /// Show the version
    #[arg(short = 'v', long = "version")]
    pub(crate) version: bool,
    /// Show the version and how it was built
    #[arg(short = 'V')]
    pub(crate) build: bool,
    /// One worker, in the foreground
    #[arg(short = 'X')]
    pub(crate) debug: bool,
    /// Write startup errors to this file
    #[arg(short = 'E', value_name = "FILE")]
    pub(crate) startup_log: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Action {
    Start,
    Restart,
    Graceful,
    GracefulStop,
    Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LevelName {
    Emerg,
    Alert,
    Crit,
    Error,
    Warn,
    Notice,
    Info,
    Debug,
    #[value(alias = "trace2", alias = "trace3", alias = "trace4", alias = "trace5")]
    #[value(alias = "trace6", alias = "trace7", alias = "trace8")]
    Trace1,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> CommandLine {
        CommandLine::try_parse_from(line.split(' ')).unwrap()
    }

    #[test]
    fn the_definition_has_no_conflicts() {
        <CommandLine as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn httpd_s_own_lines_are_understood() {
        let line = parse("alula -f /etc/site.conf -DFOREGROUND -D DEBUG=1 -k graceful-stop");
        assert_eq!(
            line.source.file.as_deref(),
            Some(std::path::Path::new("/etc/site.conf"))
        );
        assert!(line.source.defines("FOREGROUND"));
        assert_eq!(line.source.defines, ["FOREGROUND", "DEBUG=1"]);
        assert_eq!(line.apache.action, Some(Action::GracefulStop));
        assert!(parse("alula -t -f x").apache.test);
        assert!(parse("alula -S").apache.show);
        assert!(parse("alula -X -e debug").apache.debug);
    }

    #[test]
    fn flags_may_stand_after_the_command() {
        assert!(parse("alula check --strict").source.strict);
        assert!(parse("alula -t --strict -f x").source.strict);
        let line = parse("alula check --json -f site.conf -DX");
        assert!(matches!(
            line.command,
            Some(Command::Check { json: true, .. })
        ));
        assert!(line.source.file.is_some() && line.source.defines("X"));
    }
}
