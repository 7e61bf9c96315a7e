//! What of a configuration this machine does not have: free addresses, files, applications that import.
//!
//! Applications are imported by the site's own Python in a process that ends right after.

use std::collections::HashSet;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use alula_config::site::{
    DirectorySettings, Interpreter, LogTarget, MappingTarget, Origin, Section,
};
use alula_config::{Diagnostic, Place, Severity, Site};
use alula_process::pid_file;
use alula_process::python::Python;
use serde_json::json;

/// Reads what to import from standard input; what fails is a list of pairs on standard output: a line, and the reason.
const IMPORT: &str = r#"
import importlib, json, os, runpy, signal, sys, traceback
job = json.load(sys.stdin)
answer, sys.stdout = sys.stdout, sys.stderr
sys.path.pop(0)
failed = []

def too_long(*_):
    # What does not heed an exception is ended by the next alarm.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(1)
    raise TimeoutError(f"takes longer than {job['seconds']} s (--import-timeout)")

def attempt(origin, what, call, *arguments):
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(job["seconds"])
    try:
        call(*arguments)
        signal.alarm(0)
    except BaseException as error:
        signal.alarm(0)
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
for script, origin, directive in job["scripts"]:
    attempt(origin, directive, runpy.run_path, script)
json.dump(failed, answer)
answer.flush()
# An application may have started threads that do not end.
os._exit(0)
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
pub(super) fn applications(site: &Site, seconds_max: u32) -> Vec<Diagnostic> {
    let lone = site.interpreters.len() == 1;
    let mut problems = Vec::new();
    for interpreter in &site.interpreters {
        match import(site, interpreter, lone, seconds_max) {
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

fn import(
    site: &Site,
    interpreter: &Interpreter,
    lone: bool,
    seconds_max: u32,
) -> anyhow::Result<Failures> {
    let python = Python::find(interpreter.home.as_deref(), None)?;
    let paths = interpreter.paths.iter();
    let paths: Vec<_> = paths
        .map(|line| (&line.expression, line.origin.to_string()))
        .collect();
    let (mut modules, mut scripts) = (Vec::new(), Vec::new());
    // Which of several interpreters a handler runs in is for the router to say.
    for server in site.servers().filter(|_| lone) {
        handlers(&server.settings, &mut modules, &mut scripts);
        server
            .sections
            .iter()
            .for_each(|section| in_section(section, &mut modules, &mut scripts));
        for mapping in &server.url_map {
            if let MappingTarget::WsgiScript { script, .. } = &mapping.target
                && script.exists()
            {
                let origin = mapping.origin.to_string();
                scripts.push((script.clone(), origin, "WSGIScriptAlias"));
            }
        }
    }
    // A virtual host inherits what stands outside sections.
    let mut seen = HashSet::new();
    modules.retain(|module| seen.insert(module.clone()));
    let mut seen = HashSet::new();
    scripts.retain(|script| seen.insert(script.clone()));
    let job = json!({
        "paths": paths, "directories": interpreter.handler_directories, "settings": interpreter.django_settings,
        "modules": modules, "scripts": scripts, "seconds": seconds_max,
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

/// A module, and the line that names it.
type Module = (String, String);
/// A script, the line that names it, and the directive.
type Script = (PathBuf, String, &'static str);

fn in_section(section: &Section, modules: &mut Vec<Module>, scripts: &mut Vec<Script>) {
    for inner in &section.inner {
        in_section(inner, modules, scripts);
    }
    handlers(&section.settings, modules, scripts);
}

fn handlers(settings: &DirectorySettings, modules: &mut Vec<Module>, scripts: &mut Vec<Script>) {
    let gates = &settings.authentication;
    for (gate, directive) in [
        (&gates.user_script, "WSGIAuthUserScript"),
        (&gates.group_script, "WSGIAuthGroupScript"),
        (&gates.access_script, "WSGIAccessScript"),
    ] {
        if let Some(gate) = gate.as_ref().filter(|gate| gate.script.exists()) {
            scripts.push((gate.script.clone(), gate.origin.to_string(), directive));
        }
    }
    let list = settings.python.handlers.as_ref();
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
