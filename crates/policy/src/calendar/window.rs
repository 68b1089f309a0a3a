//! The hours of a run: the evening window of an `at` rule, and the hour of the daily sweep. Owns the step from a day
//! to instants; refuses windows that summer time could skip or repeat.

use std::fmt;
use std::str::FromStr;

use gallra_model::time::{instant_of, start_of};
use gallra_model::{Day, Instant};
use serde::{Serialize, Serializer};

use super::CalendarError;

/// Local hour at which a rule's daily sweep starts: after the hour that summer time skips or repeats, before office hours.
pub const DAILY_SWEEP_HOUR: i8 = 3;

/// A local time of day in whole minutes, 00:00 to 24:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay {
    hour: i8,
    minute: i8,
}

impl FromStr for TimeOfDay {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |part: &str| match part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()) {
            true => part.parse::<i8>().map_err(|_| CalendarError::Window),
            false => Err(CalendarError::Window),
        };
        let (hour, minute) = text.split_once(':').ok_or(CalendarError::Window)?;
        let time = Self { hour: number(hour)?, minute: number(minute)? };
        let real = (time.hour < 24 && time.minute < 60) || (time.hour == 24 && time.minute == 0);
        if real { Ok(time) } else { Err(CalendarError::Window) }
    }
}

impl TimeOfDay {
    fn on(self, day: Day) -> Result<Instant, CalendarError> {
        let instant =
            if self.hour == 24 { start_of(super::day_after(day)?) } else { instant_of(day, self.hour, self.minute) };
        instant.map_err(|_| CalendarError::OutOfRange)
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

impl Serialize for TimeOfDay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The local hours in which an `at` rule's run may begin, on the period's last day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RunWindow {
    opens: TimeOfDay,
    closes: TimeOfDay,
}

impl RunWindow {
    /// 22:00 to 24:00.
    pub const EVENING: Self =
        Self { opens: TimeOfDay { hour: 22, minute: 0 }, closes: TimeOfDay { hour: 24, minute: 0 } };

    /// A window between two local times of one day.
    ///
    /// # Errors
    /// [`CalendarError::Window`] when it closes before it opens, or touches the hour from 02:00 to 03:00, which summer
    /// time skips in March and repeats in October.
    pub fn new(opens: TimeOfDay, closes: TimeOfDay) -> Result<Self, CalendarError> {
        let clear = closes <= TimeOfDay { hour: 2, minute: 0 } || opens >= TimeOfDay { hour: 3, minute: 0 };
        if opens < closes && clear { Ok(Self { opens, closes }) } else { Err(CalendarError::Window) }
    }

    /// When it opens on a day, UTC.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] outside what an instant can express.
    pub fn opens_on(self, day: Day) -> Result<Instant, CalendarError> {
        self.opens.on(day)
    }

    /// When it has closed on a day, UTC: the first instant after it.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] outside what an instant can express.
    pub fn closes_on(self, day: Day) -> Result<Instant, CalendarError> {
        self.closes.on(day)
    }
}

impl fmt::Display for RunWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.opens, self.closes)
    }
}

impl Default for RunWindow {
    fn default() -> Self {
        Self::EVENING
    }
}

/// When the daily sweep starts on a day, UTC.
///
/// # Errors
/// [`CalendarError::OutOfRange`] outside what an instant can express.
pub fn daily_sweep(day: Day) -> Result<Instant, CalendarError> {
    instant_of(day, DAILY_SWEEP_HOUR, 0).map_err(|_| CalendarError::OutOfRange)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn window(opens: &str, closes: &str) -> Result<RunWindow, CalendarError> {
        RunWindow::new(opens.parse()?, closes.parse()?)
    }

    #[test]
    fn the_evening_is_local_in_winter_and_in_summer() {
        let opens = |day| RunWindow::EVENING.opens_on(day).expect("in range").to_string();
        assert_eq!(opens(date(2026, 2, 28)), "2026-02-28T21:00:00Z");
        assert_eq!(opens(date(2026, 7, 31)), "2026-07-31T20:00:00Z");
        let closes = RunWindow::EVENING.closes_on(date(2026, 2, 28)).expect("in range");
        assert_eq!(closes.to_string(), "2026-02-28T23:00:00Z");
    }

    #[test]
    fn hours_that_summer_time_skips_or_repeats_are_refused() {
        for (opens, closes) in [("01:00", "02:30"), ("02:00", "03:00"), ("00:00", "24:00"), ("02:59", "05:00")] {
            assert_eq!(window(opens, closes), Err(CalendarError::Window), "{opens}-{closes}");
        }
        for (opens, closes) in [("00:00", "02:00"), ("03:00", "05:00"), ("22:00", "24:00")] {
            assert!(window(opens, closes).is_ok(), "{opens}-{closes}");
        }
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for (opens, closes) in [
            ("24:00", "22:00"),
            ("22:00", "22:00"),
            ("22:00", "24:01"),
            ("22:00", "23:60"),
            ("9:00", "10:00"),
            ("22", "23"),
        ] {
            assert_eq!(window(opens, closes), Err(CalendarError::Window), "{opens}-{closes}");
        }
    }

    #[test]
    fn the_daily_sweep_runs_on_both_clock_changes() {
        assert_eq!(daily_sweep(date(2026, 3, 29)).expect("in range").to_string(), "2026-03-29T01:00:00Z");
        assert_eq!(daily_sweep(date(2026, 10, 25)).expect("in range").to_string(), "2026-10-25T02:00:00Z");
    }
}
