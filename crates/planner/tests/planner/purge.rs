//! Plans of rolling purges: the golden one, generated ones that the checker agrees with, and tampered ones that it catches.

use gallra_model::Day;
use gallra_model::job::Action;
use gallra_model::plan::Plan;
use gallra_model::time::start_of;
use gallra_planner::purge::{Sweeps, concerns, plan};
use gallra_planner::{check_purge, render};
use jiff::ToSpan as _;
use proptest::prelude::*;

use crate::script::World;

const FLEET: &str = "\
now 2026-08-28T05:00:00Z
agent web1
logs access-log access-logs processor contract act purges yes
unlimited access-log access-logs processor contract act
looked-at access-log access-logs processor contract observe purges yes
files files customer-data processor contract act
ledger sql bookkeeping controller customer act
repo restic backup controller contract act covers logs life 200
agent web2
logs access-log access-logs processor contract act purges yes
";

/// What other providers' rows about ages are about.
const PROVIDERS: &str = "\
agent web3
ip access-log ip controller customer act purges yes
network access-log network-logs controller customer act purges yes
mail access-log mail controller customer act purges yes
chat access-log chat controller customer act purges yes
";

fn day() -> Day {
    Day::constant(2026, 8, 28)
}

/// The sweeps of a day whose days before are all done.
pub(crate) fn of(day: Day) -> Sweeps {
    Sweeps { day, since: Some(day) }
}

fn lines(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter().map(|step| {
        let cut = step.older_than.expect("a cut");
        format!(
            "{} {} {}/{} older than {cut} due {}",
            step.number,
            step.action.as_str(),
            step.agent,
            step.target,
            step.due
        )
    });
    steps.chain(plan.notes.iter().map(|note| format!("note {} {}", note.code, note.target))).collect()
}

#[test]
fn each_target_whose_records_leave_by_age_has_a_step_or_a_note() {
    let world = World::read(FLEET);
    let plan = plan(&world.facts(), of(day())).unwrap();
    assert_eq!(check_purge(&plan, &world.facts(), of(day())), []);
    assert_eq!(
        lines(&plan),
        [
            "1 purge web1/logs older than 2026-02-28T23:00:00Z due 2026-08-28T05:00:00Z",
            "2 purge web2/logs older than 2026-02-28T23:00:00Z due 2026-08-28T05:00:00Z",
            "note not-purged web1/unlimited",
            "note observe-mode web1/looked-at",
        ]
    );
    assert_eq!(plan.steps[0].rule, "webone/access-logs");
    assert!(render(&plan).contains("purge"), "{}", render(&plan));
}

#[test]
fn a_purge_is_due_at_the_daily_sweep_and_never_before_it_was_planned() {
    let early = World::read(&FLEET.replace("05:00:00Z", "00:10:00Z"));
    let plan = plan(&early.facts(), of(day())).unwrap();
    assert_eq!(plan.steps[0].due.to_string(), "2026-08-28T01:00:00Z", "three in the morning in Stockholm");
}

#[test]
fn a_fleet_without_such_records_is_not_concerned() {
    let world = World::read(FLEET);
    assert!(concerns(&world.policy, &world.inventories, of(day())).unwrap());
    let others = World::read(
        "agent web1\nfiles files customer-data processor contract act\nledger sql bookkeeping controller customer act\nrepo restic backup controller contract act covers files life 200\n",
    );
    assert!(!concerns(&others.policy, &others.inventories, of(day())).unwrap());
}

fn caught(code: &str, tamper: impl Fn(&mut Plan)) {
    let world = World::read(FLEET);
    let mut plan = plan(&world.facts(), of(day())).unwrap();
    tamper(&mut plan);
    let codes: Vec<_> = check_purge(&plan, &world.facts(), of(day())).into_iter().map(|problem| problem.code).collect();
    assert!(codes.contains(&code), "expected {code}, got {codes:?}");
}

#[test]
fn what_was_tampered_with_is_caught() {
    let moved = |plan: &mut Plan, days: i32| {
        let cut = plan.steps[0].older_than.unwrap();
        let day = gallra_model::time::day_of(cut).checked_add(days.days()).unwrap();
        plan.steps[0].older_than = Some(start_of(day).unwrap());
    };
    caught("too-early", |plan| moved(plan, 1));
    caught("too-late", |plan| moved(plan, -1));
    caught("cut", |plan| plan.steps[0].older_than = None);
    caught("cut", |plan| plan.steps[0].older_than = plan.steps[0].older_than.map(|cut| cut + 1.hour()));
    caught("not-purged", |plan| drop(plan.steps.pop()));
    caught("unsaid", |plan| plan.notes.clear());
    caught("not-a-purge", |plan| plan.steps[0].action = Action::Erase);
    caught("not-a-purge", |plan| plan.anchors.contract_ended = Some(day()));
    caught("not-a-purge", |plan| plan.terms = crate::script::pack("webone").terms().to_vec());
    caught("bounds", |plan| plan.steps[0].latest = None);
    caught("rule", |plan| plan.steps[0].rule = "webone/customer-data".to_owned());
    caught("too-early", |plan| plan.steps[0].due -= 48.hours());
    caught("purged", |plan| {
        let mut again = plan.steps[0].clone();
        again.target = "looked-at".parse().unwrap();
        plan.steps.push(again);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_checker_agrees_with_every_purge(
        pack in prop::sample::select(vec!["webone", "strict", "netip", "host001", "connect2ip", "reseller003", "ages"]),
        year in 2018_i16..2100, ordinal in 0_i32..366, hour in 0_u8..24, behind in prop::option::of(0_i32..400),
    ) {
        let day = Day::new(year, 1, 1).unwrap().checked_add(ordinal.days()).unwrap();
        let sweeps = Sweeps { day, since: behind.map(|days| day.checked_sub(days.days()).unwrap()) };
        let now = format!("now {day}T{hour:02}:30:00Z\npack {pack}");
        let fleet = format!("{FLEET}{PROVIDERS}");
        let world = World::read(&fleet.replace("now 2026-08-28T05:00:00Z", &now));
        let plan = plan(&world.facts(), sweeps).unwrap();
        prop_assert_eq!(check_purge(&plan, &world.facts(), sweeps), [], "{:?}", lines(&plan));
    }

    /// As days go on one by one, each made up for where it was missed, no record day stays past its planned one.
    #[test]
    fn a_purge_planned_later_in_its_day_does_what_is_left_of_it(
        pack in prop::sample::select(vec!["connect2ip", "ages"]), hour in 0_u8..24, later in 0_u8..24,
    ) {
        let at = |hour: u8| World::read(&format!("{FLEET}{PROVIDERS}now 2026-08-28T{hour:02}:30:00Z\npack {pack}\n"));
        let (first, then) = (at(hour.min(later)), at(hour.max(later)));
        let before = plan(&first.facts(), of(day())).unwrap();
        let facts = crate::sweeps::succeeding(&then, &before);
        let after = plan(&facts, of(day())).unwrap();
        prop_assert_eq!(lines(&after).len(), lines(&before).len(), "the same again, as long as nothing else changes");
        prop_assert_eq!(check_purge(&after, &facts, of(day())), []);
    }
}
