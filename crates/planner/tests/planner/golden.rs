//! Each script in `tests/scenario` against the plan written below its dashes. `UPDATE_GOLDEN=1` writes them anew: read
//! the difference before keeping it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use gallra_model::plan::{After, Plan, Step};
use gallra_planner::{check, plan, render};

use crate::script::World;

const DASHES: &str = "---\n";

#[test]
fn every_scenario_gives_its_plan() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let scripts = scripts();
    assert!(scripts.len() >= 12, "the scripts are found: {scripts:?}");
    for path in scripts {
        let text = std::fs::read_to_string(&path).unwrap();
        let (script, golden) = text.split_once(DASHES).unwrap_or((text.as_str(), ""));
        let got = outcome(script);
        if update {
            std::fs::write(&path, format!("{script}{DASHES}{got}")).unwrap();
        } else {
            assert_eq!(got, golden, "{}", path.display());
        }
    }
}

fn scripts() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenario");
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "txt"));
    paths.sort();
    paths
}

fn outcome(script: &str) -> String {
    let world = World::read(script);
    let facts = world.facts();
    match plan(&facts) {
        Ok(plan) => {
            let doubts = check(&plan, &facts);
            assert!(doubts.is_empty(), "the checker disagrees: {doubts:?}\n{}", compact(&plan));
            format!("{}---\n{}", compact(&plan), without_digests(&render(&plan)))
        }
        Err(error) => format!("refused: {error}\n"),
    }
}

/// Digests change with every word of a pack; a scenario is about dates.
fn without_digests(text: &str) -> String {
    let line = |line: &str| match line.split_once(' ') {
        Some((word @ ("policy" | "succeeds"), _)) => format!("{word} …"),
        _ => line.to_owned(),
    };
    text.lines().map(line).fold(String::new(), |out, line| out + &line + "\n")
}

fn compact(plan: &Plan) -> String {
    let mut out = plan.steps.iter().fold(String::new(), |out, step| out + &compact_step(step) + "\n");
    for backup in &plan.backups {
        let (place, day) = (format!("{}/{}", backup.agent, backup.target), |day: Option<gallra_model::Day>| {
            day.map_or("-".to_owned(), |day| day.to_string())
        });
        let _ = writeln!(
            out,
            "copies {place} {} expected {} latest {}",
            backup.rule,
            day(backup.expected),
            day(backup.latest)
        );
    }
    for needed in &plan.approvals {
        let _ = writeln!(out, "needs {} {}", needed.what, needed.rule.as_deref().unwrap_or_default());
    }
    for lock in &plan.restrictions {
        let until = lock.until.map_or("-".to_owned(), |day| day.to_string());
        let _ = writeln!(out, "locked {}/{} {} from {} until {until}", lock.agent, lock.target, lock.rule, lock.from);
    }
    for held in &plan.holds {
        let _ =
            writeln!(out, "held {} {:?} expires {:?} review {:?}", held.hold, held.targets, held.expires, held.review);
    }
    for note in &plan.notes {
        let _ = writeln!(out, "note {} {}", note.code, note.target);
    }
    for change in &plan.changes {
        let side = |side: &Option<String>| side.clone().unwrap_or("-".to_owned());
        let digest = change.what == "policy";
        let sides =
            if digest { "…".to_owned() } else { format!("{} => {}", side(&change.before), side(&change.after)) };
        let _ = writeln!(out, "changed {} {}: {sides}", change.what, change.target);
    }
    out
}

fn compact_step(step: &Step) -> String {
    let after = |after: &After| match after {
        After::Step(number) => format!(" after {number}"),
        After::LiveConfirmed => " after live-confirmed".to_owned(),
        After::CopiesGone => " after copies-gone".to_owned(),
    };
    let waits = step.after.iter().map(after).collect::<String>();
    let until = step.until.map_or(String::new(), |end| format!(" until {end}"));
    let earliest = step.earliest.map_or(String::new(), |day| format!(" earliest {day}"));
    let latest = step.latest.map_or(String::new(), |day| format!(" latest {day}"));
    let place = format!("{}/{}", step.agent, step.target);
    format!(
        "{} {} {place} {} due {}{until}{earliest}{latest}{waits}",
        step.number,
        step.action.as_str(),
        step.rule,
        step.due
    )
}
