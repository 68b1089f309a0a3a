//! Combination rules 1 and 2, on rows made for the purpose, and their properties.

#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use jiff::civil::date;
use proptest::prelude::*;

use super::*;

const ENDED: Day = date(2026, 1, 31);

fn policy(rows: &[(&str, &str, &str)]) -> Policy {
    swept(rows, |_| "daily")
}

fn swept(rows: &[(&str, &str, &str)], sweep: impl Fn(usize) -> &'static str) -> Policy {
    let mut text = String::from("name = \"host\"\nprovider = \"H\"\n");
    for (number, (bound, from, period)) in rows.iter().enumerate() {
        let name: String = std::iter::repeat_n('a', number + 1).collect();
        let action = if *bound == "keep" { "keep" } else { "erase" };
        text.push_str(&format!(
            "[[rule]]\nid = \"host/{name}\"\ncategory = \"mail\"\naction = \"{action}\"\nbound = \"{bound}\"\n\
             basis = \"contract\"\ncites = []\nsweep = \"{}\"\n\
             count = [{{ from = \"{from}\", period = \"{period}\" }}]\n",
            sweep(number)
        ));
    }
    Policy::parse("host", &text, |_| None).expect("in order")
}

fn window(rows: &[(&str, &str, &str)]) -> Combined {
    window_of(&policy(rows))
}

fn window_of(policy: &Policy) -> Combined {
    held_until(policy, None)
}

fn held_until(policy: &Policy, held: Option<Day>) -> Combined {
    let ended = Some(ENDED);
    let anchors = Anchors { contract_ended: ended, customer_ended: ended, ..Anchors::default() };
    let extra = Extra { change_known: ended, received: ended, left_active: ended, held, ..Extra::default() };
    policy.window(&"mail".parse().expect("a category"), &anchors, &extra).expect("in range")
}

fn days(combined: &Combined) -> [Option<Day>; 3] {
    [combined.earliest, combined.planned, combined.latest]
}

#[test]
fn the_latest_keep_is_the_earliest_day() {
    let combined = window(&[
        ("keep", "contract_ended", "10 days"),
        ("keep", "customer_ended", "20 days"),
        ("by", "contract_ended", "30 days"),
    ]);
    assert_eq!(days(&combined), [Some(date(2026, 2, 21)), Some(date(2026, 3, 2)), Some(date(2026, 3, 2))]);
    assert_eq!(combined.keep.map(|keep| (keep.rule, keep.earliest)), Some(("host/aa".into(), date(2026, 2, 21))));
    assert_eq!(combined.rule.as_deref(), Some("host/aaa"));
}

#[test]
fn a_keep_lifts_the_courtesy_of_an_at() {
    let combined = window(&[("keep", "contract_ended", "10 days"), ("at", "contract_ended", "30 days")]);
    assert_eq!(combined.earliest, Some(date(2026, 2, 11)));
    assert!(combined.in_window);
}

#[test]
fn the_courtesy_of_an_at_never_outlasts_a_promise() {
    let combined = window(&[("at", "contract_ended", "30 days"), ("by", "contract_ended", "10 days")]);
    assert_eq!(days(&combined), [Some(date(2026, 2, 10)); 3]);
    assert_eq!(combined.rule.as_deref(), Some("host/aa"));
}

#[test]
fn a_keep_beyond_the_promise_wins_and_names_it() {
    let combined = window(&[("by", "contract_ended", "1 month"), ("keep", "contract_ended", "1 month")]);
    assert_eq!(days(&combined), [Some(date(2026, 3, 1)), Some(date(2026, 3, 1)), None]);
    assert_eq!(combined.unmet, Some(Unmet { rule: "host/a".into(), latest: date(2026, 2, 28) }));
    let note = combined.note.expect("a note");
    assert!(note.contains("host/a by 2026-02-28") && note.contains("before 2026-03-01"), "{note}");
}

#[test]
fn a_keep_that_ends_on_the_last_day_is_no_conflict() {
    let combined = window(&[("by", "contract_ended", "11 days"), ("keep", "contract_ended", "10 days")]);
    assert_eq!(days(&combined), [Some(date(2026, 2, 11)); 3]);
    assert_eq!(combined.unmet, None);
}

#[test]
fn a_row_that_waits_is_said_beside_one_that_does_not() {
    let combined = window(&[("at", "contract_settled", "1 month"), ("keep", "contract_ended", "30 days")]);
    assert!(combined.waits_for_settlement);
    assert_eq!(combined.planned, Some(date(2026, 3, 3)));
    assert_eq!(combined.note.as_deref(), Some("host/a waits for settlement"));
}

#[test]
fn what_lifts_the_courtesy_of_an_at_lifts_no_keep() {
    let at = window(&[("at", "contract_ended", "30 days")]).without_courtesy();
    assert_eq!(days(&at), [None, Some(date(2026, 3, 2)), Some(date(2026, 3, 2))]);
    assert!(!at.in_window);
    let kept = window(&[("at", "contract_ended", "30 days"), ("keep", "contract_ended", "10 days")]).without_courtesy();
    assert_eq!(kept.earliest, Some(date(2026, 2, 11)));
    let forced = window(&[("at", "contract_ended", "10 days"), ("keep", "contract_ended", "30 days")]);
    assert_eq!(days(&forced.clone().without_courtesy()), days(&forced));
}

#[test]
fn a_row_whose_anchor_is_not_given_is_left_out() {
    let combined = window(&[("by", "record", "1 month")]);
    assert_eq!(combined, Combined::default());
}

#[test]
fn a_category_without_a_row_needs_a_period() {
    let combined = policy(&[])
        .window(&"mail".parse().expect("a category"), &Anchors::default(), &Extra::default())
        .expect("in range");
    assert!(combined.needs_period);
    assert_eq!(combined.planned, None);
}

#[test]
fn the_last_sweep_inside_the_interval_is_planned_or_a_run_of_its_own() {
    let by = ("by", "contract_ended", "1 year");
    let yearly = |_| "yearly";
    assert_eq!(window_of(&swept(&[by], yearly)).planned, Some(date(2027, 1, 2)));
    let kept = |days| window_of(&swept(&[by, ("keep", "customer_ended", days)], yearly));
    assert_eq!(days(&kept("335 days")), [Some(date(2027, 1, 2)), Some(date(2027, 1, 2)), Some(date(2027, 1, 31))]);
    assert_eq!(days(&kept("336 days")), [Some(date(2027, 1, 3)), Some(date(2027, 1, 31)), Some(date(2027, 1, 31))]);
}

#[test]
fn of_two_sweeps_the_sooner_run_is_planned() {
    let sweep = |number| if number == 0 { "monthly" } else { "daily" };
    let rows = [("by", "contract_ended", "90 days"), ("by", "customer_ended", "80 days")];
    let both = window_of(&swept(&rows, sweep));
    assert_eq!((both.planned, both.latest), (Some(date(2026, 4, 1)), Some(date(2026, 4, 21))));
}

fn rows() -> impl Strategy<Value = Vec<(&'static str, u16)>> {
    prop::collection::vec((prop::sample::select(vec!["by", "at", "keep"]), 1u16..400), 1..5)
}

/// Sweeps go by position, so that a row keeps its own when another is added.
fn generated(rows: &[(&'static str, u16)], sweeps: [&'static str; 5]) -> Combined {
    let rows: Vec<_> = rows.iter().map(|(bound, count)| (*bound, format!("{count} days"))).collect();
    // One anchor each, all on one day: of two rows from one anchor a pack's check lets only the stricter in.
    let anchors = ["contract_ended", "customer_ended", "change_known", "received", "left_active"];
    let rows: Vec<_> =
        rows.iter().zip(anchors).map(|((bound, period), anchor)| (*bound, anchor, period.as_str())).collect();
    window_of(&swept(&rows, |number| sweeps[number]))
}

fn sweeps() -> impl Strategy<Value = [&'static str; 5]> {
    let one = || prop::sample::select(vec!["daily", "monthly", "yearly"]);
    [one(), one(), one(), one(), one()]
}

proptest! {
    #[test]
    fn never_before_a_keep_and_never_after_a_promise_unless_it_says_so(rows in rows(), sweeps in sweeps()) {
        let combined = generated(&rows, sweeps);
        let planned = combined.planned.expect("every anchor is known");
        for (bound, count) in &rows {
            let last = ENDED.checked_add(jiff::Span::new().days(i64::from(*count))).expect("in range");
            match *bound {
                "keep" => prop_assert!(planned > last),
                _ => prop_assert!(planned <= last || combined.unmet.is_some()),
            }
        }
        prop_assert!(combined.earliest.is_none_or(|earliest| earliest <= planned));
        prop_assert!(combined.latest.is_none_or(|latest| planned <= latest));
    }

    #[test]
    fn another_keep_makes_nothing_earlier(rows in rows(), count in 1u16..400, sweeps in sweeps()) {
        let before = generated(&rows, sweeps);
        let after = generated(&rows.iter().copied().chain([("keep", count)]).collect::<Vec<_>>(), sweeps);
        prop_assert!(after.planned >= before.planned);
    }

    #[test]
    fn another_promise_makes_nothing_later(rows in rows(), count in 1u16..400, sweeps in sweeps()) {
        let before = generated(&rows, sweeps);
        let after = generated(&rows.iter().copied().chain([("by", count)]).collect::<Vec<_>>(), sweeps);
        let keep_only = rows.iter().all(|(bound, _)| *bound == "keep");
        // A lone duty plans its first free day; a promise beyond it opens an interval and plans its end.
        prop_assert!(keep_only || after.planned <= before.planned);
    }
}

#[test]
fn a_hold_with_an_end_binds_as_a_duty_does() {
    let monthly = |bound| swept(&[(bound, "contract_ended", "3 months")], |_| "monthly");
    let until = |policy: &Policy, day| days(&held_until(policy, Some(day)));
    let latest = date(2026, 4, 30);
    // Before the sweep, after it, on the last day, and beyond it.
    let by = monthly("by");
    assert_eq!(until(&by, date(2026, 3, 1)), [Some(date(2026, 3, 1)), Some(date(2026, 4, 1)), Some(latest)]);
    assert_eq!(until(&by, date(2026, 4, 2)), [Some(date(2026, 4, 2)), Some(latest), Some(latest)]);
    assert_eq!(until(&by, latest), [Some(latest), Some(latest), Some(latest)]);
    let beyond = held_until(&by, Some(date(2026, 5, 1)));
    assert_eq!(days(&beyond), [Some(date(2026, 5, 1)), Some(date(2026, 5, 1)), None]);
    assert_eq!(beyond.unmet, Some(Unmet { rule: "host/a".into(), latest }));
    assert_eq!(beyond.rule.as_deref(), Some("host/a"), "no row forbids it, so the promise's is named");
    // The customer counts on the data until the last evening all the same.
    let at = held_until(&monthly("at"), Some(date(2026, 3, 1)));
    assert_eq!((at.planned, at.in_window), (Some(latest), true));
    assert_eq!(at.without_courtesy().earliest, Some(date(2026, 3, 1)), "what lifts a courtesy lifts no hold");
}

#[test]
fn a_hold_beside_a_duty_counts_where_it_ends_later() {
    let policy = policy(&[("keep", "contract_ended", "40 days"), ("by", "contract_ended", "30 days")]);
    let free = date(2026, 3, 13);
    for (held, day) in [(date(2026, 3, 1), free), (free, free), (date(2026, 6, 1), date(2026, 6, 1))] {
        let combined = held_until(&policy, Some(held));
        assert_eq!(days(&combined), [Some(day), Some(day), None]);
        assert_eq!(combined.rule.as_deref(), Some("host/a"));
        assert_eq!(combined.unmet.map(|unmet| unmet.rule), Some("host/aa".into()));
    }
}

#[test]
fn a_duty_that_breaks_nothing_is_not_named_for_what_a_hold_breaks() {
    let policy = policy(&[("keep", "contract_ended", "29 days"), ("by", "contract_ended", "30 days")]);
    let combined = held_until(&policy, Some(date(2026, 4, 1)));
    assert_eq!((combined.rule.as_deref(), combined.earliest), (Some("host/aa"), Some(date(2026, 4, 1))));
}

#[test]
fn a_hold_alone_gives_no_day() {
    let held = Some(date(2026, 6, 1));
    let waits = held_until(&policy(&[("by", "contract_settled", "1 month")]), held);
    assert_eq!((waits.planned, waits.waits_for_settlement), (None, true));
}

#[test]
fn the_courtesy_of_an_at_is_a_whole_day_beside_a_promise_that_ends_within_it() {
    let rows = [("at", "contract_ended", "at once"), ("by", "record", "24 hours")];
    let policy = swept(&rows, |row| if row == 1 { "hourly" } else { "daily" });
    let record = Some(Moment::Instant("2026-01-30T09:30:00Z".parse().expect("a literal")));
    let anchors = Anchors { contract_ended: Some(ENDED), ..Anchors::default() };
    let extra = Extra { record, ..Extra::default() };
    let combined = policy.window(&"mail".parse().expect("a category"), &anchors, &extra).expect("in range");
    assert_eq!(combined.exact.earliest, Some(Moment::Day(ENDED)));
    assert_eq!(combined.exact.latest, Some(Moment::Instant("2026-01-31T09:30:00Z".parse().expect("a literal"))));
}

fn of_newest(rows: &[(&str, &str, &str)], kept: Option<Day>, record: Option<Day>) -> Combined {
    let anchors = Anchors { contract_ended: Some(ENDED), ..Anchors::default() };
    let newest = Some(crate::Newest { promised: ENDED, kept });
    let extra = Extra { newest, record: record.map(Moment::Day), ..Extra::default() };
    let policy = swept(rows, |row| if rows[row].2.ends_with("hours") { "hourly" } else { "daily" });
    policy.window(&"mail".parse().expect("a category"), &anchors, &extra).expect("in range")
}

#[test]
fn ages_count_from_the_newest_record_where_a_rule_knows_nothing_else() {
    let month = ("by", "record", "1 month");
    let of = |rows: &[(&str, &str, &str)]| of_newest(rows, None, None);
    let aged = of(&[month]);
    assert_eq!(
        (days(&aged), aged.by_age.as_deref()),
        ([None, Some(date(2026, 2, 28)), Some(date(2026, 2, 28))], Some("host/a"))
    );
    assert_eq!(
        of_newest(&[month], None, Some(date(2025, 12, 31))).latest,
        Some(date(2026, 1, 31)),
        "a record that is given"
    );
    // Whatever else there is: one row more to combine.
    let both = of(&[month, ("by", "contract_ended", "2 weeks")]);
    assert_eq!((both.latest, both.by_age.is_some()), (Some(date(2026, 2, 14)), true));
    let hours = of(&[("by", "record", "25 hours")]);
    assert_eq!(days(&hours), [None, Some(date(2026, 2, 1)), Some(date(2026, 2, 2))]);
    // Within the day of the record it is a sweep's; from the day after on it is a plan's.
    assert_eq!(of(&[("by", "record", "at once")]).planned, None);
    assert_eq!(of(&[("by", "record", "1 day")]).planned, Some(date(2026, 2, 1)));
    for other in [("at", "record", "1 month"), ("by", "customer_ended", "1 month")] {
        assert_eq!(of(&[other]).planned, None, "{other:?}");
    }
}

#[test]
fn a_duty_of_every_record_counts_from_the_settlement_and_waits_for_it() {
    let rows = [("keep", "record", "6 months"), ("by", "contract_ended", "1 month")];
    let settled = of_newest(&rows, Some(date(2026, 3, 10)), None);
    assert_eq!(settled.earliest, Some(date(2026, 9, 11)));
    assert_eq!(settled.unmet.map(|unmet| unmet.latest), Some(date(2026, 2, 28)));
    assert!(!settled.waits_for_settlement);
    assert!(of_newest(&rows, None, None).waits_for_settlement);
}
