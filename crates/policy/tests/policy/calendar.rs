//! The calendar against programs that are not ours: cases that `tests/reference/swedish_calendar.py` wrote. A frozen sample is read in
//! every run; `GALLRA_CALENDAR_CASES` names another file, as `./dev test --long` does.

use std::collections::BTreeMap;

use gallra_model::Day;
use gallra_policy::calendar::{AnswerDays, Period, answer_days, is_eve, is_public_holiday};

const FROZEN: &str = include_str!("../reference/swedish_calendar.txt");

fn day(word: &str) -> Day {
    word.parse().unwrap()
}

fn after(event: &str, count: &str, unit: &str) -> Day {
    let period: Period = format!("{count} {unit}").parse().unwrap();
    period.last_day(day(event)).unwrap()
}

fn holds(words: &[&str]) -> bool {
    match words {
        ["m", event, count, last] => after(event, count, "months") == day(last),
        ["y", event, count, last] => after(event, count, "years") == day(last),
        ["h", on, kind] => {
            let on = day(on);
            let ours = if is_public_holiday(on) {
                "1"
            } else if is_eve(on) {
                "2"
            } else {
                "0"
            };
            ours == *kind
        }
        ["a", received, latest, planned, moved] => {
            let unmoved = after(received, "1", "month");
            let [latest, planned, moved] = [latest, planned, moved].map(|word| day(word));
            let if_eves_moved = (moved != latest).then_some(moved);
            answer_days(unmoved) == Ok(AnswerDays { unmoved, planned, latest, if_eves_moved })
        }
        other => panic!("no case: {other:?}"),
    }
}

#[test]
fn the_calendar_agrees_with_independent_programs() {
    let text = match std::env::var_os("GALLRA_CALENDAR_CASES") {
        Some(path) => std::fs::read_to_string(path).unwrap(),
        None => FROZEN.to_owned(),
    };
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<_> = line.split(' ').collect();
        assert!(holds(&words), "the other program says: {line}");
        *counts.entry(words[0].to_owned()).or_insert(0u32) += 1;
    }
    let each = u32::try_from(text.lines().count() / 4).unwrap();
    assert!(each >= 500 && counts.len() == 4 && counts.values().all(|count| *count == each), "{counts:?}");
}
