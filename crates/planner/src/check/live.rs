//! Live targets: each one that the dates bind is there, looked at first, erased neither early nor late, confirmed and
//! looked at again; and what is kept carries its ground and its date.

use gallra_model::Day;
use gallra_model::job::Action;
use gallra_model::plan::{After, Step};
use gallra_model::target::Mode;
use gallra_model::time::{day_of, instant_of};
use gallra_policy::{Effect, Entry};
use jiff::ToSpan;

use super::promise::{self, Promise};
use super::{At, Doubts, hold, shape};

pub(super) fn check<'a>(doubts: &mut Doubts<'a>, at: At<'a>) {
    if !shape::bound(doubts, at) {
        return;
    }
    let promise = of(doubts, at);
    doubts.require(
        doubts.steps(at, Action::Inspect).count() == 1,
        at,
        "left-out",
        "the dates bind this target, and the plan does not look at it exactly once",
    );
    let seen = at.target.mode != Mode::Observe || doubts.noted(at, "observe-mode");
    doubts.require(seen, at, "unsaid", "the host allows looking only, and the plan does not say so");
    unexpected(doubts, at);
    let said = doubts.noted(at, "by-age");
    doubts.require(
        said == (promise.by_age.is_some() && promise.is_known() && !promise.waits),
        at,
        "unsaid",
        "each record leaves by its own age, and the plan is silent, or the other way round",
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
    broken(doubts, at, &promise);
    for step in erases {
        erase(doubts, at, step, &promise);
    }
    for step in preserves {
        preserve(doubts, at, step, &promise);
    }
}

/// What the rows and the holds promise about a live target.
pub(super) fn of<'a>(doubts: &Doubts<'a>, at: At<'a>) -> Promise {
    let facts = doubts.facts;
    let by_rows = promise::of(facts.policy, at.target.category.as_str(), &facts.anchors);
    Promise { unheld: hold::unheld(doubts, at), ..by_rows }
}

/// A duty or a hold that breaks a promise is named, with the promise.
fn broken<'a>(doubts: &mut Doubts<'a>, at: At<'a>, promise: &Promise) {
    let Some(last) = promise.last.filter(|_| promise.is_broken()) else { return };
    let said = doubts.noted_with(&at.name(), "promise-not-met", &last.to_string());
    doubts.require(said, at, "unsaid", "a duty or a hold breaks a promise, and the plan does not say so");
    if promise.unheld > promise.free {
        let named =
            hold::longest(doubts, at).is_some_and(|hold| doubts.noted_with(&at.name(), "promise-not-met", &hold));
        doubts.require(named, at, "unsaid", "a hold breaks a promise, and the plan does not name it");
    }
}

fn unexpected<'a>(doubts: &mut Doubts<'a>, at: At<'a>) {
    let none =
        |entry: &Entry| entry.category.as_ref() == Some(&at.target.category) && entry.effect == Effect::ExpectNone;
    let found = doubts.facts.policy.entries().iter().any(none);
    doubts.require(
        found == doubts.noted(at, "unexpected"),
        at,
        "unsaid",
        "none of it is expected, and the plan is silent",
    );
}

fn untouched<'a>(doubts: &mut Doubts<'a>, at: At<'a>, promise: &Promise, changes: usize) {
    doubts.require(changes == 0, at, "too-early", "no day is known yet, and the plan changes the target all the same");
    let code = if promise.waits { "waits-for-settlement" } else { "needs-a-period" };
    // Who has to give a period reads which row leaves it open.
    let of_category = |entry: &&Entry| entry.category.as_ref() == Some(&at.target.category) && entry.takes_a_period();
    let open = doubts.facts.policy.entries().iter().find(of_category).filter(|_| promise.open && !promise.waits);
    let said = doubts.noted_with(&at.name(), code, open.map_or("", |entry| &entry.id));
    doubts.require(said, at, "unsaid", "the plan does not say why nothing happens");
}

fn erase<'a>(doubts: &mut Doubts<'a>, at: At<'a>, step: &'a Step, promise: &Promise) {
    if let Some(floor) = promise.floor() {
        doubts.require(day_of(step.due) >= floor, at, "too-early", "it is erased before its earliest day");
    }
    let over = promise.by_age.and_then(|day| day.checked_add(1.day()).ok());
    if let Some(over) = over.filter(|_| decided_by_age(doubts, step)).and_then(|day| instant_of(day, 0, 0).ok()) {
        doubts.require(step.due >= over, at, "too-early", "it is erased before the newest record can have been made");
    }
    let window = promise.counted_on().filter(|_| !promise.is_broken());
    if let Some(day) = window {
        let opens = hours(doubts, "opens").and_then(|(hour, minute)| instant_of(day, hour, minute).ok());
        let in_or_after = opens.is_some_and(|opens| step.due >= opens);
        doubts.require(in_or_after, at, "too-early", "it is erased before its window opens");
    }
    ends(doubts, at, step, window.is_some());
    late(doubts, at, step, promise);
    let stated = step.earliest == promise.floor() && step.latest == promise.ceiling();
    doubts.require(stated, at, "bounds", "the step's days are not those of the policy's rows");
    let horizon = a_year_on(doubts);
    let by_rows = promise.by_rows();
    let distant = by_rows.ceiling().is_none() && by_rows.floor() > horizon;
    doubts.require(!distant, at, "too-late", "its rows keep it for more than a year, and it is no obligation");
    waits_for_inspection(doubts, at, step);
    let confirmed = doubts.has(at, Action::Confirm, After::Step(step.number));
    doubts.require(confirmed, at, "unconfirmed", "nothing confirms the erasure");
    let again = doubts.has(at, Action::Confirm, After::CopiesGone);
    doubts.require(again, at, "unconfirmed", "nobody looks again after the last copy went");
}

fn decided_by_age(doubts: &Doubts<'_>, step: &Step) -> bool {
    doubts.facts.policy.rules().iter().any(|rule| rule.id == step.rule && promise::only_ages(rule))
}

/// The window's hours are read from their printed form, so that a mistake in their arithmetic would show.
fn hours(doubts: &Doubts<'_>, which: &str) -> Option<(i8, i8)> {
    let hours = serde_json::to_value(doubts.facts.policy.window_hours()).ok()?;
    let (hour, minute) = hours.get(which)?.as_str()?.split_once(':')?;
    Some((hour.parse().ok()?, minute.parse().ok()?))
}

/// The hours end with the window, or with the day; a step that is late, and so due when the plan was made, may have none.
fn ends<'a>(doubts: &mut Doubts<'a>, at: At<'a>, step: &'a Step, in_window: bool) {
    let day = day_of(step.due);
    let of_day = || day.checked_add(1.day()).ok().and_then(|day| instant_of(day, 0, 0).ok());
    let end = match hours(doubts, "closes").filter(|_| in_window) {
        None | Some((24, _)) => of_day(),
        Some((hour, minute)) => instant_of(day, hour, minute).ok(),
    };
    let fits = match step.until {
        Some(until) => Some(until) == end && until > step.due,
        None => step.due == doubts.plan.made,
    };
    doubts.require(fits, at, "bounds", "the step's hours do not end with its window or its day");
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
    // A hold makes nothing an obligation: only what the rows themselves leave for later is one.
    let by_rows = promise.by_rows();
    let horizon = a_year_on(doubts);
    let soon = by_rows.ceiling().or(by_rows.floor()).zip(horizon).is_some_and(|(end, year)| end <= year);
    doubts.require(!soon, at, "too-late", "it is kept, though its last day falls within the year");
    let Some(keep) = &step.keep else {
        doubts.wrong(at, "no-ground", "it is kept without a ground and a date");
        return;
    };
    let policy = doubts.facts.policy;
    let ruled = policy.rules().iter().any(|rule| rule.id == keep.rule && rule.category == at.target.category);
    doubts.require(ruled && !keep.ground.trim().is_empty(), at, "no-ground", "no rule of the policy keeps it");
    // With a promise any day up to its last will do; without one it goes as soon as it may.
    let dated = match promise.ceiling() {
        Some(ceiling) => Some(keep.earliest) >= promise.floor() && keep.earliest <= ceiling,
        None => Some(keep.earliest) == promise.floor(),
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
