//! Calendar arithmetic: Regulation (EEC, Euratom) 1182/71 Art. 3 on days in Europe/Stockholm, sweeps, financial years.
//! Owns how a period's last day is found; refuses to move it off a holiday (retention periods do not move). Its
//! arithmetic is its own on purpose: the planner's checker uses the date library's, and the two are compared.

mod period;
mod text;
mod window;

pub use period::{Period, Unit};
pub use text::{Moment, YearEnd, parse_day};
pub use window::{DAILY_SWEEP_HOUR, RunWindow, TimeOfDay, daily_sweep};

use gallra_model::Day;

use crate::word::{Sweep, Until};

/// Why a date could not be found or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// Past the year 9999.
    #[error("the date lies outside the calendar's years 1 to 9999: give an earlier anchor or a shorter period")]
    OutOfRange,
    /// No real date.
    #[error("not a real calendar date: write YYYY-MM-DD, for example 2026-01-31")]
    Day,
    /// Neither a real date nor an instant.
    #[error(
        "neither a real calendar date nor an instant: write YYYY-MM-DD or an instant with its offset, for example \
         2026-03-29T22:30:00Z"
    )]
    Moment,
    /// No end of a financial year.
    #[error("not the end of a financial year: write MM-DD, for example 12-31 or 06-30")]
    YearEnd,
    /// No period.
    #[error("not a period: write 'at once' or a number (1 to 1200) and days, weeks, months or years, as '6 months'")]
    Period,
    /// No window.
    #[error("not a window: 'opens' before 'closes', both HH:MM up to 24:00, and clear of 02:00 to 03:00")]
    Window,
}

/// The last day of `period` counted from `event`, moved as `until` says. The event's own day is not counted; months
/// and years end on the day with the same date or, where the month has none, on its last day.
///
/// # Errors
/// [`CalendarError::OutOfRange`] past the year 9999.
pub fn last_day(event: Day, period: Period, until: Until) -> Result<Day, CalendarError> {
    let day = period.last_day(event)?;
    match until {
        Until::Exact => Ok(day),
        Until::YearEnd => Day::new(day.year(), 12, 31).map_err(|_| CalendarError::OutOfRange),
    }
}

/// The day after.
///
/// # Errors
/// [`CalendarError::OutOfRange`] past the year 9999.
pub fn day_after(day: Day) -> Result<Day, CalendarError> {
    day.tomorrow().map_err(|_| CalendarError::OutOfRange)
}

/// The last run of a sweep on or after `from` and on or before `latest`; where none falls inside, a run of its own on
/// `latest`.
pub fn last_run(sweep: Sweep, from: Day, latest: Day) -> Day {
    let regular = match sweep {
        Sweep::Daily => Some(latest),
        Sweep::Monthly => Some(latest.first_of_month()),
        Sweep::Yearly => yearly_at_or_before(latest),
    };
    match regular {
        Some(day) if day >= from => day,
        Some(_) | None => latest,
    }
}

fn yearly_at_or_before(latest: Day) -> Option<Day> {
    let this_year = Day::new(latest.year(), 1, 2).ok()?;
    if this_year <= latest { Some(this_year) } else { Day::new(latest.year().checked_sub(1)?, 1, 2).ok() }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn after(event: Day, period: &str) -> Day {
        last_day(event, period.parse().expect("a period"), Until::Exact).expect("in range")
    }

    #[test]
    fn months_end_on_the_same_date_or_the_months_last_day() {
        assert_eq!(after(date(2026, 1, 31), "1 month"), date(2026, 2, 28));
        assert_eq!(after(date(2028, 1, 31), "1 month"), date(2028, 2, 29));
        assert_eq!(after(date(2026, 2, 28), "1 month"), date(2026, 3, 28));
        assert_eq!(after(date(2026, 8, 31), "6 months"), date(2027, 2, 28));
        assert_eq!(after(date(2024, 2, 29), "7 years"), date(2031, 2, 28));
        assert_eq!(after(date(2026, 12, 31), "12 months"), date(2027, 12, 31));
    }

    #[test]
    fn the_events_own_day_is_not_counted() {
        assert_eq!(after(date(2026, 1, 31), "30 days"), date(2026, 3, 2));
        assert_eq!(after(date(2026, 1, 1), "4 weeks"), date(2026, 1, 29));
        assert_eq!(after(date(2026, 1, 1), "at once"), date(2026, 1, 1));
    }

    #[test]
    fn bookkeeping_counts_from_the_end_of_the_calendar_year() {
        for year_end in [date(2025, 6, 30), date(2025, 12, 31)] {
            let kept_through = last_day(year_end, "7 years".parse().expect("a period"), Until::YearEnd);
            assert_eq!(kept_through, Ok(date(2032, 12, 31)));
        }
    }

    #[test]
    fn past_the_calendar_is_an_error() {
        let event = date(9995, 1, 1);
        assert_eq!(last_day(event, "7 years".parse().expect("a period"), Until::Exact), Err(CalendarError::OutOfRange));
        assert_eq!(day_after(date(9999, 12, 31)), Err(CalendarError::OutOfRange));
    }

    #[test]
    fn a_sweep_before_the_anchor_does_not_count() {
        let latest = date(2026, 3, 15);
        assert_eq!(last_run(Sweep::Daily, date(2026, 3, 1), latest), latest);
        assert_eq!(last_run(Sweep::Monthly, date(2026, 2, 15), latest), date(2026, 3, 1));
        assert_eq!(last_run(Sweep::Monthly, date(2026, 3, 2), latest), latest);
        assert_eq!(last_run(Sweep::Yearly, date(2025, 3, 15), latest), date(2026, 1, 2));
        assert_eq!(last_run(Sweep::Yearly, date(2025, 1, 1), date(2026, 1, 1)), date(2025, 1, 2));
        assert_eq!(last_run(Sweep::Yearly, date(2026, 1, 3), latest), latest);
    }
}
