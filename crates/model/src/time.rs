//! Time as values: instants are UTC, days are whole days in Europe/Stockholm (law/tz in the `law-se` pack).
//! Owns the conversion between the two and refuses to know what time it is (decision 6).

use jiff::civil;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// How far two machines' clocks may stand apart before anything is concluded from their order, in seconds. A copy that
/// began up to so long after the residue was confirmed gone still counts (decision 7).
pub const CLOCK_BOUND_SECONDS: i64 = 600;

/// A point in time, UTC.
pub type Instant = jiff::Timestamp;

/// A calendar day in Europe/Stockholm, inclusive.
pub type Day = civil::Date;

/// Which clock a signed statement was made under. Under a simulated clock every statement says so, and a verifier
/// prints it (decision 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// The machine's own clock.
    Real,
    /// A demonstration's clock: the statement is worth nothing outside it.
    Simulated,
}

/// Europe/Stockholm, from the time zone data compiled in: the machine's own zone and files play no part.
pub fn stockholm() -> TimeZone {
    const STOCKHOLM: TimeZone = jiff::tz::get!("Europe/Stockholm");
    STOCKHOLM
}

/// The day in Stockholm that an instant falls in.
pub fn day_of(instant: Instant) -> Day {
    instant.to_zoned(stockholm()).date()
}

/// The instant of a local time on a day. A time that summer time skips is moved forward, one that it repeats is the
/// first of the two.
///
/// # Errors
/// When the day lies outside what an instant can express (years -9999 to 9999).
pub fn instant_of(day: Day, hour: i8, minute: i8) -> Result<Instant, jiff::Error> {
    Ok(day.at(hour, minute, 0, 0).to_zoned(stockholm())?.timestamp())
}

/// The first instant of a day.
///
/// # Errors
/// As [`instant_of`].
pub fn start_of(day: Day) -> Result<Instant, jiff::Error> {
    instant_of(day, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_stockholm_days() {
        let late_utc: Instant = "2026-02-28T23:30:00Z".parse().expect("a literal");
        assert_eq!(day_of(late_utc), civil::date(2026, 3, 1));
        assert_eq!(instant_of(civil::date(2026, 7, 1), 22, 0).expect("in range").to_string(), "2026-07-01T20:00:00Z");
    }
}
