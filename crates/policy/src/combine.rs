//! How the rows about one category combine into one window (combination rules 1 and 2 of the handbook). Owns the
//! weighing of *keep*, *at* and *by*; refuses to shorten a duty: a keep beyond a promise wins, and the broken promise is
//! named. Upholds I1: `earliest` is never before any keep's.

use gallra_model::Day;
use gallra_model::plan::Anchors;
use gallra_model::target::Category;

use crate::calendar::{self, CalendarError};
use crate::pack::Policy;
use crate::reading::{Dates, Extra, Known, Row, WAITS};
use crate::rule::Rule;
use crate::word::{Bound, Deed, Sweep};

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
    /// Id of the rule that decides the planned day or, while it waits, of the first that waits.
    pub rule: Option<String>,
    /// That rule's ground in words.
    pub ground: Option<String>,
    /// Whether the run belongs in the evening window rather than in the daily sweep: the customer may count on the data
    /// until then.
    pub in_window: bool,
    /// The duty that keeps the longest, if one binds.
    pub keep: Option<Kept>,
    /// The promise that the duty breaks, if it does.
    pub unmet: Option<Unmet>,
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
        let bears = |rule: &Rule| matches!(rule.action, Deed::Erase | Deed::Keep);
        if !self.rules_for(category).any(bears) {
            let note = Some(NEEDS_PERIOD.to_owned());
            return Ok(Combined { needs_period: true, note, ..Combined::default() });
        }
        let rows = Known { policy: self, anchors, extra }.rows(category)?;
        let rows: Vec<_> = rows.into_iter().filter(|row| bears(row.rule)).collect();
        Ok(combine(&rows))
    }
}

/// A row with days.
#[derive(Debug, Clone, Copy)]
struct Dated<'p> {
    rule: &'p Rule,
    anchor_date: Day,
    dates: Dates,
}

impl Dated<'_> {
    fn first_free_day(&self) -> Option<Day> {
        self.dates.earliest.filter(|_| self.rule.bound == Bound::Keep)
    }

    fn courtesy(&self) -> Option<Day> {
        self.dates.earliest.filter(|_| self.rule.bound == Bound::At)
    }
}

fn combine(rows: &[Row<'_>]) -> Combined {
    let dated: Vec<_> = rows
        .iter()
        .filter_map(|row| Some(Dated { rule: row.rule, anchor_date: row.anchor_date?, dates: row.dates? }))
        .collect();
    let keep = dated.iter().filter(|row| row.rule.bound == Bound::Keep).max_by_key(|row| row.first_free_day());
    let promise = dated.iter().filter(|row| row.dates.latest.is_some()).min_by_key(|row| row.dates.latest);
    let mut result = match (keep, promise) {
        (Some(keep), Some(promise)) if keep.dates.earliest > promise.dates.latest => forced(keep, promise),
        (keep, Some(promise)) => within(keep, promise, &dated),
        (Some(keep), None) => alone(keep),
        (None, None) => Combined::default(),
    };
    result.keep = keep.and_then(kept);
    add_waiting(&mut result, rows);
    result
}

/// Rule 2: the duty lasts longer than the promise.
fn forced(keep: &Dated<'_>, promise: &Dated<'_>) -> Combined {
    let unmet = promise.dates.latest.map(|latest| Unmet { rule: promise.rule.id.clone(), latest });
    let note = keep.dates.earliest.zip(unmet.as_ref()).map(|(earliest, unmet)| {
        format!(
            "promise not met: {} by {}; {} forbids erasure before {earliest}, restricted until then",
            unmet.rule, unmet.latest, keep.rule.id
        )
    });
    Combined { unmet, note, ..alone(keep) }
}

/// Only a duty binds, or it binds alone.
fn alone(keep: &Dated<'_>) -> Combined {
    Combined { earliest: keep.dates.earliest, planned: keep.dates.earliest, ..by_rule(keep.rule) }
}

/// Rule 1: an interval with a last day.
fn within(keep: Option<&Dated<'_>>, promise: &Dated<'_>, dated: &[Dated<'_>]) -> Combined {
    let latest = promise.dates.latest;
    let courtesy = dated.iter().filter_map(Dated::courtesy).max();
    let earliest = match keep {
        Some(keep) => keep.dates.earliest,
        None => courtesy.min(latest),
    };
    let from = earliest.map_or(promise.anchor_date, |day| day.max(promise.anchor_date));
    let planned = latest.map(|latest| calendar::last_run(sweep_of(promise), from, latest));
    Combined { earliest, planned, latest, in_window: courtesy.is_some(), ..by_rule(promise.rule) }
}

/// An `at` run is one of its own on the period's last day, whatever the rule's sweep.
fn sweep_of(promise: &Dated<'_>) -> Sweep {
    if promise.rule.bound == Bound::At { Sweep::Daily } else { promise.rule.sweep }
}

fn by_rule(rule: &Rule) -> Combined {
    Combined { rule: Some(rule.id.clone()), ground: Some(rule.ground()), ..Combined::default() }
}

fn kept(row: &Dated<'_>) -> Option<Kept> {
    Some(Kept { rule: row.rule.id.clone(), ground: row.rule.ground(), earliest: row.dates.earliest? })
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
