//! A second opinion on a purge's plan: draws the lines between old and young anew, record by record, from the policy's rows
//! with the date library's arithmetic. Upholds I1: nothing goes that no row lets go yet, or that a duty keeps; and that what
//! has to go by a run goes by it.

use gallra_model::job::Action;
use gallra_model::plan::{Anchors, Plan, Step};
use gallra_model::target::{Mode, TargetInfo};
use gallra_model::time::{day_of, start_of, stockholm};
use gallra_model::{Day, Instant};
use jiff::ToSpan as _;

use super::{At, Doubts, Problem, shape};
use crate::facts::Facts;
use crate::purge::{MAX_HOURLY, Sweeps};
use rows::Rows;

mod rows;

/// Doubts the plan of the purge on a local day.
pub(crate) fn check(plan: &Plan, facts: &Facts<'_>, sweeps: Sweeps) -> Vec<Problem> {
    let mut doubts = Doubts { plan, facts, found: Vec::new() };
    shape::check_purge(&mut doubts);
    if plan.steps.iter().any(|step| step.action != Action::Purge)
        || plan.anchors != Anchors::default()
        || plan.purge != Some(sweeps.day)
        || !plan.terms.is_empty()
    {
        doubts.plan_is_wrong(
            "not-a-purge",
            "a purge's plan does nothing else, counts from nobody's end, and has nobody's terms",
        );
    }
    let mut hourly = 0;
    for inventory in facts.sorted() {
        for target in inventory.targets.iter().filter(|target| !target.kind.is_backup()) {
            target_is_right(&mut doubts, At { agent: &inventory.agent, target }, sweeps, &mut hourly);
        }
    }
    doubts.found
}

fn target_is_right<'a>(doubts: &mut Doubts<'a>, at: At<'a>, sweeps: Sweeps, hourly: &mut usize) {
    let steps: Vec<&Step> = doubts.steps_at(at).collect();
    let rows = Rows::of(doubts.facts.policy, at.target);
    // What no machine may do is said on its own day only.
    let since = if rows.handled { Some(sweeps.day) } else { sweeps.since };
    let falls = rows.promises() && rows.falls(sweeps.day, since);
    let mut wanted = falls && rows.may_be_purged() && allowed(at.target);
    if wanted && rows.in_hours() {
        *hourly += 1;
        wanted = *hourly <= MAX_HOURLY;
    }
    match (steps.as_slice(), wanted) {
        ([], true) => doubts.wrong(at, "not-purged", "its records leave by age, and the plan has no step for it"),
        ([], false) => {
            let said = doubts.noted(at, "not-purged") || doubts.noted(at, "observe-mode");
            doubts.require(said || !falls, at, "unsaid", "nothing is purged, and no note says so");
        }
        ([..], true) => runs_are_right(doubts, at, &steps, (&rows, sweeps.day)),
        ([_, ..], false) => {
            doubts.wrong(at, "purged", "it is purged against the policy or the host, or not on its day")
        }
    }
}

fn allowed(target: &TargetInfo) -> bool {
    target.purges && target.mode == Mode::Act
}

/// The steps of one target are the day's runs, in order, from one that had come when the plan was made to the last.
fn runs_are_right<'a>(doubts: &mut Doubts<'a>, at: At<'a>, steps: &[&Step], (rows, day): (&Rows<'_>, Day)) {
    let Some(runs) = runs_of(day, rows.in_hours()) else {
        return doubts.wrong(at, "bounds", "its day is out of range");
    };
    let passed = runs.iter().filter(|run| **run <= doubts.plan.made).count();
    let Some(left_out) = runs.len().checked_sub(steps.len()) else {
        return doubts.wrong(at, "purged", "it is purged more often than it has sweeps");
    };
    doubts.require(left_out <= passed.saturating_sub(1), at, "not-purged", "a run that is still to come is left out");
    for (step, run) in steps.iter().zip(runs.iter().skip(left_out)) {
        doubts.require(step.due >= *run, at, "too-early", "it is due before its sweep");
        doubts.require(step.due == (*run).max(doubts.plan.made), at, "too-late", "it is due after its sweep");
        doubts.require(step.latest == Some(day_of(*run)), at, "bounds", "its last day is not the run's");
        cut_is_right(doubts, at, step, (rows, day, *run));
    }
}

/// From a day's daily sweep, at three in the morning, to the next day's: at each full hour, or the first only.
fn runs_of(day: Day, hourly: bool) -> Option<Vec<Instant>> {
    let begins = day.at(3, 0, 0, 0).to_zoned(stockholm()).ok()?;
    let ends = day.tomorrow().ok()?.at(3, 0, 0, 0).to_zoned(stockholm()).ok()?;
    if !hourly {
        return Some(vec![begins.timestamp()]);
    }
    let hours = (ends.timestamp().as_second() - begins.timestamp().as_second()) / 3600;
    (0..hours).map(|hour| begins.checked_add(hour.hours()).ok().map(|zoned| zoned.timestamp())).collect()
}

fn cut_is_right<'a>(doubts: &mut Doubts<'a>, at: At<'a>, step: &Step, (rows, day, run): (&Rows<'_>, Day, Instant)) {
    let Some(cut) = step.older_than else { return doubts.wrong(at, "cut", "the step does not say how old is too old") };
    let Ok(newest_gone) = cut.checked_sub(1.nanosecond()) else {
        return doubts.wrong(at, "cut", "the cut is out of range");
    };
    if !rows.in_hours() {
        let whole = start_of(day_of(cut)).is_ok_and(|start| start == cut);
        doubts.require(whole, at, "cut", "the cut is not at the beginning of a local day");
    }
    doubts.require(rows.lets_go(newest_gone, day, run), at, "too-early", "what no row lets go yet would be purged");
    doubts.require(!rows.keeps(newest_gone, run), at, "too-early", "what a duty keeps would be purged");
    let complete = !rows.lets_go(cut, day, run) || rows.keeps(cut, run);
    doubts.require(complete, at, "too-late", "what has to go by now would stay");
    doubts.require(rows.names(&step.rule), at, "rule", "no row of that name lets these records go");
}
