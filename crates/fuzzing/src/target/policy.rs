//! Policy packs, questions about them, and plans made of what agents report.

use std::collections::BTreeSet;

use gallra_model::plan::Anchors;
use gallra_model::target::Inventory;
use gallra_model::{Clock, Instant, RequestId};
use gallra_planner::{Facts, check, plan, render};
use gallra_policy::diff::diff;
use gallra_policy::explain::{Ask, Element, explain as ask};
use gallra_policy::{Bound, CATEGORIES, Instruction, Policy, Rule, render as table};
use serde::Deserialize;

use super::text;
use crate::Seen;
use crate::quiet::says_nothing_of;

const LAW: &str = include_str!("../../../../policies/law-se.toml");
const PROVIDER: &str = include_str!("../../../../policies/webone.toml");

/// Every shipped pack of a provider.
const PACKS: [(&str, &str); 5] = [
    ("connect2ip", include_str!("../../../../policies/connect2ip.toml")),
    ("host001", include_str!("../../../../policies/host001.toml")),
    ("netip", include_str!("../../../../policies/netip.toml")),
    ("reseller003", include_str!("../../../../policies/reseller003.toml")),
    ("webone", PROVIDER),
];

fn law(name: &str) -> Option<String> {
    (name == "law-se").then(|| LAW.to_owned())
}

fn shipped(name: &str) -> Policy {
    let (name, text) = PACKS.into_iter().find(|(own, _)| *own == name).unwrap_or(("webone", PROVIDER));
    Policy::parse(name, text, law).unwrap_or_else(|why| panic!("the shipped pack: {why}"))
}

/// A pack. Comments do not change its digest; every category has an answer, and none that breaks a duty to keep.
pub fn pack(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    match Policy::parse("webone", text, law) {
        Ok(policy) => {
            let commented = format!("# a comment\n{text}\n# another\n");
            let again =
                Policy::parse("webone", &commented, law).unwrap_or_else(|why| panic!("a comment matters: {why}"));
            assert_eq!(again.digest(), policy.digest());
            let ids = policy.rules().iter().map(|rule| &rule.id).chain(policy.entries().iter().map(|entry| &entry.id));
            let ids: BTreeSet<_> = ids.collect();
            assert_eq!(ids.len(), policy.rules().len() + policy.entries().len(), "two rows have one id");
            assert_eq!(diff(&policy, &again), [], "it differs from itself");
            is_json(&table::rules_json(&policy));
            assert!(!table::rules_table(&policy).is_empty());
            for category in CATEGORIES {
                answers(&policy, &ended(category));
            }
            Seen::Read
        }
        Err(refused) => {
            assert!(!refused.problems.is_empty(), "refused without a reason");
            let lines = 1 + text.bytes().filter(|byte| *byte == b'\n').count();
            for problem in refused.problems.iter().filter(|problem| problem.file == "webone") {
                assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "no such line: {problem}");
            }
            Seen::Refused
        }
    }
}

/// A contract that ended on the last day of a month and was settled a month later.
fn ended(category: &str) -> Ask {
    let [ended, settled] = ["2026-01-31", "2026-02-28"].map(|day| Some(day.to_owned()));
    Ask { category: category.to_owned(), ended, settled, ..Ask::default() }
}

/// Nothing is permitted before the last duty to keep has ended, and no dates run backwards (I1).
fn answers(policy: &Policy, question: &Ask) -> bool {
    let elements = match ask(policy, question) {
        Ok(elements) => elements,
        Err(refusal) => {
            let words = format!("{question:?}");
            says_nothing_of(
                words.replace("--", "").as_bytes(),
                &refusal.to_string().replace(&CATEGORIES.join(", "), ""),
            );
            return false;
        }
    };
    is_json(&table::explain_json(&elements));
    let result = elements.last().unwrap_or_else(|| panic!("an answer without a result"));
    let day = |element: &Element| element.earliest.map(gallra_policy::Moment::day);
    let own = |element: &&Element| element.category == result.category && element.bound == Some("keep");
    for keep in elements.iter().filter(own) {
        assert!(day(result) >= day(keep) || result.earliest.is_none(), "{} is cut short: {elements:?}", keep.rule);
    }
    for element in &elements {
        let [earliest, planned] = [element.earliest, element.planned].map(|moment| moment.map(|moment| moment.day()));
        assert!(earliest.zip(planned).is_none_or(|(earliest, planned)| earliest <= planned), "backwards: {element:?}");
    }
    true
}

fn is_json(text: &str) {
    let read: Result<serde_json::Value, _> = serde_json::from_str(text);
    assert!(read.is_ok(), "no JSON: {text}");
}

/// A customer's instruction, brought to every shipped pack: no law changes and no duty, and no answer breaks one.
pub fn instruction(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let instruction = match Instruction::parse("instruction", text) {
        Ok(instruction) => instruction,
        Err(refused) => {
            assert!(!refused.problems.is_empty(), "refused without a reason");
            return Seen::Refused;
        }
    };
    for (name, _) in PACKS {
        let before = shipped(name);
        match before.with(&instruction) {
            Ok(after) => {
                assert_ne!(after.digest(), before.digest());
                let duties = |policy: &Policy| {
                    let duty = |rule: &&Rule| rule.bound == Bound::Keep || rule.id.starts_with("law/");
                    policy.rules().iter().filter(duty).cloned().collect::<Vec<_>>()
                };
                assert_eq!(duties(&after), duties(&before), "a duty changed");
                for category in CATEGORIES {
                    answers(&after, &ended(category));
                }
                assert!(after.with(&instruction).is_err(), "the same again is a contradiction");
            }
            Err(refused) => assert!(!refused.problems.is_empty(), "refused without a reason"),
        }
    }
    Seen::Read
}

/// Up to nine lines: as they are typed after `gallra policy explain`, then the pack's name.
pub fn explain(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let mut lines = text.split('\n').map(str::to_owned);
    let category = lines.next().unwrap_or_default();
    let mut line = || lines.next().filter(|line| !line.is_empty());
    let question = Ask {
        category,
        ended: line(),
        settled: line(),
        left_active: line(),
        record: line(),
        known: line(),
        received: line(),
        fiscal_year_end: line(),
    };
    let policy = shipped(&line().unwrap_or_default());
    Seen::of(answers(&policy, &question))
}

/// What a plan is made of, as JSON: what agents report, and dates.
#[derive(Deserialize)]
struct Reported {
    number: u32,
    now: Instant,
    anchors: Anchors,
    inventories: Vec<Inventory>,
}

/// Planner and checker agree on whatever agents report, and the same facts give the same plan (I1, I2).
pub fn plan_facts(bytes: &[u8]) -> Seen {
    let Ok(reported) = serde_json::from_slice::<Reported>(bytes) else { return Seen::Refused };
    let policy = Policy::parse("webone", PROVIDER, law).unwrap_or_else(|why| panic!("the shipped pack: {why}"));
    let facts = Facts {
        request: RequestId::from_bytes([7; 16]),
        number: reported.number,
        parent: (reported.number > 1).then(|| gallra_model::Digest::of(b"the plan before")),
        now: reported.now,
        clock: Clock::Real,
        anchors: reported.anchors,
        policy: &policy,
        inventories: &reported.inventories,
        holds: &[],
        before: None,
    };
    let Ok(made) = plan(&facts) else { return Seen::Refused };
    let doubts = check(&made, &facts);
    assert!(doubts.is_empty(), "the checker disagrees: {doubts:?}");
    assert_eq!(plan(&facts).as_ref(), Ok(&made), "the same facts, another plan");
    assert!(!render(&made).is_empty());
    Seen::Read
}
