//! What a pack says beside its rows, read back: settings that no shipped pack has, and where an answer comes from.

use gallra_model::Day;
use gallra_model::plan::Anchors;
use gallra_policy::calendar::day_after;
use gallra_policy::explain::{Ask, explain};
use gallra_policy::{CalendarError, Extra, Policy};

use crate::script::{pack, shipped};

/// One row of each kind, under settings that are nobody's default.
const OWN: &str = r#"
name = "own"
provider = "Own"
fiscal_year_end = "06-30"
window = { opens = "19:00", closes = "20:30" }

[[changed_year]]
begins = "2026-01-01"
ends = "2026-06-30"

[[rule]]
id = "own/chat"
category = "chat"
action = "erase"
bound = "by"
basis = "contract"
cites = ["the terms, section 4"]
count = [{ from = "customer_ended", period = "1 month" }]
"#;

fn own() -> Policy {
    Policy::parse("own", OWN, shipped).unwrap()
}

#[test]
fn a_packs_settings_are_read_back() {
    let policy = own();
    assert_eq!(policy.window_hours().to_string(), "19:00-20:30");
    assert_eq!(policy.fiscal_year_end().to_string(), "06-30");
    let years: Vec<_> = policy.changed_years().iter().map(|year| (year.begins, year.ends)).collect();
    assert_eq!(years, [(Day::constant(2026, 1, 1), Day::constant(2026, 6, 30))]);
}

#[test]
fn a_financial_year_of_ones_own_needs_no_changed_one() {
    let changed = "[[changed_year]]\nbegins = \"2026-01-01\"\nends = \"2026-06-30\"\n";
    let policy = Policy::parse("own", &OWN.replace(changed, ""), shipped).unwrap();
    assert_eq!((policy.fiscal_year_end().to_string().as_str(), policy.changed_years()), ("06-30", [].as_slice()));
}

#[test]
fn a_rules_form_tells_what_stands_apart_and_nothing_of_what_does_not() {
    let policy = pack("webone");
    let apart = |id: &str| serde_json::to_value(policy.rule(id).unwrap()).unwrap().get("apart").cloned();
    assert_eq!(apart("law/response-extended"), Some(true.into()));
    assert_eq!(apart("webone/chat"), None, "digests of before it was written down stay");
}

#[test]
fn a_window_carries_its_rules_ground() {
    let ended = Some(Day::constant(2026, 1, 31));
    let anchors = Anchors { contract_ended: ended, customer_ended: ended, ..Anchors::default() };
    let window = own().window(&"chat".parse().unwrap(), &anchors, &Extra::default()).unwrap();
    assert_eq!(window.ground.as_deref(), Some("contract: the terms, section 4"));
    assert_eq!(window.rule.as_deref(), Some("own/chat"));
}

#[test]
fn a_row_without_a_date_says_on_what_it_rests_and_where_it_stands() {
    let policy = pack("host001");
    let ended = Some("2026-01-31".to_owned());
    let ask = Ask { category: "register".to_owned(), ended, ..Ask::default() };
    let answer = explain(&policy, &ask).unwrap();
    let row = answer.iter().find(|element| element.rule == "host001/identification").unwrap();
    let entry = policy.entry("host001/identification").unwrap();
    assert!(entry.basis.is_some() && !entry.cites.is_empty(), "a row that says both: {entry:?}");
    assert_eq!((&row.basis, &row.cites), (&entry.basis, &entry.cites));
}

#[test]
fn the_day_after_the_last_is_out_of_range() {
    assert_eq!(day_after(Day::constant(2026, 2, 28)), Ok(Day::constant(2026, 3, 1)));
    assert_eq!(day_after(Day::MAX), Err(CalendarError::OutOfRange));
}
