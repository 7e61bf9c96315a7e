//! What of a configuration this machine does not have: free addresses, files, applications that import.
//!
//! Applications are imported by the site's own Python in a process that ends right after.

use std::collections::HashSet;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use alula_config::site::{Interpreter, LogTarget, MappingTarget, Origin, Section};
use alula_config::{Diagnostic, Place, Severity, Site};
use alula_process::pid_file;
use alula_process::python::Python;
use serde_json::json;

/// Reads what to import from standard input; what fails is a list of pairs on standard output: a line, and the reason.
const IMPORT: &str = r#"
import importlib, json, os, runpy, sys, traceback
job = json.load(sys.stdin)
answer, sys.stdout = sys.stdout, sys.stderr
sys.path.pop(0)
failed = []

def attempt(origin, what, call, *arguments):
    try:
        call(*arguments)
    except BaseException as error:
        failed.append([origin, what + ": " + traceback.format_exception_only(type(error), error)[-1].strip()])

def path(expression):
    sys.path[:] = [os.fspath(entry) for entry in eval(expression, {"sys": sys, "os": os})]

def django():
    import django
    django.setup()

for expression, origin in job["paths"]:
    attempt(origin, "PythonPath", path, expression)
sys.path[:0] = job["directories"]
if job["settings"]:
    attempt(None, "DJANGO_SETTINGS_MODULE " + job["settings"], django)
for module, origin in job["modules"]:
    attempt(origin, "PythonHandler " + module, importlib.import_module, module)
for script, origin in job["scripts"]:
    attempt(origin, "WSGIScriptAlias", runpy.run_path, script)
json.dump(failed, answer)
"#;

/// Something that would fail at start.
pub(super) fn problem(message: String, origin: Option<&Origin>) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        message,
        place: origin.map(place),
        included_from: Vec::new(),
        hint: None,
    }
}

fn place(origin: &Origin) -> Place {
    let text = std::fs::read_to_string(&origin.file).unwrap_or_default();
    let line = text.lines().nth(origin.line.saturating_sub(1) as usize);
    let line = line.unwrap_or_default().trim_end();
    let blanks = line.chars().take_while(|c| c.is_whitespace()).count();
    let number = |count: usize| u32::try_from(count).unwrap_or(1);
    Place {
        file: origin.file.clone(),
        line: origin.line,
        column: number(blanks + 1),
        width: number(line.trim().chars().count()),
        text: line.to_owned(),
    }
}

/// Addresses that cannot be bound. Those of the server that runs with this configuration are its own.
pub(super) fn addresses(site: &Site) -> Vec<Diagnostic> {
    if matches!(pid_file::running(&site.pid_file), Ok(Some(_))) {
        return Vec::new();
    }
    let tried = site
        .listeners
        .iter()
        .map(|listener| (listener, TcpListener::bind(listener.address)));
    let failed = tried.filter_map(|(listener, bound)| Some((listener, bound.err()?)));
    failed
        .map(|(listener, error)| {
            let message = format!("Listen: cannot listen on {}: {error}", listener.address);
            problem(message, listener.origin.as_ref())
        })
        .collect()
}

/// Scripts that are not there, and logs that cannot be written.
pub(super) fn files(site: &Site) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let mut seen: HashSet<&Path> = HashSet::new();
    for server in site.servers() {
        for mapping in &server.url_map {
            if let MappingTarget::WsgiScript { script, .. } = &mapping.target
                && seen.insert(script)
                && let Err(error) = std::fs::File::open(script)
            {
                let message = format!("WSGIScriptAlias: cannot read {script:?}: {error}");
                problems.push(problem(message, Some(&mapping.origin)));
            }
        }
        let logs = server.access_logs.iter().map(|log| &log.target);
        for target in logs.chain([&server.error_log]) {
            let LogTarget::File(path) = target else {
                continue;
            };
            if seen.insert(path)
                && let Err(error) = writable(path)
            {
                problems.push(problem(
                    format!("cannot write the log {path:?}: {error}"),
                    server.origin.as_ref(),
                ));
            }
        }
    }
    problems
}

/// Without making the file.
fn writable(path: &Path) -> std::io::Result<()> {
    if path.exists() {
        return std::fs::OpenOptions::new()
            .append(true)
            .open(path)
            .map(drop);
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    tempfile_in(folder)
}

fn tempfile_in(folder: &Path) -> std::io::Result<()> {
    let probe: PathBuf = folder.join(format!(".alula-check-{}", std::process::id()));
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&probe)?;
    std::fs::remove_file(&probe)
}

/// Applications that do not import.
pub(super) fn applications(site: &Site) -> Vec<Diagnostic> {
    let lone = site.interpreters.len() == 1;
    let mut problems = Vec::new();
    for interpreter in &site.interpreters {
        match import(site, interpreter, lone) {
            Ok(failed) => problems.extend(failed.into_iter().map(|(origin, message)| {
                let origin = origin.as_deref().and_then(parse_origin);
                problem(message, origin.as_ref())
            })),
            Err(error) => problems.push(problem(format!("{}: {error}", interpreter.name), None)),
        }
    }
    problems
}

type Failures = Vec<(Option<String>, String)>;

fn import(site: &Site, interpreter: &Interpreter, lone: bool) -> anyhow::Result<Failures> {
    let python = Python::find(interpreter.home.as_deref(), None)?;
    let paths = interpreter.paths.iter();
    let paths: Vec<_> = paths
        .map(|line| (&line.expression, line.origin.to_string()))
        .collect();
    let (mut modules, mut scripts) = (Vec::new(), Vec::new());
    // Which of several interpreters a handler runs in is for the router to say.
    for server in site.servers().filter(|_| lone) {
        server
            .sections
            .iter()
            .for_each(|section| handlers(section, &mut modules));
        for mapping in &server.url_map {
            if let MappingTarget::WsgiScript { script, .. } = &mapping.target
                && script.exists()
            {
                scripts.push((script, mapping.origin.to_string()));
            }
        }
    }
    modules.dedup();
    scripts.dedup();
    let job = json!({
        "paths": paths, "directories": interpreter.handler_directories, "settings": interpreter.django_settings,
        "modules": modules, "scripts": scripts,
    });
    let mut command = Command::new(&python.executable);
    command
        .args(["-X", "utf8", "-c", IMPORT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command.envs(
        interpreter
            .environment
            .iter()
            .map(|(name, value)| (name, value)),
    );
    if let Some(settings) = &interpreter.django_settings {
        command.env("DJANGO_SETTINGS_MODULE", settings);
    }
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(job.to_string().as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        anyhow::bail!("importing the applications ended with {}", output.status);
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn handlers(section: &Section, modules: &mut Vec<(String, String)>) {
    for inner in &section.inner {
        handlers(inner, modules);
    }
    let list = section.settings.python.handlers.as_ref();
    for handler in list.iter().flat_map(|list| &list.handlers) {
        let own = ["alula.", "mod_python.", "django.core.handlers.modpython"];
        let is_own = own.iter().any(|name| handler.module.starts_with(name));
        if let (false, Some(list)) = (is_own, list) {
            modules.push((handler.module.clone(), list.origin.to_string()));
        }
    }
}

fn parse_origin(text: &str) -> Option<Origin> {
    let (file, line) = text.rsplit_once(':')?;
    Some(Origin {
        file: file.into(),
        line: line.parse().ok()?,
    })
}
