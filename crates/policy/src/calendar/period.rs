//! Periods: a count and a unit. Owns their text ("6 months") and their arithmetic; a bare number is no period. Hours are
//! elapsed time on instants; every other unit counts days in Europe/Stockholm.

use std::fmt;
use std::str::FromStr;

use gallra_model::time::{day_of, start_of};
use gallra_model::{Day, Instant};
use jiff::{SignedDuration, ToSpan};
use serde::{Serialize, Serializer};

use super::CalendarError;

/// A longer period than this count, in any unit, is a slip of the pen: no promise reaches a hundred years.
const MAX_COUNT: u16 = 1200;

/// The unit that a period counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Elapsed hours, whatever the clocks on the wall do.
    Hours,
    /// Calendar days.
    Days,
    /// Seven days.
    Weeks,
    /// Calendar months.
    Months,
    /// Calendar years.
    Years,
}

/// A period in calendar units; a count of zero is "at once", the event's own day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period {
    count: u16,
    unit: Unit,
}

impl Period {
    /// The period's last day, counted from an event whose own day is not counted.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] past the year 9999.
    pub fn last_day(self, event: Day) -> Result<Day, CalendarError> {
        let days = |count: i64| event.checked_add(count.days()).map_err(|_| CalendarError::OutOfRange);
        match self.unit {
            Unit::Hours => {
                let begins = start_of(event).map_err(|_| CalendarError::OutOfRange)?;
                self.elapsed_after(begins).map(day_of)
            }
            Unit::Days => days(i64::from(self.count)),
            Unit::Weeks => days(i64::from(self.count) * 7),
            Unit::Months => months_after(event, i32::from(self.count)),
            Unit::Years => months_after(event, i32::from(self.count) * 12),
        }
    }

    /// The instant at which a period in hours has passed since `begins`; other units count as days of 24 hours would not,
    /// so they are refused.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] past the year 9999, or for a period that is not in hours.
    pub fn elapsed_after(self, begins: Instant) -> Result<Instant, CalendarError> {
        match self.unit {
            Unit::Hours => begins
                .checked_add(SignedDuration::from_hours(i64::from(self.count)))
                .map_err(|_| CalendarError::OutOfRange),
            Unit::Days | Unit::Weeks | Unit::Months | Unit::Years => Err(CalendarError::OutOfRange),
        }
    }

    /// Whether it counts hours rather than days.
    pub fn is_in_hours(self) -> bool {
        self.unit == Unit::Hours
    }

    /// Whether it ends no later than `other` from every event. Months and years are compared as months, all else by the
    /// shortest and the longest that it can be.
    pub fn never_longer_than(self, other: Self) -> bool {
        match (self.months(), other.months(), self.days(), other.days()) {
            (Some(own), Some(other), ..) => own <= other,
            (.., Some(own), Some(other)) => own.1 <= other.0,
            _ => self.hours().1 <= other.hours().0,
        }
    }

    fn months(self) -> Option<u32> {
        match self.unit {
            Unit::Months => Some(u32::from(self.count)),
            Unit::Years => Some(u32::from(self.count) * 12),
            Unit::Hours | Unit::Days | Unit::Weeks => None,
        }
    }

    /// The fewest and the most days that it can be, where it counts days.
    fn days(self) -> Option<(u32, u32)> {
        let count = u32::from(self.count);
        match self.unit {
            Unit::Hours => None,
            Unit::Days => Some((count, count)),
            Unit::Weeks => Some((count * 7, count * 7)),
            // February takes two days from one month at most, and every other month has 30 or 31.
            Unit::Months => Some(((count * 30).saturating_sub(2), count * 31)),
            Unit::Years => Some((count * 365, count * 366)),
        }
    }

    /// The fewest and the most hours from an event to its end. Days end with a day, whenever in its own day the event was; and
    /// one of them may have an hour less or more.
    fn hours(self) -> (u32, u32) {
        match self.days() {
            None => (u32::from(self.count), u32::from(self.count)),
            Some((fewest, most)) => ((fewest * 24).saturating_sub(1), (most + 1) * 24 + 1),
        }
    }

    /// About how many hours: a month counts as 30 days, a year as 365. For comparing sizes, never for a date.
    pub fn nominal_hours(self) -> u32 {
        let hours = match self.unit {
            Unit::Hours => 1,
            Unit::Days => 24,
            Unit::Weeks => 7 * 24,
            Unit::Months => 30 * 24,
            Unit::Years => 365 * 24,
        };
        u32::from(self.count) * hours
    }

    /// How many.
    pub fn count(self) -> u16 {
        self.count
    }

    /// Of what.
    pub fn unit(self) -> Unit {
        self.unit
    }
}

fn months_after(event: Day, months: i32) -> Result<Day, CalendarError> {
    let counted = i32::from(event.year()) * 12 + i32::from(event.month()) - 1 + months;
    let year = i16::try_from(counted.div_euclid(12)).map_err(|_| CalendarError::OutOfRange)?;
    let month = i8::try_from(counted.rem_euclid(12) + 1).map_err(|_| CalendarError::OutOfRange)?;
    let first = Day::new(year, month, 1).map_err(|_| CalendarError::OutOfRange)?;
    Day::new(year, month, event.day().min(first.days_in_month())).map_err(|_| CalendarError::OutOfRange)
}

impl FromStr for Period {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "at once" {
            return Ok(Self { count: 0, unit: Unit::Days });
        }
        let (count, unit) = text.split_once(' ').ok_or(CalendarError::Period)?;
        if count.is_empty() || count.starts_with('0') || !count.bytes().all(|b| b.is_ascii_digit()) {
            return Err(CalendarError::Period);
        }
        let count: u16 = count.parse().map_err(|_| CalendarError::Period)?;
        let unit = match unit {
            "hour" | "hours" => Unit::Hours,
            "day" | "days" => Unit::Days,
            "week" | "weeks" => Unit::Weeks,
            "month" | "months" => Unit::Months,
            "year" | "years" => Unit::Years,
            _ => return Err(CalendarError::Period),
        };
        if count > MAX_COUNT { Err(CalendarError::Period) } else { Ok(Self { count, unit }) }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count == 0 {
            return f.write_str("at once");
        }
        let unit = match self.unit {
            Unit::Hours => "hour",
            Unit::Days => "day",
            Unit::Weeks => "week",
            Unit::Months => "month",
            Unit::Years => "year",
        };
        write!(f, "{} {unit}{}", self.count, if self.count == 1 { "" } else { "s" })
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_period_is_refused() {
        for bad in
            ["", "6", "months", "6  months", "06 months", "0 days", "-1 days", "+1 days", "1.5 years", "1201 days"]
        {
            assert_eq!(bad.parse::<Period>(), Err(CalendarError::Period), "{bad:?}");
        }
    }

    #[test]
    fn the_longest_period_is_one() {
        assert_eq!("1200 days".parse::<Period>().map(Period::count), Ok(1200));
    }

    #[test]
    fn the_shortest_and_the_longest_are_counted_in_hours() {
        for (text, hours) in [
            ("at once", (0, 25)),
            ("24 hours", (24, 24)),
            ("1 day", (23, 49)),
            ("2 weeks", (335, 361)),
            ("1 month", (28 * 24 - 1, 32 * 24 + 1)),
            ("12 months", (358 * 24 - 1, 373 * 24 + 1)),
            ("2 years", (730 * 24 - 1, 733 * 24 + 1)),
        ] {
            assert_eq!(text.parse().map(Period::hours), Ok(hours), "{text}");
        }
    }

    #[test]
    fn a_period_is_never_longer_where_no_event_makes_it_so() {
        let never_longer = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|text| text.parse::<Period>().expect("a period"));
            one.never_longer_than(other)
        };
        for (one, other) in [
            ("12 months", "1 year"),
            ("1 year", "12 months"),
            ("4 weeks", "28 days"),
            ("at once", "25 hours"),
            ("24 hours", "2 days"),
            ("23 hours", "1 day"),
            ("1 day", "49 hours"),
            ("27 days", "1 month"),
            ("28 days", "1 month"),
            ("4 weeks", "1 month"),
            ("1 month", "31 days"),
            ("1 year", "366 days"),
            ("365 days", "1 year"),
            ("at once", "at once"),
        ] {
            assert!(never_longer(one, other), "{one} against {other}");
        }
        for (one, other) in [
            ("29 days", "1 month"),
            ("1 month", "30 days"),
            ("29 days", "4 weeks"),
            ("13 months", "1 year"),
            ("24 hours", "1 day"),
            ("1 day", "48 hours"),
            ("at once", "24 hours"),
            ("1 year", "365 days"),
            ("366 days", "1 year"),
            ("1 hour", "at once"),
        ] {
            assert!(!never_longer(one, other), "{one} against {other}");
        }
    }

    #[test]
    fn hours_and_days_are_told_apart_by_records_of_every_hour() {
        let read = |text: &str| text.parse::<Period>().expect("a period");
        let ends = |period: Period, record: Instant| match period.unit {
            Unit::Hours => period.elapsed_after(record).expect("in range"),
            Unit::Days | Unit::Weeks | Unit::Months | Unit::Years => {
                let last = period.last_day(day_of(record)).expect("in range");
                start_of(last.tomorrow().expect("in range")).expect("in range")
            }
        };
        // Two years hold both kinds of February, and each change of the clocks twice.
        let first: Instant = "2023-01-01T00:00:00Z".parse().expect("a literal");
        let records: Vec<_> = (0..24 * 731).map(|hour| first + SignedDuration::from_hours(hour)).collect();
        let texts = [
            "at once",
            "1 day",
            "1 week",
            "1 month",
            "1 hour",
            "23 hours",
            "25 hours",
            "36 hours",
            "48 hours",
            "49 hours",
            "167 hours",
            "193 hours",
            "671 hours",
            "769 hours",
        ];
        for (one, other) in texts.iter().flat_map(|one| texts.iter().map(move |other| (read(one), read(other)))) {
            let longer = records.iter().any(|record| ends(one, *record) > ends(other, *record));
            assert!(!(longer && one.never_longer_than(other)), "{one} against {other}");
        }
    }

    #[test]
    fn sizes_are_about_right() {
        for (text, hours) in
            [("24 hours", 24), ("2 days", 48), ("1 week", 168), ("1 month", 720), ("2 years", 17_520), ("at once", 0)]
        {
            assert_eq!(text.parse::<Period>().expect("a period").nominal_hours(), hours, "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_a_period_never_panics(text in ".*") {
            let _ = text.parse::<Period>();
        }

        #[test]
        fn a_written_period_is_read_back(count in 1u16..=1200, unit in prop::sample::select(vec!["hours", "days", "weeks", "months", "years"])) {
            let period: Period = format!("{count} {unit}").parse().expect("a period");
            prop_assert_eq!(period.to_string().parse(), Ok(period));
        }

        #[test]
        fn months_and_years_agree_with_the_date_library(
            year in 1i16..=9000, month in 1i8..=12, day in 1i8..=31, count in 1u16..=1200, years in any::<bool>(),
        ) {
            let Ok(event) = Day::new(year, month, day) else { return Ok(()) };
            let unit = if years { Unit::Years } else { Unit::Months };
            let span = if years { i64::from(count).years() } else { i64::from(count).months() };
            let theirs = event.checked_add(span).map_err(|_| CalendarError::OutOfRange);
            prop_assert_eq!(Period { count, unit }.last_day(event), theirs);
        }
    }
}
