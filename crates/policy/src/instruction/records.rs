//! What an instruction does to a rule's records that leave by their own age. Rolling purges are one sweep for everybody: one
//! customer's lines can stay in them, and cannot go sooner than everybody's. Owns the comparison.

use super::{Turn, turn};
use crate::pack::Policy;
use crate::rule::Clause;
use crate::word::{Anchor, Bound, Deed};

/// Which way the age turns at which a rule lets records go: [`Turn::Longer`] where they no longer go by their age at all, and
/// [`Turn::New`] where they did not before.
pub fn record_turn(standard: &Policy, instructed: &Policy, rule: &str) -> Turn {
    let (before, after) = (ages(standard, rule), ages(instructed, rule));
    match (&before, &after) {
        (None, None) => Turn::Same,
        (Some(_), None) => Turn::Longer,
        (None, Some(_)) => Turn::New,
        (Some((bound, clauses)), Some((new_bound, new_clauses))) => turn((*bound, clauses), (*new_bound, new_clauses)),
    }
}

/// What a rule counts from a record's own time, if it erases by that.
fn ages(policy: &Policy, rule: &str) -> Option<(Bound, Vec<Clause>)> {
    let rule = policy.rule(rule).filter(|rule| rule.action == Deed::Erase)?;
    let clauses: Vec<_> = rule.clauses.iter().filter(|clause| clause.from == Anchor::Record).cloned().collect();
    (!clauses.is_empty()).then_some((rule.bound, clauses))
}
