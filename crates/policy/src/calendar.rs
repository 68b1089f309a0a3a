//! Calendar arithmetic: Regulation (EEC, Euratom) 1182/71 Art. 3 on days in Europe/Stockholm, sweeps, financial years.
//! Owns how a period's last day is found; refuses to move it off a holiday (retention periods do not move; answers do). Its
//! arithmetic is its own on purpose: the planner's checker uses the date library's, and the two are compared.

mod financial;
mod holiday;
mod period;
mod text;
mod window;

pub use financial::{ChangedYear, FinancialYears, YearProblem};
pub use holiday::{AnswerDays, answer_days, is_eve, is_public_holiday};
pub use period::{Period, Unit};
pub use text::{Moment, YearEnd, parse_day};
pub use window::{DAILY_SWEEP_HOUR, RunWindow, TimeOfDay, daily_sweep};

use gallra_model::time::{day_of, start_of};
use gallra_model::{Day, Instant};

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
    #[error(
        "not a period: write 'at once' or a number (1 to 1200) and hours, days, weeks, months or years, as '6 months'"
    )]
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
        Until::MonthEnd => Ok(day.last_of_month()),
        Until::WorkingDay => answer_days(day).map(|days| days.latest),
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

/// The last hourly sweep, at :00, at or after `from` and at or before `latest`; where none falls inside, a run of its own at
/// `latest`. Zones that are whole hours off UTC, as Stockholm's is since 1900, have :00 at the same instants.
pub fn last_hour(from: Instant, latest: Instant) -> Instant {
    let since = latest.as_second().rem_euclid(3600);
    let hour = Instant::from_second(latest.as_second() - since).unwrap_or(latest);
    if hour >= from { hour } else { latest }
}

/// The last run of a sweep on or after `from` and on or before `latest`; where none falls inside, a run of its own on
/// `latest`. An hourly sweep runs every day.
pub fn last_run(sweep: Sweep, from: Day, latest: Day) -> Day {
    let regular = match sweep {
        Sweep::Hourly | Sweep::Daily => Some(latest),
        Sweep::Monthly => Some(latest.first_of_month()),
        Sweep::Yearly => yearly_at_or_before(latest),
    };
    match regular {
        Some(day) if day >= from => day,
        Some(_) | None => latest,
    }
}

/// For a period in hours and a record from the end of a day: the day of the last daily sweep that is in time for it, and the last day
/// on which it may be there.
///
/// # Errors
/// [`CalendarError::OutOfRange`] past the year 9999, or for a period that is not in hours.
pub fn in_time(newest: Day, period: Period) -> Result<(Day, Day), CalendarError> {
    let begins = |day: Day| start_of(day).map_err(|_| CalendarError::OutOfRange);
    let gone = period.elapsed_after(begins(day_after(newest)?)?)?;
    let day = day_of(gone);
    let before = day.yesterday().map_err(|_| CalendarError::OutOfRange)?;
    let latest = if begins(day)? < gone { day } else { before };
    Ok((if daily_sweep(day)? <= gone { day } else { before }, latest))
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
    fn a_period_runs_to_the_end_of_the_month_or_to_a_day_somebody_works() {
        let month = "1 month".parse().expect("a period");
        assert_eq!(last_day(date(2026, 1, 31), month, Until::MonthEnd), Ok(date(2026, 2, 28)));
        assert_eq!(last_day(date(2026, 3, 1), month, Until::MonthEnd), Ok(date(2026, 4, 30)));
        assert_eq!(last_day(date(2026, 11, 25), month, Until::WorkingDay), Ok(date(2026, 12, 28)));
    }

    #[test]
    fn hours_are_elapsed_time_and_swept_at_full_hours() {
        let day: Period = "24 hours".parse().expect("a period");
        let at = |text: &str| text.parse::<Instant>().expect("an instant");
        // The day on which the clock goes forward has 23 hours, and 24 hours are 24 all the same.
        assert_eq!(day.elapsed_after(at("2026-03-28T22:30:00Z")), Ok(at("2026-03-29T22:30:00Z")));
        assert_eq!(day.last_day(date(2026, 3, 29)), Ok(date(2026, 3, 30)));
        assert_eq!(day.last_day(date(2026, 10, 25)), Ok(date(2026, 10, 25)));
        assert_eq!(
            "1 day".parse::<Period>().expect("a period").elapsed_after(at("2026-03-28T22:30:00Z")),
            Err(CalendarError::OutOfRange)
        );
        let latest = at("2026-03-29T22:30:00Z");
        assert_eq!(last_hour(at("2026-03-28T22:30:00Z"), latest), at("2026-03-29T22:00:00Z"));
        assert_eq!(last_hour(at("2026-03-29T22:00:00Z"), latest), at("2026-03-29T22:00:00Z"));
        assert_eq!(last_hour(at("2026-03-29T22:00:01Z"), latest), latest);
        assert_eq!(last_hour(at("1960-01-01T00:00:00Z"), at("1960-01-01T00:59:59Z")), at("1960-01-01T00:00:00Z"));
    }

    #[test]
    fn what_is_never_longer_is_not_longer_from_any_day() {
        let texts = [
            "at once",
            "27 days",
            "4 weeks",
            "30 days",
            "1 month",
            "2 months",
            "61 days",
            "12 months",
            "1 year",
            "366 days",
            "7 years",
        ];
        for (one, other) in texts.iter().flat_map(|one| texts.iter().map(move |other| (one, other))) {
            let [period, bound]: [Period; 2] = [one, other].map(|text| text.parse().expect("a period"));
            let mut days = date(2023, 1, 1).series(jiff::Span::new().days(1)).take(1500);
            let longer = days.any(|day| after(day, one) > after(day, other));
            assert!(!(longer && period.never_longer_than(bound)), "{one} against {other}");
        }
    }

    #[test]
    fn a_record_from_the_end_of_a_day_is_swept_in_time() {
        let of = |newest: Day, period: &str| in_time(newest, period.parse().expect("a period"));
        let january = date(2026, 1, 31);
        for (newest, period, planned, latest) in [
            (january, "12 hours", date(2026, 2, 1), date(2026, 2, 1)),
            (january, "24 hours", date(2026, 2, 1), date(2026, 2, 1)),
            (january, "25 hours", date(2026, 2, 1), date(2026, 2, 2)),
            (january, "27 hours", date(2026, 2, 2), date(2026, 2, 2)),
            (january, "48 hours", date(2026, 2, 2), date(2026, 2, 2)),
            // A day of 25 hours after the newest's, and as the newest's.
            (date(2026, 10, 24), "24 hours", date(2026, 10, 25), date(2026, 10, 25)),
            (date(2026, 10, 25), "24 hours", date(2026, 10, 26), date(2026, 10, 26)),
        ] {
            assert_eq!(of(newest, period), Ok((planned, latest)), "{period} after {newest}");
        }
        assert_eq!(of(january, "1 day"), Err(CalendarError::OutOfRange));
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
