//! Cuts and runs of purges by age: boundary days, clock changes, cadences, and that the cut lies where the promises put it.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::word::{Sweep, Until};

/// A rule's name, action, bound, anchor, period and, behind it, further keys.
type Row<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

fn policy(rows: &[Row<'_>]) -> Policy {
    let rows = rows.iter().map(|(id, action, bound, from, period)| {
        let (period, more) = period.split_once(';').unwrap_or((period, ""));
        format!(
            "[[rule]]\nid = \"test/{id}\"\ncategory = \"access-logs\"\naction = \"{action}\"\nbound = \"{bound}\"\n\
             basis = \"contract\"\ncites = []\ncount = [{{ from = \"{from}\", period = \"{period}\" }}]\n{more}\n"
        )
    });
    let text = format!("name = \"test\"\nprovider = \"Test\"\n{}", rows.collect::<String>());
    Policy::parse("test", &text, |_: &str| None).expect("in order")
}

fn pack(name: &str, text: &str) -> Policy {
    let law = include_str!("../../../../policies/law-se.toml");
    Policy::parse(name, text, |_: &str| Some(law.to_owned())).expect("in order")
}

fn category(word: &str) -> Category {
    word.parse().expect("a word")
}

fn runs_since(policy: &Policy, today: Day, since: Option<Day>) -> Vec<Run> {
    match policy.aged(&category("access-logs"), today, since).expect("in range") {
        Aged::Runs(runs) => runs,
        Aged::NoRule | Aged::NotToday | Aged::Left { .. } => Vec::new(),
    }
}

fn runs(policy: &Policy, today: Day) -> Vec<Run> {
    runs_since(policy, today, None)
}

fn first_kept(policy: &Policy, today: Day) -> Option<Day> {
    let runs = runs(policy, today);
    assert!(runs.len() < 2, "days have one run");
    let cut = runs.first().map(|run| run.older_than);
    assert_eq!(cut, cut.map(|cut| start_of(day_of(cut)).expect("in range")), "a day's beginning");
    cut.map(day_of)
}

fn at(text: &str) -> Instant {
    text.parse().expect("a literal")
}

const BY: Row<'_> = ("logs", "erase", "by", "record", "6 months");
const HOURS: Row<'_> = ("ip", "erase", "by", "record", "24 hours;sweep = \"hourly\"");

#[test]
fn a_day_leaves_on_the_last_day_that_its_rule_promises() {
    let half_a_year = policy(&[BY]);
    // The 28th of February ends on the 28th of August, as the 31st of August ends on the 28th of February.
    assert_eq!(first_kept(&half_a_year, date(2026, 8, 28)), Some(date(2026, 3, 1)));
    assert_eq!(first_kept(&half_a_year, date(2026, 8, 27)), Some(date(2026, 2, 28)));
    assert_eq!(first_kept(&half_a_year, date(2026, 8, 31)), Some(date(2026, 3, 1)));
    assert_eq!(first_kept(&half_a_year, date(2027, 2, 28)), Some(date(2026, 9, 1)));
    assert_eq!(first_kept(&half_a_year, date(2027, 2, 27)), Some(date(2026, 8, 28)));
    assert_eq!(runs(&half_a_year, date(2026, 8, 28))[0].at, at("2026-08-28T01:00:00Z"), "three in the morning");
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
    let aged = other.aged(&category("access-logs"), today, None);
    assert_eq!(aged, Ok(Aged::Left { rule: "test/duty".to_owned(), why: Unfit::Duty }));
}

#[test]
fn a_promise_in_hours_is_swept_at_each_full_hour_and_reaches_what_would_not_last_to_the_next() {
    let policy = pack("connect2ip", include_str!("../../../../policies/connect2ip.toml"));
    let Ok(Aged::Runs(runs)) = policy.aged(&category("ip"), date(2026, 8, 28), Some(date(2026, 8, 28))) else {
        panic!("it has runs");
    };
    assert_eq!(runs.len(), 24);
    assert!(runs.iter().all(|run| run.rule == "connect2ip/ip"));
    let cuts: Vec<_> = [0, 1, 23].map(|run: usize| (runs[run].at, runs[run].older_than)).into();
    assert_eq!(
        cuts,
        [
            (at("2026-08-28T01:00:00Z"), at("2026-08-27T02:00:00Z")),
            (at("2026-08-28T02:00:00Z"), at("2026-08-27T03:00:00Z")),
            (at("2026-08-29T00:00:00Z"), at("2026-08-28T01:00:00Z")),
        ]
    );
}

#[test]
fn a_day_on_which_the_clock_changes_has_one_hour_less_or_more_and_no_gap() {
    let hours = policy(&[HOURS]);
    for (day, count) in
        [(date(2026, 3, 28), 23), (date(2026, 3, 29), 24), (date(2026, 10, 24), 25), (date(2026, 10, 25), 24)]
    {
        let [today, tomorrow] = [day, day.tomorrow().expect("in range")].map(|day| runs(&hours, day));
        assert_eq!(today.len(), count, "{day}");
        let all: Vec<_> = today.iter().chain(&tomorrow).collect();
        assert!(all.windows(2).all(|two| two[1].at.duration_since(two[0].at) == HOUR), "{day}");
        // Elapsed time, whatever the clocks on the wall do.
        assert!(all.iter().all(|run| run.at.duration_since(run.older_than) == SignedDuration::from_hours(23)), "{day}");
    }
}

#[test]
fn of_days_and_hours_the_strictest_decides_each_run() {
    let today = date(2026, 8, 28);
    // Everything of yesterday by today: at three in the morning that is more than 23 hours old, later it is less.
    let day = ("day", "erase", "by", "record", "1 day");
    let both = runs(&policy(&[HOURS, day]), today);
    assert_eq!(both.len(), 24);
    let midnight = at("2026-08-27T22:00:00Z");
    let rules: Vec<_> = both.iter().map(|run| (run.rule.as_str(), run.older_than)).collect();
    assert_eq!(rules[0], ("test/day", midnight));
    assert_eq!(rules[20], ("test/day", midnight), "of two equals the one in days");
    assert_eq!(rules[21], ("test/ip", at("2026-08-27T23:00:00Z")));
    // What a duty keeps stays, and the night after belongs to the next day.
    let duty = ("duty", "keep", "keep", "record", "2 days");
    let kept = runs(&policy(&[HOURS, duty]), today);
    assert_eq!(kept[0].older_than, at("2026-08-25T22:00:00Z"));
    assert_eq!(kept[20].at, at("2026-08-28T21:00:00Z"));
    assert_eq!(kept[20].older_than, at("2026-08-25T22:00:00Z"));
    assert_eq!(kept[21].older_than, at("2026-08-26T22:00:00Z"));
}

#[test]
fn what_somebody_has_to_handle_first_is_left_and_said_on_the_day_of_its_sweep() {
    let netip = pack("netip", include_str!("../../../../policies/netip.toml"));
    let left = Aged::Left { rule: "netip/mail".to_owned(), why: Unfit::HandledFirst };
    let first = |word: &str| netip.handled_first(&category(word)).map(|rule| rule.id.clone());
    assert_eq!((first("mail").as_deref(), first("network-logs")), (Some("netip/mail"), None));
    for (day, said) in [
        (date(2026, 8, 1), true),
        (date(2026, 8, 2), false),
        (date(2026, 8, 31), false),
        (date(2026, 9, 1), true),
        (date(2028, 2, 29), false),
        (date(2028, 3, 1), true),
        (date(2027, 1, 1), true),
    ] {
        for since in [None, Some(day), Some(date(2025, 12, 31))] {
            let aged = netip.aged(&category("mail"), day, since).expect("in range");
            assert_eq!(aged, if said { left.clone() } else { Aged::NotToday }, "{day} since {since:?}");
        }
    }
}

#[test]
fn a_monthly_and_a_yearly_sweep_run_on_their_day_or_make_up_for_it() {
    let monthly = policy(&[("monthly", "erase", "by", "record", "6 months;sweep = \"monthly\"")]);
    let swept =
        |policy: &Policy, day, since| runs_since(policy, day, Some(since)).first().map(|run| day_of(run.older_than));
    let (first, second) = (date(2026, 9, 1), date(2026, 9, 2));
    // By the end of September everything of March has to go, and September's sweep is the last before.
    assert_eq!(swept(&monthly, first, first), Some(date(2026, 4, 1)));
    assert_eq!(swept(&monthly, second, second), None, "not its day");
    assert_eq!(swept(&monthly, second, first), Some(date(2026, 4, 1)), "made up for");
    assert_eq!(swept(&monthly, date(2026, 9, 30), date(2026, 8, 31)), Some(date(2026, 4, 1)));
    // The 31st of March ends with September; the 31st of August with February.
    assert_eq!(swept(&monthly, date(2027, 2, 1), date(2027, 2, 1)), Some(date(2026, 9, 1)));

    let yearly = policy(&[("yearly", "erase", "by", "record", "1 year;sweep = \"yearly\"")]);
    let sweep = date(2027, 1, 2);
    // Last day 2028-01-01 for what is of 2027-01-01: the sweep after that is a day late for it.
    assert_eq!(swept(&yearly, sweep, sweep), Some(date(2027, 1, 2)));
    assert_eq!(swept(&yearly, date(2026, 12, 31), date(2026, 1, 3)), None);
    assert_eq!(swept(&yearly, date(2027, 1, 1), date(2026, 1, 3)), None);
    assert_eq!(swept(&yearly, date(2027, 1, 5), date(2027, 1, 1)), Some(date(2027, 1, 2)));
}

#[test]
fn a_promise_that_no_sweep_is_in_time_for_has_runs_of_its_own() {
    let short = policy(&[("short", "erase", "by", "record", "10 days;sweep = \"monthly\"")]);
    let swept = |day| runs_since(&short, day, Some(day)).first().map(|run| day_of(run.older_than));
    // From the 22nd of August on the first of September is in time.
    assert_eq!(swept(date(2026, 8, 31)), Some(date(2026, 8, 22)));
    assert_eq!(swept(date(2026, 9, 1)), Some(date(2026, 9, 2)));
    for day in 2..=11 {
        assert_eq!(swept(date(2026, 9, day)), None, "{day}");
    }
    assert_eq!(swept(date(2026, 9, 12)), Some(date(2026, 9, 3)));
}

#[test]
fn a_promise_both_ways_leaves_the_last_day_to_the_customer() {
    let at = ("logs", "erase", "at", "record", "6 months");
    assert_eq!(first_kept(&policy(&[at]), date(2026, 8, 28)), Some(date(2026, 2, 28)));
}

#[test]
fn what_stands_apart_lets_nothing_go_by_age() {
    let apart = ("sooner", "erase", "by", "record", "1 month;apart = true");
    let today = date(2026, 8, 28);
    assert_eq!(policy(&[apart]).aged(&category("access-logs"), today, None), Ok(Aged::NoRule));
    assert_eq!(first_kept(&policy(&[BY, apart]), today), Some(date(2026, 3, 1)), "as if it were not there");
}

#[test]
fn without_a_row_that_counts_from_the_record_nothing_leaves_by_age() {
    let settled = policy(&[("logs", "erase", "by", "customer_settled", "6 months")]);
    assert_eq!(first_kept(&settled, date(2026, 8, 28)), None);
    let masked = policy(&[("logs", "anonymise", "by", "record", "6 months")]);
    assert_eq!(first_kept(&masked, date(2026, 8, 28)), None);
}

fn days(year: i16, ordinal: i16) -> Day {
    date(year, 1, 1).checked_add(jiff::Span::new().days(i64::from(ordinal) - 1)).expect("in range")
}

proptest! {
    #[test]
    fn the_cut_lies_between_what_has_ended_and_what_has_not(
        year in 2018_i16..2100, ordinal in 1_i16..=365, number in 1_u32..60,
        unit in proptest::sample::select(vec!["days", "weeks", "months", "years"]),
    ) {
        let today = days(year, ordinal);
        let text = format!("{number} {unit}");
        let policy = policy(&[("logs", "erase", "by", "record", &text)]);
        let cut = first_kept(&policy, today).expect("a rule");
        let last = |day| calendar::last_day(day, text.parse().expect("a period"), Until::Exact).expect("in range");
        prop_assert!(last(cut) > today);
        prop_assert!(last(cut.yesterday().expect("in range")) <= today);
    }

    /// Against `policy explain`'s own arithmetic: each record goes at the sweep that is planned for it.
    #[test]
    fn a_record_goes_at_the_last_sweep_that_is_in_time_for_it(
        year in 2018_i16..2100, ordinal in 1_i16..=365, hours in 1_u32..200, around in -7_300_i64..7_300,
    ) {
        let today = days(year, ordinal);
        let policy = policy(&[("ip", "erase", "by", "record", &format!("{hours} hours;sweep = \"hourly\""))]);
        for run in runs(&policy, today) {
            let age = i64::from(hours) * 3600 + around;
            let record = run.at.checked_sub(SignedDuration::from_secs(age)).expect("in range");
            let latest = record.checked_add(SignedDuration::from_hours(i64::from(hours))).expect("in range");
            let planned = calendar::last_hour(record, latest);
            prop_assert_eq!(record < run.older_than, planned <= run.at, "{} {}", record, run.at);
        }
    }

    #[test]
    fn days_on_end_leave_no_sweep_out_and_none_twice(year in 2018_i16..2100, ordinal in 1_i16..=365) {
        let today = days(year, ordinal);
        let hourly = policy(&[HOURS]);
        let two: Vec<_> = [today, today.tomorrow().expect("in range")].iter().flat_map(|day| runs(&hourly, *day)).collect();
        prop_assert!(two.windows(2).all(|two| two[1].at.duration_since(two[0].at) == HOUR));
        prop_assert!(two.iter().all(|run| run.at.as_second() % 3600 == 0));
    }

    /// Every record day goes on the very day that its row's planned run says, and with it all that is older.
    #[test]
    fn sweeps_of_every_cadence_take_each_day_on_its_planned_one(
        year in 2018_i16..2100, ordinal in 1_i16..=365, number in 1_u32..40,
        unit in proptest::sample::select(vec!["days", "weeks", "months"]),
        sweep in proptest::sample::select(vec![Sweep::Daily, Sweep::Monthly, Sweep::Yearly]),
    ) {
        let record = days(year, ordinal);
        let text = format!("{number} {unit}");
        let policy = policy(&[("logs", "erase", "by", "record", &format!("{text};sweep = \"{sweep}\""))]);
        let last = calendar::last_day(record, text.parse().expect("a period"), Until::Exact).expect("in range");
        let planned = calendar::last_run(sweep, record, last);
        let cut = |day: Day| runs_since(&policy, day, Some(day)).first().map(|run| day_of(run.older_than));
        prop_assert!(cut(planned).is_some_and(|first_kept| record < first_kept), "gone on {}", planned);
        let before = planned.yesterday().expect("in range");
        prop_assert!(cut(before).is_none_or(|first_kept| record >= first_kept), "there on {}", before);
    }
}
