//! A listing as HTML: sorted, escaped, without what the client may not see.
//!
//! The query chooses the order as in httpd, where `FancyIndexing` lets it: `C` is the column (`N`ame, `M`odified, `S`ize,
//! `D`escription), `O` the direction, `P` a wildcard that names must fit.

use super::{Entry, Text};
use alula_config::glob;
use alula_config::site::{FileSettings, IndexOptions, ListingSettings};
use alula_http::{Body, ListingPage, Response, path};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write;
use std::sync::Arc;
use std::time::SystemTime;

#[derive(Debug)]
pub(super) struct Page {
    pub(super) header: Option<Text>,
    pub(super) readme: Option<Text>,
    /// The directory's URL path, decoded.
    pub(super) path: Bytes,
    pub(super) query: Option<Bytes>,
    pub(super) head_only: bool,
    pub(super) settings: Arc<FileSettings>,
    pub(super) entries: Vec<Entry>,
}

/// What the client chose.
struct Choice {
    column: char,
    descending: bool,
    pattern: Option<String>,
}

impl ListingPage for Page {
    fn page(&self, may_see: &dyn Fn(&[u8]) -> bool) -> Response {
        let choice = self.choice();
        let mut shown: Vec<&Entry> = self
            .entries
            .iter()
            .filter(|entry| choice.fits(entry))
            .filter(|entry| self.options().has("showforbidden") || may_see(&entry.name))
            .collect();
        shown.sort_by(|a, b| self.compare(&choice, a, b));
        let mut html = String::with_capacity(512 + 128 * shown.len());
        self.start(&mut html, may_see);
        if self.options().has("fancyindexing") {
            self.table(&mut html, &shown, &choice);
        } else {
            self.list(&mut html, &shown);
        }
        if let Some(readme) = self.readme.as_ref().filter(|text| may_see(&text.name)) {
            readme.add_to(&mut html);
        }
        html.push_str("</body>\n</html>\n");
        self.response(html)
    }
}

impl Page {
    fn listing(&self) -> &ListingSettings {
        &self.settings.listing
    }

    fn options(&self) -> &IndexOptions {
        &self.listing().options
    }

    fn choice(&self) -> Choice {
        let (column, descending) = self.listing().order.unwrap_or(('N', false));
        let mut choice = Choice {
            column,
            descending,
            pattern: None,
        };
        let free = self.options().has("fancyindexing") && !self.options().has("ignoreclient");
        let query = self.query.as_deref().filter(|_| free).unwrap_or_default();
        for pair in query.split(|&byte| matches!(byte, b'&' | b';')) {
            match pair {
                [b'C', b'=', column @ (b'N' | b'M' | b'S' | b'D')] => {
                    choice.column = char::from(*column)
                }
                [b'O', b'=', direction @ (b'A' | b'D')] => choice.descending = *direction == b'D',
                [b'P', b'=', pattern @ ..] if !pattern.is_empty() => {
                    choice.pattern = Some(String::from_utf8_lossy(pattern).into_owned());
                }
                _ => {}
            }
        }
        choice
    }

    fn compare(&self, choice: &Choice, a: &Entry, b: &Entry) -> Ordering {
        if self.options().has("foldersfirst") && a.is_directory != b.is_directory {
            return b.is_directory.cmp(&a.is_directory);
        }
        let size = |entry: &Entry| if entry.is_directory { 0 } else { entry.size };
        let by_column = match choice.column {
            'M' => a.modified.cmp(&b.modified),
            'S' => size(a).cmp(&size(b)),
            'D' => self.description(a).cmp(self.description(b)),
            _ => Ordering::Equal,
        };
        let order = by_column.then_with(|| self.compare_names(&a.name, &b.name));
        if choice.descending {
            order.reverse()
        } else {
            order
        }
    }

    fn compare_names(&self, a: &[u8], b: &[u8]) -> Ordering {
        let fold = |name: &[u8]| match self.options().has("ignorecase") {
            true => name.to_ascii_lowercase(),
            false => name.to_vec(),
        };
        let (folded_a, folded_b) = (fold(a), fold(b));
        let order = if self.options().has("versionsort") {
            by_version(&folded_a, &folded_b)
        } else {
            folded_a.cmp(&folded_b)
        };
        order.then_with(|| a.cmp(b))
    }

    fn description(&self, entry: &Entry) -> &str {
        let descriptions = self.listing().descriptions.iter();
        let mut fitting =
            descriptions.filter(|(_, pattern)| glob::fits(pattern.as_bytes(), &entry.name, false));
        fitting.next().map_or("", |(text, _)| text)
    }

    /// Everything up to the names.
    fn start(&self, html: &mut String, may_see: &dyn Fn(&[u8]) -> bool) {
        let header = self.header.as_ref().filter(|text| may_see(&text.name));
        let has_own_head = self.options().has("suppresshtmlpreamble")
            && header.is_some_and(|header| header.is_html);
        let title = String::from_utf8_lossy(&self.path);
        let title = match title.trim_end_matches('/') {
            "" => "/",
            path => path,
        };
        let title = escape(title);
        if !has_own_head {
            let _ = write!(
                html,
                "<!DOCTYPE html>\n<html>\n<head>\n<title>Index of {title}</title>\n"
            );
            if let Some(sheet) = &self.listing().style_sheet {
                let sheet = escape(sheet);
                let _ = writeln!(html, "<link rel=\"stylesheet\" href=\"{sheet}\">");
            }
            if let Some(insert) = &self.listing().head_insert {
                html.push_str(insert);
                html.push('\n');
            }
            html.push_str("</head>\n<body>\n");
        }
        match header {
            Some(header) => header.add_to(html),
            None => {
                let _ = writeln!(html, "<h1>Index of {title}</h1>");
            }
        }
    }

    fn has_parent(&self) -> bool {
        self.path.iter().any(|&byte| byte != b'/')
    }

    fn list(&self, html: &mut String, shown: &[&Entry]) {
        html.push_str("<ul>");
        if self.has_parent() {
            html.push_str("<li><a href=\"../\"> Parent Directory</a></li>\n");
        }
        for entry in shown {
            let _ = writeln!(
                html,
                "<li><a href=\"{}\"> {}</a></li>",
                entry.link(),
                entry.shown()
            );
        }
        html.push_str("</ul>\n");
    }

    fn table(&self, html: &mut String, shown: &[&Entry], choice: &Choice) {
        let columns = [
            ('N', "Name", None),
            ('M', "Last modified", Some("suppresslastmodified")),
            ('S', "Size", Some("suppresssize")),
            ('D', "Description", Some("suppressdescription")),
        ];
        let columns: Vec<_> = columns
            .into_iter()
            .filter(|(_, _, off)| off.is_none_or(|off| !self.options().has(off)))
            .collect();
        let fixed =
            self.options().has("suppresscolumnsorting") || self.options().has("ignoreclient");
        html.push_str("<table>\n<tr>");
        for (letter, name, _) in &columns {
            if fixed {
                let _ = write!(html, "<th>{name}</th>");
            } else {
                // A second click on a column turns it around.
                let again = *letter == choice.column && !choice.descending;
                let order = if again { 'D' } else { 'A' };
                let _ = write!(
                    html,
                    "<th><a href=\"?C={letter};O={order}\">{name}</a></th>"
                );
            }
        }
        html.push_str("</tr>\n");
        if self.has_parent() {
            let rest = "<td></td>".repeat(columns.len() - 1);
            let _ = writeln!(
                html,
                "<tr><td><a href=\"../\">Parent Directory</a></td>{rest}</tr>"
            );
        }
        for entry in shown {
            html.push_str("<tr>");
            for (letter, ..) in &columns {
                let _ = match letter {
                    'N' => write!(
                        html,
                        "<td><a href=\"{}\">{}</a></td>",
                        entry.link(),
                        entry.shown()
                    ),
                    'M' => write!(html, "<td>{}</td>", date(entry.modified)),
                    'S' if entry.is_directory => write!(html, "<td>-</td>"),
                    'S' => write!(html, "<td>{}</td>", size(entry.size)),
                    // As it is written: httpd lets it hold HTML.
                    _ => write!(html, "<td>{}</td>", self.description(entry)),
                };
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</table>\n");
    }

    fn response(&self, html: String) -> Response {
        let charset = self.options().charset.as_deref().unwrap_or("UTF-8");
        let media_type = HeaderValue::try_from(format!("text/html;charset={charset}"));
        let mut response = http::Response::new(Body::empty());
        let headers = response.headers_mut();
        if let Ok(media_type) = media_type {
            headers.insert(CONTENT_TYPE, media_type);
        }
        headers.insert(CONTENT_LENGTH, HeaderValue::from(html.len()));
        if !self.head_only {
            *response.body_mut() = Body::from(html);
        }
        response
    }
}

impl Choice {
    fn fits(&self, entry: &Entry) -> bool {
        let pattern = self.pattern.as_deref();
        pattern.is_none_or(|pattern| glob::fits(pattern.as_bytes(), &entry.name, false))
    }
}

impl Entry {
    /// Relative to the directory; never taken for a scheme or a host.
    fn link(&self) -> String {
        let name = path::encode(&self.name);
        let start = if name.contains(':') { "./" } else { "" };
        let slash = if self.is_directory { "/" } else { "" };
        escape(&format!("{start}{name}{slash}")).into_owned()
    }

    fn shown(&self) -> String {
        let name = String::from_utf8_lossy(&self.name);
        let slash = if self.is_directory { "/" } else { "" };
        format!("{}{slash}", escape(&name))
    }
}

impl Text {
    fn add_to(&self, html: &mut String) {
        if self.is_html {
            html.push_str(&self.content);
        } else {
            let _ = writeln!(html, "<pre>{}</pre>", escape(&self.content));
        }
    }
}

/// Digits compare as numbers (httpd's `VersionSort`).
fn by_version(a: &[u8], b: &[u8]) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (length_a, length_b) = (digits(a), digits(b));
        if length_a > 0 && length_b > 0 {
            let strip = |number: &[u8]| {
                let zeros = number.iter().take_while(|&&byte| byte == b'0').count();
                number[zeros..].to_vec()
            };
            let (number_a, number_b) = (strip(&a[..length_a]), strip(&b[..length_b]));
            let order = number_a.len().cmp(&number_b.len());
            let order = order.then_with(|| number_a.cmp(&number_b));
            if order != Ordering::Equal {
                return order;
            }
            (a, b) = (&a[length_a..], &b[length_b..]);
            continue;
        }
        match (a.split_first(), b.split_first()) {
            (Some((first_a, rest_a)), Some((first_b, rest_b))) if first_a == first_b => {
                (a, b) = (rest_a, rest_b);
            }
            _ => return a.cmp(b),
        }
    }
}

fn date(time: SystemTime) -> String {
    Timestamp::try_from(time).map_or(String::new(), |time| {
        let local = TimeZone::system().to_datetime(time);
        local.strftime("%Y-%m-%d %H:%M").to_string()
    })
}

/// As httpd writes sizes: three digits at the most, and a unit.
fn size(bytes: u64) -> String {
    if bytes < 973 {
        return bytes.to_string();
    }
    let mut size = bytes as f64;
    let mut unit = ' ';
    for next in "KMGTPE".chars() {
        if size < 973.0 {
            break;
        }
        (size, unit) = (size / 1024.0, next);
    }
    if size < 9.95 {
        format!("{size:.1}{unit}")
    } else {
        format!("{size:.0}{unit}")
    }
}

fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests;
