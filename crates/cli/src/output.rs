//! How data is shown: tables for people, JSON for programs, always on stdout.

use std::io::Write as _;

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// What to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// Columns for a person.
    #[default]
    Table,
    /// JSON with the field names of the API.
    Json,
}

/// A table without heavy lines.
pub fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head.map(str::to_uppercase));
    for row in rows {
        table.add_row(row);
    }
    table.trim_fmt()
}

/// Prints rows as a table, or the values as one JSON list.
pub fn list<T: Serialize, const N: usize>(
    format: Format,
    values: &[T],
    head: [&str; N],
    row: impl Fn(&T) -> [String; N],
) {
    match format {
        Format::Json => json(&values),
        Format::Table if values.is_empty() => note("nothing to show"),
        Format::Table => line(&table(head, values.iter().map(row))),
    }
}

/// Prints one value: pairs for a person, or JSON.
pub fn one<T: Serialize>(format: Format, value: &T, pairs: &[(&str, String)]) {
    match format {
        Format::Json => json(value),
        Format::Table => {
            let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            for (name, text) in pairs.iter().filter(|(_, text)| !text.is_empty()) {
                line(&format!("{name:width$}  {text}"));
            }
        }
    }
}

/// Prints JSON.
pub fn json<T: Serialize>(value: &T) {
    line(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Prints one line of data. A closed pipe ends the output, not the program's work.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Says something that is not data.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A count of items in words.
pub fn items(count: u64) -> String {
    if count == 1 { "1 item".to_owned() } else { format!("{count} items") }
}

/// The first eight characters of an id: enough for a person's eye in a table.
pub fn short(id: &str) -> String {
    id.get(..8).unwrap_or(id).to_owned()
}
