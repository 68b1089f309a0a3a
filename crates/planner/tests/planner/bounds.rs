//! Bounds to the last step that they let pass, ids of jobs that stay what they are, and rows that say nothing about copies.

use gallra_model::plan::Plan;
use gallra_planner::purge::MAX_HOURLY;
use gallra_planner::{MAX_STEPS, PlanError, plan, purge};
use gallra_policy::Policy;

use crate::purge::of;
use crate::script::World;

/// A script with as many targets of a line as asked for, each under a name of its own.
fn many(head: &str, count: usize, line: &str) -> World {
    let targets = (0..count).map(|number| format!("t{number} {line}\n"));
    World::read(&format!("{head}agent web1\n{}", targets.collect::<String>()))
}

#[test]
fn a_plan_has_as_many_steps_as_there_may_be_and_not_one_more() {
    // A target without a period is looked at, and nothing else.
    let of_size = |count| {
        plan(&many("contract 2026-01-31 2026-01-31\n", count, "sql tickets processor contract act").facts())
            .map(|plan| plan.steps.len())
    };
    assert_eq!(of_size(MAX_STEPS), Ok(MAX_STEPS));
    assert_eq!(of_size(MAX_STEPS + 1), Err(PlanError::TooLarge));
}

#[test]
fn a_purge_has_as_many_steps_as_there_may_be_and_not_one_more() {
    let of_size = |count| {
        let world =
            many("now 2026-08-28T05:00:00Z\n", count, "access-log access-logs processor contract act purges yes");
        purge::plan(&world.facts(), of(jiff::civil::date(2026, 8, 28))).map(|plan| plan.steps.len())
    };
    assert_eq!(of_size(MAX_STEPS), Ok(MAX_STEPS));
    assert_eq!(of_size(MAX_STEPS + 1), Err(PlanError::TooLarge));
}

/// Connect2IP's addresses leave by the hour, its pack's access logs (a row of the test) by the day.
fn hourly(daily: usize, hourly: usize) -> Plan {
    let line = |name: &str, number: usize, category: &str| {
        format!("{name}{number} access-log {category} controller customer act purges yes\n")
    };
    let daily = (0..daily).map(|number| line("day", number, "access-logs"));
    let hourly = (0..hourly).map(|number| line("hour", number, "ip"));
    let script = format!(
        "now 2026-08-28T01:00:00Z\npack connect2ip\nrow connect2ip/logs access-logs by record 6 months\nagent web1\n{}",
        daily.chain(hourly).collect::<String>()
    );
    purge::plan(&World::read(&script).facts(), of(jiff::civil::date(2026, 8, 28))).unwrap()
}

#[test]
fn as_many_targets_are_purged_by_the_hour_as_may_be_and_days_do_not_count() {
    let all = hourly(2 * MAX_HOURLY, MAX_HOURLY);
    assert_eq!(all.notes, [], "each target has its place");
    assert_eq!(all.steps.len(), 2 * MAX_HOURLY + 24 * MAX_HOURLY);
    let more = hourly(0, MAX_HOURLY + 1);
    assert_eq!(more.notes.len(), 1, "{:?}", more.notes);
}

#[test]
fn a_job_keeps_its_id_from_one_version_of_the_program_to_the_next() {
    // Frozen: a job that was begun is found by its id after an update.
    let mixed = hourly(1, 1);
    let ids: Vec<_> = mixed.steps.iter().take(2).map(|step| (step.target.to_string(), step.job.to_string())).collect();
    assert_eq!(
        ids,
        [
            ("day0".to_owned(), "b7f82099579328647debcdc3d40590cb".to_owned()),
            ("hour0".to_owned(), "661e95d8dce658f71f4b25aed831ab2b".to_owned())
        ]
    );
    let one = many("contract 2026-01-31 2026-01-31\n", 1, "files customer-data processor contract act");
    assert_eq!(plan(&one.facts()).unwrap().steps[0].job.to_string(), "1e0e178e3ec1ef3061ad65f484ec20ce");
}

#[test]
fn copies_break_no_row_that_stands_apart_and_no_lock() {
    let rows = |more: &str| {
        format!(
            "name = \"host\"\nprovider = \"H\"\n\
             [[rule]]\nid = \"host/mail\"\ncategory = \"mail\"\naction = \"erase\"\nbound = \"by\"\nbasis = \"contract\"\ncites = []\n\
             count = [{{ from = \"customer_ended\", period = \"1 year\" }}]\n\
             [[rule]]\nid = \"host/sooner\"\ncategory = \"mail\"\nbasis = \"contract\"\ncites = []\n\
             count = [{{ from = \"record\", period = \"3 days\" }}]\n{more}\n"
        )
    };
    let notes = |more: &str| {
        let mut world = World::read(
            "customer 2026-01-31 2026-01-31\nagent web1\nmails maildir mail controller customer act\n\
             nightly restic backup controller customer act covers mails life 7\n",
        );
        world.policy = Policy::parse("host", &rows(more), |_: &str| None).unwrap();
        plan(&world.facts()).unwrap().notes.into_iter().filter(|note| note.code == "copies-outlive-rule").count()
    };
    assert_eq!(notes("action = \"erase\"\nbound = \"by\""), 1);
    assert_eq!(notes("action = \"erase\"\nbound = \"by\"\napart = true"), 0);
    assert_eq!(notes("action = \"restrict\"\nbound = \"at\""), 0);
}
