//! What one fact more does to every target's day (issue's properties): a hold or a duty more makes nothing earlier, a promise
//! more nothing later; and each day lies between the rows it comes from.

use std::collections::BTreeMap;

use gallra_model::Day;
use gallra_model::job::Action;
use gallra_model::plan::{Plan, Step};
use gallra_model::time::day_of;
use gallra_planner::{Touched, check, plan};
use gallra_policy::calendar::{Period, Unit};
use gallra_policy::{Anchor, Bound, Clause, Deed, Until};
use jiff::ToSpan;
use proptest::prelude::*;

use super::{hold, world};
use crate::script::{World, pack, shorter_chat};

/// The day on which each live target's data goes or may go; the far future while nobody knows.
fn days(plan: &Plan) -> BTreeMap<String, Day> {
    let mut days = BTreeMap::new();
    for step in plan.steps.iter().filter(|step| !step.kind.is_backup()) {
        let day = match step.action {
            Action::Erase => day_of(step.due),
            Action::Preserve => step.keep.as_ref().unwrap().earliest,
            Action::Inspect => Day::MAX,
            Action::Restrict | Action::Purge | Action::Confirm | Action::Observe => continue,
        };
        let name = format!("{}/{}", step.agent, step.target);
        days.entry(name).and_modify(|own: &mut Day| *own = (*own).min(day)).or_insert(day);
    }
    days
}

fn row() -> impl Strategy<Value = (String, &'static str, u16)> {
    let category = prop::sample::select(vec!["customer-data", "contact", "bookkeeping", "chat", "tickets", "mail"]);
    let from = prop::sample::select(vec!["contract_ended", "customer_ended"]);
    (category.prop_map(str::to_owned), from, 1u16..1200)
}

fn with_row(world: &World, (category, from, count): &(String, &'static str, u16), bound: &str) -> Option<World> {
    let stem = world.policy.name();
    let mut more = world.clone();
    let id = format!("{stem}/one-more");
    more.took_row((&id, category), (bound, from), &format!("{count} days")).then_some(more)
}

/// The last day of a row that counts from a date of this contract, by the date library.
fn last_day(world: &World, clause: &Clause) -> Option<Day> {
    let a = &world.anchors;
    let from = match clause.from {
        Anchor::ContractEnded => a.contract_ended,
        Anchor::ContractSettled => a.contract_settled,
        Anchor::CustomerEnded => a.customer_ended,
        Anchor::CustomerSettled => a.customer_settled,
        Anchor::Record | Anchor::LeftActive | Anchor::ChangeKnown | Anchor::FiscalYearEnd | Anchor::Received => None,
    }?;
    let plus = |day: Day, period: Period| {
        let count = i64::from(period.count());
        match period.unit() {
            Unit::Hours => None,
            Unit::Days => day.checked_add(count.days()).ok(),
            Unit::Weeks => day.checked_add(count.weeks()).ok(),
            Unit::Months => day.checked_add(count.months()).ok(),
            Unit::Years => day.checked_add(count.years()).ok(),
        }
    };
    let day = plus(from, clause.period)?;
    let day = match clause.until {
        Until::YearEnd => day.last_of_year(),
        Until::MonthEnd => day.last_of_month(),
        Until::Exact | Until::WorkingDay => day,
    };
    let staged = clause.stage.as_ref().map(|stage| plus(plus(from, stage.first).unwrap(), stage.period).unwrap());
    Some(staged.map_or(day, |staged| staged.min(day)))
}

fn place(step: &Step) -> String {
    format!("{}/{}", step.agent, step.target)
}

/// Whether a step's day is a duty's that breaks no promise.
fn is_by_duty_alone(plan: &Plan, step: &Step) -> bool {
    let broken = plan.notes.iter().any(|note| note.code == "promise-not-met" && note.target == place(step));
    matches!(step.action, Action::Erase | Action::Preserve) && step.latest.is_none() && !broken
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_hold_more_makes_nothing_earlier(world in world(), line in hold()) {
        let Ok(before) = plan(&world.facts()) else { return Ok(()) };
        let mut held = world.clone();
        let words: Vec<_> = line.split_whitespace().collect();
        held.hold("9", words.get(2..).unwrap());
        let after = plan(&held.facts()).unwrap();
        let (before, after) = (days(&before), days(&after));
        for (name, day) in &before {
            prop_assert!(after.get(name) >= Some(day), "{name}: {before:?} {after:?}");
        }
        prop_assert_eq!(before.len(), after.len());
    }

    #[test]
    fn a_duty_more_makes_nothing_earlier(world in world(), row in row()) {
        let Some(more) = with_row(&world, &row, "keep") else { return Ok(()) };
        // An instruction is carried out on the pack itself: the row would undo it.
        if !world.policy.instructions().is_empty() {
            return Ok(());
        }
        let (Ok(before), Ok(after)) = (plan(&world.facts()), plan(&more.facts())) else { return Ok(()) };
        // An obligation whose day has passed, as in a plan made years late, may go from the day of the plan on.
        let made = day_of(after.made);
        let (before, after) = (days(&before), days(&after));
        // A category that no row is about has no day to be earlier than: the duty gives it one, as the law gives bookkeeping's.
        for (name, day) in before.iter().filter(|(_, day)| **day != Day::MAX) {
            prop_assert!(after.get(name).map(|own| made.max(*own)) >= Some(*day), "{name}: {before:?} {after:?}");
        }
    }

    #[test]
    fn a_promise_more_makes_nothing_later(world in world(), row in row()) {
        let Some(more) = with_row(&world, &row, "by") else { return Ok(()) };
        if !world.policy.instructions().is_empty() {
            return Ok(());
        }
        let (Ok(before), Ok(after)) = (plan(&world.facts()), plan(&more.facts())) else { return Ok(()) };
        // Where duties alone gave the day, nothing had promised one, and a promise is kept on its own last day.
        let by_duty: Vec<_> = before.steps.iter().filter(|step| is_by_duty_alone(&before, step)).map(place).collect();
        let (before, after) = (days(&before), days(&after));
        for (name, day) in before.iter().filter(|(name, _)| !by_duty.contains(name)) {
            prop_assert!(after.get(name) <= Some(day), "{name}: {before:?} {after:?}");
        }
    }

    #[test]
    fn no_day_breaks_a_duty_or_a_hold_and_none_a_promise_unsaid(world in world()) {
        let Ok(plan) = plan(&world.facts()) else { return Ok(()) };
        let days = days(&plan);
        for (agent, target) in world.inventories.iter().flat_map(|own| own.targets.iter().map(move |t| (&own.agent, t))) {
            let name = format!("{agent}/{}", target.id);
            let Some(day) = days.get(&name).filter(|day| **day != Day::MAX) else { continue };
            let said = plan.notes.iter().any(|note| note.target == name && note.code == "promise-not-met");
            for rule in world.policy.rules().iter().filter(|rule| rule.category == target.category && !rule.apart) {
                for last in rule.clauses.iter().filter_map(|clause| last_day(&world, clause)) {
                    match (rule.action, rule.bound) {
                        (Deed::Keep, Bound::Keep) => prop_assert!(*day > last, "{name} on {day} against {}", rule.id),
                        (Deed::Erase, _) => prop_assert!(*day <= last || said, "{name} on {day} against {}", rule.id),
                        _ => {}
                    }
                }
            }
            for hold in world.holds.iter().filter(|hold| hold.released.is_none()) {
                let whole = matches!(hold.level, gallra_model::hold::Level::Global);
                prop_assert!(!whole || hold.expires < Some(*day), "{name} on {day} under {hold:?}");
            }
        }
    }

    #[test]
    fn what_a_new_policy_does_not_touch_is_planned_alike(world in world(), row in row(), bound in prop::sample::select(vec!["by", "keep"])) {
        if !world.policy.instructions().is_empty() {
            return Ok(());
        }
        let mut next = world.clone();
        if world.policy == pack("webone") && bound == "by" {
            next.policy = shorter_chat();
        } else {
            let Some(more) = with_row(&world, &row, bound) else { return Ok(()) };
            next = more;
        }
        let touched = Touched::between(&world.policy, &next.policy);
        prop_assert!(!Touched::between(&world.policy, &world.policy).touches(&world.anchors, &world.inventories));
        let (old, new) = (plan(&world.facts()), plan(&next.facts()));
        if let (false, Ok(old), Ok(new)) = (touched.touches(&world.anchors, &world.inventories), old, new) {
            prop_assert_eq!(Plan { policy: new.policy, ..old }, new);
        }
    }

    #[test]
    fn the_checker_agrees_with_what_changed(first in world(), second in world()) {
        let Ok(before) = plan(&first.facts()) else { return Ok(()) };
        let mut next = second;
        (next.number, next.before) = (2, Some(before));
        let facts = next.facts();
        if let Ok(plan) = plan(&facts) {
            let problems = check(&plan, &facts);
            prop_assert!(problems.is_empty(), "{problems:?}\n{:?}", plan.changes);
        }
    }
}
