//! The reference page of directives, made from the entries.

use super::{Apply, Entry, SectionEntry, all, sections};
use std::fmt::Write;

const HEAD: &str = "\
# Directives

Generated from the table in `crates/alula-config/src/directives/`; `UPDATE=1 cargo test -p alula-config` writes it anew.

Names are case-insensitive. *Context* says where a directive may stand: *server* is outside all sections, *virtual host* inside
`<VirtualHost>`, *directory* inside `<Directory>`, `<Files>`, `<Location>` and their `Match` forms. Relative paths start at `ServerRoot`.
A directive that httpd knows and that is missing here is an error, unless it could not change what is served: then it is accepted and listed
as a note.
";

/// The page as Markdown.
pub fn reference_page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n## Sections\n");
    for entry in sections::ENTRIES {
        page.push_str(&section(entry));
    }
    page.push_str("\n## Directives\n");
    let mut entries: Vec<&Entry> = all().collect();
    entries.sort_by_key(|entry| entry.name);
    for entry in entries {
        page.push_str(&directive(entry));
    }
    page
}

fn section(entry: &SectionEntry) -> String {
    let line = format!("{} {}", entry.name, entry.syntax);
    format!(
        "\n### `<{}>`\n\nContext: {}\n\n{}\n",
        line.trim_end(),
        entry.contexts.describe(),
        entry.doc,
    )
}

fn directive(entry: &Entry) -> String {
    let mut text = format!("\n### `{}`\n\n`{0} {}`\n\n", entry.name, entry.syntax);
    let _ = write!(text, "Context: {}", entry.contexts.describe());
    if !entry.default.is_empty() {
        let _ = write!(text, " · Default: {}", entry.default);
    }
    let _ = write!(text, "\n\n{}\n", entry.doc);
    match entry.apply {
        Apply::Ignored(reason) => {
            let _ = write!(text, "\nAccepted without effect: {reason}.\n");
        }
        Apply::Fixed(_) => text.push_str("\nNo other value is supported yet.\n"),
        Apply::Run(_) | Apply::WhileReading => {}
    }
    text
}
