//! The rows of one category that count from the record, as the checker reads them: which records have to go by a run, and
//! which a duty keeps. Its arithmetic is the date library's, on purpose.

use gallra_model::target::TargetInfo;
use gallra_model::time::day_of;
use gallra_model::{Day, Instant};
use gallra_policy::calendar::Unit;
use gallra_policy::{Anchor, Bound, Clause, Deed, Detail, Policy, Rule, Sweep, Until};
use jiff::ToSpan as _;

use super::super::promise::plus;

/// Days back from which a yearly sweep must have fallen.
const A_YEAR: i64 = 366;

pub(super) struct Rows<'p> {
    all: Vec<(&'p Rule, &'p Clause)>,
    /// A duty counts from something else.
    kept_by_other: bool,
    /// A promise is about what was handled first.
    pub(super) handled: bool,
}

impl<'p> Rows<'p> {
    pub(super) fn of(policy: &'p Policy, target: &TargetInfo) -> Self {
        let of_category = || policy.rules().iter().filter(|rule| rule.category == target.category);
        let all: Vec<_> = of_category()
            .filter(|rule| rule.bound == Bound::Keep || (rule.action == Deed::Erase && !rule.apart))
            .flat_map(|rule| rule.clauses.iter().map(move |clause| (rule, clause)))
            .filter(|(_, clause)| clause.from == Anchor::Record)
            .collect();
        let handled = all.iter().any(|(rule, _)| {
            let handled = rule.details.iter().any(|detail| matches!(detail, Detail::HandledFirst { .. }));
            rule.bound != Bound::Keep && handled
        });
        let elsewhere = |rule: &Rule| rule.clauses.iter().any(|clause| clause.from != Anchor::Record);
        let kept_by_other = of_category().any(|rule| rule.bound == Bound::Keep && elsewhere(rule));
        Self { all, kept_by_other, handled }
    }

    fn letting_go(&self) -> impl Iterator<Item = (&'p Rule, &'p Clause)> + '_ {
        self.all.iter().copied().filter(|(rule, _)| rule.action == Deed::Erase)
    }

    pub(super) fn promises(&self) -> bool {
        self.letting_go().next().is_some()
    }

    pub(super) fn may_be_purged(&self) -> bool {
        !self.handled && !self.kept_by_other
    }

    pub(super) fn in_hours(&self) -> bool {
        self.letting_go().any(|(_, clause)| clause.period.unit() == Unit::Hours)
    }

    pub(super) fn names(&self, rule: &str) -> bool {
        self.letting_go().any(|(own, _)| own.id == rule)
    }

    /// Whether a row has a record gone by a run: one whose planned sweep is that run's, or an earlier one.
    pub(super) fn lets_go(&self, record: Instant, day: Day, run: Instant) -> bool {
        self.letting_go().any(|(rule, clause)| {
            if clause.period.unit() == Unit::Hours {
                return ends_before_the_next(record, clause, run);
            }
            lets_day_go(rule, clause, day_of(record), day)
        })
    }

    /// Whether a duty keeps a record at a run.
    pub(super) fn keeps(&self, record: Instant, run: Instant) -> bool {
        self.keeps_day(day_of(record), day_of(run))
    }

    fn keeps_day(&self, record: Day, on: Day) -> bool {
        let duties = self.all.iter().filter(|(rule, _)| rule.bound == Bound::Keep);
        duties.into_iter().any(|(_, clause)| last_day(record, clause).is_none_or(|last| last >= on))
    }

    /// Whether a sweep falls on a day of the time from `since` to `day`, or the youngest that has to go by `day` did not have
    /// to before.
    pub(super) fn falls(&self, day: Day, since: Option<Day>) -> bool {
        let Some(since) = since.filter(|since| day.duration_since(*since).as_hours() / 24 <= A_YEAR) else {
            return true;
        };
        let mut days = (0..).map_while(|back| day.checked_sub(back.days()).ok()).take_while(|on| *on >= since.min(day));
        if days.any(|on| self.letting_go().any(|(rule, _)| is_swept(rule.sweep, on))) {
            return true;
        }
        let Ok(before) = since.min(day).yesterday() else { return true };
        self.youngest_gone(day) != self.youngest_gone(before)
    }

    /// The youngest day whose records have to be gone on a day.
    fn youngest_gone(&self, on: Day) -> Option<Day> {
        let in_days = || self.letting_go().filter(|(_, clause)| clause.period.unit() != Unit::Hours);
        let mut back = (0_i32..).map_while(|back| on.checked_sub(back.days()).ok());
        back.find(|record| {
            in_days().any(|(rule, clause)| lets_day_go(rule, clause, *record, on)) && !self.keeps_day(*record, on)
        })
    }
}

/// Whether a period in hours is over before the full hour after a run.
fn ends_before_the_next(record: Instant, clause: &Clause, run: Instant) -> bool {
    let hours = i64::from(clause.period.count());
    let (Ok(latest), Ok(next)) = (record.checked_add(hours.hours()), run.checked_add(1.hour())) else { return false };
    latest < next
}

/// Whether a row in days has one day's records gone by the sweeps up to another.
fn lets_day_go(rule: &Rule, clause: &Clause, record: Day, on: Day) -> bool {
    last_day(record, clause).is_some_and(|last| match rule.bound {
        Bound::By => last <= on || is_last_in_time(rule.sweep, record, last, on),
        Bound::At => last < on,
        Bound::Keep => false,
    })
}

/// Whether the last sweep that is in time for `last` has come by `on`, and the record was there for it.
fn is_last_in_time(sweep: Sweep, record: Day, last: Day, on: Day) -> bool {
    around(sweep, on).is_some_and(|(newest, next)| last < next && newest >= record)
}

/// The newest sweep that had come by a day, and the one after it; none for sweeps that come every day.
fn around(sweep: Sweep, on: Day) -> Option<(Day, Day)> {
    match sweep {
        Sweep::Hourly | Sweep::Daily => None,
        Sweep::Monthly => Some((on.first_of_month(), on.first_of_month().checked_add(1.month()).ok()?)),
        Sweep::Yearly => {
            let this_year = Day::new(on.year(), 1, 2).ok()?;
            let newest = if this_year <= on { this_year } else { this_year.checked_sub(1.year()).ok()? };
            Some((newest, newest.checked_add(1.year()).ok()?))
        }
    }
}

fn is_swept(sweep: Sweep, on: Day) -> bool {
    match sweep {
        Sweep::Hourly | Sweep::Daily => true,
        Sweep::Monthly => on.day() == 1,
        Sweep::Yearly => (on.month(), on.day()) == (1, 2),
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
