//! Facts that contradict each other give no plan.

use gallra_model::plan::Plan;
use gallra_model::{Digest, RequestId};
use gallra_planner::{MAX_TERMS, PlanError, plan};
use gallra_policy::Policy;

use crate::script::World;

const SOUND: &str = "contract 2026-01-31 2026-01-31\nagent web1\nfiles files customer-data processor contract act\n";

#[test]
fn what_contradicts_itself_is_refused() {
    for (script, expected) in [
        ("agent web1\nfiles files customer-data processor contract act\n".to_owned(), "nothing has ended"),
        (SOUND.replace("2026-01-31 2026-01-31", "2026-01-31 2026-01-30"), "settled before ended"),
        (SOUND.replace("contract 2026-01-31", "customer 2026-01-31 -\ncontract -"), "settled before ended"),
        (format!("{SOUND}agent web1\n"), "two inventories"),
        (format!("{SOUND}files files chat controller customer act\n"), "reports target files twice"),
        (format!("{SOUND}repo restic backup controller contract act covers files,mail\n"), "covers mail"),
        (
            format!(
                "{SOUND}r1 restic backup controller contract act\nr2 restic backup controller contract act covers r1\n"
            ),
            "covers r1",
        ),
        (SOUND.replace("contract act", "customer act"), "no agent reports a target"),
        ("contract 2026-01-31 2026-01-31\n".to_owned(), "no agent reports a target"),
        (SOUND.replace("2026-01-31", "9999-12-31"), "cannot be written"),
    ] {
        let world = World::read(&script);
        let error = plan(&world.facts()).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}\n{script}");
    }
}

#[test]
fn a_plan_names_its_parent_from_number_two_on() {
    let world = World::read(SOUND);
    let parent = Some(Digest::of(b"x"));
    for (number, parent) in [(0, None), (0, parent), (1, parent), (2, None)] {
        let mut facts = world.facts();
        (facts.number, facts.parent) = (number, parent);
        assert_eq!(plan(&facts), Err(PlanError::Parent { number }));
    }
}

#[test]
fn the_plan_before_is_one_of_the_same_request_and_an_earlier_one() {
    let world = World::read(SOUND);
    let before = plan(&world.facts()).unwrap();
    let mut facts = world.facts();
    (facts.number, facts.parent, facts.before) = (2, Some(Digest::of(b"x")), Some(&before));
    assert!(plan(&facts).is_ok());
    let later = Plan { number: 2, ..before.clone() };
    facts.before = Some(&later);
    assert_eq!(plan(&facts), Err(PlanError::Before { number: 2, same: true }));
    let other = Plan { request: RequestId::from_bytes([9; 16]), ..before.clone() };
    facts.before = Some(&other);
    let error = plan(&facts).unwrap_err();
    assert_eq!(error, PlanError::Before { number: 1, same: false });
    assert_eq!(
        error.to_string(),
        "the plan before is plan 1 of another request: it is not the one that this plan succeeds"
    );
}

#[test]
fn a_plan_is_bounded() {
    let mut script = String::from("contract 2026-01-31 2026-01-31\nagent web1\n");
    for number in 0..=gallra_planner::MAX_STEPS / 4 {
        script.push_str(&format!("f{number} files customer-data processor contract act\n"));
    }
    assert_eq!(plan(&World::read(&script).facts()), Err(PlanError::TooLarge));
}

#[test]
fn what_a_plan_says_of_its_policy_is_bounded() {
    let rows = |count: usize| {
        let name = |number: usize| number.to_string().bytes().map(|b| char::from(b - b'0' + b'a')).collect::<String>();
        let row = |number| format!("[[entry]]\nid = \"host/{}\"\nkind = \"identify\"\ncites = []\n", name(number));
        let text = (0..count).map(row).fold("name = \"host\"\nprovider = \"H\"\n".to_owned(), |out, row| out + &row);
        World::read(SOUND).under(Policy::parse("host", &text, |_| None).unwrap())
    };
    assert_eq!(plan(&rows(MAX_TERMS).facts()).unwrap().terms.len(), MAX_TERMS);
    assert_eq!(plan(&rows(MAX_TERMS + 1).facts()), Err(PlanError::TooManyTerms));
}
