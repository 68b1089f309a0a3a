//! What holds for every pack, category and date: no duty is cut short, no promise is outrun unsaid, and one more row moves the
//! day only one way.

use gallra_model::Day;
use gallra_model::plan::Anchors;
use gallra_policy::explain::{Ask, Element, explain};
use gallra_policy::succession::{Ended, succeed};
use gallra_policy::{Bound, CATEGORIES, Combined, Extra, Moment, Policy};
use proptest::prelude::*;

use crate::script::{pack, shipped};

const PROVIDERS: [&str; 5] = ["netip", "host001", "connect2ip", "reseller003", "webone"];

fn day() -> impl Strategy<Value = Day> {
    (0i32..400_000).prop_map(|days| jiff::civil::date(1900, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap())
}

/// Dates that do not contradict each other; each may be unknown, and a record's time may be an instant.
#[derive(Debug, Clone)]
struct Dates {
    ended: Option<Day>,
    settled: Option<Day>,
    other: [Option<Day>; 3],
    record: Option<(Day, Option<u32>)>,
}

fn dates() -> impl Strategy<Value = Dates> {
    let some = || prop::option::weighted(0.8, day());
    let record = prop::option::of((day(), prop::option::of(0u32..86_400)));
    (some(), some(), [some(), some(), some()], record).prop_map(|(one, two, other, record)| {
        let (ended, settled) = if one.zip(two).is_some_and(|(one, two)| two < one) { (two, one) } else { (one, two) };
        Dates { ended, settled, other, record }
    })
}

impl Dates {
    fn ask(&self, category: &str) -> Ask {
        let text = |day: Option<Day>| day.map(|day| day.to_string());
        let [left_active, known, received] = self.other.map(text);
        let record = self.record.map(|(day, second)| match second {
            None => day.to_string(),
            Some(second) => format!("{day}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60),
        });
        let (ended, settled) = (text(self.ended), text(self.settled));
        Ask {
            category: category.to_owned(),
            ended,
            settled,
            left_active,
            record,
            known,
            received,
            fiscal_year_end: None,
        }
    }

    fn window(&self, policy: &Policy, category: &str) -> Combined {
        let anchors = Anchors {
            contract_ended: self.ended,
            contract_settled: self.settled,
            customer_ended: self.ended,
            customer_settled: self.settled,
        };
        let record: Option<Moment> = self.ask(category).record.map(|text| text.parse().unwrap());
        let [left_active, change_known, received] = self.other;
        let extra =
            Extra { left_active, record, change_known, received, fiscal_year_end: None, held: None, newest: None };
        policy.window(&category.parse().unwrap(), &anchors, &extra).unwrap()
    }
}

fn later(one: Moment, other: Moment) -> bool {
    one.by_end(other).is_gt()
}

/// A pack with one more row about a category; none where it could never decide anything.
fn with_row(name: &str, category: &str, bound: &str, from: &str, days: u16) -> Option<Policy> {
    let action = if bound == "keep" { "keep" } else { "erase" };
    let row = format!(
        "\n[[rule]]\nid = \"{name}/added\"\ncategory = \"{category}\"\naction = \"{action}\"\nbound = \"{bound}\"\n\
         basis = \"a test\"\ncites = []\ncount = [{{ from = \"{from}\", period = \"{days} days\" }}]\n"
    );
    Policy::parse(name, &format!("{}{row}", shipped(name).unwrap()), shipped).ok()
}

fn anchor() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "contract_ended",
        "contract_settled",
        "customer_ended",
        "record",
        "left_active",
        "change_known",
        "received",
    ])
}

/// The rows of one category in a small pack of its own: what each counts from, how long, and what that binds.
fn rows() -> impl Strategy<Value = Vec<(u8, &'static str, &'static str, u16, &'static str)>> {
    let units = prop::sample::select(vec!["days", "weeks", "months", "years"]);
    let bounds = prop::sample::select(vec!["by", "by", "at", "keep"]);
    prop::collection::vec((0u8..3, bounds, anchor(), 1u16..24, units), 0..4)
}

fn small(rows: &[(u8, &str, &str, u16, &str)]) -> Option<Policy> {
    let mut text = String::from("name = \"p\"\nprovider = \"P\"\n");
    for (name, bound, from, count, unit) in rows {
        let action = if *bound == "keep" { "keep" } else { "erase" };
        text.push_str(&format!(
            "[[rule]]\nid = \"p/{}\"\ncategory = \"mail\"\naction = \"{action}\"\nbound = \"{bound}\"\nbasis = \"b\"\n\
             count = [{{ from = \"{from}\", period = \"{count} {unit}\" }}]\n",
            ["a", "b", "c"][usize::from(*name)]
        ));
    }
    Policy::parse("p", &text, shipped).ok()
}

fn erased() -> impl Strategy<Value = &'static str> {
    prop::sample::select(CATEGORIES.into_iter().filter(|category| *category != "response").collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_answer_keeps_every_duty_and_every_promise_or_says_which_not(
        name in prop::sample::select(PROVIDERS.to_vec()), category in prop::sample::select(CATEGORIES.to_vec()), dates in dates(),
    ) {
        let Ok(elements) = explain(&pack(name), &dates.ask(category)) else { return Ok(()) };
        let (result, rows) = elements.split_last().unwrap();
        prop_assert_eq!((result.rule.as_str(), result.bound), ("result", None));
        let rows = || rows.iter().filter(|row| row.category == category && row.rule != "law/response-extended");
        let of = |bound: Bound| rows().filter(move |row| row.bound == Some(bound.as_str()));
        for keep in of(Bound::Keep).filter_map(|row| row.earliest) {
            prop_assert!(result.planned.is_some_and(|planned| planned.day() >= keep.day()), "{:?}", elements);
        }
        let erases = |row: &&Element| row.action != Some("restrict");
        let promised = of(Bound::By).chain(of(Bound::At)).filter(erases).filter_map(|row| row.latest);
        let unmet = result.note.as_deref().is_some_and(|note| note.starts_with("promise not met"));
        for latest in promised {
            prop_assert!(unmet || result.planned.is_some_and(|planned| !later(planned, latest)), "{:?}", elements);
            prop_assert!(unmet || result.latest.is_some_and(|last| !later(last, latest)), "{:?}", elements);
        }
        prop_assert!(result.earliest.zip(result.planned).is_none_or(|(first, planned)| first.day() <= planned.day()));
    }

    #[test]
    fn another_duty_makes_nothing_earlier(
        name in prop::sample::select(PROVIDERS.to_vec()), category in erased(), dates in dates(), from in anchor(), days in 1u16..1200,
    ) {
        let Some(more) = with_row(name, category, "keep", from, days) else { return Ok(()) };
        let (before, after) = (dates.window(&pack(name), category).exact, dates.window(&more, category).exact);
        if let Some((before, after)) = before.planned.zip(after.planned) {
            prop_assert!(!later(before, after), "{before} became {after}");
        }
        // An `at` row's first day is a courtesy, and a duty is what it gives way to.
        let at = pack(name).rules_for(&category.parse().unwrap()).any(|rule| rule.bound == Bound::At);
        if !at {
            prop_assert!(before.earliest.is_none() || after.earliest.is_some());
        }
    }

    #[test]
    fn another_promise_makes_nothing_later(
        name in prop::sample::select(PROVIDERS.to_vec()), category in erased(), dates in dates(), from in anchor(), days in 1u16..1200,
    ) {
        let Some(more) = with_row(name, category, "by", from, days) else { return Ok(()) };
        let (before, after) = (dates.window(&pack(name), category).exact, dates.window(&more, category).exact);
        // Where only a duty bound, its first free day was planned; a promise beyond it opens an interval.
        if let (Some(_), Some(before), Some(after)) = (before.latest, before.planned, after.planned) {
            prop_assert!(!later(after, before), "{before} became {after}");
        }
        if let Some((before, after)) = before.latest.zip(after.latest) {
            prop_assert!(!later(after, before), "{before} became {after}");
        }
    }

    #[test]
    fn a_new_version_makes_nothing_later_for_who_had_ended_but_by_a_duty(old in rows(), new in rows(), dates in dates()) {
        let (Some(old), Some(new)) = (small(&old), small(&new)) else { return Ok(()) };
        let held = succeed(&old, &new, Ended { contract: true, customer: true });
        let [before, next, after] = [&old, &new, &held].map(|policy| dates.window(policy, "mail"));
        // A longer duty holds, and so does every one that the new version has.
        prop_assert_eq!(after.keep.as_ref().map(|keep| keep.earliest), next.keep.as_ref().map(|keep| keep.earliest));
        // A promise of the old version, and one of the new that turned shorter, is kept or said to be broken by a duty.
        let last = |window: &Combined| window.unmet.as_ref().map_or(window.latest, |unmet| Some(unmet.latest));
        if let Some(before) = last(&before) {
            prop_assert!(last(&after).is_some_and(|after| after <= before), "{after:?} after {before}");
        }
        // What had a day waits for no settlement that it did not wait for.
        let promised = old.rules().iter().any(|rule| rule.bound != Bound::Keep);
        let duties = |policy: &Policy| policy.rules().iter().filter(|rule| rule.bound == Bound::Keep).cloned().collect::<Vec<_>>();
        if promised && duties(&old) == duties(&new) {
            prop_assert!(before.waits_for_settlement || !after.waits_for_settlement);
        }
        // Once more changes nothing.
        prop_assert_eq!(succeed(&held, &held, Ended { contract: true, customer: true }).digest(), held.digest());
    }

    #[test]
    fn asking_anything_of_any_pack_never_panics(
        name in prop::sample::select(PROVIDERS.to_vec()), words in prop::collection::vec("[0-9TZ:+a-z-]{0,24}", 8),
    ) {
        let mut words = words.into_iter();
        let mut next = || words.next().filter(|word| !word.is_empty());
        let ask = Ask {
            category: next().unwrap_or_default(),
            ended: next(),
            settled: next(),
            left_active: next(),
            record: next(),
            known: next(),
            received: next(),
            fiscal_year_end: next(),
        };
        let _ = explain(&pack(name), &ask);
    }
}
