//! Every row has a script, and every row matters: taken out of its pack's text, it changes what its script answers.

use std::collections::BTreeSet;

use gallra_policy::CATEGORIES;
use gallra_policy::explain::{Ask, explain};

use crate::golden::scripts;
use crate::script::{PACKS, named, outcome, pack, shipped};

/// Every row's id, as the specification lists them.
const IDS: [&str; 70] = [
    "netip/network-logs",
    "netip/hosted-logs",
    "netip/mail",
    "netip/tickets",
    "netip/visitors",
    "netip/disclosure",
    "netip/encrypted-mail",
    "host001/identification",
    "host001/contact",
    "host001/history",
    "host001/user-logs",
    "host001/bookkeeping",
    "host001/processor",
    "host001/request-access",
    "host001/request-rectify",
    "host001/request-erase",
    "host001/request-restrict",
    "host001/identify",
    "host001/assess",
    "host001/disclosure",
    "connect2ip/ip",
    "connect2ip/record-lock",
    "connect2ip/record-erase",
    "connect2ip/bookkeeping",
    "connect2ip/traffic",
    "connect2ip/credit",
    "connect2ip/request-access",
    "connect2ip/request-portability",
    "connect2ip/request-rectify",
    "connect2ip/request-erase",
    "connect2ip/request-restrict",
    "connect2ip/request-object",
    "connect2ip/request-withdraw",
    "connect2ip/marketing",
    "connect2ip/recipients",
    "connect2ip/minimise",
    "connect2ip/authorities",
    "connect2ip/complaint",
    "reseller003/register",
    "reseller003/leftover",
    "reseller003/mail",
    "reseller003/notes",
    "reseller003/bookkeeping",
    "reseller003/request-withdraw",
    "reseller003/suppliers",
    "reseller003/sale",
    "webone/contact",
    "webone/bookkeeping",
    "webone/chat",
    "webone/mail",
    "webone/access-logs",
    "webone/login-ip",
    "webone/customer-data",
    "webone/backup",
    "webone/sweep",
    "webone/instruction",
    "webone/otherwise-agreed",
    "webone/unsettled",
    "webone/roles",
    "law/bookkeeping",
    "law/response",
    "law/response-extended",
    "law/periods",
    "law/tz",
    "law/recipients",
    "law/exemptions",
    "law/processor",
    "law/data-act",
    "law/preservation",
    "law/others",
];

/// Combination rules and their parts, and who shows each: scripts here, or another crate's tests.
const RULES: [(&str, Shown); 14] = [
    ("1", Shown::Here),
    ("1-holds", Shown::Elsewhere("crates/planner/tests/scenario/22-hold-until-a-day.txt", "hold 01010101")),
    ("2", Shown::Here),
    (
        "2-restricted",
        Shown::Elsewhere("crates/planner/tests/scenario/13-keep-beyond-promise.txt", "locked while it stays, by hand"),
    ),
    ("3", Shown::Here),
    ("4", Shown::Here),
    ("4-backups", Shown::Elsewhere("crates/planner/tests/scenario/35-instruction-about-copies.txt", "rewrite")),
    (
        "5",
        Shown::Elsewhere(
            "crates/coordinator/tests/guards/holding.rs",
            "a_hold_ends_when_its_last_day_is_over_and_what_is_overdue_runs",
        ),
    ),
    (
        "6",
        Shown::Elsewhere(
            "crates/coordinator/tests/guards/suppression.rs",
            "what_was_erased_of_a_contract_that_is_resumed_does_not_go_again",
        ),
    ),
    ("7", Shown::Here),
    (
        "7-request",
        Shown::Elsewhere(
            "crates/coordinator/tests/guards/instructions.rs",
            "a_customer_without_an_agreed_period_shows_it_late_until_an_instruction_gives_one",
        ),
    ),
    ("8", Shown::Elsewhere("crates/planner/tests/scenario/28-copies-outlive-a-rule.txt", "copies outlive a rule")),
    ("9", Shown::Here),
    (
        "9-live",
        Shown::Elsewhere(
            "crates/coordinator/tests/guards/versions.rs",
            "a_longer_period_does_not_reach_who_had_ended_and_a_shorter_one_does",
        ),
    ),
];

enum Shown {
    Here,
    /// In a file from the repository's root, by words that stand in it.
    Elsewhere(&'static str, &'static str),
}

fn ids() -> BTreeSet<String> {
    IDS.map(str::to_owned).into()
}

#[test]
fn the_packs_carry_every_row_and_no_other() {
    let of = |name| {
        let policy = pack(name);
        let rules = policy.rules().iter().map(|rule| rule.id.clone());
        let entries = policy.entries().iter().map(|entry| entry.id.clone());
        let off = policy.switched_off().iter().map(|off| off.rule.clone());
        rules.chain(entries).chain(off).collect::<Vec<_>>()
    };
    let carried: BTreeSet<_> = PACKS.into_iter().flat_map(of).collect();
    assert_eq!(carried, ids());
}

#[test]
fn every_row_has_a_scenario_that_names_it() {
    let scripts = scripts();
    let shown: BTreeSet<_> =
        scripts.iter().flat_map(|(_, script, _)| named(script, "row").map(str::to_owned).collect::<Vec<_>>()).collect();
    assert_eq!(shown, ids());
}

#[test]
fn every_combination_rule_is_shown_here_or_said_to_be_elsewhere() {
    let scripts = scripts();
    let shown: BTreeSet<_> = scripts
        .iter()
        .flat_map(|(_, script, _)| named(script, "rule").map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let mut here = BTreeSet::new();
    for (rule, place) in RULES {
        match place {
            Shown::Here => {
                here.insert(rule.to_owned());
            }
            Shown::Elsewhere(file, words) => {
                let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
                let text = std::fs::read_to_string(format!("{root}{file}")).unwrap();
                assert!(text.contains(words) && !shown.contains(rule), "{rule}: {file} does not say {words}");
            }
        }
    }
    assert_eq!(shown, here);
}

#[test]
fn a_word_without_a_row_gives_one_element_and_any_word_without_a_period_says_so() {
    for name in PACKS {
        let policy = pack(name);
        for word in CATEGORIES {
            let category = word.parse().unwrap();
            let day = Some("2026-01-31".to_owned());
            let ask = Ask { category: word.to_owned(), ended: day.clone(), settled: day, ..Ask::default() };
            let Ok(elements) = explain(&policy, &ask) else {
                assert_eq!((name, word), ("netip", "hosted-logs"), "nothing else is refused");
                continue;
            };
            let result = elements.last().unwrap();
            let dated = policy.rules_for(&category).next().is_some();
            assert_eq!(result.note.as_deref() == Some("needs a period"), !dated, "{name} {word}");
            let named = policy.entries_for(&category).any(|entry| entry.is_of_the_answer());
            assert!(dated || named || elements.len() == 1, "{name} {word}: {elements:?}");
        }
    }
}

/// The rows of a pack's text: id, and the text without that row.
fn without_each_row(text: &str) -> Vec<(String, String)> {
    let starts: Vec<_> = text.match_indices("\n[[").map(|(at, _)| at + 1).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let rows = starts.iter().zip(ends).map(|(&start, end)| {
        let row = &text[start..end];
        let id = row.split_once("id = \"").unwrap().1.split_once('"').unwrap().0;
        (id.to_owned(), format!("{}{}", &text[..start], &text[end..]))
    });
    rows.collect()
}

/// An answer without the ids in it: a row that is gone must be missed by its date, its effect or a refusal.
fn without_ids(answer: &str) -> String {
    let is_id = |word: &&str| PACKS.iter().any(|pack| word.contains(&format!("{}/", pack.trim_end_matches("-se"))));
    answer.split(' ').filter(|word| !is_id(word)).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_row_that_is_taken_out_is_missed_by_its_scenario() {
    let scripts = scripts();
    let mut tried = BTreeSet::new();
    for name in PACKS {
        for (id, cut) in without_each_row(&shipped(name).unwrap()) {
            let texts = |wanted: &str| if wanted == name { Some(cut.clone()) } else { shipped(wanted) };
            let mut of_row = scripts.iter().filter(|(_, script, _)| named(script, "row").any(|row| row == id));
            let missed = of_row
                .any(|(_, script, _)| without_ids(&outcome(script, &texts)) != without_ids(&outcome(script, &shipped)));
            assert!(missed, "{id} can be taken out of {name} and nothing answers otherwise");
            tried.insert(id);
        }
    }
    assert_eq!(tried, ids());
}
