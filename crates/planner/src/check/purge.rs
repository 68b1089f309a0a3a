//! A second opinion on a purge's plan: draws the line between old and young anew, record day by record day, from the
//! policy's rows with the date library's arithmetic. Upholds I1: nothing goes that no row lets go yet, or that a duty keeps.

use gallra_model::Day;
use gallra_model::job::Action;
use gallra_model::plan::{Anchors, Plan, Step};
use gallra_model::target::{Mode, TargetInfo};
use gallra_model::time::{day_of, start_of};
use gallra_policy::calendar::Unit;
use gallra_policy::{Anchor, Bound, Clause, Deed, Detail, Policy, Rule, Until};

use super::promise::plus;
use super::{At, Doubts, Problem, shape};
use crate::facts::Facts;

/// Doubts the plan of the purge on a local day.
pub(crate) fn check(plan: &Plan, facts: &Facts<'_>, day: Day) -> Vec<Problem> {
    let mut doubts = Doubts { plan, facts, found: Vec::new() };
    shape::check_purge(&mut doubts);
    if plan.steps.iter().any(|step| step.action != Action::Purge)
        || plan.anchors != Anchors::default()
        || plan.purge != Some(day)
    {
        doubts.plan_is_wrong("not-a-purge", "a purge's plan does nothing else, and counts from nobody's end");
    }
    for inventory in facts.inventories {
        for target in inventory.targets.iter().filter(|target| !target.kind.is_backup()) {
            target_is_right(&mut doubts, At { agent: &inventory.agent, target }, day);
        }
    }
    doubts.found
}

fn target_is_right<'a>(doubts: &mut Doubts<'a>, at: At<'a>, day: Day) {
    let steps: Vec<&Step> = doubts.steps_at(at).collect();
    let rows = Rows::of(doubts.facts.policy, at.target);
    let wanted =
        rows.promises() && !rows.kept_by_other && !rows.unfit && at.target.purges && at.target.mode == Mode::Act;
    match (steps.as_slice(), wanted) {
        ([], true) => doubts.wrong(at, "not-purged", "its records leave by age, and the plan has no step for it"),
        ([], false) => {
            let said = doubts.noted(at, "not-purged") || doubts.noted(at, "observe-mode");
            doubts.require(said || !rows.promises(), at, "unsaid", "nothing is purged, and no note says so");
        }
        ([step], true) => cut_is_right(doubts, at, step, (&rows, day)),
        ([_, ..], _) => doubts.wrong(at, "purged", "it is purged twice, or against the policy or the host"),
    }
}

fn cut_is_right<'a>(doubts: &mut Doubts<'a>, at: At<'a>, step: &Step, (rows, day): (&Rows<'_>, Day)) {
    let Some(cut) = step.older_than else { return doubts.wrong(at, "cut", "the step does not say how old is too old") };
    let first_kept = day_of(cut);
    let Ok(last_gone) = first_kept.yesterday() else { return doubts.wrong(at, "cut", "the cut is out of range") };
    doubts.require(
        start_of(first_kept).is_ok_and(|start| start == cut),
        at,
        "cut",
        "the cut is not at the beginning of a local day",
    );
    doubts.require(rows.lets_go(last_gone, day), at, "too-early", "what no row lets go yet would be purged");
    doubts.require(!rows.keeps(last_gone, day), at, "too-early", "what a duty keeps would be purged");
    let complete = !rows.lets_go(first_kept, day) || rows.keeps(first_kept, day);
    doubts.require(complete, at, "too-late", "what has to go by now would stay");
    doubts.require(step.latest == Some(day), at, "bounds", "its last day is not the purge's");
    doubts.require(day_of(step.due) >= day, at, "too-early", "it is due before its day");
    let ruled = rows.all.iter().any(|(rule, _)| rule.id == step.rule && rule.action == Deed::Erase);
    doubts.require(ruled, at, "rule", "no row of that name lets these records go");
}

/// The rows of one category that count from the record.
struct Rows<'p> {
    all: Vec<(&'p Rule, &'p Clause)>,
    /// A duty counts from something else.
    kept_by_other: bool,
    /// A promise is in hours, or about what was handled first.
    unfit: bool,
}

impl<'p> Rows<'p> {
    fn of(policy: &'p Policy, target: &TargetInfo) -> Self {
        let of_category = || policy.rules().iter().filter(|rule| rule.category == target.category);
        let all: Vec<_> = of_category()
            .filter(|rule| rule.bound == Bound::Keep || (rule.action == Deed::Erase && !rule.apart))
            .flat_map(|rule| rule.clauses.iter().map(move |clause| (rule, clause)))
            .filter(|(_, clause)| clause.from == Anchor::Record)
            .collect();
        let unfit = all.iter().any(|(rule, clause)| {
            let handled = rule.details.iter().any(|detail| matches!(detail, Detail::HandledFirst { .. }));
            rule.bound != Bound::Keep && (clause.period.unit() == Unit::Hours || handled)
        });
        let elsewhere = |rule: &Rule| rule.clauses.iter().any(|clause| clause.from != Anchor::Record);
        let kept_by_other = of_category().any(|rule| rule.bound == Bound::Keep && elsewhere(rule));
        Self { all, kept_by_other, unfit }
    }

    fn promises(&self) -> bool {
        self.all.iter().any(|(rule, _)| rule.action == Deed::Erase)
    }

    /// Whether a row lets the records of one day go on another.
    fn lets_go(&self, record: Day, on: Day) -> bool {
        self.all.iter().filter(|(rule, _)| rule.action == Deed::Erase).any(|(rule, clause)| {
            last_day(record, clause).is_some_and(|last| match rule.bound {
                Bound::By => last <= on,
                Bound::At => last < on,
                Bound::Keep => false,
            })
        })
    }

    /// Whether a duty keeps the records of one day on another.
    fn keeps(&self, record: Day, on: Day) -> bool {
        self.all
            .iter()
            .filter(|(rule, _)| rule.bound == Bound::Keep)
            .any(|(_, clause)| last_day(record, clause).is_none_or(|last| last >= on))
    }
}

fn last_day(record: Day, clause: &Clause) -> Option<Day> {
    let plain = plus(record, clause.period)?;
    let plain = match clause.until {
        // Only an answer moves off a holiday.
        Until::Exact | Until::WorkingDay => plain,
        Until::MonthEnd => plain.last_of_month(),
        Until::YearEnd => plain.last_of_year(),
    };
    let staged = clause.stage.as_ref().map(|stage| plus(plus(record, stage.first)?, stage.period));
    staged.map_or(Some(plain), |staged| staged.map(|staged| staged.min(plain)))
}
