//! Dates as people write them: real days, instants, ends of financial years. Owns the strict reading (one form each,
//! nothing guessed), so that a mistyped date can never be taken for another day.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use gallra_model::time::{day_of, start_of};
use gallra_model::{Day, Instant};
use serde::{Serialize, Serializer};

use super::CalendarError;

/// Reads a day written `YYYY-MM-DD`, in the years 1 to 9999.
///
/// # Errors
/// [`CalendarError::Day`] for every other form and for days that no calendar has.
pub fn parse_day(text: &str) -> Result<Day, CalendarError> {
    let (year, rest) = text.split_once('-').ok_or(CalendarError::Day)?;
    let (month, day) = rest.split_once('-').ok_or(CalendarError::Day)?;
    let number = |part: &str, digits: usize| match part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()) {
        true => part.parse::<i16>().map_err(|_| CalendarError::Day),
        false => Err(CalendarError::Day),
    };
    let small = |part: &str| i8::try_from(number(part, 2)?).map_err(|_| CalendarError::Day);
    let year = number(year, 4)?;
    if year < 1 {
        return Err(CalendarError::Day);
    }
    Day::new(year, small(month)?, small(day)?).map_err(|_| CalendarError::Day)
}

/// A day, or an instant where a record's own time is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A day in Europe/Stockholm.
    Day(Day),
    /// An instant, UTC.
    Instant(Instant),
}

impl Moment {
    /// When it begins, UTC: for a day, its 00:00 in Europe/Stockholm.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] outside what an instant can express.
    pub fn begins(self) -> Result<Instant, CalendarError> {
        match self {
            Self::Day(day) => start_of(day).map_err(|_| CalendarError::OutOfRange),
            Self::Instant(instant) => Ok(instant),
        }
    }

    /// Orders last moments: a whole day ends after every instant in it.
    pub fn by_end(self, other: Self) -> Ordering {
        let key = |moment: Self| match moment {
            Self::Day(day) => (day, Instant::MAX),
            Self::Instant(instant) => (day_of(instant), instant),
        };
        key(self).cmp(&key(other))
    }

    /// Orders first moments: a whole day begins before every other instant in it.
    pub fn by_begin(self, other: Self) -> Ordering {
        let key = |moment: Self| match moment {
            Self::Day(day) => (day, Instant::MIN),
            Self::Instant(instant) => (day_of(instant), instant),
        };
        key(self).cmp(&key(other))
    }

    /// The day in Europe/Stockholm that it falls on.
    pub fn day(self) -> Day {
        match self {
            Self::Day(day) => day,
            Self::Instant(instant) => day_of(instant),
        }
    }
}

impl FromStr for Moment {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(day) = parse_day(text) {
            return Ok(Self::Day(day));
        }
        // The form is checked first: the library's reader is laxer about it.
        let (date, time) = text.split_once('T').ok_or(CalendarError::Moment)?;
        parse_day(date).map_err(|_| CalendarError::Moment)?;
        if !is_clock_time(time) {
            return Err(CalendarError::Moment);
        }
        text.parse().map(Self::Instant).map_err(|_| CalendarError::Moment)
    }
}

/// RFC 3339's time of day with its offset: no leap second, which no clock of a log shows, and no zone by name.
fn is_clock_time(text: &str) -> bool {
    let (time, offset) = match text.split_at_checked(text.find(['Z', '+', '-']).unwrap_or(text.len())) {
        Some((time, "Z")) => (time, "+00:00"),
        Some(parts) => parts,
        None => return false,
    };
    let (whole, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let below = |text: &str, bound: u8| text.parse::<u8>().is_ok_and(|number| number < bound);
    let all = |text: &str, bounds: &[u8]| {
        let parts: Vec<_> = text.split(':').collect();
        parts.len() == bounds.len() && parts.iter().zip(bounds).all(|(part, bound)| below(part, *bound))
    };
    let signed = offset.strip_prefix(['+', '-']).is_some_and(|offset| all(offset, &[24, 60]));
    all(whole, &[24, 60, 60]) && fraction.len() <= 9 && digits(fraction) && signed
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => day.fmt(f),
            Self::Instant(instant) => instant.fmt(f),
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The day of the year on which a financial year ends. The last of February is one end, whichever date it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct YearEnd {
    month: i8,
    day: i8,
}

impl YearEnd {
    /// 31 December: the financial year is the calendar year.
    pub const CALENDAR_YEAR: Self = Self { month: 12, day: 31 };

    /// The date of a day, as an end; the last of February is the last of February.
    pub fn of(day: Day) -> Self {
        let february = day.month() == 2 && day.day() >= 28;
        Self { month: day.month(), day: if february { 29 } else { day.day() } }
    }

    /// The end of the financial year that a day falls in: the day itself, or the next end after it.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] past the year 9999.
    pub fn of_year_holding(self, day: Day) -> Result<Day, CalendarError> {
        let same_year = self.in_year(day.year())?;
        if day <= same_year {
            return Ok(same_year);
        }
        self.in_year(day.year().checked_add(1).ok_or(CalendarError::OutOfRange)?)
    }

    fn in_year(self, year: i16) -> Result<Day, CalendarError> {
        let first = Day::new(year, self.month, 1).map_err(|_| CalendarError::OutOfRange)?;
        let day = if (self.month, self.day) == (2, 29) { first.days_in_month() } else { self.day };
        Day::new(year, self.month, day).map_err(|_| CalendarError::OutOfRange)
    }
}

impl Default for YearEnd {
    fn default() -> Self {
        Self::CALENDAR_YEAR
    }
}

impl FromStr for YearEnd {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Read in a leap year, so that 02-29 is real.
        let day = parse_day(&format!("2028-{text}")).map_err(|_| CalendarError::YearEnd)?;
        Ok(Self::of(day))
    }
}

impl fmt::Display for YearEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}-{:02}", self.month, self.day)
    }
}

impl Serialize for YearEnd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_real_days_in_one_form_are_read() {
        assert_eq!(parse_day("2028-02-29"), Ok(date(2028, 2, 29)));
        for bad in [
            "2026-02-29",
            "2026-02-30",
            "2026-13-01",
            "2026-1-31",
            "20260131",
            "26-01-31",
            "0000-01-01",
            " 2026-01-31",
            "2026-01-31T00:00",
            "+2026-01-31",
            "2026-+1-31",
            "2026-01-+1",
            "",
        ] {
            assert_eq!(parse_day(bad), Err(CalendarError::Day), "{bad:?}");
        }
    }

    #[test]
    fn an_instant_falls_on_its_day_in_stockholm() {
        let late: Moment = "2026-01-31T23:30:00Z".parse().expect("an instant");
        assert_eq!(late.day(), date(2026, 2, 1));
        assert_eq!(late.to_string(), "2026-01-31T23:30:00Z");
        assert_eq!("2026-01-31T23:30:00".parse::<Moment>(), Err(CalendarError::Moment), "no offset, no instant");
    }

    #[test]
    fn instants_have_the_form_of_rfc_3339_and_no_other() {
        let read = |time: &str| format!("2026-01-31T{time}").parse::<Moment>().map(|moment| moment.to_string());
        for (time, instant) in [
            ("10:00:00Z", "2026-01-31T10:00:00Z"),
            ("23:59:59.123456789+00:00", "2026-01-31T23:59:59.123456789Z"),
            ("00:30:00+23:59", "2026-01-30T00:31:00Z"),
            ("10:00:00-01:30", "2026-01-31T11:30:00Z"),
        ] {
            assert_eq!(read(time).as_deref(), Ok(instant));
        }
        for time in [
            "",
            "Z",
            "10:00:00",
            "10:00:00z",
            "10:00Z",
            "24:00:00Z",
            "23:60:00Z",
            "23:59:60Z",
            "1:00:00Z",
            "+1:00:00Z",
            "10:00:00.Z",
            "10:00:00.1234567890Z",
            "10:00:00.xZ",
            "10:00:00+24:00",
            "10:00:00+25:00",
            "10:00:00+05:60",
            "10:00:00+05",
            "10:00:00+0500",
            "10:00:00+05:00[Europe/Stockholm]",
            "10:00:00Z[UTC]",
            "10:00:00+05:00:00",
        ] {
            assert_eq!(read(time), Err(CalendarError::Moment), "{time}");
        }
    }

    #[test]
    fn a_day_outlasts_its_instants_and_begins_before_them() {
        let moment = |text: &str| text.parse::<Moment>().expect("a moment");
        let (day, early, late) = (moment("2026-03-29"), moment("2026-03-28T23:00:00Z"), moment("2026-03-29T21:59:59Z"));
        assert_eq!(early.begins(), day.begins(), "00:00 local, the day on which the clock goes forward");
        for instant in [early, late] {
            assert_eq!(day.by_end(instant), Ordering::Greater);
            assert_eq!(day.by_begin(instant), Ordering::Less);
        }
        assert_eq!(early.by_end(late), Ordering::Less);
        assert_eq!(late.by_begin(early), Ordering::Greater);
        assert_eq!(moment("2026-03-28").by_end(early), Ordering::Less);
        assert_eq!(day.by_end(day), Ordering::Equal);
    }

    #[test]
    fn the_last_of_february_is_one_end() {
        let ends = ["02-28", "02-29"].map(|text| text.parse::<YearEnd>().expect("an end"));
        for end in ends {
            assert_eq!(end.of_year_holding(date(2027, 3, 1)), Ok(date(2028, 2, 29)));
            assert_eq!(end.of_year_holding(date(2027, 2, 28)), Ok(date(2027, 2, 28)));
        }
        assert_eq!("02-30".parse::<YearEnd>(), Err(CalendarError::YearEnd));
        assert_eq!("04-31".parse::<YearEnd>(), Err(CalendarError::YearEnd));
    }

    #[test]
    fn a_day_falls_in_the_financial_year_that_ends_next() {
        let june: YearEnd = "06-30".parse().expect("an end");
        assert_eq!(june.of_year_holding(date(2026, 6, 30)), Ok(date(2026, 6, 30)));
        assert_eq!(june.of_year_holding(date(2026, 7, 1)), Ok(date(2027, 6, 30)));
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in ".*") {
            let _ = parse_day(&text);
            let _ = text.parse::<Moment>();
            let _ = text.parse::<YearEnd>();
        }

        #[test]
        fn a_day_that_is_read_is_written_the_same(year in 0i16..=9999, month in 0u8..=13, day in 0u8..=32) {
            let text = format!("{year:04}-{month:02}-{day:02}");
            if let Ok(read) = parse_day(&text) {
                prop_assert_eq!(read.to_string(), text);
            }
        }
    }
}
