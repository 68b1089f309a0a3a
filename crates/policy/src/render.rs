//! What `gallra policy` prints: tables for people, JSON for programs. Owns columns and wording; every line ends in a
//! newline, so that the command line writes the text as it is.

use std::fmt::Write as _;

use serde::Serialize;

use crate::calendar::{Moment, Period};
use crate::explain::Element;
use crate::pack::Policy;
use crate::rule::{Clause, Rule};
use crate::word::Until;

/// The answer of `explain` as JSON: a list of elements in the documented field order.
pub fn explain_json(elements: &[Element]) -> String {
    json(&elements)
}

/// The answer of `explain` for a person: a table of dates, then where each row stands and what it notes.
pub fn explain_table(elements: &[Element]) -> String {
    let head = ["RULE", "ACTION", "BOUND", "EARLIEST", "PLANNED", "LATEST", "COUNTED FROM"].map(str::to_owned);
    let rows = elements.iter().map(|element| {
        [
            element.rule.clone(),
            element.action.unwrap_or("-").to_owned(),
            element.bound.unwrap_or("-").to_owned(),
            date(element.earliest),
            date(element.planned),
            date(element.latest),
            counted(element),
        ]
    });
    let mut out = table(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    out.push('\n');
    for element in elements {
        let _ = writeln!(out, "{}", element.rule);
        if let Some(basis) = &element.basis {
            let _ = writeln!(out, "  basis: {basis}");
        }
        for cite in &element.cites {
            let _ = writeln!(out, "  from:  {cite}");
        }
        if let Some(note) = &element.note {
            let _ = writeln!(out, "  note:  {note}");
        }
    }
    out
}

/// A policy's rules for a person, with where each stands.
pub fn rules_table(policy: &Policy) -> String {
    let head = ["RULE", "CATEGORY", "ACTION", "BOUND", "COUNTED FROM"].map(str::to_owned);
    let row = |rule: &Rule, clause: &Clause| {
        let words = [rule.category.as_str(), rule.action.as_str(), rule.bound.as_str()].map(str::to_owned);
        let [category, action, bound] = words;
        [rule.id.clone(), category, action, bound, promise(clause)]
    };
    let rows = policy.rules().iter().flat_map(|rule| rule.clauses.iter().map(move |clause| row(rule, clause)));
    let mut out = format!("{} ({})\ndigest {}\n\n", policy.name(), policy.provider(), policy.digest());
    out.push_str(&table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()));
    out.push('\n');
    for rule in policy.rules() {
        let _ = writeln!(out, "{}\n  basis: {}", rule.id, rule.basis);
        for cite in &rule.cites {
            let _ = writeln!(out, "  from:  {cite}");
        }
    }
    out
}

/// A policy's rules as JSON.
pub fn rules_json(policy: &Policy) -> String {
    #[derive(Serialize)]
    struct Shown<'a> {
        name: &'a str,
        provider: &'a str,
        digest: String,
        strict_backup: bool,
        rules: &'a [Rule],
    }
    json(&Shown {
        name: policy.name(),
        provider: policy.provider(),
        digest: policy.digest().to_string(),
        strict_backup: policy.strict_backup(),
        rules: policy.rules(),
    })
}

/// One line that says that a pack is in order.
pub fn checked(policy: &Policy) -> String {
    format!("{}: {} rules, no problem found, digest {}\n", policy.name(), policy.rules().len(), policy.digest())
}

/// [`checked`] as JSON.
pub fn checked_json(policy: &Policy) -> String {
    #[derive(Serialize)]
    struct Checked<'a> {
        name: &'a str,
        rules: usize,
        digest: String,
    }
    json(&Checked { name: policy.name(), rules: policy.rules().len(), digest: policy.digest().to_string() })
}

fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("strings, numbers and flags always serialise");
    text.push('\n');
    text
}

fn date(moment: Option<Moment>) -> String {
    moment.map_or_else(|| "-".to_owned(), |moment| moment.to_string())
}

fn counted(element: &Element) -> String {
    match (element.anchor, element.anchor_date) {
        (Some(anchor), Some(date)) => format!("{anchor} {date}"),
        (Some(anchor), None) => anchor.to_owned(),
        (None, _) => "-".to_owned(),
    }
}

fn promise(clause: &Clause) -> String {
    let counted = |from, period: Period| match period.count() {
        0 => format!("{from}, {period}"),
        _ => format!("{from} + {period}"),
    };
    let mut text = counted(clause.from, clause.period);
    if clause.until == Until::YearEnd {
        text.push_str(", to the end of that year");
    }
    if let Some(stricter) = clause.stricter {
        let _ = write!(text, " (stricter: {})", counted(stricter.from, stricter.period));
    }
    text
}

/// Left-aligned columns, two spaces apart, nothing after the last word of a line.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, &width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests;
