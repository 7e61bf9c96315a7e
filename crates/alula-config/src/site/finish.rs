//! A draft to a site: servers inherit, nicknames are resolved, defaults apply.

use super::draft::{AccessLogDraft, Draft, ServerDraft};
use super::{
    AccessLog, Connection, InterpreterNames, Listener, LogFormat, LogTarget, MappingTarget,
    Processes, Rewriting, Site, UrlMapping, VirtualHost, VirtualHostAddress,
};
use super::{check, inherit_remote_ip, inherit_tls, interpreters, uses};
use crate::diagnostic::Severity;
use crate::directives::{parse_log_format, predefined_log_format};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// httpd's since 2.4.8.
const THREADS_DEFAULT: u32 = 25;

/// Where a configuration without `Listen` and without virtual hosts is served: for trying it out, so not to the world.
const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

pub(crate) fn finish(draft: &mut Draft) -> Site {
    let servers = std::mem::take(&mut draft.servers);
    let listeners = listeners(draft, &servers);
    let mut built: Vec<VirtualHost> = Vec::new();
    for server in &servers {
        let next = virtual_host(draft, server, built.first().map(|main| (main, &servers[0])));
        built.push(next);
    }
    draft.servers = servers;
    let processes = Processes {
        workers: draft.workers,
        threads: draft.threads.unwrap_or(THREADS_DEFAULT),
        requests_max: draft.requests_max.unwrap_or(0),
        max_request_workers: draft.max_request_workers,
        graceful_timeout: draft.graceful_timeout,
    };
    let uses = uses::find(&built, &listeners);
    let interpreters = interpreters::interpreters(draft, uses, &processes);
    check::check(draft, &built, &listeners, &interpreters);
    let virtual_hosts = built.split_off(1);
    let main_server = built.remove(0);
    Site {
        pid_file: draft
            .pid_file
            .clone()
            .unwrap_or_else(|| draft.server_root.join("alula.pid")),
        server_root: draft.server_root.clone(),
        media_types: std::mem::take(&mut draft.media_types).into(),
        user: draft.user.clone(),
        group: draft.group.clone(),
        listeners,
        main_server,
        virtual_hosts,
        processes,
        interpreters,
        isolation: draft.isolation,
        extended_status: draft.extended_status.unwrap_or(true),
    }
}

fn listeners(draft: &mut Draft, servers: &[ServerDraft]) -> Vec<Listener> {
    let written = draft.listeners.iter();
    let mut listeners: Vec<Listener> = written
        .map(|(address, span)| Listener {
            address: *address,
            origin: Some(draft.sources.origin(*span)),
        })
        .collect();
    if !listeners.is_empty() {
        return listeners;
    }
    for VirtualHostAddress { ip, port } in servers.iter().flat_map(|server| &server.addresses) {
        let Some(port) = port else { continue };
        let address = SocketAddr::new(ip.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), *port);
        if !listeners.iter().any(|known| known.address == address) {
            listeners.push(Listener {
                address,
                origin: None,
            });
        }
    }
    // An address of its own cannot be bound beside "any address" on the same port.
    let any: Vec<u16> = listeners
        .iter()
        .filter(|l| l.address.ip().is_unspecified())
        .map(|l| l.address.port())
        .collect();
    listeners.retain(|l| l.address.ip().is_unspecified() || !any.contains(&l.address.port()));
    if listeners.is_empty() {
        listeners.push(Listener {
            address: LISTEN_DEFAULT,
            origin: None,
        });
    }
    let addresses: Vec<String> = listeners.iter().map(|l| l.address.to_string()).collect();
    let message = format!("there is no Listen; listening on {}", addresses.join(", "));
    draft.report_unplaced(Severity::Note, message, Some("Listen 8080"));
    listeners
}

/// Builds a server; a virtual host inherits from the main one.
fn virtual_host(
    draft: &mut Draft,
    server: &ServerDraft,
    main: Option<(&VirtualHost, &ServerDraft)>,
) -> VirtualHost {
    let inherited = main.map(|(main, _)| main);
    let mut settings = inherited
        .map(|main| main.settings.clone())
        .unwrap_or_default();
    settings.overlay(&server.settings);
    let connection = server
        .connection
        .over(&inherited.map_or_else(Connection::default, |m| m.connection.clone()));
    let access_logs = access_logs(draft, server, main);
    let server_name = server
        .server_name
        .clone()
        .or_else(|| inherited?.server_name.clone());
    let own_settings = inherited.is_some().then_some(&server.settings);
    let remote_ip = inherit_remote_ip::remote_ip(draft, server, main.map(|(_, main)| main));
    let tls = inherit_tls::tls(draft, server, main.map(|(_, main)| main));
    VirtualHost {
        addresses: server.addresses.clone(),
        interpreters: InterpreterNames::new(server_name.as_deref(), own_settings),
        server_name,
        port: match server.server_name {
            Some(_) => server.port,
            None => inherited.and_then(|main| main.port),
        },
        scheme: match server.server_name {
            Some(_) => server.scheme.clone(),
            None => inherited.and_then(|main| main.scheme.clone()),
        },
        aliases: server.aliases.clone(),
        connection,
        tls,
        remote_ip,
        error_log: server
            .error_log
            .clone()
            .or_else(|| inherited.map(|main| main.error_log.clone()))
            .unwrap_or(LogTarget::Stderr),
        error_log_format: server
            .error_log_format
            .clone()
            .or_else(|| inherited?.error_log_format.clone()),
        log_level: inherited
            .map(|main| main.log_level.clone())
            .unwrap_or_default()
            .changed(&server.log_level),
        access_logs,
        document_root: server
            .document_root
            .clone()
            .or_else(|| inherited?.document_root.clone()),
        encoded_slashes: server
            .encoded_slashes
            .or_else(|| inherited.map(|main| main.encoded_slashes))
            .unwrap_or_default(),
        server_admin: server
            .server_admin
            .clone()
            .or_else(|| inherited?.server_admin.clone()),
        redirects: {
            // A virtual host's own come first (httpd's mod_alias).
            let inherited = inherited.map_or(&[][..], |main| &main.redirects);
            server.redirects.iter().chain(inherited).cloned().collect()
        },
        set_env_if: {
            let inherited = inherited.map_or(&[][..], |main| &main.set_env_if);
            inherited
                .iter()
                .chain(&server.set_env_if)
                .cloned()
                .collect()
        },
        rewriting: rewriting(server, inherited),
        proxy: match inherited {
            Some(main) => server.proxy.inheriting(&main.proxy),
            None => server.proxy.clone(),
        },
        url_map: url_map(&server.url_map, inherited.map_or(&[], |main| &main.url_map)),
        settings,
        sections: server.sections.clone(),
        origin: server.span.map(|span| draft.sources.origin(span)),
    }
}

/// A virtual host's rules; whether they are tried comes from the main server.
fn rewriting(server: &ServerDraft, main: Option<&VirtualHost>) -> Option<Rewriting> {
    let Some(main) = main.and_then(|main| main.rewriting.as_ref()) else {
        return server.rewriting.clone();
    };
    let mut merged = main.clone();
    merged.overlay(&server.rewriting.clone().unwrap_or_default());
    Some(merged)
}

/// Aliases before scripts; within each, a virtual host's own before the main server's.
fn url_map(own: &[UrlMapping], inherited: &[UrlMapping]) -> Vec<UrlMapping> {
    let all = own.iter().chain(inherited).cloned();
    let (aliases, scripts): (Vec<_>, Vec<_>) =
        all.partition(|mapping| !matches!(mapping.target, MappingTarget::WsgiScript { .. }));
    [aliases, scripts].concat()
}

/// A server's own `CustomLog`s, else the main server's; `GlobalLog`s in any case.
fn access_logs(
    draft: &mut Draft,
    server: &ServerDraft,
    main: Option<(&VirtualHost, &ServerDraft)>,
) -> Vec<AccessLog> {
    let written = main.map(|(_, main)| main);
    let mut resolve = |logs: &[AccessLogDraft], server: &ServerDraft| -> Vec<AccessLog> {
        let logs = logs.iter();
        logs.filter_map(|log| access_log(draft, log, server, written))
            .collect()
    };
    match main {
        // Its own were resolved, and its mistakes reported, with the main server.
        Some((inherited, _)) if server.access_logs.is_empty() => inherited.access_logs.clone(),
        Some((inherited, main)) => {
            let mut logs = resolve(&server.access_logs, server);
            let globals = inherited.access_logs.len() - main.global_logs.len();
            logs.extend_from_slice(
                &inherited.access_logs[globals.min(inherited.access_logs.len())..],
            );
            logs
        }
        None => {
            let mut logs = resolve(&server.access_logs, server);
            logs.extend(resolve(&server.global_logs, server));
            logs
        }
    }
}

fn access_log(
    draft: &mut Draft,
    log: &AccessLogDraft,
    server: &ServerDraft,
    main: Option<&ServerDraft>,
) -> Option<AccessLog> {
    let format = log_format(log, server, main).unwrap_or_else(|fact| {
        draft.report(
            Severity::Error,
            log.span,
            format!("CustomLog: {fact}"),
            None,
        );
        None
    })?;
    Some(AccessLog {
        target: log.target.clone(),
        format,
        condition: log.condition.clone(),
        expression: log.expression.clone(),
    })
}

/// A nickname, else a format.
fn log_format(
    log: &AccessLogDraft,
    server: &ServerDraft,
    main: Option<&ServerDraft>,
) -> Result<Option<LogFormat>, String> {
    let named = server
        .formats
        .get(&log.format)
        .or_else(|| main?.formats.get(&log.format));
    if let Some(format) = named {
        return Ok(Some(format.clone()));
    }
    let nickname = if log.format.is_empty() {
        "common"
    } else {
        &log.format
    };
    if let Some(format) = predefined_log_format(nickname) {
        return Ok(Some(format));
    }
    if !log.format.contains('%') {
        return Err(format!("no LogFormat has the nickname {:?}", log.format));
    }
    parse_log_format(&log.format).map(Some)
}
