//! Instants (UTC) and days, read strictly from their one spelling. No clock, no time zone: days are compared as written.

use serde::{Deserialize, Serialize};

/// A point in time: `YYYY-MM-DDTHH:MM:SS[.fraction]Z`, the fraction without trailing zeros.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Instant {
    /// Nanoseconds since 1970; first, so that order is order in time.
    nanos: i128,
    text: String,
}

impl Instant {
    /// Whether this is later than the other by more than so many seconds.
    pub(crate) fn is_later_by(&self, other: &Self, seconds: i64) -> bool {
        self.nanos > other.nanos + i128::from(seconds) * 1_000_000_000
    }
}

impl std::fmt::Display for Instant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Instant {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let nanos = nanos(&text).ok_or("an instant is not written as YYYY-MM-DDTHH:MM:SSZ")?;
        Ok(Self { nanos, text })
    }
}

impl From<Instant> for String {
    fn from(instant: Instant) -> Self {
        instant.text
    }
}

fn nanos(text: &str) -> Option<i128> {
    let (day, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let day = Day::try_from(day.to_owned()).ok()?;
    let (clock, fraction) = clock.split_at_checked(8)?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = day.number() * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(i128::from(seconds) * 1_000_000_000 + i128::from(below_a_second(fraction)?))
}

/// `.5` is half a second: one to nine digits, the last of them not 0.
fn below_a_second(fraction: &str) -> Option<i64> {
    if fraction.is_empty() {
        return Some(0);
    }
    let digits = fraction.strip_prefix('.')?;
    if !(1..=9).contains(&digits.len()) || digits.ends_with('0') || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    format!("{digits:0<9}").parse().ok()
}

/// A calendar day, `YYYY-MM-DD`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Day {
    year: i64,
    month: i64,
    day: i64,
}

impl Day {
    /// The day before.
    pub(crate) fn before(&self) -> Self {
        let Self { year, month, day } = *self;
        match (month, day) {
            (1, 1) => Self { year: year - 1, month: 12, day: 31 },
            (_, 1) => Self { year, month: month - 1, day: length(year, month - 1) },
            _ => Self { year, month, day: day - 1 },
        }
    }

    /// Days since 1970-01-01, in the Gregorian calendar carried back.
    fn number(&self) -> i64 {
        // Years that begin in March put the leap day last, so that months have fixed offsets.
        let years = if self.month > 2 { self.year } else { self.year - 1 };
        let months = (self.month + 9) % 12;
        let leaps = years.div_euclid(4) - years.div_euclid(100) + years.div_euclid(400);
        365 * years + leaps + (153 * months + 2) / 5 + self.day - 1 - 719_468
    }
}

fn length(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl TryFrom<String> for Day {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const SHAPE: &str = "a day is not a calendar day written as YYYY-MM-DD";
        let [year, month, day] = numbers(&text, '-', [4, 2, 2]).ok_or(SHAPE)?;
        let good = (1..=12).contains(&month) && (1..=length(year, month)).contains(&day);
        if good { Ok(Self { year, month, day }) } else { Err(SHAPE) }
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

/// Three numbers of fixed widths with a separator between them.
fn numbers(text: &str, separator: char, widths: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut all = [0; 3];
    for (number, width) in all.iter_mut().zip(widths) {
        let part = parts.next().filter(|part| part.len() == width && part.bytes().all(|b| b.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    if parts.next().is_none() { Some(all) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::try_from(text.to_owned()).expect("a literal day")
    }

    #[test]
    fn days_are_counted_from_1970() {
        for (text, number) in [("1970-01-01", 0), ("1969-12-31", -1), ("2000-02-29", 11_016), ("2026-03-01", 20_513)] {
            assert_eq!(day(text).number(), number, "{text}");
        }
    }

    #[test]
    fn the_day_before_knows_months_and_leap_years() {
        for (text, before) in [("2034-01-01", "2033-12-31"), ("2028-03-01", "2028-02-29"), ("2026-03-01", "2026-02-28")]
        {
            assert_eq!(day(text).before().to_string(), before);
            assert_eq!(day(text).number() - 1, day(before).number());
        }
    }

    #[test]
    fn one_spelling_only() {
        for good in ["2026-02-28T23:59:59Z", "2026-02-28T00:00:00.000000001Z", "2026-02-28T00:00:00.5Z"] {
            assert!(Instant::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in [
            "",
            "Z",
            "T",
            "2026-02-29T00:00:00Z",
            "2026-02-28T24:00:00Z",
            "2026-02-28T00:00:60Z",
            "2026-02-28T00:00:00.50Z",
            "2026-02-28T00:00:00.Z",
            "2026-02-28T00:00:00+00:00",
            "2026-02-28t00:00:00Z",
            "2026-2-28T00:00:00Z",
            "+2026-02-28T00:00:00Z",
            "2026-02-28T00:00:0åZ",
        ] {
            assert!(Instant::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn order_is_order_in_time() {
        let at = |text: &str| Instant::try_from(text.to_owned()).expect("a literal instant");
        assert!(at("2026-01-01T00:00:00.5Z") > at("2026-01-01T00:00:00Z"));
        assert!(at("2026-01-01T00:10:01Z").is_later_by(&at("2026-01-01T00:00:00Z"), 600));
        assert!(!at("2026-01-01T00:10:00Z").is_later_by(&at("2026-01-01T00:00:00Z"), 600));
    }
}
