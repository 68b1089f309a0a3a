//! The list of contracts that ended and that nobody settles: when the next one is due. Owns that day; refuses to know contracts
//! ([`Policy::unsettled_from`] says from which day one is listed).

use gallra_model::time::day_of;
use gallra_model::{Day, Instant};

use crate::calendar::{CalendarError, Period, Unit, daily_sweep};
use crate::entry::Effect;
use crate::pack::Policy;

impl Policy {
    /// How often ended contracts that nobody settles are listed for a decision, if the text says so.
    pub fn unsettled_every(&self) -> Option<Period> {
        self.entries().iter().find_map(|entry| {
            let Effect::Unsettled { every, .. } = entry.effect else { return None };
            Some(every)
        })
    }

    /// The day whose list is to be made now, given the day of the newest one: at its daily sweep or later. Weeks begin with
    /// Monday; any other period counts from the newest list. A newest list of a day to come (a clock was ahead once) counts
    /// for nothing.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] past the year 9999.
    pub fn unsettled_list(&self, now: Instant, newest: Option<Day>) -> Result<Option<Day>, CalendarError> {
        let Some(every) = self.unsettled_every() else { return Ok(None) };
        let today = day_of(now);
        let swept = if now >= daily_sweep(today)? { today } else { before(today, 1)? };
        let day = match every.unit() {
            Unit::Weeks => before(swept, i64::from(swept.weekday().to_monday_zero_offset()))?,
            Unit::Hours | Unit::Days | Unit::Months | Unit::Years => swept,
        };
        let due = match newest {
            Some(newest) if newest < day => every.last_day(newest)? <= day,
            Some(newest) => newest > day,
            None => true,
        };
        Ok(due.then_some(day))
    }
}

fn before(day: Day, days: i64) -> Result<Day, CalendarError> {
    day.checked_sub(jiff::Span::new().days(days)).map_err(|_| CalendarError::OutOfRange)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::pack::tests::webone_with;

    fn due(every: &str, now: &str, newest: Option<Day>) -> Option<Day> {
        let policy = webone_with("every = \"1 week\"", &format!("every = \"{every}\""));
        policy.unsettled_list(now.parse().expect("a literal"), newest).expect("in range")
    }

    #[test]
    fn a_weekly_list_is_of_a_monday_from_its_sweep_on() {
        let (monday, next) = (date(2026, 3, 30), date(2026, 4, 6));
        assert_eq!(due("1 week", "2026-04-01T10:00:00Z", None), Some(monday), "the first at once");
        assert_eq!(due("1 week", "2026-04-05T23:00:00Z", Some(monday)), None);
        assert_eq!(due("1 week", "2026-04-06T00:59:59Z", Some(monday)), None, "one second before three in the morning");
        assert_eq!(due("1 week", "2026-04-06T01:00:00Z", Some(monday)), Some(next));
        // Nobody was there on Monday: it is Monday's list all the same, and so is the next.
        assert_eq!(due("1 week", "2026-04-09T10:00:00Z", Some(monday)), Some(next));
        assert_eq!(due("1 week", "2026-04-13T10:00:00Z", Some(next)), Some(date(2026, 4, 13)));
        assert_eq!(due("2 weeks", "2026-04-09T10:00:00Z", Some(monday)), None);
        assert_eq!(due("2 weeks", "2026-04-13T10:00:00Z", Some(monday)), Some(date(2026, 4, 13)));
    }

    #[test]
    fn other_periods_count_from_the_newest_list_and_a_list_to_come_counts_for_nothing() {
        let last = date(2026, 1, 31);
        assert_eq!(due("1 month", "2026-02-27T10:00:00Z", Some(last)), None);
        assert_eq!(due("1 month", "2026-02-28T10:00:00Z", Some(last)), Some(date(2026, 2, 28)));
        assert_eq!(due("at once", "2026-02-28T10:00:00Z", Some(date(2026, 2, 28))), None, "one a day at most");
        assert_eq!(due("1 week", "2026-04-01T10:00:00Z", Some(date(2031, 1, 6))), Some(date(2026, 3, 30)));
        let none = webone_with(
            "kind = \"unsettled\"\ncategory = \"customer-data\"\nafter = \"1 month\"\nevery = \"1 week\"",
            "kind = \"no-period\"\ncategory = \"customer-data\"",
        );
        assert_eq!(none.unsettled_list("2026-04-01T10:00:00Z".parse().expect("a literal"), None), Ok(None));
    }
}
