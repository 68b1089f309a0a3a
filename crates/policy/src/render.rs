//! What `gallra policy` prints: tables for people, JSON for programs. Owns columns and wording; every line ends in a
//! newline, so that the command line writes the text as it is.

use std::fmt::Write as _;

use gallra_model::Day;
use serde::Serialize;

use crate::calendar::{Moment, Period};
use crate::diff::Difference;
use crate::entry::Entry;
use crate::explain::Element;
use crate::instruction::Applied;
use crate::pack::{Policy, SwitchedOff};
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
    let from = policy.valid_from().map_or_else(String::new, |day| format!(", valid from {day}"));
    let mut out = format!("{} ({}){from}\ndigest {}\n\n", policy.name(), policy.provider(), policy.digest());
    out.push_str(&table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()));
    out.push('\n');
    for rule in policy.rules() {
        let _ = writeln!(out, "{}\n  basis: {}", rule.id, rule.basis);
        for detail in &rule.details {
            let _ = writeln!(out, "  asks:  {}", detail.sentence());
        }
        cited(&mut out, &rule.cites);
    }
    for entry in policy.entries() {
        let _ = writeln!(out, "{}\n  asks:  {}", entry.id, entry.sentence());
        cited(&mut out, &entry.cites);
    }
    for off in policy.switched_off() {
        let reason = off.reason.as_deref().unwrap_or("unless a provider switches it on");
        let _ = writeln!(out, "{}\n  off:   {reason}", off.rule);
    }
    out
}

fn cited(out: &mut String, cites: &[String]) {
    for cite in cites {
        let _ = writeln!(out, "  from:  {cite}");
    }
}

/// A policy's rules as JSON.
pub fn rules_json(policy: &Policy) -> String {
    #[derive(Serialize)]
    struct Shown<'a> {
        name: &'a str,
        provider: &'a str,
        digest: String,
        valid_from: Option<Day>,
        strict_backup: bool,
        rules: &'a [Rule],
        entries: &'a [Entry],
        switched_off: &'a [SwitchedOff],
        instructions: &'a [Applied],
    }
    json(&Shown {
        name: policy.name(),
        provider: policy.provider(),
        digest: policy.digest().to_string(),
        valid_from: policy.valid_from(),
        strict_backup: policy.strict_backup(),
        rules: policy.rules(),
        entries: policy.entries(),
        switched_off: policy.switched_off(),
        instructions: policy.instructions(),
    })
}

/// One line for each pack that is in order.
pub fn checked(policies: &[Policy]) -> String {
    policies.iter().fold(String::new(), |mut out, policy| {
        let (name, rows, digest) = (policy.name(), rows(policy), policy.digest());
        let _ = writeln!(out, "{name}: {rows} rules, no problem found, digest {digest}");
        out
    })
}

fn rows(policy: &Policy) -> usize {
    policy.rules().len() + policy.entries().len()
}

/// [`checked`] as JSON: one object, or a list of them where several packs were checked.
pub fn checked_json(policies: &[Policy]) -> String {
    #[derive(Serialize)]
    struct Checked<'a> {
        name: &'a str,
        rules: usize,
        digest: String,
    }
    let of = |policy| Checked { name: Policy::name(policy), rules: rows(policy), digest: policy.digest().to_string() };
    match policies {
        [policy] => json(&of(policy)),
        _ => json(&policies.iter().map(of).collect::<Vec<_>>()),
    }
}

/// What differs, for a person.
pub fn diff_table(differences: &[Difference]) -> String {
    if differences.is_empty() {
        return "no difference\n".to_owned();
    }
    differences.iter().fold(String::new(), |mut out, difference| {
        let turn = difference.turn.map_or_else(String::new, |turn| format!(", {}", turn.as_str()));
        let _ = writeln!(out, "{}: {}{turn}", difference.rule, difference.change);
        for (word, text) in [("was", &difference.before), ("is", &difference.after)] {
            if let Some(text) = text {
                let _ = writeln!(out, "  {word:<4} {text}");
            }
        }
        out
    })
}

/// What differs, as JSON: a list, empty where nothing does.
pub fn diff_json(differences: &[Difference]) -> String {
    json(&differences)
}

/// All that a rule counts from, as one text.
pub(crate) fn promises(rule: &Rule) -> String {
    rule.clauses.iter().map(promise).collect::<Vec<_>>().join("; ")
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
    text.push_str(match clause.until {
        Until::Exact => "",
        Until::YearEnd => ", to the end of that year",
        Until::MonthEnd => ", to the end of that month",
        Until::WorkingDay => ", or the next working day",
    });
    if let Some(stage) = &clause.stage {
        let _ = write!(text, " (or {} + {}, if sooner)", stage.rule, stage.period);
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
