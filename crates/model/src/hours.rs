//! Hours of the day in which a host is left alone. Owns their reading and whether an instant lies in them; local time is
//! Europe/Stockholm, as everywhere (decision 6).

use serde::{Deserialize, Serialize};

use crate::time::{Instant, stockholm};

/// A span of local hours, for example `08:00-18:00`: from the first minute on, up to but without the last. One that ends
/// before it begins goes over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hours {
    /// Minutes after midnight.
    from: u16,
    /// Minutes after midnight.
    to: u16,
}

/// A text that is no span of hours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a span of hours: expected for example \"08:00-18:00\", two different times from 00:00 to 24:00")]
pub struct HoursError;

impl Hours {
    /// Whether a local time lies in them.
    pub fn contain(&self, instant: Instant) -> bool {
        let local = instant.to_zoned(stockholm());
        let minute = u16::try_from(i16::from(local.hour()) * 60 + i16::from(local.minute())).unwrap_or(0);
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !two_digits(hours) || !two_digits(minutes) {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (minutes < 60 && hours * 60 + minutes <= 24 * 60).then_some(hours * 60 + minutes)
}

impl TryFrom<String> for Hours {
    type Error = HoursError;

    fn try_from(text: String) -> Result<Self, HoursError> {
        let (from, to) = text.split_once('-').ok_or(HoursError)?;
        let (from, to) = (minutes(from).ok_or(HoursError)?, minutes(to).ok_or(HoursError)?);
        if from == to || from == 24 * 60 { Err(HoursError) } else { Ok(Self { from, to }) }
    }
}

impl From<Hours> for String {
    fn from(hours: Hours) -> Self {
        let time = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        format!("{}-{}", time(hours.from), time(hours.to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(text: &str) -> Hours {
        Hours::try_from(text.to_owned()).expect("a literal")
    }

    fn at(text: &str) -> Instant {
        text.parse().expect("a literal")
    }

    #[test]
    fn they_are_local_hours_summer_and_winter_and_may_go_over_midnight() {
        let day = hours("08:00-18:00");
        assert!(day.contain(at("2026-01-10T07:00:00Z")) && !day.contain(at("2026-01-10T06:59:59Z")));
        assert!(day.contain(at("2026-07-10T06:00:00Z")) && !day.contain(at("2026-07-10T16:00:00Z")));
        let night = hours("22:30-05:00");
        assert!(night.contain(at("2026-01-10T21:30:00Z")) && night.contain(at("2026-01-10T03:59:00Z")));
        assert!(!night.contain(at("2026-01-10T04:00:00Z")));
        assert!(hours("20:00-24:00").contain(at("2026-01-10T22:59:00Z")));
    }

    #[test]
    fn what_is_no_span_is_refused_and_what_is_comes_back_the_same() {
        for text in ["08:00-18:00", "22:30-05:00", "00:00-24:00"] {
            assert_eq!(String::from(hours(text)), text);
        }
        for text in ["", "8-18", "08:00-08:00", "24:00-01:00", "08:60-09:00", "25:00-26:00", "08:00", "+8:00-09:00"] {
            assert!(Hours::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
