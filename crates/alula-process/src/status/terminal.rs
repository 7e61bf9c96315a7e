//! A report for the terminal: the same tables, as wide as what is in them.

use std::fmt::Write;

use super::report::Report;
use super::tables::{Table, bytes, span, tables};

impl Report {
    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let totals = &self.totals;
        let mut text = format!(
            "Alula/{}, process {}, up {}, generation {} for {}\n{} requests ({:.2} a second, {:.1} ms each), {} sent, {} connections\n",
            self.version,
            self.pid,
            span(self.uptime),
            self.generation,
            span(self.now.duration_since(self.configured).unwrap_or_default()),
            totals.requests,
            totals.requests_per_second,
            totals.milliseconds_per_request,
            bytes(totals.bytes),
            self.connections,
        );
        for table in tables(self) {
            if !table.rows.is_empty() {
                text.push('\n');
                add(&mut text, &table);
            }
        }
        text
    }
}

fn add(text: &mut String, table: &Table) {
    let widths: Vec<usize> = table
        .columns
        .iter()
        .enumerate()
        .map(|(place, (name, _))| {
            let cells = table.rows.iter().map(|row| row[place].chars().count());
            cells.chain([name.len()]).max().unwrap_or(0)
        })
        .collect();
    let mut line = |cells: Vec<String>| {
        let mut written = String::new();
        for ((cell, width), (_, is_number)) in cells.iter().zip(&widths).zip(&table.columns) {
            let _ = match is_number {
                true => write!(written, "{cell:>width$}  "),
                false => write!(written, "{cell:<width$}  "),
            };
        }
        text.push_str(written.trim_end());
        text.push('\n');
    };
    line(
        table
            .columns
            .iter()
            .map(|(name, _)| name.to_uppercase())
            .collect(),
    );
    for row in &table.rows {
        // What a client has sent must not move the cursor.
        let plain = |cell: &String| cell.replace(|shown: char| shown.is_control(), "?");
        line(row.iter().map(plain).collect());
    }
}
