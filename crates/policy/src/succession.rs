//! What a new version of a policy means for a contract that had ended before it came into force (combination rule 9): a
//! longer period does not reach it, unless an approver says so; a shorter one does. Owns that choice, row by row; refuses to
//! know requests. Upholds I1: a duty to keep is always the newer version's, and never one that this made shorter.

use gallra_model::Day;
use gallra_model::target::{Category, Scope};

use crate::instruction::{Turn, turn};
use crate::pack::Policy;
use crate::rule::{Clause, Rule};
use crate::word::{Anchor, Bound, Deed};

/// What a promise's id is given where the newer version has a duty of that name. No pack's own: `.` is in no id.
const BEFORE: &str = ".before";

/// One version, as it came into force.
#[derive(Debug, Clone, Copy)]
pub struct Version<'a> {
    /// Its rules.
    pub policy: &'a Policy,
    /// The first local day on which it was in force; unset: always.
    pub since: Option<Day>,
    /// Whether an approver said that its longer periods reach contracts that had ended, too.
    pub reaches_ended: bool,
}

/// Whose end had come before a version did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// The contract's.
    pub contract: bool,
    /// The customer's own.
    pub customer: bool,
}

impl Ended {
    /// An end on its last day, the day itself included, had not come for a version that holds from that day on.
    fn before(version: &Version<'_>, contract: Option<Day>, customer: Option<Day>) -> Self {
        let before = |end: Option<Day>| end.zip(version.since).is_some_and(|(end, since)| end < since);
        Self { contract: before(contract), customer: before(customer) }
    }

    fn any(self) -> bool {
        self.contract || self.customer
    }

    /// Whether what a rule is about had ended. Records' ages are counted from whichever end comes.
    fn reaches(self, rule: &Rule) -> bool {
        match rule.scope {
            _ if rule.goes_by_age() => self.any(),
            Scope::Contract => self.contract,
            Scope::Customer => self.customer,
        }
    }
}

/// The rules that hold for a contract and its customer with these last days: the version in force on the last day, and what
/// each later one changed that reaches it. `versions` are in the order in which they came into force; none for an empty list.
pub fn effective(versions: &[Version<'_>], contract: Option<Day>, customer: Option<Day>) -> Option<Policy> {
    let ended = |version: &Version<'_>| Ended::before(version, contract, customer);
    let whole = |version: &Version<'_>| version.reaches_ended || !ended(version).any();
    // What came before a version that holds whole plays no part.
    let first = versions.iter().rposition(whole).unwrap_or(0);
    let (base, later) = versions.get(first..)?.split_first()?;
    Some(later.iter().fold(base.policy.clone(), |held, version| succeed(&held, version.policy, ended(version))))
}

/// A new version as it holds for somebody whose end had come: each of its rows or, where a promise of the old version ends
/// no later, that one. What is about an end that had not come is the new version's.
#[must_use]
pub fn succeed(old: &Policy, new: &Policy, ended: Ended) -> Policy {
    if !ended.any() {
        return new.clone();
    }
    let mut content = new.content().clone();
    content.rules = new.rules().iter().filter_map(|rule| heir(old, rule, ended)).collect();
    for rule in old.rules().iter().filter(|rule| is_promise(rule) && ended.reaches(rule)) {
        match new.rule(&rule.id) {
            None => content.rules.push(rule.clone()),
            // A duty by its name now: both hold, and rows have one name each.
            Some(duty) if duty.bound == Bound::Keep => {
                content.rules.push(Rule { id: format!("{}{BEFORE}", rule.id), ..rule.clone() });
            }
            Some(_) => {}
        }
    }
    // A row goes with another only where both still count alike.
    let rules = content.rules.clone();
    content.entries.retain(|entry| rules.iter().all(|rule| rule.id != entry.id));
    for rule in &mut content.rules {
        let leader = rule.with.as_ref().and_then(|with| rules.iter().find(|other| other.id == *with));
        if leader.is_none_or(|leader| leader.clauses != rule.clauses) {
            rule.with = None;
        }
    }
    // A stricter reading that held goes on to hold; of a duty it would be a shorter one.
    let shortens_a_duty = |rule: &Rule| rule.bound == Bound::Keep && rule.clauses.iter().any(|c| c.stricter.is_some());
    content.strict_backup |= old.strict_backup() && !content.rules.iter().any(shortens_a_duty);
    Policy::of(content)
}

/// Whether a row says by when something is no longer held as it was. Answers have no end that could have come, and what
/// stands apart holds only once somebody decides so.
fn is_promise(rule: &Rule) -> bool {
    !rule.apart && matches!(rule.action, Deed::Erase | Deed::Restrict | Deed::Anonymise)
}

/// What becomes of a row of the new version; none where it would make something later.
fn heir(old: &Policy, new: &Rule, ended: Ended) -> Option<Rule> {
    let before = old.rule(&new.id).filter(|before| is_promise(before));
    let Some(before) = before else {
        let reaches = ended.reaches(new) && is_promise(new);
        return if reaches { added(old, new) } else { Some(new.clone()) };
    };
    if !ended.reaches(before) || new.bound == Bound::Keep {
        return Some(new.clone());
    }
    let kind = |rule: &Rule| (rule.category.clone(), rule.action, rule.bound);
    if kind(before) != kind(new) || !is_promise(new) {
        return Some(before.clone());
    }
    Some(match turn((before.bound, &before.clauses), (new.bound, &new.clauses)) {
        Turn::New | Turn::Same | Turn::Shorter => new.clone(),
        Turn::Longer => before.clone(),
        Turn::Otherwise => strictest(old, before, new),
    })
}

/// A promise that the old version did not make: one more never makes anything later, but that nothing is erased while a row
/// waits for a settlement.
fn added(old: &Policy, new: &Rule) -> Option<Rule> {
    let clauses: Vec<_> =
        new.clauses.iter().filter(|clause| adds_no_wait(old, &new.category, clause)).cloned().collect();
    if clauses.len() == new.clauses.len() {
        return Some(new.clone());
    }
    (!clauses.is_empty()).then(|| Rule { clauses, ..new.clone() })
}

/// Whether a clause more leaves everything that had a day with a day.
fn adds_no_wait(old: &Policy, category: &Category, clause: &Clause) -> bool {
    let decides = |rule: &&Rule| rule.decides();
    let promised = old.rules_for(category).filter(decides).any(|rule| rule.bound != Bound::Keep);
    let waits =
        |from: Anchor| old.rules_for(category).filter(decides).flat_map(|rule| &rule.clauses).any(|c| c.from == from);
    !clause.from.waits_for_settlement() || !promised || waits(clause.from)
}

/// Of each anchor the shorter period, where it is plainly shorter; what only the old row counted from stays.
fn strictest(old: &Policy, before: &Rule, new: &Rule) -> Rule {
    let hours = [before, new].iter().any(|rule| rule.clauses.iter().any(|clause| clause.period.is_in_hours()));
    if hours || counts_twice(before) || counts_twice(new) {
        return before.clone();
    }
    let of = |rule: &'_ Rule, from: Anchor| rule.clauses.iter().find(|clause| clause.from == from).cloned();
    let shorter = |clause: &Clause| of(new, clause.from).filter(|after| is_shorter(after, clause));
    let mut clauses: Vec<_> =
        before.clauses.iter().map(|clause| shorter(clause).unwrap_or_else(|| clause.clone())).collect();
    // Beside another anchor, ages would no longer say when the last record is gone.
    let ages = |clause: &Clause| !before.goes_by_age() || clause.from == Anchor::Record;
    let more = |clause: &&Clause| {
        of(before, clause.from).is_none() && ages(clause) && adds_no_wait(old, &before.category, clause)
    };
    clauses.extend(new.clauses.iter().filter(more).cloned());
    Rule { clauses, ..before.clone() }
}

fn counts_twice(rule: &Rule) -> bool {
    let mut anchors: Vec<_> = rule.clauses.iter().map(|clause| clause.from).collect();
    anchors.sort_unstable();
    anchors.windows(2).any(|pair| matches!(pair, [one, other] if one == other))
}

fn is_shorter(after: &Clause, before: &Clause) -> bool {
    *after == Clause { period: after.period, ..before.clone() } && after.period.never_longer_than(before.period)
}

#[cfg(test)]
mod tests;
