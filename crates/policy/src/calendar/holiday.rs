//! Swedish public holidays and the last day of an answer. Owns the days of lag (1989:253) om allmänna helgdagar, the
//! three eves of lag (1930:173) s. 2, and how an answer's month ends (GDPR Art. 12(3), Regulation 1182/71 Art. 3(4)).
//! Retention periods do not move off holidays: nothing here is used for them.

use gallra_model::Day;
use jiff::ToSpan;
use jiff::civil::Weekday;

use super::{CalendarError, day_after};

/// Whether a day is a public holiday under lag (1989:253): all Sundays, and the named days. Compared with an independent
/// program for 2018 to 2100; before that, 6 June is one since 2005, and Whit Monday was one through 2004.
pub fn is_public_holiday(day: Day) -> bool {
    day.weekday() == Weekday::Sunday || is_fixed(day) || is_movable(day) || is_a_named_saturday(day)
}

fn is_fixed(day: Day) -> bool {
    match (day.month(), day.day()) {
        (1, 1 | 6) | (5, 1) | (12, 25 | 26) => true,
        (6, 6) => day.year() >= 2005,
        _ => false,
    }
}

/// Good Friday, Easter Monday, Ascension Day; Easter and Whit Sunday are Sundays.
fn is_movable(day: Day) -> bool {
    easter_sunday(day.year()).is_some_and(|easter| {
        let after = (day - easter).get_days();
        matches!(after, -2 | 1 | 39) || (after == 50 && day.year() <= 2004)
    })
}

/// Midsummer Day, the Saturday in 20 to 26 June; All Saints' Day, the Saturday in 31 October to 6 November.
fn is_a_named_saturday(day: Day) -> bool {
    day.weekday() == Weekday::Saturday && matches!((day.month(), day.day()), (6, 20..=26) | (10, 31) | (11, 1..=6))
}

/// Whether a day is one of the three eves of lag (1930:173) s. 2: Midsummer Eve, Christmas Eve, New Year's Eve.
pub fn is_eve(day: Day) -> bool {
    match (day.month(), day.day()) {
        (6, 19..=25) => day.weekday() == Weekday::Friday,
        (12, 24 | 31) => true,
        _ => false,
    }
}

/// Easter Sunday by the Gregorian reckoning (the anonymous algorithm of 1876, as Meeus gives it).
fn easter_sunday(year: i16) -> Option<Day> {
    let y = i32::from(year);
    let (a, b, c) = (y % 19, y / 100, y % 100);
    let h = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
    let l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let of_march = h + l - 7 * m + 21;
    Day::new(year, 3, 1).ok()?.checked_add(of_march.days()).ok()
}

/// When an answer is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerDays {
    /// The period's end, not moved.
    pub unmoved: Day,
    /// The last day at or before the unmoved end on which somebody works: no Saturday, no holiday, no eve.
    pub planned: Day,
    /// The last day: the unmoved end or, where that is a Saturday or a holiday, the next day that is neither.
    pub latest: Day,
    /// The last day if the three eves moved it too, where that is another one.
    pub if_eves_moved: Option<Day>,
}

/// The days of an answer whose period ends on `unmoved`.
///
/// # Errors
/// [`CalendarError::OutOfRange`] at the calendar's end.
pub fn answer_days(unmoved: Day) -> Result<AnswerDays, CalendarError> {
    let rests = |day: Day| day.weekday() == Weekday::Saturday || is_public_holiday(day);
    let latest = forward(unmoved, rests)?;
    let with_eves = forward(unmoved, |day| rests(day) || is_eve(day))?;
    let mut planned = unmoved;
    while rests(planned) || is_eve(planned) {
        planned = planned.yesterday().map_err(|_| CalendarError::OutOfRange)?;
    }
    Ok(AnswerDays { unmoved, planned, latest, if_eves_moved: (with_eves != latest).then_some(with_eves) })
}

fn forward(mut day: Day, rests: impl Fn(Day) -> bool) -> Result<Day, CalendarError> {
    while rests(day) {
        day = day_after(day)?;
    }
    Ok(day)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn week_days_off(year: i16) -> Vec<String> {
        let days = date(year, 1, 1).series(1.day()).take_while(|day| day.year() == year);
        days.filter(|day| day.weekday() != Weekday::Sunday && is_public_holiday(*day)).map(|d| d.to_string()).collect()
    }

    #[test]
    fn easter_is_right_in_other_centuries_too() {
        for (year, month, day) in [(1818, 3, 22), (1943, 4, 25), (2038, 4, 25), (2285, 3, 22)] {
            assert_eq!(easter_sunday(year), Some(date(year, month, day)), "the earliest and the latest that there are");
        }
    }

    #[test]
    fn the_days_of_2026_are_those_of_the_law() {
        let expected = [
            "2026-01-01",
            "2026-01-06",
            "2026-04-03",
            "2026-04-06",
            "2026-05-01",
            "2026-05-14",
            "2026-06-06",
            "2026-06-20",
            "2026-10-31",
            "2026-12-25",
            "2026-12-26",
        ];
        assert_eq!(week_days_off(2026), expected);
    }

    #[test]
    fn whit_monday_gave_way_to_the_national_day_in_2005() {
        assert!(is_public_holiday(date(2004, 5, 31)) && !is_public_holiday(date(2004, 6, 7)));
        assert!(!is_public_holiday(date(2005, 5, 16)) && is_public_holiday(date(2005, 6, 6)));
        assert!(!is_public_holiday(date(2003, 6, 6)));
    }

    #[test]
    fn the_named_saturdays_reach_over_a_months_end() {
        let saturdays =
            |year: i16| week_days_off(year).into_iter().filter(|day| day[5..7] > *"06" && day[5..7] < *"12");
        assert_eq!(saturdays(2026).collect::<Vec<_>>(), ["2026-10-31"]);
        assert_eq!(saturdays(2027).collect::<Vec<_>>(), ["2027-11-06"]);
        assert!(is_public_holiday(date(2020, 6, 20)) && is_public_holiday(date(2021, 6, 26)));
        assert!(!is_public_holiday(date(2021, 6, 19)) && !is_public_holiday(date(2027, 10, 30)));
    }

    #[test]
    fn easter_falls_where_the_tables_say() {
        for (year, month, day) in [
            (2018, 4, 1),
            (2019, 4, 21),
            (2024, 3, 31),
            (2033, 4, 17),
            (2038, 4, 25),
            (2049, 4, 18),
            (2076, 4, 19),
            (2100, 3, 28),
        ] {
            assert_eq!(easter_sunday(year), Some(date(year, month, day)));
        }
    }

    #[test]
    fn three_eves_and_no_other_day_before_a_holiday() {
        for eve in [date(2026, 6, 19), date(2025, 6, 20), date(2026, 12, 24), date(2026, 12, 31), date(2027, 6, 25)] {
            assert!(is_eve(eve), "{eve}");
        }
        for day in [
            date(2026, 6, 18),
            date(2026, 6, 20),
            date(2026, 6, 26),
            date(2026, 4, 4),
            date(2026, 12, 30),
            date(2026, 1, 5),
        ] {
            assert!(!is_eve(day), "{day}");
        }
    }

    #[test]
    fn an_answer_moves_off_holidays_and_is_planned_before_them() {
        let days = answer_days(date(2026, 12, 24)).expect("in range");
        assert_eq!((days.planned, days.latest), (date(2026, 12, 23), date(2026, 12, 24)));
        assert_eq!(days.if_eves_moved, Some(date(2026, 12, 28)));
        let days = answer_days(date(2026, 4, 3)).expect("in range");
        assert_eq!((days.planned, days.latest, days.if_eves_moved), (date(2026, 4, 2), date(2026, 4, 7), None));
        let days = answer_days(date(2026, 3, 10)).expect("in range");
        assert_eq!((days.planned, days.latest, days.if_eves_moved), (date(2026, 3, 10), date(2026, 3, 10), None));
        // Saturday, Sunday: two days on; and the year's end moves over the eve of the next holiday only in the note.
        let days = answer_days(date(2026, 1, 31)).expect("in range");
        assert_eq!((days.planned, days.latest), (date(2026, 1, 30), date(2026, 2, 2)));
        assert_eq!(answer_days(date(2029, 12, 31)).expect("in range").if_eves_moved, Some(date(2030, 1, 2)));
        assert_eq!(
            answer_days(date(9999, 12, 31)),
            Err(CalendarError::OutOfRange),
            "its eve would move it past the end"
        );
    }
}
