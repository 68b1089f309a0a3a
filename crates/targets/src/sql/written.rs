//! When a row was made, as its time column says it. Owns what reads as a time and what does not: the way it is written is
//! declared and never guessed. Refuses to know tables and sessions. Upholds I1 for ages: of what a value can mean the latest
//! instant counts, so that nothing goes that could be younger than was promised.

use gallra_model::time::start_of;
use gallra_model::{Day, Instant};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan as _};
use serde::Deserialize;

use super::engine::Value;

/// A row cannot have been made later than now; two days for clocks and for the rest of a local day.
const AHEAD: SignedDuration = SignedDuration::from_hours(48);

/// How a time column is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Written {
    /// A text in UTC: `2026-03-01T03:00:00Z`; also with a space, a fraction of up to nine digits, `+00:00`, or no zone at all.
    UtcText,
    /// A whole number of seconds since 1970, UTC.
    UnixSeconds,
    /// A text `2026-03-01`, a day in Europe/Stockholm.
    LocalDate,
}

impl Written {
    /// The latest instant that a value can mean; `None` where it is not written so, is not after the first second of 1970
    /// (a time that was never set), or lies in the future: then nobody can say how old the row is.
    pub(super) fn latest(self, value: &Value, now: Instant) -> Option<Instant> {
        let latest = match (self, value) {
            (Self::UtcText, Value::Text(bytes)) => utc_text(std::str::from_utf8(bytes).ok()?),
            (Self::UnixSeconds, Value::Integer(seconds)) => Instant::from_second(*seconds).ok(),
            (Self::LocalDate, Value::Text(bytes)) => local_date(std::str::from_utf8(bytes).ok()?),
            (
                Self::UtcText | Self::UnixSeconds | Self::LocalDate,
                Value::Null | Value::Integer(_) | Value::Real(_) | Value::Text(_) | Value::Blob(_),
            ) => None,
        }?;
        let newest = now.checked_add(AHEAD).unwrap_or(Instant::MAX);
        (latest.as_second() > 0 && latest <= newest).then_some(latest)
    }
}

fn utc_text(text: &str) -> Option<Instant> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', ' '])?;
    let (time, rest) = rest.split_at_checked(8)?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let rest = rest.strip_suffix('Z').or_else(|| rest.strip_suffix("+00:00")).unwrap_or(rest);
    let nanosecond = match rest.strip_prefix('.') {
        None if rest.is_empty() => 0,
        None => return None,
        Some(digits) => fraction(digits)?,
    };
    let day = day(date)?;
    let small = |number: i32| i8::try_from(number).ok();
    let (year, month, day) = (day.year(), day.month(), day.day());
    let civil = DateTime::new(year, month, day, small(hour)?, small(minute)?, small(second)?, nanosecond).ok()?;
    TimeZone::UTC.to_timestamp(civil).ok()
}

/// One to nine digits after the point, in nanoseconds.
fn fraction(digits: &str) -> Option<i32> {
    let plain = (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| format!("{digits:0<9}").parse().ok()).flatten()
}

fn local_date(text: &str) -> Option<Instant> {
    let day = day(text).filter(|day| *day > jiff::civil::date(1970, 1, 1))?;
    start_of(day.tomorrow().ok()?).ok()?.checked_sub(1.nanosecond()).ok()
}

fn day(text: &str) -> Option<Day> {
    let [year, month, day] = numbers(text, '-', [4, 2, 2])?;
    Day::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Three numbers of so many ASCII digits each, and nothing else.
fn numbers(text: &str, between: char, widths: [usize; 3]) -> Option<[i32; 3]> {
    let mut parts = text.split(between);
    let mut read = [0; 3];
    for (number, width) in read.iter_mut().zip(widths) {
        let part = parts.next()?;
        let plain = part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = part.parse().ok().filter(|_| plain)?;
    }
    parts.next().is_none().then_some(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::now;

    fn text(written: Written, text: &str) -> Option<String> {
        written.latest(&Value::Text(text.as_bytes().to_vec()), now()).map(|instant| instant.to_string())
    }

    #[test]
    fn texts_in_utc_read_and_nothing_near_them() {
        for (good, means) in [
            ("2026-02-01T03:04:05Z", "2026-02-01T03:04:05Z"),
            ("2026-02-01 03:04:05", "2026-02-01T03:04:05Z"),
            ("2026-02-01T03:04:05.25+00:00", "2026-02-01T03:04:05.25Z"),
            ("2026-02-01 03:04:05.123456789Z", "2026-02-01T03:04:05.123456789Z"),
        ] {
            assert_eq!(text(Written::UtcText, good).as_deref(), Some(means), "{good}");
        }
        for bad in [
            "",
            "2026-02-01",
            "2026-02-30T03:04:05Z",
            "2026-02-01T24:00:00Z",
            "2026-02-01T03:04:60Z",
            "2026-02-01T03:04:05+01:00",
            "2026-02-01T03:04:05-00:00",
            "2026-02-01T03:04:05.Z",
            "2026-02-01T03:04:05.1234567890Z",
            "2026-02-01T03:04:05ZZ",
            " 2026-02-01T03:04:05Z",
            "2026-02-01t03:04:05Z",
            "+026-02-01T03:04:05Z",
            "2026-02-01T03:04:05Z\0x",
            "1970-01-01T00:00:00Z",
            "0000-00-00 00:00:00",
            "9999-12-31T23:59:59Z",
            "2026-03-03T03:00:01Z",
            "åååååååååå",
        ] {
            assert_eq!(text(Written::UtcText, bad), None, "{bad}");
        }
        assert!(text(Written::UtcText, "2026-03-03T03:00:00Z").is_some(), "two days ahead");
    }

    #[test]
    fn a_local_date_is_as_young_as_its_last_moment() {
        assert_eq!(text(Written::LocalDate, "2026-01-31").as_deref(), Some("2026-01-31T22:59:59.999999999Z"));
        assert_eq!(text(Written::LocalDate, "2025-07-01").as_deref(), Some("2025-07-01T21:59:59.999999999Z"));
        for bad in ["2026-02-29", "2026-1-31", "1970-01-01", "2026-01-31 ", "9999-12-31", "20260131"] {
            assert_eq!(text(Written::LocalDate, bad), None, "{bad}");
        }
    }

    #[test]
    fn seconds_are_whole_numbers_of_a_believable_size() {
        let seconds = |value| Written::UnixSeconds.latest(&value, now()).map(Instant::as_second);
        assert_eq!(seconds(Value::Integer(1_700_000_000)), Some(1_700_000_000));
        let odd = [
            Value::Integer(0),
            Value::Integer(-5),
            Value::Integer(i64::MAX),
            // Thousandths of a second in the wrong column.
            Value::Integer(1_700_000_000_000),
            Value::Real(1_700_000_000.0),
            Value::Text(b"1700000000".to_vec()),
            Value::Null,
        ];
        assert!(odd.into_iter().all(|value| seconds(value).is_none()));
    }
}
