//! `cargo xtask demo`: a Django site under Alula, from nothing, in one command.
//!
//! Everything goes into one folder (default `demo/`, which git ignores): a virtualenv, a copy of `examples/django`, its
//! database, its files and `httpd.conf`. What is already there is kept, so the copy may be edited between two runs;
//! removing the folder starts anew.

use crate::{python, shell};
use anyhow::{Context, Result, bail, ensure};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const DJANGO: &str = "Django>=4.2,<7";
const DEFAULT_PORT: u16 = 8000;

/// Django's own way to make the first account, made safe to repeat.
const MAKE_ADMIN: &str = "\
from django.contrib.auth import get_user_model
users = get_user_model().objects
if not users.filter(username='admin').exists():
    users.create_superuser('admin', 'admin@example.com', 'admin')";

struct Options {
    folder: PathBuf,
    port: Option<u16>,
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let options = parse(arguments)?;
    shell::cargo(["build", "--release"])?;
    std::fs::create_dir_all(&options.folder)
        .with_context(|| format!("cannot make {}", options.folder.display()))?;
    let folder = options.folder.canonicalize()?;
    let environment = folder.join("venv");
    python::virtualenv(&python::newest()?, &environment, &[DJANGO])?;
    make_project(&folder, &environment.join("bin/python"))?;
    let configuration = folder.join("httpd.conf");
    let port = configure(&configuration, &folder, options.port)?;
    announce(&folder, port);

    let alula = shell::target().join("release/alula");
    // Replaced, not spawned: Ctrl-C and signals reach the server itself.
    let failure = Command::new(&alula)
        .arg("run")
        .arg("-f")
        .arg(&configuration)
        .exec();
    Err(failure).with_context(|| format!("cannot run {}", alula.display()))
}

fn parse(arguments: &[String]) -> Result<Options> {
    let mut options = Options {
        folder: shell::root().join("demo"),
        port: None,
    };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .with_context(|| format!("{word} needs a value"))
        };
        match word.as_str() {
            "--dir" => options.folder = std::env::current_dir()?.join(value()?),
            "--port" => {
                options.port = Some(
                    value()?
                        .parse()
                        .context("--port takes a number up to 65535")?,
                )
            }
            other => bail!("cargo xtask demo does not know {other:?} (--dir DIR, --port N)"),
        }
    }
    Ok(options)
}

fn make_project(folder: &Path, python: &Path) -> Result<()> {
    let project = folder.join("site");
    if !project.is_dir() {
        copy(&shell::root().join("examples/django/site"), &project)?;
    }
    for name in ["media", "htdocs", "logs"] {
        std::fs::create_dir_all(folder.join(name))?;
    }
    let is_new = !folder.join("db.sqlite3").exists();
    manage(
        &project,
        python,
        &["migrate", "--noinput", "--verbosity", "0"],
    )?;
    if is_new {
        manage(
            &project,
            python,
            &["loaddata", "--verbosity", "0", "first_entries"],
        )?;
    }
    manage(
        &project,
        python,
        &["shell", "--verbosity", "0", "--command", MAKE_ADMIN],
    )?;
    manage(
        &project,
        python,
        &["collectstatic", "--noinput", "--verbosity", "0"],
    )
}

fn manage(project: &Path, python: &Path, words: &[&str]) -> Result<()> {
    let mut command = Command::new(python);
    command.arg("manage.py").args(words).current_dir(project);
    let status = command
        .status()
        .with_context(|| format!("cannot run {}", python.display()))?;
    ensure!(status.success(), "manage.py {}: {status}", words[0]);
    Ok(())
}

/// Writes `httpd.conf` from the template unless it is there; returns the port it listens on.
fn configure(configuration: &Path, folder: &Path, port: Option<u16>) -> Result<u16> {
    let present = std::fs::read_to_string(configuration)
        .ok()
        .as_deref()
        .and_then(port_of);
    if let Some(kept) = present.filter(|kept| port.is_none_or(|wanted| wanted == *kept)) {
        return Ok(kept);
    }
    let port = port.unwrap_or(DEFAULT_PORT);
    let template = std::fs::read_to_string(shell::root().join("examples/django/httpd.conf"))?;
    let text = template
        .replace("/path/to/demo", &folder.to_string_lossy())
        .replace("8000", &port.to_string());
    std::fs::write(configuration, text)
        .with_context(|| format!("cannot write {}", configuration.display()))?;
    Ok(port)
}

/// The port of the first `Listen` line.
fn port_of(configuration: &str) -> Option<u16> {
    let address = configuration
        .lines()
        .find_map(|line| line.trim().strip_prefix("Listen "))?;
    address.trim().rsplit(':').next()?.parse().ok()
}

fn announce(folder: &Path, port: u16) {
    println!(
        "
Alula serves one Django project at two addresses:

    http://localhost:{port}/mysite/             under a prefix (django.root)
    http://othersite.localhost:{port}/          at the root of its own virtual host
    http://localhost:{port}/mysite/admin/       the admin: user admin, password admin

The project, its database and its files are in
    {folder}
configured by
    {folder}/httpd.conf
Stop with Ctrl-C.
",
        folder = folder.display()
    );
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in
        std::fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))?
    {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_name() == "__pycache__" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::port_of;

    fn check(configuration: &str, expected: Option<u16>) {
        assert_eq!(port_of(configuration), expected, "{configuration:?}");
    }

    #[test]
    fn the_port_is_read_from_an_edited_configuration() {
        check("# Listen 1\nListen 127.0.0.1:8080\n", Some(8080));
        check("  Listen 81", Some(81));
        check("ServerName localhost", None);
    }
}
