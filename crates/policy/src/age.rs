//! How old a record may become: what leaves on a given day by its own age, whoever's it is (rolling purges), and in which
//! runs. Owns the weighing of a category's rows that count from the record; refuses to know targets. Upholds I1 for ages: a
//! duty to keep outranks every promise, and one that counts from something else than the record forbids a purge by age
//! altogether.

use gallra_model::target::Category;
use gallra_model::time::{day_of, start_of};
use gallra_model::{Day, Instant};
use jiff::SignedDuration;

use crate::calendar::{self, CalendarError, daily_sweep};
use crate::pack::Policy;
use crate::reading;
use crate::rule::{Clause, Rule};
use crate::word::{Anchor, Bound, Deed};

/// What leaves by age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aged {
    /// No rule lets records of this category leave by their own age.
    NoRule,
    /// A rule does, and none of its sweeps falls on the day, nor on one before that is still undone.
    NotToday,
    /// A rule would, and no sweep may carry it out.
    Left {
        /// The id of the rule that stands against it.
        rule: String,
        /// Why.
        why: Unfit,
    },
    /// One run at the daily sweep or, where a promise counts in hours, one at each full hour from there to the next day's.
    Runs(Vec<Run>),
}

/// One run of a purge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The sweep, UTC: it is never begun before.
    pub at: Instant,
    /// The id of the rule that decides it: the strictest promise.
    pub rule: String,
    /// Records from before this instant leave.
    pub older_than: Instant,
}

/// Why no sweep carries a promise about a record's age out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// A duty to keep counts from something else than the record: nothing leaves by age alone.
    Duty,
    /// Somebody has to handle each record first: nothing leaves blindly.
    HandledFirst,
}

/// An hourly sweep's interval.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

impl Policy {
    /// Which records of a category leave by their own age on a day, as far as no duty keeps them: those whose planned sweep
    /// ([`calendar::last_run`], [`calendar::last_hour`]) has come. `since` is the first day whose sweeps may not have been
    /// carried out, unset where that is no day in particular: a monthly sweep of such a day is made up for on this one.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] when a date falls past the year 9999.
    pub fn aged(&self, category: &Category, day: Day, since: Option<Day>) -> Result<Aged, CalendarError> {
        let rows = Rows::of(self, category);
        if rows.promises.is_empty() {
            return Ok(Aged::NoRule);
        }
        // No machine ever carries this out, so that it is said when its sweep comes, and not on every day from there on.
        if let Some(rule) = rows.handled_first() {
            let said = rows.falls(day, Some(day))?;
            let left = || Aged::Left { rule: rule.id.clone(), why: Unfit::HandledFirst };
            return Ok(if said { left() } else { Aged::NotToday });
        }
        if !rows.falls(day, since)? {
            return Ok(Aged::NotToday);
        }
        if let Some(duty) = self.rules_for(category).find(|rule| rule.bound == Bound::Keep && !counts_from_record(rule))
        {
            return Ok(Aged::Left { rule: duty.id.clone(), why: Unfit::Duty });
        }
        rows.runs(day).map(Aged::Runs)
    }

    /// The rule that lets a category's records go only once somebody has handled each.
    pub fn handled_first<'p>(&'p self, category: &'p Category) -> Option<&'p Rule> {
        self.rules_for(category).find(|rule| rule.decides() && rule.is_handled_first())
    }
}

fn counts_from_record(rule: &Rule) -> bool {
    rule.clauses.iter().all(|clause| clause.from == Anchor::Record)
}

/// The rows of one category that count from the record.
struct Rows<'p> {
    /// Those that let records go.
    promises: Vec<(&'p Rule, &'p Clause)>,
    /// Those that keep them; never in hours (the pack's check).
    duties: Vec<&'p Clause>,
}

impl<'p> Rows<'p> {
    fn of(policy: &'p Policy, category: &'p Category) -> Self {
        let all = policy.rules_for(category).flat_map(|rule| rule.clauses.iter().map(move |clause| (rule, clause)));
        let (mut promises, mut duties) = (Vec::new(), Vec::new());
        for (rule, clause) in all.filter(|(_, clause)| clause.from == Anchor::Record) {
            match (rule.action, rule.bound) {
                (_, Bound::Keep) => duties.push(clause),
                (Deed::Erase, Bound::By | Bound::At) if !rule.apart => promises.push((rule, clause)),
                (Deed::Erase | Deed::Restrict | Deed::Anonymise | Deed::Keep | Deed::Answer, Bound::By | Bound::At) => {
                }
            }
        }
        Self { promises, duties }
    }

    fn handled_first(&self) -> Option<&'p Rule> {
        self.promises.iter().map(|(rule, _)| *rule).find(|rule| rule.is_handled_first())
    }

    /// Whether a sweep falls on the day or on one from `since` on, or lets more go than had to before: a promise that has
    /// no sweep between a record's day and its last one has a run of its own.
    fn falls(&self, day: Day, since: Option<Day>) -> Result<bool, CalendarError> {
        let Some(since) = since else { return Ok(true) };
        let since = since.min(day);
        if self.promises.iter().any(|(rule, _)| calendar::last_run(rule.sweep, Day::MIN, day) >= since) {
            return Ok(true);
        }
        let before = since.yesterday().map_err(|_| CalendarError::OutOfRange)?;
        Ok(self.first_kept(day)? != self.first_kept(before)?)
    }

    /// The oldest day whose records stay after the sweeps of a day, hours left aside.
    fn first_kept(&self, day: Day) -> Result<Option<Day>, CalendarError> {
        let promised = self.promised(day)?.map(|(_, first)| first);
        let kept = self.kept(day)?;
        Ok(promised.map(|first| kept.map_or(first, |kept| kept.min(first))))
    }

    /// The strictest promise in days, and the oldest day whose records it lets stay after the sweeps of a day.
    fn promised(&self, day: Day) -> Result<Option<(&'p Rule, Day)>, CalendarError> {
        let mut promised: Option<(&Rule, Day)> = None;
        for (rule, clause) in self.promises.iter().filter(|(_, clause)| !clause.period.is_in_hours()) {
            let first = match rule.bound {
                Bound::By => first_day(clause, day, |record, last| calendar::last_run(rule.sweep, record, last) > day)?,
                // The day itself is still the customer's, until its evening.
                Bound::At | Bound::Keep => first_day(clause, day, |_, last| last >= day)?,
            };
            promised = promised.filter(|(_, known)| *known >= first).or(Some((rule, first)));
        }
        Ok(promised)
    }

    /// The oldest day whose records a duty keeps on a day.
    fn kept(&self, day: Day) -> Result<Option<Day>, CalendarError> {
        let mut kept: Option<Day> = None;
        for clause in &self.duties {
            let first = first_day(clause, day, |_, last| last >= day)?;
            kept = Some(kept.map_or(first, |known| known.min(first)));
        }
        Ok(kept)
    }

    fn runs(&self, day: Day) -> Result<Vec<Run>, CalendarError> {
        let in_days = match self.promised(day)? {
            Some((rule, first)) => Some((rule, midnight(first)?)),
            None => None,
        };
        let hourly: Vec<_> = self.promises.iter().filter(|(_, clause)| clause.period.is_in_hours()).collect();
        let sweeps = if hourly.is_empty() { vec![daily_sweep(day)?] } else { hours_of(day)? };
        let mut runs = Vec::with_capacity(sweeps.len());
        for at in sweeps {
            let mut promised = in_days;
            for (rule, clause) in &hourly {
                let older_than = in_time_at(at, clause)?;
                promised = promised.filter(|(_, known)| *known >= older_than).or(Some((rule, older_than)));
            }
            let Some((rule, older_than)) = promised else { continue };
            let older_than = match self.kept(day_of(at))? {
                Some(kept) => midnight(kept)?.min(older_than),
                None => older_than,
            };
            runs.push(Run { at, rule: rule.id.clone(), older_than });
        }
        Ok(runs)
    }
}

/// The oldest record whose period in hours is not over before the sweep after this one: that one is still in time for it.
fn in_time_at(sweep: Instant, clause: &Clause) -> Result<Instant, CalendarError> {
    let period = SignedDuration::from_hours(i64::from(clause.period.count()));
    sweep.checked_add(HOUR).and_then(|next| next.checked_sub(period)).map_err(|_| CalendarError::OutOfRange)
}

/// The full hours from a day's daily sweep to the next day's: 23, 24 or 25, as the clocks go.
fn hours_of(day: Day) -> Result<Vec<Instant>, CalendarError> {
    let (mut at, end) = (daily_sweep(day)?, daily_sweep(calendar::day_after(day)?)?);
    let mut sweeps = Vec::with_capacity(25);
    while at < end {
        sweeps.push(at);
        at = at.checked_add(HOUR).map_err(|_| CalendarError::OutOfRange)?;
    }
    Ok(sweeps)
}

fn midnight(day: Day) -> Result<Instant, CalendarError> {
    start_of(day).map_err(|_| CalendarError::OutOfRange)
}

/// The oldest day of which `stays` holds, given the day and the last day counted from it. It never goes back as days go on,
/// so the search goes back from tomorrow.
fn first_day(clause: &Clause, today: Day, stays: impl Fn(Day, Day) -> bool) -> Result<Day, CalendarError> {
    let mut day = calendar::day_after(today)?;
    while let Ok(before) = day.yesterday() {
        if !stays(before, reading::last_day(clause, before)?) {
            break;
        }
        day = before;
    }
    Ok(day)
}

#[cfg(test)]
mod tests;
