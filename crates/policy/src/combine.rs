//! How the rows about one category combine into one window (combination rules 1 and 2 of the handbook). Owns the
//! weighing of *keep*, *at* and *by*; refuses to shorten a duty: a keep beyond a promise wins, and the broken promise is
//! named. Upholds I1: `earliest` is never before any keep's.

use gallra_model::Day;
use gallra_model::plan::Anchors;
use gallra_model::target::Category;

use crate::calendar::{self, CalendarError, Moment};
use crate::pack::Policy;
use crate::reading::{Dates, Extra, Known, Row, WAITS};
use crate::rule::Rule;
use crate::word::{Bound, Sweep};

/// The note of a category that no row is about.
pub const NEEDS_PERIOD: &str = "needs a period";

/// What holds for a category after combining its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Combined {
    /// First day on which erasure is permitted.
    pub earliest: Option<Day>,
    /// The day it is done; unset while nothing is known to count from.
    pub planned: Option<Day>,
    /// Last day by which it must be done.
    pub latest: Option<Day>,
    /// The same three to the instant, where a rule in hours decides.
    pub exact: Dates,
    /// Id of the rule that decides the planned day or, while it waits, of the first that waits.
    pub rule: Option<String>,
    /// That rule's ground in words.
    pub ground: Option<String>,
    /// Whether the run belongs in the evening window rather than in the daily sweep: the customer may count on the data
    /// until then.
    pub in_window: bool,
    /// The duty that keeps the longest, if one binds.
    pub keep: Option<Kept>,
    /// First day on which no hold with an end lies any more, as it was handed in; it binds as a duty does.
    pub held: Option<Day>,
    /// The promise that the duty, or the hold, breaks, if one does.
    pub unmet: Option<Unmet>,
    /// The rule that promises nothing but how old each record may become, if one gives a day.
    pub by_age: Option<String>,
    /// What a reader must know.
    pub note: Option<String>,
    /// A row counts from a settlement that has not happened: nothing may be erased on the others' dates alone.
    pub waits_for_settlement: bool,
    /// No row about erasing or keeping this category exists.
    pub needs_period: bool,
}

/// A duty to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The rule's id.
    pub rule: String,
    /// Its ground in words, statute included.
    pub ground: String,
    /// First day on which it no longer binds.
    pub earliest: Day,
}

impl Combined {
    fn set(mut self, exact: Dates) -> Self {
        let day = |moment: Option<Moment>| moment.map(Moment::day);
        (self.earliest, self.planned, self.latest) = (day(exact.earliest), day(exact.planned), day(exact.latest));
        self.exact = exact;
        self
    }

    /// The same window once the courtesy of an *at* is lifted (combination rule 3): by a granted erasure, an objection to
    /// marketing, a withdrawn consent that was the only basis, or the controller's instruction. Nothing lifts a keep.
    #[must_use]
    pub fn without_courtesy(self) -> Self {
        let earliest = self.keep.as_ref().map(|keep| keep.earliest).max(self.held).map(Moment::Day);
        let exact = Dates { earliest, ..self.exact };
        Self { in_window: false, ..self }.set(exact)
    }
}

/// A promise that a duty breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// The rule's id.
    pub rule: String,
    /// The last day that it promised.
    pub latest: Day,
}

impl Policy {
    /// The window of a category: the erasure's rows, combined over those whose anchors are known.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] when a date falls past the year 9999.
    pub fn window(&self, category: &Category, anchors: &Anchors, extra: &Extra) -> Result<Combined, CalendarError> {
        let note = Some(NEEDS_PERIOD.to_owned());
        if !self.rules_for(category).any(Rule::decides) {
            return Ok(Combined { needs_period: true, note, ..Combined::default() });
        }
        let rows = Known { policy: self, anchors, extra }.rows(category)?;
        let rows: Vec<_> = rows.into_iter().filter(|row| row.rule.decides()).collect();
        let combined = combine(&rows, extra.held);
        // Rule 7: a duty to keep says when erasing may begin, and no row says when it must.
        if self.lacks_a_period(category) {
            let exact = Dates { planned: None, ..combined.exact };
            return Ok(Combined { needs_period: true, note, ..combined }.set(exact));
        }
        Ok(combined)
    }
}

/// A row with days.
#[derive(Debug, Clone, Copy)]
struct Dated<'p> {
    rule: &'p Rule,
    anchor_date: Moment,
    dates: Dates,
}

impl Dated<'_> {
    fn first_free_day(&self) -> Option<Moment> {
        self.dates.earliest.filter(|_| self.rule.bound == Bound::Keep)
    }

    fn courtesy(&self) -> Option<Moment> {
        self.dates.earliest.filter(|_| self.rule.bound == Bound::At)
    }
}

fn combine(rows: &[Row<'_>], held: Option<Day>) -> Combined {
    let dated: Vec<_> = rows
        .iter()
        .filter_map(|row| Some(Dated { rule: row.rule, anchor_date: row.anchor_date?, dates: row.dates? }))
        .collect();
    let keep = dated
        .iter()
        .filter_map(|row| Some((row, row.first_free_day()?)))
        .max_by(|(_, one), (_, other)| one.by_begin(*other));
    let promise =
        dated.iter().filter_map(|row| Some((row, row.dates.latest?))).min_by(|(_, one), (_, other)| one.by_end(*other));
    // A hold is no row, and binds as a duty does: its day counts where it comes after every duty's.
    let free = later(keep.map(|(_, free)| free), held.map(Moment::Day));
    let mut result = match (keep, promise) {
        (keep, Some((promise, latest))) => match free {
            Some(free) if free.day() > latest.day() => {
                let duty = keep.filter(|(_, own)| own.day() > latest.day()).map(|(duty, _)| duty);
                forced(duty, free, promise, latest)
            }
            free => within(free, promise, latest, &dated),
        },
        (Some((keep, own)), None) => alone(keep.rule, free.unwrap_or(own)),
        (None, None) => Combined::default(),
    };
    result.held = held;
    result.by_age = dated.iter().find(|row| row.rule.goes_by_age()).map(|row| row.rule.id.clone());
    result.keep = keep.map(|(row, free)| kept(row, free));
    add_waiting(&mut result, rows);
    result
}

fn later(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    [one, other].into_iter().flatten().max_by(|one, other| one.by_begin(*other))
}

/// Rule 2: the duty lasts longer than the promise, or a hold does where no duty is named.
fn forced(duty: Option<&Dated<'_>>, free: Moment, promise: &Dated<'_>, latest: Moment) -> Combined {
    let note = format!(
        "promise not met: {} by {latest}; {} forbids erasure before {free}, restricted until then",
        promise.rule.id,
        duty.map_or("a hold", |duty| &duty.rule.id)
    );
    let unmet = Some(Unmet { rule: promise.rule.id.clone(), latest: latest.day() });
    Combined { unmet, note: Some(note), ..alone(duty.unwrap_or(promise).rule, free) }
}

/// Only a duty binds, or it binds alone.
fn alone(rule: &Rule, free: Moment) -> Combined {
    by_rule(rule).set(Dates { earliest: Some(free), planned: Some(free), latest: None })
}

/// Rule 1: an interval with a last day.
fn within(free: Option<Moment>, promise: &Dated<'_>, latest: Moment, dated: &[Dated<'_>]) -> Combined {
    let courtesy = dated.iter().filter_map(Dated::courtesy).max_by(|one, other| one.by_begin(*other));
    let sooner = |day: Moment| if day.day() > latest.day() { latest } else { day };
    let courtesy_day = courtesy.map(sooner);
    let earliest = free.or(courtesy_day);
    // A duty takes the courtesy's place as the first permitted day; nothing is planned before the courtesy for all that.
    let from = later(free, courtesy_day);
    let planned = match dated {
        // A result that comes from one row takes that row's day: an answer's lies before holidays.
        [row] if free.is_none() => row.dates.planned,
        rows => rows.iter().filter_map(|row| run(row, from, latest)).min_by(|one, other| one.by_end(*other)),
    };
    let exact = Dates { earliest, planned, latest: Some(latest) };
    Combined { in_window: courtesy.is_some(), ..by_rule(promise.rule) }.set(exact)
}

/// The last sweep of a promise inside the interval, or a run of its own at its end. Where promises have different sweeps the
/// soonest is taken, so that one promise more never makes anything later.
fn run(row: &Dated<'_>, from: Option<Moment>, latest: Moment) -> Option<Moment> {
    let anchor = row.anchor_date;
    match (row.dates.latest?, latest) {
        (Moment::Instant(_), Moment::Instant(latest)) => {
            let begins = |moment: Moment| moment.begins().unwrap_or(latest);
            let from = from.map_or(begins(anchor), |moment| begins(moment).max(begins(anchor)));
            Some(Moment::Instant(calendar::last_hour(from, latest)))
        }
        (Moment::Instant(_) | Moment::Day(_), _) => {
            let from = from.map_or(anchor.day(), |moment| moment.day().max(anchor.day()));
            let day = calendar::last_run(sweep_of(row), from, latest.day());
            // On the very day of an instant nobody knows whether a daily run comes before it.
            (Moment::Day(day).by_end(latest).is_le()).then_some(Moment::Day(day))
        }
    }
}

/// An `at` run is one of its own on the period's last day, whatever the rule's sweep.
fn sweep_of(promise: &Dated<'_>) -> Sweep {
    if promise.rule.bound == Bound::At { Sweep::Daily } else { promise.rule.sweep }
}

fn by_rule(rule: &Rule) -> Combined {
    Combined { rule: Some(rule.id.clone()), ground: Some(rule.ground()), ..Combined::default() }
}

fn kept(row: &Dated<'_>, free: Moment) -> Kept {
    Kept { rule: row.rule.id.clone(), ground: row.rule.ground(), earliest: free.day() }
}

fn add_waiting(result: &mut Combined, rows: &[Row<'_>]) {
    let Some(first) = rows.iter().find(|row| row.dates.is_none()) else { return };
    result.waits_for_settlement = true;
    if result.planned.is_none() {
        result.rule = Some(first.rule.id.clone());
        result.ground = Some(first.rule.ground());
        result.note = Some(WAITS.to_owned());
        return;
    }
    let also = format!("{} {WAITS}", first.rule.id);
    result.note = Some(result.note.take().map_or(also.clone(), |note| format!("{note}; {also}")));
}

#[cfg(test)]
mod tests;
