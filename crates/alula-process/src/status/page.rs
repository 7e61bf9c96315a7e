//! The page: one file, no script, nothing to fetch beside it.

use std::borrow::Cow;
use std::fmt::Write;

use super::report::Report;
use super::tables::{Table, bytes, in_words, moment, tables};

const STYLE: &str = "\
body { font-family: sans-serif; margin: 2em }
table { border-collapse: collapse }
th, td { text-align: left; padding: .2em .8em; border-bottom: 1px solid #ddd; white-space: nowrap }
td:last-child { white-space: normal; overflow-wrap: anywhere }
.n { text-align: right }
dl { display: grid; grid-template-columns: max-content auto; gap: .2em 1em } dd { margin: 0 }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd } th, td { border-color: #444 } }
";

pub(super) fn page(report: &Report, server: &str, extended: bool) -> String {
    let mut html = String::with_capacity(8 * 1024);
    let server = escape(server);
    let _ = write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Server status of {server}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>Server status of {server}</h1>\n"
    );
    summary(&mut html, report, extended);
    let [interpreters, workers, requests] = tables(report);
    table(&mut html, &interpreters);
    table(&mut html, &workers);
    if extended {
        table(&mut html, &requests);
    } else {
        html.push_str(
            "<p>Requests are not on record while they run (<code>ExtendedStatus Off</code>).</p>\n",
        );
    }
    html.push_str(
        "<p>For programs: <a href=\"?auto\">?auto</a> as httpd writes it, <a href=\"?json\">?json</a>. \
         <a href=\"?refresh=5\">?refresh=5</a> keeps this page fresh.</p>\n</body>\n</html>\n",
    );
    html
}

fn summary(html: &mut String, report: &Report, extended: bool) {
    let totals = &report.totals;
    let [load1, load5, load15] = report.load;
    let mut rates = format!(
        "{:.3} a second, {} a second, {} each",
        totals.requests_per_second,
        bytes(totals.bytes_per_second as u64),
        bytes(totals.bytes_per_request as u64),
    );
    if extended {
        let _ = write!(rates, ", {:.1} ms each", totals.milliseconds_per_request);
    }
    let lines = [
        (
            "Server",
            format!("Alula/{}, process {}", report.version, report.pid),
        ),
        (
            "Up",
            format!(
                "{}, since {}",
                in_words(report.uptime),
                moment(report.started)
            ),
        ),
        (
            "Configuration",
            format!(
                "generation {}, since {}",
                report.generation,
                moment(report.configured)
            ),
        ),
        (
            "Requests",
            format!(
                "{}, {} sent ({rates})",
                totals.requests,
                bytes(totals.bytes)
            ),
        ),
        ("Connections", report.connections.to_string()),
        (
            "Load of the machine",
            format!("{load1:.2} {load5:.2} {load15:.2}"),
        ),
    ];
    html.push_str("<dl>\n");
    for (name, text) in lines {
        let _ = writeln!(html, "<dt>{name}</dt><dd>{}</dd>", escape(&text));
    }
    html.push_str("</dl>\n");
}

fn table(html: &mut String, table: &Table) {
    let _ = write!(html, "<h2>{}</h2>\n<table>\n<tr>", table.title);
    let class = |is_number: bool| if is_number { " class=\"n\"" } else { "" };
    for &(name, is_number) in &table.columns {
        let _ = write!(html, "<th{}>{name}</th>", class(is_number));
    }
    html.push_str("</tr>\n");
    for row in &table.rows {
        html.push_str("<tr>");
        for (cell, &(_, is_number)) in row.iter().zip(&table.columns) {
            let _ = write!(html, "<td{}>{}</td>", class(is_number), escape(cell));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table>\n");
}

fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let text = text.replace('>', "&gt;").replace('"', "&quot;");
    Cow::Owned(text.replace('\'', "&#39;"))
}
