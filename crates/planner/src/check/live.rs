//! Live targets: each one that the dates bind is there, looked at first, erased neither early nor late, confirmed and
//! looked at again; and what is kept carries its ground and its date.

use gallra_model::Day;
use gallra_model::job::Action;
use gallra_model::plan::{After, Step};
use gallra_model::target::Mode;
use gallra_model::time::{day_of, instant_of};
use jiff::ToSpan;

use super::promise::{self, Promise};
use super::{At, Doubts, shape};

pub(super) fn check<'a>(doubts: &mut Doubts<'a>, at: At<'a>) {
    if !shape::bound(doubts, at) {
        return;
    }
    let promise = promise::of(doubts.facts.policy, at.target.category.as_str(), &doubts.facts.anchors, None);
    doubts.require(
        doubts.steps(at, Action::Inspect).count() == 1,
        at,
        "left-out",
        "the dates bind this target, and the plan does not look at it exactly once",
    );
    let erases: Vec<_> = doubts.steps(at, Action::Erase).collect();
    let preserves: Vec<_> = doubts.steps(at, Action::Preserve).collect();
    if promise.waits || !promise.is_known() {
        untouched(doubts, at, &promise, erases.len() + preserves.len());
        return;
    }
    doubts.require(
        erases.len() + preserves.len() == 1,
        at,
        "left-out",
        "the target must be erased or kept, one of the two, once",
    );
    for step in erases {
        erase(doubts, at, step, &promise);
    }
    for step in preserves {
        preserve(doubts, at, step, &promise);
    }
    let seen = at.target.mode != Mode::Observe || doubts.noted(at, "observe-mode");
    doubts.require(seen, at, "unsaid", "the host allows looking only, and the plan does not say so");
}

fn untouched<'a>(doubts: &mut Doubts<'a>, at: At<'a>, promise: &Promise, changes: usize) {
    doubts.require(changes == 0, at, "too-early", "no day is known yet, and the plan changes the target all the same");
    let code = if promise.waits { "waits-for-settlement" } else { "needs-a-period" };
    doubts.require(doubts.noted(at, code), at, "unsaid", "the plan does not say why nothing happens");
}

fn erase<'a>(doubts: &mut Doubts<'a>, at: At<'a>, step: &'a Step, promise: &Promise) {
    if let Some(floor) = promise.floor() {
        doubts.require(day_of(step.due) >= floor, at, "too-early", "it is erased before its earliest day");
    }
    if promise.free.is_none() && promise.courtesy.is_some() {
        doubts.require(
            in_or_after_window(doubts, step, promise),
            at,
            "too-early",
            "it is erased before its window opens",
        );
    }
    late(doubts, at, step, promise);
    let stated = step.earliest == promise.floor() && step.latest == promise.ceiling();
    doubts.require(stated, at, "bounds", "the step's days are not those of the policy's rows");
    waits_for_inspection(doubts, at, step);
    let confirmed = doubts.has(at, Action::Confirm, After::Step(step.number));
    doubts.require(confirmed, at, "unconfirmed", "nothing confirms the erasure");
    let again = doubts.has(at, Action::Confirm, After::CopiesGone);
    doubts.require(again, at, "unconfirmed", "nobody looks again after the last copy went");
}

/// The window is read from its printed hours, so that a mistake in its arithmetic would show.
fn in_or_after_window(doubts: &Doubts<'_>, step: &Step, promise: &Promise) -> bool {
    let Ok(hours) = serde_json::to_value(doubts.facts.policy.window_hours()) else { return false };
    let opens = hours.get("opens").and_then(|text| text.as_str()).and_then(|text| text.split_once(':'));
    let opens = opens.and_then(|(hour, minute)| Some((hour.parse().ok()?, minute.parse().ok()?)));
    let instant = promise.floor().zip(opens).and_then(|(day, (hour, minute))| instant_of(day, hour, minute).ok());
    instant.is_some_and(|opens| step.due >= opens)
}

fn late(doubts: &mut Doubts<'_>, at: At<'_>, step: &Step, promise: &Promise) {
    let Some(ceiling) = promise.ceiling() else { return };
    if day_of(step.due) <= ceiling {
        return;
    }
    // Only a plan made too late may be late, and it must be as early as it still can and say so.
    let unavoidable = step.due == doubts.plan.made && doubts.noted(at, "promise-not-met");
    doubts.require(unavoidable, at, "too-late", "it is erased after the last day promised");
}

fn preserve<'a>(doubts: &mut Doubts<'a>, at: At<'a>, step: &'a Step, promise: &Promise) {
    waits_for_inspection(doubts, at, step);
    doubts.require(doubts.noted(at, "keeps"), at, "unsaid", "the plan does not say that the target is kept");
    if promise.is_broken_by_duty() {
        let said = doubts.noted(at, "promise-not-met");
        doubts.require(said, at, "unsaid", "a duty breaks a promise, and the plan does not say so");
    }
    let soon = promise.ceiling().zip(a_year_on(doubts)).is_some_and(|(ceiling, year)| ceiling <= year);
    doubts.require(!soon, at, "too-late", "it is kept, though its last day falls within the year");
    let Some(keep) = &step.keep else {
        doubts.wrong(at, "no-ground", "it is kept without a ground and a date");
        return;
    };
    let policy = doubts.facts.policy;
    let ruled = policy.rules().iter().any(|rule| rule.id == keep.rule && rule.category == at.target.category);
    doubts.require(ruled && !keep.ground.trim().is_empty(), at, "no-ground", "no rule of the policy keeps it");
    let floor = promise.floor().or(promise.last);
    // A mere promise to forget has no earliest day of its own: any day up to its last will do.
    let dated = match promise.floor() {
        Some(_) => Some(keep.earliest) >= floor,
        None => Some(keep.earliest) <= floor,
    };
    let same = keep.latest == promise.ceiling() && step.earliest == Some(keep.earliest) && step.latest == keep.latest;
    doubts.require(dated && same, at, "bounds", "the obligation's days are not those of the policy's rows");
}

fn a_year_on(doubts: &Doubts<'_>) -> Option<Day> {
    let a = &doubts.facts.anchors;
    let days = [a.contract_ended, a.contract_settled, a.customer_ended, a.customer_settled];
    days.into_iter().flatten().max()?.checked_add(1.year()).ok()
}

fn waits_for_inspection<'a>(doubts: &mut Doubts<'a>, at: At<'a>, step: &'a Step) {
    let inspected = doubts.steps(at, Action::Inspect).any(|look| step.after.contains(&After::Step(look.number)));
    doubts.require(inspected, at, "uninspected", "it is changed before it was looked at");
}
