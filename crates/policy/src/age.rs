//! How old a record may become: which days' records leave on a given day by their own age, whoever's they are (rolling
//! purges). Owns the weighing of a category's rows that count from the record; refuses to know targets and instants. Upholds
//! I1 for ages: a duty to keep outranks every promise, and one that counts from something else than the record forbids a
//! purge by age altogether.

use gallra_model::Day;
use gallra_model::target::Category;

use crate::calendar::{self, CalendarError};
use crate::pack::Policy;
use crate::reading;
use crate::rule::{Clause, Detail, Rule};
use crate::word::{Anchor, Bound, Deed};

/// What leaves by age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aged {
    /// No rule lets records of this category leave by their own age.
    NoRule,
    /// A rule would, and a day's sweep must not, or cannot, carry it out.
    Left {
        /// The id of the rule that stands against it.
        rule: String,
        /// Why.
        why: Unfit,
    },
    /// Records of every day before this one leave.
    Before {
        /// The id of the rule that decides it: the strictest promise.
        rule: String,
        /// The oldest day whose records stay.
        first_kept: Day,
    },
}

/// Why no sweep by the day carries a promise about a record's age out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// A duty to keep counts from something else than the record: nothing leaves by age alone.
    Duty,
    /// The promise counts in hours, and days are too coarse for it.
    Hours,
    /// Somebody has to handle each record first: nothing leaves blindly.
    HandledFirst,
}

impl Policy {
    /// Which records of a category leave by their own age on a day: those whose last promised day is that day or an
    /// earlier one, as far as no duty keeps them.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] when a date falls past the year 9999.
    pub fn aged(&self, category: &Category, today: Day) -> Result<Aged, CalendarError> {
        let mut promised: Option<(&Rule, Day)> = None;
        let mut kept: Option<Day> = None;
        for (rule, clause) in self.rules_for(category).flat_map(|rule| rule.clauses.iter().map(move |c| (rule, c))) {
            if clause.from != Anchor::Record || (rule.apart && rule.bound != Bound::Keep) {
                continue;
            }
            if let Some(why) = unfit(rule, clause) {
                return Ok(Aged::Left { rule: rule.id.clone(), why });
            }
            match (rule.action, rule.bound) {
                (Deed::Erase, Bound::By) => {
                    let first = first_day(clause, today, |last| last > today)?;
                    promised = promised.filter(|(_, known)| *known >= first).or(Some((rule, first)));
                }
                // The day itself is still the customer's, until its evening.
                (Deed::Erase, Bound::At) => {
                    let first = first_day(clause, today, |last| last >= today)?;
                    promised = promised.filter(|(_, known)| *known >= first).or(Some((rule, first)));
                }
                (_, Bound::Keep) => {
                    let first = first_day(clause, today, |last| last >= today)?;
                    kept = Some(kept.map_or(first, |known| known.min(first)));
                }
                (Deed::Restrict | Deed::Anonymise | Deed::Keep | Deed::Answer, Bound::By | Bound::At) => {}
            }
        }
        let Some((rule, first)) = promised else { return Ok(Aged::NoRule) };
        if let Some(duty) = self.rules_for(category).find(|rule| rule.bound == Bound::Keep && !counts_from_record(rule))
        {
            return Ok(Aged::Left { rule: duty.id.clone(), why: Unfit::Duty });
        }
        let first_kept = kept.map_or(first, |kept| kept.min(first));
        Ok(Aged::Before { rule: rule.id.clone(), first_kept })
    }
}

fn unfit(rule: &Rule, clause: &Clause) -> Option<Unfit> {
    if rule.bound == Bound::Keep || rule.action != Deed::Erase {
        return None;
    }
    if clause.period.is_in_hours() {
        return Some(Unfit::Hours);
    }
    let handled = rule.details.iter().any(|detail| matches!(detail, Detail::HandledFirst { .. }));
    handled.then_some(Unfit::HandledFirst)
}

fn counts_from_record(rule: &Rule) -> bool {
    rule.clauses.iter().all(|clause| clause.from == Anchor::Record)
}

/// The oldest day of which `stays` holds, given the last day counted from it. That day never goes back as days go on, so
/// the search goes back from tomorrow.
fn first_day(clause: &Clause, today: Day, stays: impl Fn(Day) -> bool) -> Result<Day, CalendarError> {
    let mut day = calendar::day_after(today)?;
    while let Ok(before) = day.yesterday() {
        if !stays(reading::last_day(clause, before)?) {
            break;
        }
        day = before;
    }
    Ok(day)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn policy(rows: &[(&str, &str, &str, &str, &str)]) -> Policy {
        let rows = rows.iter().map(|(id, action, bound, from, period)| {
            format!(
                "[[rule]]\nid = \"test/{id}\"\ncategory = \"access-logs\"\naction = \"{action}\"\nbound = \"{bound}\"\n\
                 basis = \"contract\"\ncites = []\ncount = [{{ from = \"{from}\", period = \"{period}\" }}]\n"
            )
        });
        let text = format!("name = \"test\"\nprovider = \"Test\"\n{}", rows.collect::<String>());
        Policy::parse("test", &text, |_: &str| None).expect("in order")
    }

    fn first_kept(policy: &Policy, today: Day) -> Option<Day> {
        match policy.aged(&"access-logs".parse().expect("a word"), today).expect("in range") {
            Aged::Before { first_kept, .. } => Some(first_kept),
            Aged::NoRule | Aged::Left { .. } => None,
        }
    }

    const BY: (&str, &str, &str, &str, &str) = ("logs", "erase", "by", "record", "6 months");

    #[test]
    fn a_day_leaves_on_the_last_day_that_its_rule_promises() {
        let half_a_year = policy(&[BY]);
        // The 28th of February ends on the 28th of August, as the 31st of August ends on the 28th of February.
        assert_eq!(first_kept(&half_a_year, date(2026, 8, 28)), Some(date(2026, 3, 1)));
        assert_eq!(first_kept(&half_a_year, date(2026, 8, 27)), Some(date(2026, 2, 28)));
        assert_eq!(first_kept(&half_a_year, date(2026, 8, 31)), Some(date(2026, 3, 1)));
        assert_eq!(first_kept(&half_a_year, date(2027, 2, 28)), Some(date(2026, 9, 1)));
        assert_eq!(first_kept(&half_a_year, date(2027, 2, 27)), Some(date(2026, 8, 28)));
    }

    #[test]
    fn the_strictest_promise_decides_and_a_duty_outranks_it() {
        let today = date(2026, 8, 28);
        // Six months are more days in summer than in winter: now the one is stricter, now the other.
        let days = ("days", "erase", "by", "record", "182 days");
        for rows in [[BY, days], [days, BY]] {
            assert_eq!(first_kept(&policy(&rows), today), Some(date(2026, 3, 1)));
            assert_eq!(first_kept(&policy(&rows), date(2026, 9, 1)), Some(date(2026, 3, 4)));
        }
        // A duty of seven months, its own last day included.
        let duty = ("duty", "keep", "keep", "record", "7 months");
        assert_eq!(first_kept(&policy(&[BY, duty]), today), Some(date(2026, 1, 28)));
        let other = policy(&[BY, ("duty", "keep", "keep", "customer_settled", "7 years")]);
        let aged = other.aged(&"access-logs".parse().expect("a word"), today);
        assert_eq!(aged, Ok(Aged::Left { rule: "test/duty".to_owned(), why: Unfit::Duty }));
    }

    #[test]
    fn a_promise_in_hours_or_about_handled_mail_is_no_daily_sweeps() {
        let left = |name: &str, text: &str, category: &str| {
            let law = include_str!("../../../policies/law-se.toml");
            let policy = Policy::parse(name, text, |_: &str| Some(law.to_owned())).expect("in order");
            policy.aged(&category.parse().expect("a word"), date(2026, 8, 28))
        };
        let hours = left("connect2ip", include_str!("../../../policies/connect2ip.toml"), "ip");
        assert_eq!(hours, Ok(Aged::Left { rule: "connect2ip/ip".to_owned(), why: Unfit::Hours }));
        let mail = left("netip", include_str!("../../../policies/netip.toml"), "mail");
        assert_eq!(mail, Ok(Aged::Left { rule: "netip/mail".to_owned(), why: Unfit::HandledFirst }));
    }

    #[test]
    fn a_promise_both_ways_leaves_the_last_day_to_the_customer() {
        let at = ("logs", "erase", "at", "record", "6 months");
        assert_eq!(first_kept(&policy(&[at]), date(2026, 8, 28)), Some(date(2026, 2, 28)));
    }

    #[test]
    fn without_a_row_that_counts_from_the_record_nothing_leaves_by_age() {
        let settled = policy(&[("logs", "erase", "by", "customer_settled", "6 months")]);
        assert_eq!(first_kept(&settled, date(2026, 8, 28)), None);
        let masked = policy(&[("logs", "anonymise", "by", "record", "6 months")]);
        assert_eq!(first_kept(&masked, date(2026, 8, 28)), None);
    }

    proptest! {
        #[test]
        fn the_cut_lies_between_what_has_ended_and_what_has_not(
            year in 2018_i16..2100, ordinal in 1_i16..=365, number in 1_u32..60,
            unit in proptest::sample::select(vec!["days", "weeks", "months", "years"]),
        ) {
            let today = date(year, 1, 1).checked_add(jiff::Span::new().days(i64::from(ordinal) - 1)).expect("in range");
            let text = format!("{number} {unit}");
            let policy = policy(&[("logs", "erase", "by", "record", &text)]);
            let cut = first_kept(&policy, today).expect("a rule");
            let last = |day| calendar::last_day(day, text.parse().expect("a period"), crate::word::Until::Exact).expect("in range");
            prop_assert!(last(cut) > today);
            prop_assert!(last(cut.yesterday().expect("in range")) <= today);
        }
    }
}
