//! The shipped packs, and what a pack may not say.

mod whole;

use proptest::prelude::*;

use super::*;

const WEBONE: &str = include_str!("../../../../policies/webone.toml");
const LAW: &str = include_str!("../../../../policies/law-se.toml");

pub(crate) fn includes(name: &str) -> Option<String> {
    (name == "law-se").then(|| LAW.to_owned())
}

/// WebOne's pack as shipped.
pub(crate) fn webone() -> Policy {
    Policy::parse("webone", WEBONE, includes).expect("the shipped pack is in order")
}

/// WebOne's pack with one text replaced by another.
pub(crate) fn webone_with(from: &str, to: &str) -> Policy {
    assert!(WEBONE.contains(from), "the pack says {from:?}");
    Policy::parse("webone", &WEBONE.replace(from, to), includes).expect("still in order")
}

fn problems(text: &str) -> Vec<(Option<usize>, String)> {
    let refused = Policy::parse("host", text, includes).expect_err("refused");
    refused.problems.into_iter().map(|problem| (problem.line, problem.text)).collect()
}

fn with_rule(line: &str) -> String {
    let mut text = String::from("name = \"host\"\nprovider = \"H\"\n[[rule]]\n");
    for (key, value) in [
        ("id", "\"host/mail\""),
        ("category", "\"mail\""),
        ("action", "\"erase\""),
        ("bound", "\"by\""),
        ("basis", "\"contract\""),
        ("cites", "[]"),
        ("count", "[{ from = \"record\", period = \"1 year\" }]"),
    ] {
        let own = line.split_once(" = ").is_some_and(|(replaced, _)| replaced == key);
        text.push_str(&if own { format!("{line}\n") } else { format!("{key} = {value}\n") });
    }
    text
}

#[test]
fn the_shipped_pack_has_its_rows_and_the_laws() {
    let policy = webone();
    let of = |prefix: &str| {
        let rules = policy.rules().iter().filter(|rule| rule.id.starts_with(prefix)).count();
        (rules, policy.entries().iter().filter(|entry| entry.id.starts_with(prefix)).count())
    };
    assert_eq!((of("webone/"), of("law/")), ((9, 4), (3, 7)));
    assert_eq!(policy.switched_off(), [SwitchedOff { rule: "law/data-act".into(), reason: None }]);
}

#[test]
fn a_pack_that_includes_no_law_sheds_none_of_it() {
    assert!(webone().under_law().is_ok());
    let law = Policy::parse("law-se", LAW, includes).expect("in order");
    assert!(law.under_law().is_ok(), "the law itself");
    let bare = WEBONE.lines().filter(|line| !line.starts_with("include = ")).collect::<Vec<_>>().join("\n");
    let bare = Policy::parse("webone", &bare, includes).expect("in order by itself").under_law();
    let problems = bare.expect_err("no law").problems;
    assert_eq!(problems.len(), 1);
    assert!(problems[0].text.contains("law/bookkeeping, law/response, law/periods, law/tz"), "{}", problems[0]);
}

#[test]
fn what_bears_the_laws_names_asks_no_less_than_the_law() {
    let under = |from: &str, to: &str| {
        assert!(LAW.contains(from), "{from}");
        let law = LAW.replacen(from, to, 1);
        let policy = Policy::parse("webone", WEBONE, |_: &str| Some(law.clone())).expect("in order by itself");
        policy.under_law().map(|_| ()).map_err(|refused| refused.problems[0].text.clone())
    };
    let refused = |row: &str| Err(format!("not under the law: {row} bind every provider"));
    assert_eq!(under("period = \"7 years\"", "period = \"6 years\""), refused("law/bookkeeping"));
    assert_eq!(under("period = \"7 years\", until = \"year-end\"", "period = \"7 years\""), refused("law/bookkeeping"));
    assert_eq!(under("category = \"bookkeeping\"", "category = \"notes\""), refused("law/bookkeeping"));
    assert_eq!(under("period = \"1 month\"", "period = \"2 months\""), refused("law/response"));
    assert_eq!(under("period = \"7 years\"", "period = \"10 years\""), Ok(()), "more than the law");
    assert_eq!(under("period = \"1 month\"", "period = \"2 weeks\""), Ok(()));
}

#[test]
fn names_and_prefixes_are_plain_words() {
    let of = |length: usize| {
        let text = format!("name = \"host\"\nprovider = \"H\"\nprefix = \"{}\"\n", "a".repeat(length));
        Policy::parse("host", &text, includes).is_ok()
    };
    assert_eq!((of(48), of(49)), (true, false));
    for (name, prefix) in
        [("host", "Åke"), ("host", "Host"), ("host", ""), ("host", "a b"), ("Host", "host"), ("", "host")]
    {
        let text = format!("name = \"{name}\"\nprovider = \"H\"\nprefix = \"{prefix}\"\n");
        let refused = Policy::parse(name, &text, includes).expect_err("refused");
        assert!(refused.to_string().contains("is no plain word"), "{name}, {prefix}: {refused}");
    }
}

#[test]
fn a_version_without_a_first_day_is_in_force_until_another_ones_day_comes() {
    let day = |text: &str| text.parse().expect("a day");
    let versions = [webone_with("strict_backup", "valid_from = \"2027-01-01\"\nstrict_backup"), webone()];
    let from = |on: &str| in_force(&versions, day(on)).map(Policy::valid_from);
    assert_eq!(from("2026-12-31"), Some(None));
    assert_eq!(from("2027-01-01"), Some(Some(day("2027-01-01"))));
    assert_eq!(doubled(&versions), Vec::<&str>::new());
    assert_eq!(doubled(&[webone(), webone()]), ["webone"]);
}

#[test]
fn the_digest_covers_rules_and_not_comments() {
    let commented = Policy::parse("webone", &format!("# a remark\n{WEBONE}"), includes).expect("in order");
    assert_eq!(commented.digest(), webone().digest());
    assert_ne!(webone_with("period = \"1 month\"", "period = \"2 months\"").digest(), webone().digest());
    assert_ne!(webone_with("include = [\"law-se\"]", "include = []").digest(), webone().digest());
    assert_ne!(webone_with("strict_backup = false", "strict_backup = true").digest(), webone().digest());
}

#[test]
fn unknown_keys_and_broken_toml_name_their_line() {
    let found = problems("name = \"host\"\nprovider = \"H\"\ncolour = 1\n");
    assert_eq!(found.first().map(|(line, _)| *line), Some(Some(3)), "{found:?}");
    let found = problems("name = \"host\"\nprovider = \n");
    assert_eq!(found.first().map(|(line, _)| *line), Some(Some(2)), "{found:?}");
    assert_eq!(problems("provider = \"H\"\n").len(), 1, "a missing key is a problem");
}

#[test]
fn every_wrong_word_is_a_problem_with_its_line() {
    for (line, number) in [
        ("id = \"other/mail\"", 4),
        ("id = \"host/\"", 4),
        ("id = \"host/Mail\"", 4),
        ("id = \"host/a_b\"", 4),
        ("category = \"mails\"", 5),
        ("action = \"delete\"", 6),
        ("action = \"keep\"", 7),
        ("bound = \"before\"", 7),
        ("basis = \" \"", 8),
        ("count = []", 4),
        ("count = [{ from = \"birth\", period = \"1 year\" }]", 10),
        ("count = [{ from = \"record\", period = \"1\" }]", 10),
        ("count = [{ from = \"record\", period = \"1 year\", until = \"forever\" }]", 10),
        ("count = [{ from = \"record\", period = \"1 year\", stricter = { from = \"x\", period = \"1 day\" } }]", 10),
    ] {
        let found = problems(&with_rule(line));
        assert_eq!(found.len(), 1, "{line}: {found:?}");
        assert_eq!(found.first().map(|(at, _)| *at), Some(Some(number)), "{line}: {found:?}");
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let text = with_rule("category = \"mails\"").replace("\"erase\"", "\"burn\"").replace("1 year", "one year");
    assert_eq!(problems(&text).len(), 3);
}

#[test]
fn a_rule_id_is_used_once() {
    let row = with_rule("").split_once("[[rule]]").map(|(_, row)| row.to_owned()).expect("a row");
    let found = problems(&format!("{}[[rule]]{row}", with_rule("")));
    assert_eq!(found, [(Some(12), "the rule id host/mail is used twice".to_owned())]);
}

#[test]
fn a_rule_id_is_as_long_as_proofs_can_carry() {
    let of = |length: usize| {
        let text = with_rule(&format!("id = \"host/{}\"", "a".repeat(length - 5)));
        Policy::parse("host", &text, includes).map(|_| ()).map_err(|refused| refused.problems[0].text.clone())
    };
    assert_eq!(of(100), Ok(()));
    assert_eq!(of(101), Err("the id is too long".to_owned()));
}

#[test]
fn includes_are_found_checked_and_one_level_deep() {
    let found = problems("name = \"host\"\nprovider = \"H\"\ninclude = [\"law-xx\"]\n");
    assert_eq!(found, [(Some(3), "the included pack cannot be found".to_owned())]);
    let nested = |_: &str| Some("name = \"law-se\"\nprovider = \"S\"\ninclude = [\"host\"]\n".to_owned());
    let text = "name = \"host\"\nprovider = \"H\"\ninclude = [\"law-se\"]\n";
    let refused = Policy::parse("host", text, nested).expect_err("refused");
    assert_eq!(refused.to_string().lines().next(), Some("law-se.toml:3: an included pack includes another"));
}

#[test]
fn the_pack_is_named_as_its_file() {
    let found = problems("name = \"hots\"\nprovider = \"H\"\n");
    assert_eq!(found, [(Some(1), "the pack's name is not its file's".to_owned())]);
}

#[test]
fn hours_that_summer_time_repeats_are_no_window() {
    let text = "name = \"host\"\nprovider = \"H\"\nwindow = { opens = \"01:00\", closes = \"02:30\" }\n";
    assert_eq!(problems(text).first().map(|(line, _)| *line), Some(Some(3)));
}

proptest! {
    #[test]
    fn reading_a_pack_never_panics(text in ".*") {
        let _ = Policy::parse("host", &text, includes);
    }

    #[test]
    fn a_damaged_pack_is_read_or_refused(at in 0usize..5000, cut in 0usize..40, put in "[a-z\"=\\[\\]{}\\n 0-9]{0,4}") {
        let chars: Vec<_> = WEBONE.chars().collect();
        let (head, tail) = chars.split_at(at.min(chars.len()));
        let text: String = head.iter().copied().chain(put.chars()).chain(tail.iter().copied().skip(cut)).collect();
        let _ = Policy::parse("webone", &text, includes);
    }
}
