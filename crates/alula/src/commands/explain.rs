//! `alula explain URL`: what a request would meet, and where it says so.
//!
//! Virtual host, sections in the order they apply with their directives, and who answers: as the router finds them, by the same
//! code that finds them for a request. Files are not looked at, and no application is asked.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use alula_config::site::Origin;
use alula_config::{Loaded, Written};
use alula_http::path;
use alula_routing::{Action, Found, RouteTable, VirtualHostId};
use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::answer;
use crate::command_line::Source;
use crate::source;

/// What is said.
#[derive(Debug, Serialize)]
struct Explanation {
    method: String,
    virtual_host: String,
    path: String,
    outside_sections: Vec<Line>,
    sections: Vec<Applied>,
    answers: String,
}

#[derive(Debug, Serialize)]
struct Applied {
    section: String,
    origin: String,
    directives: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    origin: String,
    text: String,
}

/// What is asked.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) url: String,
    pub(crate) method: String,
    pub(crate) headers: Vec<String>,
    pub(crate) json: bool,
}

pub(crate) fn explain(source: &Source, question: &Question) -> Result<()> {
    let mut options = source::load_options(source)?;
    options.keep_written = true;
    let loaded = source::load(&options)?;
    let explanation = find(&loaded, question)?;
    if question.json {
        answer(&serde_json::to_string_pretty(&explanation)?);
    } else {
        answer(explanation.text().trim_end());
    }
    Ok(())
}

fn find(loaded: &Loaded, question: &Question) -> Result<Explanation> {
    let site = &loaded.site;
    let url = match question.url.as_str() {
        path if path.starts_with('/') => {
            let host = host_field(question);
            format!("http://{}{path}", host.as_deref().unwrap_or("localhost"))
        }
        url => url.to_owned(),
    };
    let (scheme, rest) = url
        .split_once("://")
        .context("a URL, or a path that begins with a slash")?;
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(at);
    let target = if target.starts_with('/') {
        target.to_owned()
    } else {
        format!("/{target}")
    };
    let decoded = path::decode(&target.clone().into())
        .map_err(|error| anyhow::anyhow!("{target}: {error}, answered {}", error.status()))?;
    let named = authority
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse::<u16>().ok());
    let usual = if scheme.eq_ignore_ascii_case("https") {
        443
    } else {
        80
    };
    let listeners: Vec<SocketAddr> = site
        .listeners
        .iter()
        .map(|listener| listener.address)
        .collect();
    let port = named.unwrap_or(usual);
    let Some(listener) = listeners
        .iter()
        .find(|address| address.port() == port)
        .or(match named {
            None => listeners.first(),
            Some(_) => None,
        })
    else {
        bail!("nothing listens on port {port}");
    };
    let ip = match listener.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    let local = SocketAddr::new(ip, listener.port());
    let asked = host_field(question).unwrap_or_else(|| authority.to_owned());
    let table = RouteTable::new(site);
    let host = table.virtual_host(local, Some(asked.as_bytes()));
    let found = table.find(host, &decoded.path);
    let VirtualHostId(number) = host;
    let lines = |wanted: &dyn Fn(&Written) -> bool| -> Vec<Line> {
        let written = loaded.written.iter().filter(|written| wanted(written));
        written.map(Line::from).collect()
    };
    let sections = table.sections(host, &decoded.path);
    Ok(Explanation {
        method: question.method.clone(),
        virtual_host: name_of(loaded, number, local),
        path: String::from_utf8_lossy(&decoded.path).into_owned(),
        // The main server's come first: a virtual host's are laid over them.
        outside_sections: {
            let mut outside =
                lines(&|line| line.section.is_none() && line.server == 0 && line.for_requests);
            if number > 0 {
                outside.extend(lines(&|line| {
                    line.section.is_none() && line.server == number
                }));
            }
            outside
        },
        sections: sections
            .into_iter()
            .map(|(section, origin)| Applied {
                directives: lines(&|line| line.section.as_ref() == Some(&origin)),
                origin: origin.to_string(),
                section,
            })
            .collect(),
        answers: who_answers(&found, loaded, number, &decoded.path),
    })
}

fn host_field(question: &Question) -> Option<String> {
    let mut fields = question
        .headers
        .iter()
        .filter_map(|field| field.split_once(':'));
    let (_, value) = fields.find(|(name, _)| name.eq_ignore_ascii_case("host"))?;
    Some(value.trim().to_owned())
}

fn name_of(loaded: &Loaded, number: usize, local: SocketAddr) -> String {
    let site = &loaded.site;
    let Some(host) = number
        .checked_sub(1)
        .and_then(|number| site.virtual_hosts.get(number))
    else {
        return format!("the main server, on {local}");
    };
    let name = host.server_name.as_deref().unwrap_or("without ServerName");
    let origin = host
        .origin
        .as_ref()
        .map(Origin::to_string)
        .unwrap_or_default();
    format!("{name} ({origin}), on {local}")
}

fn who_answers(found: &Found, loaded: &Loaded, number: usize, path: &[u8]) -> String {
    if let Some(redirected) = &found.redirect {
        let target = redirected.target.as_deref().unwrap_or_default();
        return format!("{} {target}", redirected.status)
            .trim_end()
            .to_owned();
    }
    let path_info =
        String::from_utf8_lossy(&path[found.script_name_len.min(path.len())..]).into_owned();
    match &found.route.action {
        Action::Status(status) => format!("{status}: no DocumentRoot and no Alias leads to a file"),
        Action::ServerStatus => "server-status, the page about the server itself".to_owned(),
        Action::Proxy(_) => {
            let file = found.file.as_ref().map(|file| file.display().to_string());
            let file = file.unwrap_or_default();
            let url = file.strip_prefix("proxy:").unwrap_or(&file);
            format!("the back end, asked for {url}")
        }
        Action::Files(_) => {
            let file = found.file.as_ref().map(|file| file.display().to_string());
            format!("the file {}", file.unwrap_or_default())
        }
        Action::Wsgi(wsgi) => {
            let server = loaded.site.servers().nth(number);
            let mapping = server.and_then(|server| {
                server
                    .url_map
                    .iter()
                    .find(|mapping| mapping.url.trim_end_matches('/') == wsgi.script_name)
            });
            let origin = mapping
                .map(|mapping| format!(" ({})", mapping.origin))
                .unwrap_or_default();
            format!(
                "the WSGI script {}{origin}, with PATH_INFO {path_info:?}",
                wsgi.script.display()
            )
        }
        Action::Python(python) => {
            let handlers = python.handlers.iter();
            let names: Vec<String> = handlers
                .map(|handler| format!("{}::{}", handler.module, handler.object))
                .collect();
            format!(
                "PythonHandler {}, with PATH_INFO {path_info:?}",
                names.join(" ")
            )
        }
    }
}

impl From<&Written> for Line {
    fn from(written: &Written) -> Self {
        Self {
            origin: written.origin.to_string(),
            text: written.text.clone(),
        }
    }
}

impl Explanation {
    fn text(&self) -> String {
        let mut text = format!(
            "{} {}\nvirtual host: {}\n",
            self.method, self.path, self.virtual_host
        );
        let lines = |text: &mut String, lines: &[Line]| {
            let width = lines
                .iter()
                .map(|line| line.origin.len())
                .max()
                .unwrap_or(0);
            for Line { origin, text: line } in lines {
                text.push_str(&format!("    {origin:width$}  {line}\n"));
            }
        };
        if !self.outside_sections.is_empty() {
            text.push_str("outside sections\n");
            lines(&mut text, &self.outside_sections);
        }
        for applied in &self.sections {
            text.push_str(&format!("{} ({})\n", applied.section, applied.origin));
            lines(&mut text, &applied.directives);
        }
        if !self.sections.is_empty() {
            text.push_str("Later sections win.\n");
        }
        text.push_str(&format!("answers: {}\n", self.answers));
        text
    }
}
