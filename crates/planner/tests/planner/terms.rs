//! Rows without a date in plans: each pack's against a file beside the scenarios (`UPDATE_GOLDEN=1` writes them anew: read the
//! difference before keeping it), each one missed where it is taken out, and none where a plan has no data that it is about.

use std::collections::BTreeSet;
use std::path::Path;

use gallra_model::plan::{Plan, Term};
use gallra_planner::{check, plan};
use gallra_policy::succession::{Version, effective};
use gallra_policy::{CATEGORIES, Policy};

use crate::script::{World, pack, webone};

/// The five providers' packs, each with the law's.
const PACKS: [&str; 5] = ["netip", "host001", "connect2ip", "reseller003", "webone"];

/// Data of every category that there is, of a customer who leaves, and copies of all of it.
fn whole() -> World {
    let live: Vec<_> = CATEGORIES.into_iter().filter(|category| *category != "backup").collect();
    let mut script = "contract 2026-01-31 2026-01-31\ncustomer 2026-01-31 2026-01-31\nagent web1\n".to_owned();
    for category in &live {
        script.push_str(&format!("{category} sql {category} controller customer act\n"));
    }
    script.push_str(&format!("repo restic backup controller contract act covers {} life 30\n", live.join(",")));
    World::read(&script)
}

fn under(policy: Policy, world: &World) -> Plan {
    let world = world.under(policy);
    let plan = plan(&world.facts()).unwrap();
    assert_eq!(check(&plan, &world.facts()), []);
    plan
}

fn written(term: &Term) -> String {
    let about = term.category.as_ref().map_or("-", |category| category.as_str());
    format!("{} {} {about}: {}", term.rule, term.kind, term.text)
}

#[test]
fn every_row_of_every_pack_is_in_a_plan_of_everything() {
    for name in PACKS {
        let policy = pack(name);
        let rows: BTreeSet<_> = policy.entries().iter().map(|entry| entry.id.clone()).collect();
        let plan = under(policy, &whole());
        let terms: Vec<_> = plan.terms.iter().map(|term| term.rule.clone()).collect();
        assert!(terms.is_sorted() && terms.len() >= 8, "{terms:?}");
        assert_eq!(BTreeSet::from_iter(terms), rows, "{name}");
        let got = plan.terms.iter().map(|term| written(term)).fold(String::new(), |out, line| out + &line + "\n");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/terms").join(format!("{name}.txt"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, got).unwrap();
        } else {
            assert_eq!(got, std::fs::read_to_string(&path).unwrap_or_default(), "{}", path.display());
        }
    }
}

fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies").join(format!("{name}.toml"));
    std::fs::read_to_string(path).unwrap()
}

/// The rows without a date of a pack's text: id, and the text without that row.
fn without_each(text: &str) -> Vec<(String, String)> {
    let starts: Vec<_> = text.match_indices("\n[[").map(|(at, _)| at + 1).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let rows = starts.iter().zip(ends).filter(|(start, _)| text[**start..].starts_with("[[entry]]"));
    rows.map(|(&start, end)| {
        let id = text[start..end].split_once("id = \"").unwrap().1.split_once('"').unwrap().0;
        (id.to_owned(), format!("{}{}", &text[..start], &text[end..]))
    })
    .collect()
}

/// What a plan says and does, without the names of rows: one that is gone must be missed by what it asks.
fn without_ids(plan: &Plan) -> String {
    let (mut steps, mut terms) = (plan.steps.clone(), Vec::new());
    steps.iter_mut().for_each(|step| step.rule.clear());
    for term in &plan.terms {
        terms.push((term.kind.as_str(), term.category.as_ref(), term.text.as_str()));
    }
    terms.sort_unstable();
    let words = format!("{terms:?} {:?} {:?} {:?}", steps, plan.restrictions, plan.approvals);
    let is_id = |word: &&str| PACKS.iter().chain(&["law"]).any(|pack| word.contains(&format!("{pack}/")));
    words.split(' ').filter(|word| !is_id(word)).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_row_that_is_taken_out_of_its_pack_is_missed_by_the_plan() {
    let world = whole();
    let (mut tried, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for name in PACKS {
        let whole = without_ids(&under(pack(name), &world));
        for cut_of in [name, "law-se"] {
            for (id, cut) in without_each(&shipped(cut_of)) {
                let text = |wanted: &str| if wanted == cut_of { cut.clone() } else { shipped(wanted) };
                // A pack that is refused without the row needs it to be anybody's policy.
                if let Ok(policy) = Policy::parse(name, &text(name), |wanted| Some(text(wanted))) {
                    let plan = under(policy, &world);
                    assert!(plan.terms.iter().all(|term| term.rule != id), "{id} is gone");
                    assert_ne!(without_ids(&plan), whole, "{id} can be taken out, and {name}'s plan is as it was");
                } else {
                    refused.insert(id.clone());
                }
                tried.insert(id);
            }
        }
    }
    let rows = PACKS.into_iter().flat_map(|name| pack(name).entries().to_vec());
    assert_eq!(tried, rows.map(|entry| entry.id).collect());
    assert_eq!(refused, BTreeSet::from(["law/periods", "law/tz"].map(str::to_owned)));
    assert_eq!(tried.len(), ROWS, "the rows that the specification gives no period");
}

/// Rows without a period in the specification, the law's among them.
const ROWS: usize = 47;

fn rules(world: &str) -> Vec<String> {
    let world = World::read(world);
    under(world.policy.clone(), &world).terms.iter().map(|term| term.rule.clone()).collect()
}

fn has(world: &str, rule: &str) -> bool {
    rules(world).iter().any(|own| own == rule)
}

#[test]
fn a_row_about_data_that_the_plan_does_not_have_is_left_out() {
    const MAIL: &str = "pack netip\ncontract 2026-01-31 -\nagent a\nf files customer-data processor contract act\n\
                        m maildir mail controller customer act\n";
    assert!(has(MAIL, "netip/disclosure") && has(MAIL, "law/recipients"), "whoever got data is told of any erasure");
    assert!(!has(MAIL, "netip/encrypted-mail"), "the customer has not ended: no mail is bound");
    assert!(has(&format!("{MAIL}customer 2026-01-31 -\n"), "netip/encrypted-mail"));
    assert!(!has(MAIL, "netip/tickets"));
    const COPIES: &str = "contract 2026-01-31 -\nagent a\nf files customer-data processor contract act\n";
    assert!(has(COPIES, "webone/unsettled") && !has(COPIES, "webone/otherwise-agreed"));
    assert!(has(
        &format!("{COPIES}r restic backup controller contract act covers f life 9\n"),
        "webone/otherwise-agreed"
    ));
}

#[test]
fn a_row_that_an_instruction_gave_a_period_is_none_without_one() {
    const LOGS: &str = "pack netip\ncontract 2026-01-31 -\nagent a\nl access-log hosted-logs processor contract act\n";
    assert!(has(LOGS, "netip/hosted-logs"));
    assert!(!has(&format!("{LOGS}instruct netip/hosted-logs by contract_ended 3 months\n"), "netip/hosted-logs"));
}

#[test]
fn terms_are_those_of_the_rules_that_hold_for_who_had_ended() {
    // The newer version drops a period that who had ended keeps, and lists who is never settled more often.
    let row = shipped("webone").split("\n[[").find(|row| row.contains("\"webone/chat\"")).unwrap().to_owned();
    let entry = "entry]]\nid = \"webone/chat\"\nkind = \"no-period\"\ncategory = \"chat\"\ncites = []\n";
    let newer = webone(&row, entry);
    let law = |_: &str| Some(shipped("law-se"));
    let text = shipped("webone").replace(&row, entry).replace("every = \"1 week\"", "every = \"2 weeks\"");
    assert!(newer.entry("webone/chat").is_some());
    let newer = Policy::parse("webone", &text, law).unwrap();
    let older = pack("webone");
    let since = |day: &str| Some(day.parse().unwrap());
    let versions = [
        Version { policy: &older, since: None, reaches_ended: false },
        Version { policy: &newer, since: since("2026-02-15"), reaches_ended: false },
    ];
    let world = whole();
    let ended = world.anchors.contract_ended;
    let said = |policy: Policy, rule: &str| {
        under(policy, &world).terms.iter().find(|term| term.rule == rule).map(|term| term.text.clone())
    };
    let held = effective(&versions, ended, ended).unwrap();
    assert_eq!(said(held.clone(), "webone/chat"), None, "its period holds on");
    assert!(said(newer, "webone/chat").is_some());
    let unsettled = said(held, "webone/unsettled").unwrap();
    assert!(unsettled.contains("2 weeks"), "{unsettled}");
}

#[test]
fn a_policy_that_says_something_else_is_one_change() {
    let world = whole();
    let newer = world.under(webone("every = \"1 week\"", "every = \"2 weeks\""));
    let before = under(world.policy.clone(), &world);
    let facts = gallra_planner::Facts {
        number: 2,
        parent: Some(gallra_model::Digest::of(b"the plan before")),
        before: Some(&before),
        ..newer.facts()
    };
    let after = plan(&facts).unwrap();
    assert_eq!(check(&after, &facts), []);
    assert_ne!(before.terms, after.terms);
    let changed: Vec<_> = after.changes.iter().map(|change| change.what.as_str()).collect();
    assert_eq!(changed, ["policy"]);
}
