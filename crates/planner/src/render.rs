//! A plan as a timeline for the terminal: days in order, what happens where and under which rule, what stays until
//! when, and what a reader must know. Owns the wording; local times are Europe/Stockholm.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gallra_model::job::Action;
use gallra_model::plan::{After, Anchors, BackupExpectation, Plan, Step};
use gallra_model::target::CopyLife;
use gallra_model::time::{day_of, stockholm};
use gallra_model::{Clock, Day, Instant};

/// The plan as text of several lines, without a newline at its end.
pub fn render(plan: &Plan) -> String {
    let mut out = head(plan);
    days(&mut out, plan);
    waiting(&mut out, plan, After::LiveConfirmed, "once all live data is confirmed gone");
    waiting(&mut out, plan, After::CopiesGone, "once every copy is gone");
    copies(&mut out, plan);
    stays(&mut out, plan);
    notes(&mut out, plan);
    out.truncate(out.trim_end().len());
    out
}

fn head(plan: &Plan) -> String {
    let clock = match plan.clock {
        Clock::Real => "",
        Clock::Simulated => ", simulated clock",
    };
    let made = format!("{} {}", day_of(plan.made), time_of_day(plan.made));
    let mut out = format!("plan {} of request {}, made {made}{clock}\n", plan.number, plan.request);
    if let Some(parent) = plan.parent {
        let _ = writeln!(out, "succeeds {parent}");
    }
    let _ = writeln!(out, "policy {}\ncounted from: {}", plan.policy, anchors(&plan.anchors));
    out
}

fn anchors(anchors: &Anchors) -> String {
    let pair = |who: &str, ended: Option<Day>, settled: Option<Day>| {
        let settled = settled.map_or_else(|| "not settled".to_owned(), |day| format!("settled {day}"));
        ended.map(|day| format!("{who} ended {day}, {settled}"))
    };
    let contract = pair("contract", anchors.contract_ended, anchors.contract_settled);
    let customer = pair("customer", anchors.customer_ended, anchors.customer_settled);
    contract.into_iter().chain(customer).collect::<Vec<_>>().join("; ")
}

/// Steps whose time alone, or another step, brings them on.
fn days(out: &mut String, plan: &Plan) {
    let timed = |step: &&Step| step.after.iter().all(|after| matches!(after, After::Step(_)));
    let mut by_day: BTreeMap<Day, Vec<&Step>> = BTreeMap::new();
    for step in plan.steps.iter().filter(timed) {
        by_day.entry(day_of(step.due)).or_default().push(step);
    }
    for (day, mut steps) in by_day {
        steps.sort_by_key(|step| step.due);
        let _ = writeln!(out, "\n{day} {}", weekday(day));
        for step in steps {
            let _ = writeln!(out, "  {}  {}", time_of_day(step.due), line(step));
        }
    }
}

fn waiting(out: &mut String, plan: &Plan, what: After, title: &str) {
    let steps: Vec<_> = plan.steps.iter().filter(|step| step.after.contains(&what)).collect();
    if steps.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{title}");
    for step in steps {
        let _ = writeln!(out, "         {}", line(step));
    }
}

fn line(step: &Step) -> String {
    let place = format!("{}/{}", step.agent, step.target);
    let (action, category) = (step.action.as_str(), step.category.as_str());
    let mut line = format!("{:<3} {action:<8}  {place:<28}  {category:<13}  {}", step.number, step.rule);
    if matches!(step.action, Action::Erase) {
        line.push_str(&bounds(step.earliest, step.latest));
    }
    line.trim_end().to_owned()
}

fn bounds(earliest: Option<Day>, latest: Option<Day>) -> String {
    match (earliest, latest) {
        (Some(a), Some(b)) if a == b => format!(", on {a}"),
        (Some(a), Some(b)) => format!(", from {a}, by {b}"),
        (Some(a), None) => format!(", from {a}"),
        (None, Some(b)) => format!(", by {b}"),
        (None, None) => String::new(),
    }
}

fn copies(out: &mut String, plan: &Plan) {
    if plan.backups.is_empty() {
        return;
    }
    out.push_str("\ncopies\n");
    for backup in &plan.backups {
        let place = format!("{}/{}", backup.agent, backup.target);
        let promised = backup.latest.map_or_else(String::new, |day| format!("; {} promises {day}", backup.rule));
        let _ = writeln!(out, "  {place:<28}  {}{promised}", life(backup));
    }
}

fn life(backup: &BackupExpectation) -> String {
    match (backup.life, backup.expected) {
        (CopyLife::AtMost { .. }, Some(day)) => format!("last one expected to go on {day}"),
        (CopyLife::AtMost { days }, None) => format!("each lives {days} days at most"),
        (CopyLife::Never, _) => "never expire".to_owned(),
        (CopyLife::Unknown, _) => "nobody can say when they expire".to_owned(),
    }
}

fn stays(out: &mut String, plan: &Plan) {
    let kept: Vec<_> = plan.steps.iter().filter_map(|step| Some((step, step.keep.as_ref()?))).collect();
    if kept.is_empty() {
        return;
    }
    out.push_str("\nstays\n");
    for (step, keep) in kept {
        let place = format!("{}/{}", step.agent, step.target);
        let until = match keep.latest {
            Some(latest) if latest == keep.earliest => format!("until {latest}, and gone that day"),
            Some(latest) => format!("until {}, and gone by {latest}", keep.earliest),
            None => format!("may be erased from {}", keep.earliest),
        };
        let _ = writeln!(out, "  {place:<28}  {until}\n{:32}{}: {}", "", keep.rule, keep.ground);
    }
}

fn notes(out: &mut String, plan: &Plan) {
    // What is kept is told above already.
    let notes: Vec<_> = plan.notes.iter().filter(|note| note.code != crate::note::KEEPS).collect();
    if notes.is_empty() {
        return;
    }
    out.push_str("\nmind\n");
    for note in notes {
        let place = if note.target.is_empty() { "the whole plan" } else { &note.target };
        let _ = writeln!(out, "  {place:<28}  {}: {}", note.code, note.text);
    }
}

fn time_of_day(instant: Instant) -> String {
    let local = instant.to_zoned(stockholm());
    format!("{:02}:{:02}", local.hour(), local.minute())
}

fn weekday(day: Day) -> &'static str {
    use jiff::civil::Weekday as W;
    match day.weekday() {
        W::Monday => "Monday",
        W::Tuesday => "Tuesday",
        W::Wednesday => "Wednesday",
        W::Thursday => "Thursday",
        W::Friday => "Friday",
        W::Saturday => "Saturday",
        W::Sunday => "Sunday",
    }
}
