//! What is so in the simulated world, whatever the product believes: who is whose customer, what was said and acknowledged, which
//! holds lie, until when everything has to be kept. The dates are this file's own arithmetic. Shares no code with the product.

use std::collections::{BTreeMap, BTreeSet};

use crate::disk::Sheet;

/// How long after a stop was acknowledged an act may still be at an item, in milliseconds: what was permitted before may begin
/// within 30 seconds and go on for the rest of its minute, to the end of its item.
pub const GRACE_MS: u64 = 75_000;

/// One contract as billing knows it.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Whose it is.
    pub customer: String,
    /// Its last day, once acknowledged, as days since 1970.
    pub ended: Option<i64>,
    /// The day of its settlement, once acknowledged.
    pub settled: Option<i64>,
    /// When it was acknowledged that it goes on.
    pub resumed: Option<u64>,
    /// When its final proof was first issued.
    pub done: Option<u64>,
    /// References of its requests.
    pub requests: BTreeSet<String>,
}

/// A stop on erasure: from when it was acknowledged until its end was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Stop {
    /// Acknowledged.
    pub from: u64,
    /// Asked to end.
    pub until: Option<u64>,
}

impl Stop {
    /// Whether nothing may go under it at this time.
    pub fn binds(&self, ms: u64) -> bool {
        ms > self.from + GRACE_MS && self.until.is_none_or(|until| ms < until)
    }

    /// Whether it lies, by the acknowledgement.
    pub fn lies(&self, ms: u64) -> bool {
        ms > self.from && self.until.is_none_or(|until| ms < until)
    }
}

/// All of it.
#[derive(Default)]
pub struct Truth {
    /// What may stand nowhere in clear.
    pub identifiers: BTreeSet<String>,
    /// By service id.
    pub contracts: BTreeMap<String, Told>,
    /// Holds, by service id of what they cover.
    pub holds: Vec<(String, Stop)>,
    /// The emergency stop.
    pub stops: Vec<Stop>,
    /// Who leads.
    pub leader: Option<String>,
    /// Months that customers' data is kept after settlement, and when that was acknowledged: the newest last.
    pub keeps: Vec<(u64, u32)>,
    /// Journals by agent, to be read as they would be found after a loss of power.
    pub journals: BTreeMap<String, Sheet>,
    /// Suppression lists by agent, in the same way.
    pub lists: BTreeMap<String, Sheet>,
    /// Highest generation that each agent was told, and that of the last permit that it was told.
    pub generations: BTreeMap<String, (u64, u64)>,
    /// What was erased where, by agent, target and owner, and when first.
    pub erased: BTreeMap<(String, String, String), u64>,
    /// The largest size of the log that was written.
    pub log_size: u64,
    /// How many requests there ever were.
    pub requests: u64,
}

/// Days since 1970-01-01 of a date.
pub fn days(year: i64, month: u32, day: u32) -> i64 {
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * i64::from(month) + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a number of days since 1970-01-01.
pub fn date(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = u32::try_from(of_year - (153 * month + 2) / 5 + 1).unwrap_or(1);
    let month = u32::try_from(if month < 10 { month + 3 } else { month - 9 }).unwrap_or(1);
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The day so many months later, or the last one of that month.
pub fn months_later(of: i64, months: u32) -> i64 {
    let (year, month, day) = date(of);
    let all = i64::from(month) - 1 + i64::from(months);
    let (year, month) = (year + all.div_euclid(12), u32::try_from(all.rem_euclid(12)).unwrap_or(0) + 1);
    let next = if month == 12 { days(year + 1, 1, 1) } else { days(year, month + 1, 1) };
    days(year, month, 1) + i64::from(day - 1).min(next - days(year, month, 1) - 1)
}

impl Truth {
    /// Days since 1970 of the first day on which a service's data may go; none while it may not at all.
    pub fn earliest(&self, service: &str, ms: u64) -> Option<i64> {
        let told = self.contracts.get(service)?;
        let (ended, settled) = (told.ended?, told.settled?);
        let months = self.keeps.iter().rfind(|(from, _)| from + GRACE_MS < ms).map_or(1, |(_, months)| *months);
        Some(months_later(ended.max(settled), months))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_days_are_each_other_s_and_months_end_where_they_do() {
        for day in (0..40_000).step_by(17) {
            let (year, month, of) = date(day);
            assert_eq!(days(year, month, of), day);
        }
        assert_eq!(date(months_later(days(2026, 1, 31), 1)), (2026, 2, 28));
        assert_eq!(date(months_later(days(2025, 12, 15), 1)), (2026, 1, 15));
        assert_eq!(date(months_later(days(2026, 11, 30), 3)), (2027, 2, 28));
    }
}
