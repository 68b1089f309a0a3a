//! A repository's keep rules, applied to a group of snapshots the way restic's `forget` applies them. Pure. Refuses to
//! know the present: `within` counts back from the group's newest snapshot, as restic does, so a group that gets no
//! newer snapshot never loses its last ones.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, ISOWeekDate};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan, Zoned};
use serde::Deserialize;

use gallra_model::Instant;
use gallra_model::time::stockholm;

/// Longest `within` accepted, in days: some 200 years.
const LONGEST_DAYS: u32 = 73_200;

/// What `forget` keeps; a rule that is 0 or unset keeps nothing. The tag rules and `within-*` rules of restic are not
/// known here: a configuration that names one is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Everything younger than so long before the group's newest.
    pub within: Option<Within>,
    /// The newest so many.
    pub last: u32,
    /// The newest of each of the last so many hours that have one.
    pub hourly: u32,
    /// The newest of each of the last so many days that have one.
    pub daily: u32,
    /// The newest of each of the last so many ISO weeks that have one.
    pub weekly: u32,
    /// The newest of each of the last so many months that have one.
    pub monthly: u32,
    /// The newest of each of the last so many years that have one.
    pub yearly: u32,
}

impl Rules {
    /// Whether no rule is set: `forget` then removes nothing, or was never meant to be described.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Which of a group's snapshots `forget` keeps. `newest_first` is one group, newest first. From 0.16 restic also
    /// keeps the oldest snapshot while a count is not used up: `keeps_oldest`.
    pub(crate) fn kept<'a>(
        &self,
        newest_first: impl ExactSizeIterator<Item = &'a Moment>,
        keeps_oldest: bool,
    ) -> Vec<bool> {
        let oldest = newest_first.len().saturating_sub(1);
        let mut kept = Vec::with_capacity(newest_first.len());
        let mut newest_first = newest_first.enumerate().peekable();
        let counts = [self.last, self.hourly, self.daily, self.weekly, self.monthly, self.yearly];
        let mut buckets = counts.map(|left| Bucket { left, last: None });
        let since = match (&self.within, newest_first.peek()) {
            (Some(within), Some((_, newest))) => Some(within.before(&newest.at)),
            _ => None,
        };
        for (number, moment) in newest_first {
            // Out of the calendar's range means longer ago than any snapshot.
            let mut keep = since.is_some_and(|since| since.is_none_or(|since| moment.at.timestamp() > since));
            let [hour, day, week, month, year] = moment.periods;
            let number_period = i64::try_from(number).unwrap_or(i64::MAX);
            for (bucket, period) in buckets.iter_mut().zip([number_period, hour, day, week, month, year]) {
                keep |= bucket.takes(period, keeps_oldest && number == oldest);
            }
            kept.push(keep);
        }
        kept
    }
}

/// One count rule while a group is gone through, newest first.
struct Bucket {
    left: u32,
    last: Option<i64>,
}

impl Bucket {
    fn takes(&mut self, period: i64, anyway: bool) -> bool {
        let takes = self.left > 0 && (anyway || self.last != Some(period));
        if takes {
            self.left -= 1;
            self.last = Some(period);
        }
        takes
    }
}

/// When a snapshot was made, in the zone that its calendar periods are counted in.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    at: Zoned,
    /// Hour, day, ISO week, month and year, as numbers that differ when the periods differ.
    periods: [i64; 5],
}

impl Moment {
    /// A moment in its zone.
    pub(crate) fn new(at: Zoned) -> Self {
        let date = at.date();
        let (year, month) = (i64::from(date.year()), i64::from(date.month()));
        let day = year * 10_000 + month * 100 + i64::from(date.day());
        let week: ISOWeekDate = date.iso_week_date();
        let week = i64::from(week.year()) * 100 + i64::from(week.week());
        let periods = [day * 100 + i64::from(at.hour()), day, week, year * 100 + month, year];
        Self { at, periods }
    }

    /// Reads a snapshot's time. restic counts in the machine's own zone, and its snapshots carry only that zone's
    /// offset of the moment: one that fits Stockholm is taken to be Stockholm's, any other stays fixed.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let instant: Instant = text.parse().ok()?;
        let offset = jiff::fmt::temporal::Pieces::parse(text).ok()?.to_numeric_offset()?;
        let local = instant.to_zoned(stockholm());
        let at = if local.offset() == offset { local } else { instant.to_zoned(TimeZone::fixed(offset)) };
        Some(Self::new(at))
    }

    /// The moment, UTC.
    pub(crate) fn instant(&self) -> Instant {
        self.at.timestamp()
    }

    /// The same wall-clock time so many days later; `None` past the calendar's end.
    pub(crate) fn plus_days(&self, days: i64) -> Option<Self> {
        self.at.checked_add(jiff::Span::new().try_days(days).ok()?).ok().map(Self::new)
    }
}

/// A length of time as restic's `--keep-within` takes it: `1y5m7d2h`, calendar years, months and days, and hours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Within {
    years: u32,
    months: u32,
    days: u32,
    hours: u32,
}

/// Why a text is no `within`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a length of time for `within`: write numbers with y, m, d or h, each unit once, like \"1y5m7d2h\" (at most 200 years)"
)]
pub struct WithinError;

impl Within {
    /// The instant so long before `at`; `None` before the calendar's beginning.
    fn before(&self, at: &Zoned) -> Option<Instant> {
        let day = self.before_day(at.date())?;
        let then = day.to_datetime(at.time()).to_zoned(at.time_zone().clone()).ok()?;
        then.timestamp().checked_sub(SignedDuration::from_hours(i64::from(self.hours))).ok()
    }

    /// Years and months first, and a day that the month does not have runs on into the next: 31 March less one month
    /// is 3 March (2 in a leap year). That is how Go's `AddDate`, and so restic, counts.
    fn before_day(&self, day: Date) -> Option<Date> {
        let months = i64::from(day.year()) * 12 + i64::from(day.month()) - 1;
        let months = months - i64::from(self.years) * 12 - i64::from(self.months);
        let year = i16::try_from(months.div_euclid(12)).ok()?;
        let month = i8::try_from(months.rem_euclid(12) + 1).ok()?;
        let shift = i64::from(day.day()) - 1 - i64::from(self.days);
        Date::new(year, month, 1).ok()?.checked_add(jiff::Span::new().try_days(shift).ok()?).ok()
    }

    /// The most days that it can span, hours rounded up. Every day of five years is tried: leap years come in fours.
    pub(crate) fn most_days(&self) -> u32 {
        let first = jiff::civil::date(2024, 1, 1);
        let spans = (0..5 * 366).filter_map(|after| {
            let day = first.checked_add(i64::from(after).days()).ok()?;
            u32::try_from(day.since(self.before_day(day)?).ok()?.get_days()).ok()
        });
        // The calendar's beginning is out of reach of 200 years, so there always is a span.
        spans.max().unwrap_or(LONGEST_DAYS).saturating_add(self.hours.div_ceil(24))
    }

    fn roughly_days(&self) -> u32 {
        let calendar = self.years.saturating_mul(366).saturating_add(self.months.saturating_mul(31));
        calendar.saturating_add(self.days).saturating_add(self.hours.div_ceil(24))
    }
}

impl FromStr for Within {
    type Err = WithinError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut within = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let unit_at = rest.find(|c: char| !c.is_ascii_digit()).ok_or(WithinError)?;
            let (number, tail) = rest.split_at(unit_at);
            let number: u32 = number.parse().map_err(|_| WithinError)?;
            let mut tail = tail.chars();
            let field = match tail.next() {
                Some('y') => &mut within.years,
                Some('m') => &mut within.months,
                Some('d') => &mut within.days,
                Some('h') => &mut within.hours,
                _ => return Err(WithinError),
            };
            // restic lets a later unit replace an earlier one; that is never what was meant.
            if *field != 0 {
                return Err(WithinError);
            }
            *field = number;
            rest = tail.as_str();
        }
        // Nothing at all is no rule in restic: whoever wrote it meant something else.
        if (1..=LONGEST_DAYS).contains(&within.roughly_days()) { Ok(within) } else { Err(WithinError) }
    }
}

impl TryFrom<String> for Within {
    type Error = WithinError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { years, months, days, hours } = self;
        for (number, unit) in [(years, 'y'), (months, 'm'), (days, 'd'), (hours, 'h')] {
            if *number > 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moments(newest_first: &[&str]) -> Vec<Moment> {
        newest_first.iter().map(|text| Moment::parse(text).expect("a literal")).collect()
    }

    #[test]
    fn months_run_over_as_in_go() {
        let month: Within = "1m".parse().expect("a literal");
        let before = |day: Date| month.before_day(day).expect("in range");
        assert_eq!(before(jiff::civil::date(2025, 3, 31)), jiff::civil::date(2025, 3, 3));
        assert_eq!(before(jiff::civil::date(2024, 3, 31)), jiff::civil::date(2024, 3, 2));
        assert_eq!(before(jiff::civil::date(2026, 1, 15)), jiff::civil::date(2025, 12, 15));
        let most = |text: &str| text.parse::<Within>().expect("a literal").most_days();
        assert_eq!([most("1m"), most("5m"), most("7d"), most("1y"), most("25h")], [31, 153, 7, 366, 2]);
    }

    #[test]
    fn a_group_without_newer_snapshots_keeps_its_last_ones() {
        let old = moments(&["2020-01-15T03:00:00Z", "2020-01-08T03:00:00Z", "2019-01-01T03:00:00Z"]);
        let within = Rules { within: "1m".parse().ok(), ..Rules::default() };
        assert_eq!(within.kept(old.iter(), false), [true, true, false]);
        assert_eq!(Rules { last: 1, ..Rules::default() }.kept(old.iter(), false), [true, false, false]);
    }

    #[test]
    fn each_period_keeps_its_newest() {
        let days = moments(&[
            "2025-03-02T12:00:00Z",
            "2025-03-02T03:00:00Z",
            "2025-03-01T03:00:00Z",
            "2025-02-27T03:00:00Z",
            "2024-12-31T03:00:00Z",
        ]);
        let kept = |rules: Rules| rules.kept(days.iter(), false);
        assert_eq!(kept(Rules { daily: 2, ..Rules::default() }), [true, false, true, false, false]);
        assert_eq!(kept(Rules { weekly: 2, ..Rules::default() }), [true, false, false, false, true]);
        assert_eq!(kept(Rules { monthly: 3, ..Rules::default() }), [true, false, false, true, true]);
        assert_eq!(kept(Rules { yearly: 1, ..Rules::default() }), [true, false, false, false, false]);
        assert_eq!(
            Rules { daily: 9, ..Rules::default() }.kept(days[..2].iter(), true),
            [true, true],
            "the oldest of 0.16"
        );
    }

    #[test]
    fn a_zone_is_recognised_by_its_offset() {
        let winter = Moment::parse("2026-01-08T03:00:00+01:00").expect("a literal");
        assert_eq!(winter.plus_days(100).expect("in range").instant().to_string(), "2026-04-18T01:00:00Z");
        let utc = Moment::parse("2026-01-08T03:00:00.123456789Z").expect("a literal");
        assert_eq!(utc.plus_days(100).expect("in range").instant().to_string(), "2026-04-18T03:00:00.123456789Z");
        assert!(Moment::parse("2026-01-08").is_none());
    }

    #[test]
    fn what_restic_reads_otherwise_is_refused() {
        for bad in ["", "5", "m", "0d", "5m5m", "-5m", "5M", "5 m", "1w", "99999999999y", "201y", "5mö"] {
            assert_eq!(bad.parse::<Within>(), Err(WithinError), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(years in 0_u32..100, months in 0_u32..100, days in 0_u32..1000, hours in 0_u32..1000) {
            let within = Within { years, months, days, hours };
            let read = within.to_string().parse();
            prop_assert_eq!(read, if within == Within::default() { Err(WithinError) } else { Ok(within) });
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", near in "[0-9ymdh -]{0,12}") {
            for text in [text, near] {
                if let Ok(within) = text.parse::<Within>() {
                    prop_assert_eq!(within.to_string().parse(), Ok(within));
                    prop_assert!(within.most_days() > 0);
                }
            }
        }
    }
}
