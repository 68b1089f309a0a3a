//! Rows without a date: each one that bears on the plan is in it, once, as the policy has it, and no other is. A row is read
//! from the policy's own entries and its kind from how they are written, never from what the planner was handed.

use std::collections::BTreeMap;

use gallra_model::plan::Term;
use gallra_policy::Entry;

use super::{At, Doubts};

pub(super) fn check(doubts: &mut Doubts<'_>) {
    let (plan, facts) = (doubts.plan, doubts.facts);
    let bound = doubts.bound();
    let entries = facts.policy.entries().iter().filter(|entry| bears(entry, &bound, !plan.backups.is_empty()));
    let mut expected: BTreeMap<&str, &Entry> = entries.map(|entry| (entry.id.as_str(), entry)).collect();
    let mut before = "";
    for term in &plan.terms {
        let rule = term.rule.as_str();
        if rule < before {
            doubts.plan_is_wrong("terms", format!("{rule} stands after {before}: terms come by rule"));
        }
        before = rule;
        match expected.remove(rule) {
            None => doubts.plan_is_wrong(
                "terms",
                format!("{rule} is no row without a date that bears on it, or stands there twice"),
            ),
            Some(entry) if !says(term, entry) => {
                doubts.plan_is_wrong("terms", format!("{rule} is not told as the policy has it"));
            }
            Some(_) => {}
        }
    }
    for rule in expected.into_keys() {
        doubts.plan_is_wrong("terms", format!("{rule} bears on it, and it does not say so"));
    }
}

/// A row about one category is about a plan that has data of it; but whom an erasure is told of is about all data.
fn bears(entry: &Entry, bound: &[At<'_>], expects_copies: bool) -> bool {
    let Some(category) = &entry.category else { return true };
    match category.as_str() {
        "recipients" => true,
        "backup" => expects_copies,
        _ => bound.iter().any(|at| at.target.category == *category),
    }
}

fn says(term: &Term, entry: &Entry) -> bool {
    let written = serde_json::to_string(&entry.effect).unwrap_or_default();
    let kind = written.strip_prefix("{\"kind\":\"").and_then(|rest| rest.split('"').next());
    kind == Some(term.kind.as_str()) && term.category == entry.category && term.text == entry.sentence()
}
