//! From text fields to typed values; every failure is an `INVALID_ARGUMENT` that names the field and what it expects,
//! and never quotes what was sent, which may be personal data.

use std::fmt::Display;
use std::str::FromStr;

use gallra_model::time::start_of;
use gallra_model::{Day, Instant};
use tonic::Status;

use crate::details::invalid;

/// Parses a field through its type's own `FromStr`.
///
/// # Errors
/// `INVALID_ARGUMENT`.
pub fn field<T>(name: &str, text: &str) -> Result<T, Status>
where
    T: FromStr,
    T::Err: Display,
{
    text.parse().map_err(|error: T::Err| invalid(name, error))
}

/// Parses a day, `YYYY-MM-DD`.
///
/// # Errors
/// `INVALID_ARGUMENT`.
pub fn day(name: &str, text: &str) -> Result<Day, Status> {
    let shaped = text.len() == 10 && text.bytes().enumerate().all(|(at, b)| (b == b'-') == (at == 4 || at == 7));
    let wrong = || invalid(name, "expected a calendar day, YYYY-MM-DD");
    if !shaped {
        return Err(wrong());
    }
    // As a policy reads it: the year 0 is in no calendar that a contract is dated by.
    text.parse().ok().filter(|day: &Day| day.year() >= 1).ok_or_else(wrong)
}

/// Parses a day that may be empty.
///
/// # Errors
/// `INVALID_ARGUMENT`.
pub fn optional_day(name: &str, text: &str) -> Result<Option<Day>, Status> {
    if text.is_empty() { Ok(None) } else { day(name, text).map(Some) }
}

/// Parses an instant, RFC 3339.
///
/// # Errors
/// `INVALID_ARGUMENT`.
pub fn instant(name: &str, text: &str) -> Result<Instant, Status> {
    text.parse().map_err(|_| invalid(name, "expected an instant, RFC 3339 in UTC"))
}

/// Parses an instant, or a day as the instant in which it begins in Stockholm.
///
/// # Errors
/// `INVALID_ARGUMENT`.
pub fn beginning(name: &str, text: &str) -> Result<Instant, Status> {
    instant_or_day(name, text, Some)
}

/// Parses an instant, or a day as the instant in which it is over in Stockholm.
///
/// # Errors
/// `INVALID_ARGUMENT`.
pub fn end(name: &str, text: &str) -> Result<Instant, Status> {
    instant_or_day(name, text, |day| day.tomorrow().ok())
}

fn instant_or_day(name: &str, text: &str, of: impl FnOnce(Day) -> Option<Day>) -> Result<Instant, Status> {
    let wrong = || invalid(name, "expected an instant, RFC 3339 in UTC, or a day, YYYY-MM-DD");
    if let Ok(day) = day(name, text) {
        return of(day).and_then(|day| start_of(day).ok()).ok_or_else(wrong);
    }
    text.parse().map_err(|_| wrong())
}

/// A message field that must be set.
///
/// # Errors
/// `INVALID_ARGUMENT`.
pub fn required<T>(name: &str, value: Option<T>) -> Result<T, Status> {
    value.ok_or_else(|| invalid(name, "must be set"))
}

/// The text of something that may be missing: empty when it is.
pub fn text_or_empty<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_whole_local_day_and_an_instant_is_itself() {
        let at = |text: &str| text.parse::<Instant>().expect("a literal");
        assert_eq!(beginning("from", "2026-01-31").expect("reads"), at("2026-01-30T23:00:00Z"));
        assert_eq!(end("until", "2026-01-31").expect("reads"), at("2026-01-31T23:00:00Z"));
        // 23 hours: summer time begins.
        assert_eq!(end("until", "2026-03-29").expect("reads"), at("2026-03-29T22:00:00Z"));
        for read in [beginning, end] {
            assert_eq!(read("at", "2026-01-31T10:00:00Z").expect("reads"), at("2026-01-31T10:00:00Z"));
            for bad in ["", "2026-02-29", "2026-01-31T10:00:00", "20260131", "10:00", "9999-12-31T24:00"] {
                assert!(read("at", bad).is_err(), "{bad}");
            }
        }
    }

    #[test]
    fn days_are_strict() {
        assert!(day("ended", "2026-02-28").is_ok());
        for bad in ["", "2026-02-29", "2026-2-28", "20260228", "2026-02-28T00:00", "2026-13-01", "0000-01-01"] {
            assert!(day("ended", bad).is_err(), "{bad}");
        }
    }
}
