//! Restrictions: what a rule locks, and what a duty or a hold keeps beyond a promise to forget, is listed with its days, and
//! said to be locked by hand.

use gallra_model::Day;
use gallra_model::job::Action;
use gallra_model::time::day_of;
use gallra_policy::{Bound, Deed};
use jiff::ToSpan;

use super::{At, Doubts, live, promise};

pub(super) fn check(doubts: &mut Doubts<'_>) {
    let mut count = 0;
    for at in doubts.bound() {
        let gone = ends(doubts, at);
        for (from, rules) in [locked(doubts, at), broken(doubts, at)].into_iter().flatten() {
            if gone.is_some_and(|gone| gone <= from) {
                continue;
            }
            count += 1;
            let listed = doubts.plan.restrictions.iter().any(|lock| {
                let there = lock.agent == *at.agent && lock.target == at.target.id;
                there && lock.from == from && lock.until == gone && rules.contains(&lock.rule)
            });
            doubts.require(
                listed,
                at,
                "restrictions",
                "it has to be locked for a time, and the plan does not list that",
            );
            let said = doubts.noted_with(&at.name(), "restrict-by-hand", &from.to_string());
            doubts.require(said, at, "unsaid", "it has to be locked by hand, and the plan does not say so");
        }
    }
    if doubts.plan.restrictions.len() != count {
        doubts.plan_is_wrong("restrictions", "it locks what no rule asks to lock");
    }
}

/// The day on which the plan lets a target's data go.
fn ends<'a>(doubts: &Doubts<'a>, at: At<'a>) -> Option<Day> {
    let erased = doubts.steps(at, Action::Erase).map(|step| day_of(step.due));
    erased.chain(doubts.steps(at, Action::Preserve).filter_map(|step| Some(step.keep.as_ref()?.earliest))).next()
}

fn locked<'a>(doubts: &Doubts<'a>, at: At<'a>) -> Option<(Day, Vec<String>)> {
    by_rows(doubts, at, |deed, _| deed == Deed::Restrict)
}

/// Locked from the day after the promised one.
fn broken<'a>(doubts: &Doubts<'a>, at: At<'a>) -> Option<(Day, Vec<String>)> {
    let promise = live::of(doubts, at);
    if promise.waits || !promise.is_known() || !promise.is_broken() {
        return None;
    }
    let promises = |deed, bound| deed == Deed::Erase && bound != Bound::Keep;
    let (last, rules) = by_rows(doubts, at, promises)?;
    Some((last.checked_add(1.day()).ok()?, rules))
}

/// The soonest last day of a category's rows of one sort, and which rows give it.
fn by_rows<'a>(doubts: &Doubts<'a>, at: At<'a>, sort: impl Fn(Deed, Bound) -> bool) -> Option<(Day, Vec<String>)> {
    let facts = doubts.facts;
    let rules = facts.policy.rules().iter();
    let rows = rules.filter(|rule| rule.category == at.target.category && sort(rule.action, rule.bound));
    let days = rows.flat_map(|rule| {
        let last = |clause| promise::last_day(facts.policy, rule, clause, &facts.anchors);
        rule.clauses.iter().filter_map(move |clause| Some((last(clause)?, rule.id.clone())))
    });
    let days: Vec<_> = days.collect();
    let soonest = days.iter().map(|(day, _)| *day).min()?;
    Some((soonest, days.into_iter().filter(|(day, _)| *day == soonest).map(|(_, rule)| rule).collect()))
}
