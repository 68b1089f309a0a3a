//! Which days' sweeps a purge carries out, and how far each reaches: boundary days of every provider's row, promises in hours
//! on days when the clock changes, cadences, targets that cannot purge, and plans of hours that were tampered with.

use gallra_model::job::Action;
use gallra_model::plan::{Anchors, Plan};
use gallra_model::time::{day_of, start_of};
use gallra_model::{Day, Instant};
use gallra_planner::purge::{MAX_HOURLY, Sweeps, concerns, plan};
use gallra_planner::{Facts, check_purge};
use jiff::ToSpan as _;

use crate::purge::of;
use crate::script::World;

fn world(pack: &str, day: Day, target: &str) -> World {
    World::read(&format!("now {day}T00:30:00Z\npack {pack}\nagent web1\n{target}\n"))
}

fn checked(world: &World, sweeps: Sweeps) -> Plan {
    let plan = plan(&world.facts(), sweeps).unwrap();
    assert_eq!(check_purge(&plan, &world.facts(), sweeps), []);
    plan
}

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

#[test]
fn every_row_about_ages_draws_its_line_where_another_calendar_does() {
    let mut cases = 0;
    for line in include_str!("ages.txt").lines().filter(|line| !line.starts_with('#')) {
        let [pack, category, day, first_kept] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let day: Day = day.parse().unwrap();
        let world = world(pack, day, &format!("log access-log {category} controller customer act purges yes"));
        let plan = checked(&world, of(day));
        let [step] = plan.steps.as_slice() else { panic!("{line}: {:?}", plan.steps) };
        assert_eq!(step.older_than, Some(start_of(first_kept.parse().unwrap()).unwrap()), "{line}");
        assert_eq!((step.rule.as_str(), step.latest), (format!("{pack}/{category}").as_str(), Some(day)), "{line}");
        cases += 1;
    }
    assert_eq!(cases, 60);
}

const IP: &str = "log access-log ip controller customer act purges yes";

#[test]
fn a_promise_in_hours_has_a_step_at_each_hour_to_the_next_days_sweep() {
    for (day, hours, first, last) in [
        ("2026-08-28", 24, "2026-08-28T01:00:00Z", "2026-08-29T00:00:00Z"),
        ("2026-03-28", 23, "2026-03-28T02:00:00Z", "2026-03-29T00:00:00Z"),
        ("2026-10-24", 25, "2026-10-24T01:00:00Z", "2026-10-25T01:00:00Z"),
        ("2028-02-29", 24, "2028-02-29T02:00:00Z", "2028-03-01T01:00:00Z"),
        ("2026-12-31", 24, "2026-12-31T02:00:00Z", "2027-01-01T01:00:00Z"),
    ] {
        let day: Day = day.parse().unwrap();
        let plan = checked(&world("connect2ip", day, IP), of(day));
        let dues: Vec<_> = plan.steps.iter().map(|step| step.due).collect();
        assert_eq!((dues.len(), dues[0], dues[dues.len() - 1]), (hours, at(first), at(last)), "{day}");
        for step in &plan.steps {
            assert_eq!((step.rule.as_str(), step.latest), ("connect2ip/ip", Some(day_of(step.due))));
            // A line of 23 hours ago is 24 hours old at the next sweep, and still in time for it.
            assert_eq!(step.older_than, Some(step.due - 23.hours()), "{day}");
        }
        let mut jobs: Vec<_> = plan.steps.iter().map(|step| step.job).collect();
        jobs.sort_unstable();
        jobs.dedup();
        assert_eq!(jobs.len(), hours, "each run is a job of its own");
    }
}

/// The world's facts for a plan that succeeds another.
pub(crate) fn succeeding<'a>(world: &'a World, before: &'a Plan) -> Facts<'a> {
    let parent = Some(gallra_model::Digest::of(b"the plan before"));
    Facts { number: before.number + 1, parent, before: Some(before), ..world.facts() }
}

#[test]
fn of_hours_that_passed_before_the_plan_was_made_only_the_last_is_left() {
    let (day, sweeps) = (Day::constant(2026, 8, 28), of(Day::constant(2026, 8, 28)));
    let world = |now: &str| World::read(&format!("now {now}\npack connect2ip\nagent web1\n{IP}\n"));
    let late = world("2026-08-28T08:25:00Z");
    let first = checked(&late, sweeps);
    assert_eq!(first.steps.len(), 17);
    assert_eq!((first.steps[0].due, first.steps[0].older_than), (late.now, Some(at("2026-08-27T09:00:00Z"))));
    assert_eq!(first.steps[1].due, at("2026-08-28T09:00:00Z"));

    // Looked at again in the evening it is the same plan, and another policy's plan begins then.
    let evening = world("2026-08-28T18:10:00Z");
    let facts = succeeding(&evening, &first);
    assert_eq!(plan(&facts, sweeps).unwrap().steps.len(), 17);
    let mut other = first.clone();
    other.policy = gallra_model::Digest::of(b"another version");
    let facts = succeeding(&evening, &other);
    let anew = plan(&facts, sweeps).unwrap();
    assert_eq!((anew.steps.len(), anew.steps[0].older_than), (7, Some(at("2026-08-27T19:00:00Z"))));
    assert_eq!(check_purge(&anew, &facts, sweeps), []);
    let mut fewer = first;
    fewer.steps.truncate(16);
    let facts = succeeding(&evening, &fewer);
    assert_eq!(plan(&facts, sweeps).unwrap().steps.len(), 7, "a fact changed: it is planned from now on");
    // After its day, the last run is what is left.
    assert_eq!(checked(&world("2026-08-29T09:00:00Z"), sweeps).steps.len(), 1);
    assert_eq!(day_of(at("2026-08-28T08:25:00Z")), day);
}

#[test]
fn more_hourly_targets_than_a_statement_holds_are_noted_and_harm_no_other() {
    let mut script = "pack connect2ip\nnow 2026-08-28T00:30:00Z\nagent web1\n".to_owned();
    for log in 0..=MAX_HOURLY {
        script += &format!("log{log:02} access-log ip controller customer act purges yes\n");
    }
    let world = World::read(&script);
    let plan = checked(&world, of(Day::constant(2026, 8, 28)));
    assert_eq!(plan.steps.len(), MAX_HOURLY * 24);
    let notes: Vec<_> = plan.notes.iter().map(|note| (note.code.as_str(), note.target.as_str())).collect();
    assert_eq!(notes, [("not-purged", format!("web1/log{MAX_HOURLY}").as_str())]);
}

#[test]
fn mail_that_somebody_has_to_handle_is_noted_on_the_first_of_the_month_only() {
    for (day, noted) in [("2026-08-01", true), ("2026-08-02", false), ("2026-08-31", false), ("2028-03-01", true)] {
        let day: Day = day.parse().unwrap();
        let target = "mail access-log mail controller customer act purges yes";
        let world = world("netip", day, target);
        // Also after days on which something else was left undone.
        for since in [None, Some(day), Some(Day::constant(2026, 7, 30).min(day))] {
            let plan = checked(&world, Sweeps { day, since });
            assert!(plan.steps.is_empty(), "never blindly");
            let text = plan.notes.iter().map(|note| note.text.as_str()).collect::<String>();
            assert_eq!(text.contains("once it was handled"), noted, "{day} since {since:?}: {text}");
            let concerned = concerns(&world.policy, &world.inventories, Sweeps { day, since }).unwrap();
            assert_eq!(concerned, noted);
        }
    }
}

#[test]
fn a_monthly_sweep_has_a_step_on_its_day_or_where_it_was_missed() {
    let swept = |category: &str, day: Day, since: Day| {
        let target = format!("log access-log {category} controller customer act purges yes");
        let sweeps = Sweeps { day, since: Some(since) };
        checked(&world("ages", day, &target), sweeps).steps.first().map(|step| day_of(step.older_than.unwrap()))
    };
    let january = |day: i8| Day::constant(2027, 1, day);
    // Ten days, and a sweep on the first: what is of the first goes on that very day.
    assert_eq!(swept("access-logs", january(1), january(1)), Some(january(2)));
    assert_eq!(swept("access-logs", january(2), january(2)), None, "not its day");
    assert_eq!(swept("access-logs", january(5), january(1)), Some(january(2)), "made up for");
    assert_eq!(swept("access-logs", january(12), january(12)), Some(january(3)), "no sweep is in time for it");
    // All of December goes by the sweep on the first or, for a duty's sake, once it is 40 days old.
    assert_eq!(swept("network-logs", january(1), january(1)), Some(Day::constant(2026, 11, 22)));
    assert_eq!(swept("network-logs", january(2), january(2)), Some(Day::constant(2026, 11, 23)), "a duty ended");
}

#[test]
fn what_has_no_row_of_its_own_goes_at_the_end_at_the_yearly_sweep() {
    for (settled, due) in [
        ("2026-01-31", "2027-01-02"),
        ("2025-12-31", "2026-01-02"),
        ("2026-01-02", "2027-01-02"),
        ("2026-02-28", "2027-01-02"),
        ("2028-02-29", "2029-01-02"),
    ] {
        let mut world = World::read("agent web1\nrest sql other controller customer act\n");
        let day = Some(settled.parse().unwrap());
        world.now = start_of(settled.parse().unwrap()).unwrap() + 20.hours();
        world.anchors = Anchors { customer_ended: day, customer_settled: day, ..Anchors::default() };
        let plan = gallra_planner::plan(&world.facts()).unwrap();
        assert_eq!(gallra_planner::check(&plan, &world.facts()), []);
        let erase = plan.steps.iter().find(|step| step.action == Action::Erase).unwrap();
        assert_eq!((day_of(erase.due), erase.rule.as_str()), (due.parse().unwrap(), "webone/sweep"), "{settled}");
        // And never by a record's own age.
        let today = Sweeps { day: Day::constant(2027, 1, 2), since: None };
        assert!(!concerns(&world.policy, &world.inventories, today).unwrap());
    }
}

#[test]
fn a_kind_of_target_that_cannot_purge_is_said_to_leave_its_promise_unmet() {
    let day = Day::constant(2026, 8, 28);
    for (target, says) in [
        ("chat files chat controller customer act", "nothing purges files targets yet: the promise is not carried out"),
        ("mail maildir mail controller customer act", "agent.toml has no youngest_purge_age"),
        ("chat sql chat controller customer act", "agent.toml has no youngest_purge_age"),
        ("log access-log access-logs controller customer act", "agent.toml has no youngest_purge_age"),
    ] {
        let plan = checked(&world("webone", day, target), of(day));
        assert!(plan.steps.is_empty());
        let [note] = plan.notes.as_slice() else { panic!("{target}") };
        assert!(note.code == "not-purged" && note.text.contains(says), "{note:?}");
    }
}

fn caught(code: &str, tamper: impl Fn(&mut Plan)) {
    let day = Day::constant(2026, 8, 28);
    let world = World::read(&format!("now 2026-08-28T08:25:00Z\npack connect2ip\nagent web1\n{IP}\n"));
    let mut plan = plan(&world.facts(), of(day)).unwrap();
    tamper(&mut plan);
    let codes: Vec<_> = check_purge(&plan, &world.facts(), of(day)).into_iter().map(|problem| problem.code).collect();
    assert!(codes.contains(&code), "expected {code}, got {codes:?}");
}

#[test]
fn hours_that_were_tampered_with_are_caught() {
    let moved = |plan: &mut Plan, step: usize, seconds: i64| {
        plan.steps[step].older_than = plan.steps[step].older_than.map(|cut| cut + seconds.seconds());
    };
    for step in [0, 1, 16] {
        caught("too-early", |plan| moved(plan, step, 1));
        caught("too-late", |plan| moved(plan, step, -1));
        caught("cut", |plan| plan.steps[step].older_than = None);
        caught("bounds", |plan| plan.steps[step].latest = Some(Day::constant(2026, 8, 30)));
        caught("rule", |plan| plan.steps[step].rule = "connect2ip/marketing".to_owned());
    }
    caught("too-early", |plan| plan.steps[4].due -= 1.hour());
    caught("too-late", |plan| plan.steps[4].due += 1.minute());
    caught("not-purged", |plan| drop(plan.steps.remove(0)));
    caught("too-late", |plan| drop(plan.steps.remove(5)));
    caught("not-purged", |plan| plan.steps.clear());
    caught("too-early", |plan| {
        let again = plan.steps[0].clone();
        plan.steps.insert(0, again);
    });
    caught("purged", |plan| {
        let many: Vec<_> = plan.steps.iter().cycle().take(30).cloned().collect();
        plan.steps = many;
    });
}
