//! Holds: each one that lies on a bound target is in the plan with its days, said of what it covers, and no
//! other is. Upholds I1: an erasure waits until the day after a hold's last.

use std::collections::BTreeMap;

use gallra_model::Day;
use gallra_model::hold::{Hold, Level};
use jiff::ToSpan;

use super::{At, Doubts};

fn reaches(hold: &Hold, at: At<'_>) -> bool {
    if hold.released.is_some() {
        return false;
    }
    match &hold.level {
        Level::Category { category } => category.as_str() == at.target.category.as_str(),
        Level::Target { agent, target } => format!("{agent}/{target}") == at.name(),
        Level::Global | Level::Customer { .. } | Level::Contract { .. } | Level::Request { .. } => true,
    }
}

/// The first day on which every hold with an end is over.
pub(super) fn unheld<'a>(doubts: &Doubts<'a>, at: At<'a>) -> Option<Day> {
    let holds = doubts.facts.holds.iter().filter(|hold| reaches(hold, at));
    holds.filter_map(|hold| hold.expires?.checked_add(1.day()).ok()).max()
}

/// The id of a hold that ends as late as any.
pub(super) fn longest<'a>(doubts: &Doubts<'a>, at: At<'a>) -> Option<String> {
    let holds = doubts.facts.holds.iter().filter(|hold| reaches(hold, at) && hold.expires.is_some());
    holds.max_by_key(|hold| (hold.expires, hold.id)).map(|hold| hold.id.to_string())
}

pub(super) fn check(doubts: &mut Doubts<'_>) {
    let bound = doubts.bound();
    let mut expected = BTreeMap::new();
    for hold in doubts.facts.holds {
        let reached: Vec<_> = bound.iter().filter(|at| reaches(hold, **at)).map(At::name).collect();
        if !reached.is_empty() {
            expected.insert(hold.id, (hold, reached));
        }
    }
    if doubts.plan.holds.len() != expected.len() {
        doubts.plan_is_wrong("holds", "the holds that it names are not those that lie on its targets");
    }
    for (hold, mut reached) in expected.into_values() {
        if !matches!(hold.level, Level::Category { .. } | Level::Target { .. }) {
            reached.clear();
        }
        is_said(doubts, hold, reached);
    }
}

/// That one hold is in the plan as it lies, and noted: of all, or of each target that it covers.
fn is_said(doubts: &mut Doubts<'_>, hold: &Hold, mut covered: Vec<String>) {
    let id = hold.id.to_string();
    let places = if covered.is_empty() { vec![String::new()] } else { covered.clone() };
    for place in places {
        if !doubts.noted_with(&place, "held", &id) {
            doubts.plan_is_wrong("unsaid", format!("hold {id} lies on it, and it does not say so"));
        }
    }
    covered.sort();
    let same = doubts.plan.holds.iter().filter(|held| held.hold == hold.id).any(|held| {
        let mut targets = held.targets.clone();
        targets.sort();
        targets == covered && held.review == hold.review && held.expires == hold.expires
    });
    if !same {
        doubts.plan_is_wrong("holds", format!("hold {id} is not told as it lies"));
    }
}
