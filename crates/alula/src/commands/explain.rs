//! `alula explain URL`: what a request would meet, and where it says so.
//!
//! Virtual host, sections and `.htaccess` files in the order they apply with their directives, whether the client would be let
//! in, and who answers: as the router finds them, by the same code that finds them for a request. Of files only `.htaccess` is
//! looked at, and no application is asked.

mod access;
mod request;

use std::net::{IpAddr, SocketAddr};

use alula_config::site::{Asker, Origin};
use alula_config::{Loaded, Written};
use alula_routing::{Action, Applied, Found, RouteTable, VirtualHostId};
use anyhow::Result;
use http::StatusCode;
use serde::Serialize;

use self::access::Access;
use self::request::{Made, Outcome};
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
    sections: Vec<Shown>,
    /// The paths that rules in sections made of it.
    rewritten: Vec<String>,
    access: Access,
    answers: String,
}

#[derive(Debug, Serialize)]
struct Shown {
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
    pub(crate) client: Option<IpAddr>,
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
    let made = Made::new(&loaded.site, question)?;
    let table = RouteTable::new(&loaded.site);
    let outcome = made.outcome(&table)?;
    let Outcome { host, found, .. } = &outcome;
    let VirtualHostId(number) = *host;
    let applied = table.applied(*host, found, &made.asked(), &outcome.htaccess);
    let in_files: Vec<Written> = outcome
        .htaccess
        .iter()
        .flat_map(|read| read.written())
        .collect();
    let of_section = |section: &Applied| -> Vec<&Written> {
        let mut all = loaded.written.iter().chain(&in_files).collect::<Vec<_>>();
        all.retain(|line| line.section.as_ref() == Some(&section.origin));
        all
    };
    let directives: Vec<Vec<&Written>> = applied.iter().map(of_section).collect();
    let asking = table.asking(*host, found, made.asked());
    let asker = Asker {
        expressions: Some(&asking),
        ..made.asker(found)
    };
    let outside = |wanted: &dyn Fn(&Written) -> bool| -> Vec<Line> {
        let lines = loaded.written.iter();
        let lines = lines.filter(|line| line.section.is_none() && wanted(line));
        lines.map(Line::from).collect()
    };
    let path = found.path(&made.decoded.path);
    Ok(Explanation {
        method: made.method.clone(),
        virtual_host: name_of(loaded, number, made.local),
        path: String::from_utf8_lossy(&made.decoded.path).into_owned(),
        // The main server's come first: a virtual host's are laid over them.
        outside_sections: {
            let mut lines = outside(&|line| line.server == 0 && line.for_requests);
            if number > 0 {
                lines.extend(outside(&|line| line.server == number));
            }
            lines
        },
        access: access::explain(outcome.verdict, &applied, &directives, &asker),
        sections: applied
            .iter()
            .zip(&directives)
            .map(|(section, lines)| Shown {
                section: section.heading.clone(),
                origin: section.origin.to_string(),
                directives: lines.iter().map(|line| Line::from(*line)).collect(),
            })
            .collect(),
        answers: who_answers(found, loaded, number, &path),
        rewritten: outcome.rewritten,
    })
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
        Action::Status(StatusCode::FORBIDDEN) => {
            "403: the file is a WSGI script, and Options ExecCGI is off".to_owned()
        }
        Action::Status(status) if found.file.is_some() => {
            format!("{status}: nobody is the handler that SetHandler names")
        }
        Action::Status(status) => format!("{status}: no DocumentRoot and no Alias leads to a file"),
        Action::ServerStatus => "server-status, the page about the server itself".to_owned(),
        Action::Proxy(_) => {
            let file = found.file.as_ref().map(|file| file.display().to_string());
            let file = file.unwrap_or_default();
            let url = file.strip_prefix("proxy:").unwrap_or(&file);
            format!("the back end, asked for {url}")
        }
        Action::Files(files) => {
            let file = found.file.as_ref().map(|file| file.display().to_string());
            let file = file.unwrap_or_default();
            match files.are_scripts {
                true => format!("the file {file}, as a WSGI script"),
                false => format!("the file {file}"),
            }
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
            text.push_str(&applied.section);
            // A `.htaccess` file is named by its path alone.
            if !applied.origin.ends_with(":0") {
                text.push_str(&format!(" ({})", applied.origin));
            }
            text.push('\n');
            lines(&mut text, &applied.directives);
        }
        if !self.sections.is_empty() {
            text.push_str("Later sections win.\n");
        }
        for path in &self.rewritten {
            text.push_str(&format!("rewritten to: {path}\n"));
        }
        let Access {
            client,
            verdict,
            rules,
        } = &self.access;
        text.push_str(&format!("access: {verdict}, from {client}\n"));
        for rule in rules {
            let says = if rule.says.is_empty() { "" } else { ": " };
            let line = &rule.line;
            text.push_str(&format!(
                "    {}  {}{says}{}\n",
                line.origin, line.text, rule.says
            ));
        }
        text.push_str(&format!("answers: {}\n", self.answers));
        text
    }
}
