//! What a new policy can touch: a change of one category reaches the contracts that have a target of it and whose end has come,
//! and what is about everything reaches all.

use gallra_planner::{Touched, plan};
use gallra_policy::Policy;

use crate::script::{World, shorter_chat, webone};

const FLEET: &str = "\
contract 2026-01-31 2026-01-31
agent web1
files files customer-data processor contract act
repo restic backup controller contract act covers files life 60
agent office
chat files chat controller customer act
";

fn world(more: &str) -> World {
    World::read(&format!("{FLEET}{more}"))
}

fn touched(new: &Policy, world: &World) -> bool {
    let touches = |old: &Policy, new: &Policy| Touched::between(old, new).touches(&world.anchors, &world.inventories);
    assert_eq!(touches(new, &world.policy), touches(&world.policy, new), "there and back is the same");
    touches(&world.policy, new)
}

#[test]
fn a_category_reaches_those_who_have_it_and_whose_end_has_come() {
    let one = world("");
    let whole = world("customer 2026-01-31 2026-01-31\n");
    let chat = shorter_chat();
    assert!(!touched(&chat, &one), "the customer stays");
    assert!(touched(&chat, &whole));
    let data = world("instruct webone/customer-data at contract_settled 5 weeks\n").policy;
    assert!(touched(&data, &one));
    let mail = webone("period = \"2 years\" }, { from = \"record\"", "period = \"23 months\" }, { from = \"record\"");
    assert!(!touched(&mail, &whole), "nobody has any");
    assert!(!touched(&one.policy, &whole), "the same policy");
}

#[test]
fn copies_are_reached_wherever_there_are_some() {
    let copies = world("instruct webone/backup by left_active 5 months\n").policy;
    assert!(touched(&copies, &world("")));
    assert!(!touched(&copies, &world("gone web1/repo\n")));
}

#[test]
fn what_is_about_everything_reaches_all() {
    let one = world("");
    for (from, to) in [
        ("opens = \"22:00\"", "opens = \"21:00\""),
        ("fiscal_year_end = \"12-31\"", "fiscal_year_end = \"06-30\""),
        ("strict_backup = false", "strict_backup = true"),
    ] {
        assert!(touched(&webone(from, to), &one), "{to}");
    }
    // A large deviation is listed in every plan, whatever it is about.
    assert!(touched(&world("instruct webone/mail by customer_settled 1 month\n").policy, &one));
    // A row of a category without a date, and another's name, are nobody's here.
    assert!(!touched(&webone("provider = \"WebOne AB\"", "provider = \"WebOne\""), &one));
    assert!(!touched(&webone("every = \"1 week\"", "every = \"2 weeks\""), &world("gone web1/files\nagent c\n")));
    assert!(touched(&webone("every = \"1 week\"", "every = \"2 weeks\""), &one), "a row of its category differs");
}

#[test]
fn which_instruction_it_is_can_be_told_from_the_plan() {
    let policy = |number: usize| {
        let dummy = "instruct category=tickets by customer_ended 3 months\n".repeat(number);
        world(&format!("{dummy}instruct webone/chat by customer_settled 11 months\n"))
    };
    let (first, second) = (policy(0), policy(1));
    let mut whole = first.clone();
    whole.anchors = world("customer 2026-01-31 2026-01-31\n").anchors;
    assert!(touched(&second.policy, &whole), "the same period by another instruction is cited by its own id");
    let notes = |world: &World| plan(&world.facts()).unwrap().notes.len();
    assert_eq!(notes(&first), notes(&second), "and nothing else differs");
}
