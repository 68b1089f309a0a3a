//! Plans that were tampered with: the checker catches each.

use gallra_model::job::Action;
use gallra_model::plan::{After, Plan};
use gallra_model::{Digest, JobId};
use gallra_planner::{Facts, check, plan};
use jiff::ToSpan;

use crate::script::World;

const WHOLE: &str = "\
contract 2026-01-31 2026-01-31
customer 2026-01-31 2026-01-31
agent web1
files files customer-data processor contract act
mail maildir customer-data processor contract observe
contacts sql contact controller customer act
ledger sql bookkeeping controller customer act
chat files chat controller customer act
repo restic backup controller contract act covers files,mail life 200
old restic backup controller contract act covers files life never
odd restic backup controller contract act covers mail life unknown
books restic backup controller contract act covers ledger life 200
";

fn codes(tamper: impl Fn(&mut Plan)) -> Vec<&'static str> {
    let world = World::read(WHOLE);
    let facts = world.facts();
    let mut plan = plan(&facts).unwrap();
    assert_eq!(check(&plan, &facts), [], "sound before");
    tamper(&mut plan);
    check(&plan, &facts).into_iter().map(|problem| problem.code).collect()
}

fn caught(code: &str, tamper: impl Fn(&mut Plan)) {
    let codes = codes(tamper);
    assert!(codes.contains(&code), "expected {code}, got {codes:?}");
}

fn step(plan: &mut Plan, action: Action) -> &mut gallra_model::plan::Step {
    plan.steps.iter_mut().find(|step| step.action == action).unwrap()
}

#[test]
fn dropping_any_step_is_caught() {
    let world = World::read(WHOLE);
    let whole = plan(&world.facts()).unwrap();
    for index in 0..whole.steps.len() {
        let mut plan = whole.clone();
        plan.steps.remove(index);
        // Renumbered, so that it is not the gap that gives it away.
        for (number, step) in (1..).zip(&mut plan.steps) {
            step.number = number;
            for after in &mut step.after {
                if let After::Step(own) = after
                    && *own as usize > index
                {
                    *own -= 1;
                }
            }
        }
        let found = check(&plan, &world.facts());
        assert!(!found.is_empty(), "dropping {:?} went unseen", whole.steps[index]);
    }
}

#[test]
fn dropping_any_note_is_caught() {
    let count = plan(&World::read(WHOLE).facts()).unwrap().notes.len();
    assert!(count >= 6);
    for index in 0..count {
        caught("unsaid", |plan| drop(plan.notes.remove(index)));
    }
}

#[test]
fn an_erasure_before_its_window_is_caught() {
    caught("too-early", |plan| step(plan, Action::Erase).due -= 1.second());
    caught("too-early", |plan| step(plan, Action::Erase).due -= 24.hours());
}

#[test]
fn an_erasure_after_its_last_day_is_caught() {
    caught("too-late", |plan| step(plan, Action::Erase).due += 2.hours());
    caught("too-late", |plan| {
        plan.notes.push(gallra_model::plan::Note {
            code: "promise-not-met".into(),
            target: "web1/files".into(),
            text: "an excuse".into(),
        });
        step(plan, Action::Erase).due += 24.hours();
    });
}

#[test]
fn days_that_are_not_the_rules_are_caught() {
    caught("bounds", |plan| step(plan, Action::Erase).latest = None);
    caught("bounds", |plan| step(plan, Action::Erase).earliest = None);
    caught("bounds", |plan| {
        let keep = plan.steps.iter_mut().filter_map(|step| step.keep.as_mut()).find(|keep| keep.latest.is_none());
        keep.unwrap().earliest = "2033-12-31".parse().unwrap();
    });
    caught("bounds", |plan| plan.backups[0].latest = None);
    caught("bounds", |plan| plan.backups[0].expected = None);
    caught("bounds", |plan| plan.backups[1].life = plan.backups[0].life);
}

#[test]
fn an_obligation_without_ground_is_caught() {
    caught("no-ground", |plan| step(plan, Action::Preserve).keep = None);
    caught("no-ground", |plan| step(plan, Action::Preserve).keep.as_mut().unwrap().ground.clear());
    caught("no-ground", |plan| step(plan, Action::Preserve).keep.as_mut().unwrap().rule = "webone/backup".into());
}

#[test]
fn keeping_what_is_due_within_the_year_is_caught() {
    caught("too-late", |plan| {
        let erase = step(plan, Action::Erase);
        erase.action = Action::Preserve;
    });
}

#[test]
fn waiting_for_copies_of_what_is_kept_is_caught() {
    caught("unending", |plan| {
        let backup =
            gallra_model::plan::BackupExpectation { target: "books".parse().unwrap(), ..plan.backups[0].clone() };
        plan.backups.push(backup);
    });
    for action in [Action::Inspect, Action::Observe] {
        caught("unending", |plan| {
            let backup =
                plan.steps.iter().find(|step| step.action == action && step.target.as_str() == "repo").unwrap();
            let added = gallra_model::plan::Step { target: "books".parse().unwrap(), ..backup.clone() };
            plan.steps.push(added);
        });
    }
}

#[test]
fn broken_order_is_caught() {
    caught("uninspected", |plan| step(plan, Action::Erase).after.clear());
    caught("order", |plan| step(plan, Action::Erase).after = vec![After::Step(99)]);
    caught("order", |plan| step(plan, Action::Inspect).after = vec![After::Step(1)]);
    caught("order", |plan| step(plan, Action::Inspect).due -= 1.second());
    caught("unconfirmed", |plan| step(plan, Action::Confirm).after = vec![After::Step(1)]);
    caught("unobserved", |plan| step(plan, Action::Observe).after.clear());
    caught("numbering", |plan| plan.steps[2].number = 9);
    caught("double-job", |plan| plan.steps[2].job = plan.steps[1].job);
}

#[test]
fn steps_on_what_nobody_reports_are_caught() {
    caught("no-such-target", |plan| plan.steps[0].target = "elsewhere".parse().unwrap());
    caught("no-such-target", |plan| plan.steps[0].category = "chat".parse().unwrap());
    let mut world = World::read(WHOLE);
    let plan = plan(&world.facts()).unwrap();
    (world.anchors.customer_ended, world.anchors.customer_settled) = (None, None);
    let codes: Vec<_> = check(&plan, &world.facts()).into_iter().map(|problem| problem.code).collect();
    assert!(codes.contains(&"not-bound"), "{codes:?}");
}

#[test]
fn another_header_is_caught() {
    caught("header", |plan| plan.number = 2);
    caught("header", |plan| plan.parent = Some(Digest::of(b"x")));
    caught("header", |plan| plan.policy = Digest::of(b"x"));
    caught("header", |plan| plan.made += 1.second());
    caught("header", |plan| plan.clock = gallra_model::Clock::Simulated);
    caught("header", |plan| plan.anchors.contract_settled = None);
    caught("header", |plan| plan.request = gallra_model::RequestId::from_bytes([1; 16]));
    caught("header", |plan| plan.steps.clear());
}

#[test]
fn erasing_before_settlement_is_caught() {
    let world = World::read(WHOLE);
    let whole = plan(&world.facts()).unwrap();
    let mut unsettled = world.clone();
    (unsettled.anchors.contract_settled, unsettled.anchors.customer_settled) = (None, None);
    let facts = Facts { anchors: unsettled.anchors, ..world.facts() };
    let codes: Vec<_> = check(&whole, &facts).into_iter().map(|problem| problem.code).collect();
    assert!(codes.contains(&"too-early"), "{codes:?}");
}

#[test]
fn jobs_have_ids_of_their_own_in_every_plan() {
    let first = World::read(WHOLE);
    let second = World::read(&format!("number 2\n{WHOLE}"));
    let jobs = |world: &World| plan(&world.facts()).unwrap().steps.iter().map(|step| step.job).collect::<Vec<JobId>>();
    assert!(jobs(&first).iter().all(|job| !jobs(&second).contains(job)));
}
