//! What differs between two versions of a policy: rows that came, went or changed, with both periods and which way they
//! turn (combination rule 9: a longer one never reaches a contract that already ended without an approver). Owns the
//! comparison by id.

use serde::Serialize;

use crate::entry::Entry;
use crate::instruction::{Turn, turn};
use crate::pack::Policy;
use crate::render::promises;
use crate::rule::Rule;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The row's id, or the name of a setting.
    pub rule: String,
    /// `added`, `removed` or `changed`.
    pub change: &'static str,
    /// What it said.
    pub before: Option<String>,
    /// What it says.
    pub after: Option<String>,
    /// Which way its periods turn; unset for a row without a date.
    pub turn: Option<Turn>,
}

/// Every difference from one version to another: settings first, then rows by id.
pub fn diff(old: &Policy, new: &Policy) -> Vec<Difference> {
    let mut found = settings(old, new);
    let mut rows = rules(old, new);
    rows.extend(entries(old, new));
    rows.sort_by(|a, b| a.rule.cmp(&b.rule));
    found.extend(rows);
    found
}

fn settings(old: &Policy, new: &Policy) -> Vec<Difference> {
    let of = |policy: &Policy| {
        let years = policy.financial_years();
        let changed: Vec<_> = years.changed().iter().map(|year| format!("{} to {}", year.begins, year.ends)).collect();
        let off: Vec<_> = policy.switched_off().iter().map(|off| off.rule.clone()).collect();
        [
            ("name", policy.name().to_owned()),
            ("provider", policy.provider().to_owned()),
            ("valid_from", policy.valid_from().map_or_else(|| "any day".to_owned(), |day| day.to_string())),
            ("window", policy.window_hours().to_string()),
            ("fiscal_year_end", years.end().to_string()),
            ("changed_year", changed.join(", ")),
            ("strict_backup", policy.strict_backup().to_string()),
            ("switched off", off.join(", ")),
        ]
    };
    let both = of(old).into_iter().zip(of(new));
    let differ = both.filter(|((_, before), (_, after))| before != after);
    differ.map(|((name, before), (_, after))| change(name, Some(before), Some(after), None)).collect()
}

fn change(rule: &str, before: Option<String>, after: Option<String>, turn: Option<Turn>) -> Difference {
    let change = match (&before, &after) {
        (None, _) => "added",
        (_, None) => "removed",
        (Some(_), Some(_)) => "changed",
    };
    Difference { rule: rule.to_owned(), change, before, after, turn }
}

fn rules(old: &Policy, new: &Policy) -> Vec<Difference> {
    let gone = old.rules().iter().filter(|rule| new.rule(&rule.id).is_none());
    let mut found: Vec<_> = gone.map(|rule| change(&rule.id, Some(whole(rule)), None, None)).collect();
    for rule in new.rules() {
        match old.rule(&rule.id) {
            None => found.push(change(&rule.id, None, Some(whole(rule)), None)),
            Some(before) if before == rule => {}
            Some(before) => {
                let turn = turn((before.bound, &before.clauses), (rule.bound, &rule.clauses));
                found.push(change(&rule.id, Some(whole(before)), Some(whole(rule)), Some(turn)));
            }
        }
    }
    found
}

/// All that decides about a rule; where only its sources changed, they are what is shown.
fn whole(rule: &Rule) -> String {
    let head = format!("{} {} {}: {}", rule.category, rule.action, rule.bound, promises(rule));
    format!("{head} ({} sweep; {})", rule.sweep, rule.ground())
}

fn entries(old: &Policy, new: &Policy) -> Vec<Difference> {
    let whole = |entry: &Entry| {
        let category = entry.category.as_ref().map_or_else(String::new, |category| format!("{category}: "));
        format!("{category}{} ({})", entry.sentence(), entry.cites.join("; "))
    };
    let gone = old.entries().iter().filter(|entry| new.entry(&entry.id).is_none());
    let mut found: Vec<_> = gone.map(|entry| change(&entry.id, Some(whole(entry)), None, None)).collect();
    for entry in new.entries() {
        match old.entry(&entry.id) {
            None => found.push(change(&entry.id, None, Some(whole(entry)), None)),
            Some(before) if before == entry => {}
            Some(before) => found.push(change(&entry.id, Some(whole(before)), Some(whole(entry)), None)),
        }
    }
    found
}

#[cfg(test)]
mod tests;
