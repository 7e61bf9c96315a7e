//! `-v`, `-V`, `-S`: says what this is and what is configured, in httpd's words.

use anyhow::Result;

use super::answer;
use crate::command_line::Source;
use crate::source;

pub(crate) fn version(build: bool) {
    answer(&format!(
        "Server version: Alula/{} (Unix)",
        env!("CARGO_PKG_VERSION")
    ));
    if build {
        let pointer_bits = usize::BITS;
        answer(&format!(
            "Architecture:   {pointer_bits}-bit {}",
            std::env::consts::ARCH
        ));
        answer("Server MPM:     workers forked from a template");
        answer(if cfg!(debug_assertions) {
            "Server built:   debug"
        } else {
            "Server built:   release"
        });
    }
}

pub(crate) fn virtual_hosts(source: &Source) -> Result<()> {
    let site = source::load(&source::load_options(source)?)?.site;
    answer("VirtualHost configuration:");
    for host in &site.virtual_hosts {
        let addresses = host
            .addresses
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ");
        let name = host.server_name.as_deref().unwrap_or("(no ServerName)");
        let origin = host
            .origin
            .as_ref()
            .map(|origin| format!(" ({origin})"))
            .unwrap_or_default();
        answer(&format!("{addresses:<22} {name}{origin}"));
        for alias in &host.aliases {
            answer(&format!("{:22} alias {alias}", ""));
        }
    }
    let root = site.server_root.display();
    answer(&format!(
        "ServerRoot: \"{root}\"\nPidFile: \"{}\"",
        site.pid_file.display()
    ));
    if let Some(document_root) = &site.main_server.document_root {
        answer(&format!(
            "Main DocumentRoot: \"{}\"",
            document_root.display()
        ));
    }
    for listener in &site.listeners {
        answer(&format!("Listen: {}", listener.address));
    }
    for interpreter in &site.interpreters {
        answer(&format!("PythonInterpreter: {}", interpreter.name));
    }
    Ok(())
}
