//! How a pack's rows go together: what one says of another is true, and each can decide something. Owns the links
//! between rows and the search for rows that no date ever comes from.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::entries::EntryRow;
use super::resolve::Pack;
use super::rules::RuleRow;
use crate::entry::Effect;
use crate::problem::Findings;
use crate::rule::{Clause, Detail, Rule};
use crate::word::{Bound, Deed, Until};

pub(super) fn check(pack: &mut Pack<'_>, findings: &mut Findings<'_>) {
    ids_are_used_once(pack, findings);
    let mut rules: Vec<_> = pack.rules.iter().map(|row| row.rule.clone()).collect();
    // A row that was refused for its own sake is no reason to doubt the rows that name it.
    let doubtful = |named: &str| !pack.refused.iter().any(|id| id == named);
    for broken in relink(&mut rules).into_iter().filter(|broken| doubtful(&broken.named)) {
        let hint = "name a rule of this pack that counts by itself, and from the same anchor";
        findings.at(place(pack, &broken.rule), broken.text, hint);
    }
    for (row, rule) in pack.rules.iter_mut().zip(rules) {
        row.rule = rule;
    }
    for (id, named) in named(pack) {
        let missing = !pack.rules.iter().any(|row| row.rule.id == named);
        if missing && !pack.incomplete && !pack.refused.contains(&named) {
            let hint = "write the id of a rule with a period, here or in an included pack";
            findings.at(place(pack, &id), format!("{id} names the rule {named}, and there is none"), hint);
        }
    }
    for (id, text) in unreachable(pack) {
        findings.at(place(pack, &id), text, "take it out, or change its period");
    }
}

/// The law's pack says how periods are counted and whose days they are: without that no other row means anything.
pub(super) fn law_is_whole(entries: &[EntryRow], findings: &mut Findings<'_>) {
    let has = |kind: fn(&Effect) -> bool| entries.iter().any(|row| kind(&row.entry.effect));
    if !has(|effect| matches!(effect, Effect::Counting)) {
        findings.at(0, "the law's pack does not say how periods are counted", "add a row of kind \"counting\"");
    }
    if !has(|effect| matches!(effect, Effect::Zone { .. })) {
        findings.at(0, "the law's pack does not say whose days they are", "add a row of kind \"zone\"");
    }
}

/// Where a row stands in the pack itself; an included pack's row is a problem of the file that includes it.
fn place(pack: &Pack<'_>, id: &str) -> usize {
    let rules = pack.rules.iter().filter(|row| row.own && row.rule.id == id).map(|row| row.at);
    rules.chain(pack.entries.iter().filter(|row| row.own && row.entry.id == id).map(|row| row.at)).max().unwrap_or(0)
}

fn ids_are_used_once(pack: &Pack<'_>, findings: &mut Findings<'_>) {
    let mut seen = BTreeSet::new();
    let ids = pack.rules.iter().map(|row| &row.rule.id).chain(pack.entries.iter().map(|row| &row.entry.id));
    for id in ids.filter(|id| !seen.insert(id.as_str())) {
        let hint = "a rule has one id: rename or remove one";
        findings.at(place(pack, id), format!("the rule id {id} is used twice"), hint);
    }
}

/// A link that leads nowhere.
pub(crate) struct Broken {
    /// The rule that has it.
    pub(crate) rule: String,
    /// The rule that it names.
    pub(crate) named: String,
    /// What is wrong.
    pub(crate) text: String,
}

/// Fills in what rules take from others: the clauses of the rule that one goes with, the first period of a staged one.
pub(crate) fn relink(rules: &mut [Rule]) -> Vec<Broken> {
    let before = rules.to_vec();
    let find = |id: &str| before.iter().find(|rule| rule.id == id && rule.with.is_none());
    let mut broken = Vec::new();
    for rule in rules.iter_mut() {
        if let Some(with) = &rule.with {
            match find(with) {
                Some(leader) => {
                    rule.clauses.clone_from(&leader.clauses);
                    rule.scope = leader.scope;
                }
                None => {
                    let text = format!("{} goes with {with}, which no rule is called", rule.id);
                    broken.push(Broken { rule: rule.id.clone(), named: with.clone(), text });
                }
            }
        }
        for clause in &mut rule.clauses {
            let Some(stage) = &mut clause.stage else { continue };
            let first = find(&stage.rule).filter(|first| first.id != rule.id);
            match first.and_then(|first| first.clauses.iter().find(|earlier| earlier.from == clause.from)) {
                Some(earlier) => stage.first = earlier.period,
                None => {
                    let text = format!("{} follows {}, which does not count from {}", rule.id, stage.rule, clause.from);
                    broken.push(Broken { rule: rule.id.clone(), named: stage.rule.clone(), text });
                }
            }
        }
    }
    broken
}

/// Every rule that a row names, beside the links between periods.
fn named(pack: &Pack<'_>) -> Vec<(String, String)> {
    let mut named = Vec::new();
    for rule in pack.rules.iter().map(|row| &row.rule) {
        for detail in &rule.details {
            if let Detail::NeedsPurpose { otherwise: other } | Detail::ReasonsWithin(other) = detail {
                named.push((rule.id.clone(), other.clone()));
            }
        }
    }
    for entry in pack.entries.iter().map(|row| &row.entry) {
        let other = if let Effect::AsLaw { law: rule, .. } | Effect::AgreedOtherwise { rule } = &entry.effect {
            Some(rule)
        } else if let Effect::Request(request) = &entry.effect {
            Some(&request.answer)
        } else {
            None
        };
        named.extend(other.map(|other| (entry.id.clone(), other.clone())));
    }
    named
}

/// Rules that can never decide anything, and why.
fn unreachable(pack: &Pack<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let clauses = |row: &RuleRow| row.rule.clauses.clone();
    for (at, row) in pack.rules.iter().enumerate().filter(|(_, row)| row.own && row.rule.with.is_none()) {
        for (number, clause) in clauses(row).iter().enumerate() {
            let other = pack.rules.iter().enumerate().find(|(other_at, other)| {
                let others = other.rule.clauses.iter().enumerate();
                same_kind(&other.rule, &row.rule)
                    && others.into_iter().any(|(other_number, strict)| {
                        match (*other_at, other_number).cmp(&(at, number)) {
                            Ordering::Equal => false,
                            order @ (Ordering::Less | Ordering::Greater) => {
                                shadows(row.rule.bound, strict, clause, order.is_lt())
                            }
                        }
                    })
            });
            if let Some((_, other)) = other {
                let text = format!(
                    "{} can never decide anything: {} counts from {} too, and is always as strict",
                    row.rule.id, other.rule.id, clause.from
                );
                found.push((row.rule.id.clone(), text));
            }
            if let Some(stage) = clause.stage.as_ref().filter(|stage| never_sooner(stage, clause)) {
                let text = format!("{}: what follows {} never ends before {}", row.rule.id, stage.rule, clause.period);
                found.push((row.rule.id.clone(), text));
            }
        }
    }
    found
}

fn same_kind(other: &Rule, rule: &Rule) -> bool {
    let key = |rule: &Rule| (rule.category.clone(), rule.action, rule.bound, rule.apart);
    let twice = !std::ptr::eq(other, rule) && other.id == rule.id;
    key(other) == key(rule) && !twice && other.with.is_none() && rule.action != Deed::Answer
}

/// Whether `strict` always gives as strict a day as `clause`, so that the latter never matters. Of two that are equal the
/// later one in the pack is the idle one.
fn shadows(bound: Bound, strict: &Clause, clause: &Clause, first: bool) -> bool {
    let plain = |clause: &Clause| clause.stricter.is_none() && clause.stage.is_none() && clause.until == Until::Exact;
    if strict.from != clause.from || !plain(strict) || !plain(clause) {
        return false;
    }
    let (sooner, later) = match bound {
        Bound::By | Bound::At => (strict.period, clause.period),
        Bound::Keep => (clause.period, strict.period),
    };
    sooner.never_longer_than(later) && (first || !later.never_longer_than(sooner))
}

/// Months are counted twice from a lock's day, which ends no later than the same months counted once; more never end
/// sooner.
fn never_sooner(stage: &crate::rule::Stage, clause: &Clause) -> bool {
    clause.period.never_longer_than(stage.first) || clause.period.never_longer_than(stage.period)
}
