//! `-v`, `-V`, `-S`: says what this is and what is configured, in httpd's words.

use alula_config::Site;
use alula_config::site::{VirtualHost, VirtualHostAddress};
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

/// `-S`, in httpd's layout.
pub(crate) fn virtual_hosts(source: &Source) -> Result<()> {
    let site = source::load(&source::load_options(source)?)?.site;
    answer("VirtualHost configuration:");
    let mut sets: Vec<(VirtualHostAddress, Vec<&VirtualHost>)> = Vec::new();
    for host in &site.virtual_hosts {
        for address in &host.addresses {
            match sets.iter_mut().find(|(known, _)| known == address) {
                Some((_, hosts)) => hosts.push(host),
                None => sets.push((*address, vec![host])),
            }
        }
    }
    for (address, hosts) in &sets {
        match hosts.as_slice() {
            [host] => {
                answer(&format!(
                    "{:<22} {}",
                    address.to_string(),
                    named(&site, host)
                ));
                aliases(host, 8);
            }
            hosts => {
                answer(&format!("{:<22} is a NameVirtualHost", address.to_string()));
                answer(&format!(
                    "{:8} default server {}",
                    "",
                    named(&site, hosts[0])
                ));
                let port = address
                    .port
                    .map_or_else(|| "*".to_owned(), |port| port.to_string());
                for host in hosts {
                    answer(&format!(
                        "{:8} port {port} namevhost {}",
                        "",
                        named(&site, host)
                    ));
                    aliases(host, 17);
                }
            }
        }
    }
    answer(&format!("ServerRoot: \"{}\"", site.server_root.display()));
    if let Some(root) = &site.main_server.document_root {
        answer(&format!("Main DocumentRoot: \"{}\"", root.display()));
    }
    answer(&format!("Main ErrorLog: {}", site.main_server.error_log));
    answer(&format!("PidFile: \"{}\"", site.pid_file.display()));
    if let Some(user) = &site.user {
        answer(&format!("User: name=\"{user}\""));
    }
    if let Some(group) = &site.group {
        answer(&format!("Group: name=\"{group}\""));
    }
    for listener in &site.listeners {
        answer(&format!("Listen: {}", listener.address));
    }
    for interpreter in &site.interpreters {
        answer(&format!("PythonInterpreter: {}", interpreter.name));
    }
    Ok(())
}

fn named(site: &Site, host: &VirtualHost) -> String {
    let main = site.main_server.server_name.as_deref();
    let name = host.server_name.as_deref().or(main).unwrap_or("localhost");
    let origin = host.origin.as_ref().map(ToString::to_string);
    format!("{name} ({})", origin.unwrap_or_default())
}

fn aliases(host: &VirtualHost, indent: usize) {
    for alias in &host.aliases {
        let kind = match alias.contains(['*', '?']) {
            true => "wild alias",
            false => "alias",
        };
        answer(&format!("{:indent$}{kind} {alias}", ""));
    }
}

/// `-M`
pub(crate) fn modules(source: &Source) -> Result<()> {
    source::load(&source::load_options(source)?)?;
    built_in();
    Ok(())
}

/// `-l`
pub(crate) fn built_in() {
    answer("Loaded Modules:");
    for module in alula_config::built_in_modules() {
        answer(&format!(" {module}_module (static)"));
    }
}

/// `-L`
pub(crate) fn directives() {
    answer(alula_config::reference_page().trim_end());
}

/// `-t -D DUMP_INCLUDES`
pub(crate) fn includes(source: &Source) -> Result<()> {
    let loaded = source::load(&source::load_options(source)?)?;
    answer("Included configuration files:");
    for file in &loaded.files {
        answer(&format!("  {}", file.display()));
    }
    Ok(())
}
