//! How young a purge by age may reach at most, as the host's admin writes it: the host's own floor under what a coordinator asks
//! for. Elapsed hours, so that it means the same when the clock changes.

use std::str::FromStr;

use gallra_model::Instant;
use gallra_model::receipt::Code;
use jiff::SignedDuration;
use serde::Deserialize;

use crate::driver::Failure;

/// Hours in a day, for ages.
const DAY: u32 = 24;

/// A hundred years in days: a longer age is a slip of the pen.
const MAX_DAYS: u32 = 36_500;

/// An age of at least an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Age {
    hours: u32,
}

impl Age {
    /// So many days of 24 hours.
    pub(crate) fn days(days: u32) -> Self {
        Self { hours: days.saturating_mul(DAY) }
    }

    /// Whether a purge of what is older than `before` leaves everything younger than this alone.
    pub(crate) fn lets(self, before: Instant, now: Instant) -> bool {
        let floor = now.checked_sub(SignedDuration::from_hours(i64::from(self.hours)));
        floor.is_ok_and(|floor| before <= floor)
    }
}

/// Whether the host lets a purge reach so far.
///
/// # Errors
/// [`Code::PurgeAge`]; nothing was touched.
pub(crate) fn allowed(youngest: Option<Age>, before: Instant, now: Instant) -> Result<(), Failure> {
    let Some(youngest) = youngest else {
        return Err(Failure::new(
            Code::PurgeAge,
            "this target has no youngest_purge_age, so nothing is purged by age: set it if that is wanted",
        ));
    };
    if youngest.lets(before, now) {
        return Ok(());
    }
    Err(Failure::new(
        Code::PurgeAge,
        "the purge reaches what is younger than youngest_purge_age in agent.toml: nothing was touched; for a rule of 24 \
         hours write 22 hours there: its runs reach to 23, and clocks differ",
    ))
}

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "youngest_purge_age = \"{}\" is no age: write 1 or more hours or days, as \"22 hours\" or \"180 days\"",
                text.escape_default()
            )
        };
        let (count, unit) = text.split_once(' ').ok_or_else(wrong)?;
        let plain = !count.starts_with('0') && count.bytes().all(|byte| byte.is_ascii_digit());
        let count: u32 = count.parse().ok().filter(|_| plain).ok_or_else(wrong)?;
        let hours = match unit {
            "hour" | "hours" => Some(count),
            "day" | "days" => count.checked_mul(DAY),
            _ => None,
        };
        hours.filter(|hours| *hours <= MAX_DAYS * DAY).map(|hours| Self { hours }).ok_or_else(wrong)
    }
}

impl TryFrom<String> for Age {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_hours_or_days_and_nothing_else() {
        assert_eq!("23 hours".parse(), Ok(Age { hours: 23 }));
        assert_eq!("1 hour".parse(), Ok(Age { hours: 1 }));
        assert_eq!("180 days".parse::<Age>(), Ok(Age::days(180)));
        for bad in [
            "",
            "23",
            "hours",
            "0 hours",
            "-1 hours",
            "+1 hours",
            "01 hours",
            "1.5 hours",
            "1 month",
            "23  hours",
            "99999999 days",
            "4294967295 hours",
        ] {
            assert!(bad.parse::<Age>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_exactly_of_that_age_may_go() {
        let now: Instant = "2026-03-29T02:00:00Z".parse().expect("a literal");
        let age: Age = "23 hours".parse().expect("an age");
        assert!(age.lets("2026-03-28T03:00:00Z".parse().expect("a literal"), now));
        assert!(!age.lets("2026-03-28T03:00:01Z".parse().expect("a literal"), now));
        assert!(!age.lets(now, now) && !Age::days(u32::MAX).lets(Instant::MIN, now));
    }
}
