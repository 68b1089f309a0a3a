//! Periods: a count and a calendar unit. Owns their text ("6 months") and their arithmetic; a bare number is no period.

use std::fmt;
use std::str::FromStr;

use gallra_model::Day;
use jiff::ToSpan;
use serde::{Serialize, Serializer};

use super::CalendarError;

/// A longer period than this count, in any unit, is a slip of the pen: no promise reaches a hundred years.
const MAX_COUNT: u16 = 1200;

/// The unit that a period counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
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
            Unit::Days => days(i64::from(self.count)),
            Unit::Weeks => days(i64::from(self.count) * 7),
            Unit::Months => months_after(event, i32::from(self.count)),
            Unit::Years => months_after(event, i32::from(self.count) * 12),
        }
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

    proptest! {
        #[test]
        fn reading_a_period_never_panics(text in ".*") {
            let _ = text.parse::<Period>();
        }

        #[test]
        fn a_written_period_is_read_back(count in 1u16..=1200, unit in prop::sample::select(vec!["days", "weeks", "months", "years"])) {
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
