//! What follows from the evidence, held against what the issuer says (`docs/formats/proof-v1.md`, section 13; I5).
//! Upholds that nothing is taken over from the statement: it is right in every word, or the proof is invalid. Only a
//! target's `why` is the issuer's own word, and finality may be withheld, never given.

use std::collections::BTreeSet;

use crate::book::{Book, Entry};
use crate::copies::{self, CopySet};
use crate::format::plan::{Note, Step};
use crate::format::receipt::Receipt;
use crate::format::shared::Action;
use crate::format::statement::{CopyResult, Expected, KeptResult, TargetResult};
use crate::live;
use crate::short;
use crate::time::{Day, Instant};
use crate::verdict::{Failure, Kept, Outcome, Report};

/// What an issuer says that follows from evidence, whatever version it says it in.
pub(crate) struct Said<'a> {
    pub(crate) is_final: bool,
    pub(crate) until: Option<&'a Day>,
    pub(crate) has_subject: bool,
    pub(crate) targets: &'a [TargetResult],
    pub(crate) copies_closed: Option<&'a Instant>,
    pub(crate) copies: &'a [CopyResult],
    pub(crate) kept: &'a [KeptResult],
}

/// What the evidence comes to, where that is what was said.
pub(crate) struct Judged {
    pub(crate) outcome: Outcome,
    /// Each erased or purged target was confirmed gone by another agent than the one that acted.
    pub(crate) apart: bool,
}

/// Something more that stands between evidence and *final*.
pub(crate) struct Point {
    pub(crate) what: String,
    /// Whether nobody can say how long it will stay open.
    pub(crate) undated: bool,
}

/// `further` says what else is open, given the copies.
pub(crate) fn judge(
    said: &Said<'_>,
    book: &Book<'_>,
    further: impl FnOnce(&CopySet<'_>) -> Vec<Point>,
    report: &mut Report,
) -> Result<Judged, Failure> {
    about_somebody_or_an_age(said, book, report)?;
    let live = live::targets(book);
    let confirmed = live::confirmed(&live);
    let copies = copies::of(book, confirmed.as_ref());
    let results = live.iter().filter_map(|target| target.result(copies.gone.as_ref()));
    let targets = targets(said, results.collect(), report)?;
    same_copies(said, &copies, book.plan.is_purge(), report)?;
    let kept = same_kept(said, live::kept(book), report)?;
    let further = further(&copies);
    let undated = further.iter().any(|point| point.undated);
    let until = if undated { None } else { until(book, &targets, &copies) };
    let mut open = open(book, &targets, &copies);
    open.extend(further.into_iter().map(|point| point.what));
    let outcome = stage(said, &open, until, kept, report)?;
    Ok(Judged { outcome, apart: live.iter().all(live::Target::is_apart) })
}

/// A purge is about records of an age and has no subject; everything else has one.
fn about_somebody_or_an_age(said: &Said<'_>, book: &Book<'_>, report: &mut Report) -> Result<(), Failure> {
    let steps = &book.plan.steps;
    if book.plan.is_purge() == said.has_subject {
        return Err(Failure::evidence("a purge's statement has no subject, and every other one has"));
    }
    let aged = |step: &Step| step.action == Action::Purge;
    if steps.iter().any(|step| aged(step) != step.older_than.is_some()) {
        return Err(Failure::evidence("a step says how old without being a purge's, or the other way round"));
    }
    if book
        .entries
        .iter()
        .any(|entry| entry.receipts.iter().any(|receipt| !aged(entry.step) && receipt.older_than.is_some()))
    {
        return Err(Failure::evidence("a receipt says how old, and is of no purge"));
    }
    if steps.iter().any(aged) && !book.plan.is_purge() {
        return Err(Failure::evidence("a plan purges, and does not say that it is a purge's"));
    }
    if !book.plan.is_purge() {
        return Ok(());
    }
    if !steps.iter().all(aged) || !book.plan.backups.is_empty() {
        return Err(Failure::evidence("the plan of a purge does something else, too"));
    }
    // A promise in hours has a run an hour: one line for all that follow each other on a target under one rule.
    for runs in book.entries.chunk_by(|one, next| one.place() == next.place() && one.step.rule == next.step.rule) {
        purge_runs(runs, report);
    }
    report.note("copies in backups: not looked at here; they leave by their own age".to_owned());
    Ok(())
}

fn purge_runs(runs: &[Entry<'_>], report: &mut Report) {
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return };
    let step = first.step;
    let cut = |step: &Step| step.older_than.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let unread = runs.iter().rev().find_map(Entry::done).map_or(0, Receipt::unread);
    if unread > 0 {
        report.note(format!("purge {}/{}: {unread} items whose age does not read stay", step.agent, step.target));
    }
    let planned = match runs.len() {
        1 => String::new(),
        count => format!(", and so on in {count} runs, in the last what is older than {}", cut(last.step)),
    };
    report.note(format!(
        "purge {}/{} ({}): of everybody, what is older than {}{planned}",
        step.agent,
        step.target,
        step.rule,
        cut(step)
    ));
}

/// Every live target of the plan, with the counts of the receipts that settle it.
fn targets(said: &Said<'_>, worked_out: Vec<TargetResult>, report: &mut Report) -> Result<Vec<TargetResult>, Failure> {
    if said.targets.len() != worked_out.len() {
        return Err(Failure::evidence("the statement does not list exactly the plan's live targets"));
    }
    let mut all = Vec::new();
    for (line, found) in said.targets.iter().zip(worked_out) {
        let found = TargetResult { why: line.why.clone(), ..found };
        let place = format!("{}/{}", found.agent, found.target);
        if *line != found || found.proven != found.why.as_str().is_empty() {
            return Err(Failure::evidence(&format!("target {place}: the statement differs from the receipts")));
        }
        let counts: Vec<String> = found.counts.words().iter().filter(|(_, n)| *n > 0).map(word).collect();
        let counts = if counts.is_empty() { "nothing counted".to_owned() } else { counts.join(", ") };
        if found.proven {
            report.ok(format!("target {place} ({}): {counts}", found.category));
        } else {
            report.note(format!("target {place} ({}): unproven: {}; {counts}", found.category, found.why));
        }
        all.push(found);
    }
    Ok(all)
}

fn word((word, count): &(&str, u64)) -> String {
    format!("{count} {word}")
}

fn same_copies(said: &Said<'_>, found: &CopySet<'_>, purge: bool, report: &mut Report) -> Result<(), Failure> {
    if said.copies_closed != found.closed.as_ref() {
        return Err(Failure::evidence("copies: the statement's closing of the set differs from the listings"));
    }
    if said.copies != found.copies {
        return Err(Failure::evidence("copies: the statement's copies differ from the listings"));
    }
    if purge {
        return Ok(());
    }
    match &found.closed {
        Some(closed) => report.ok(format!("copies: the set was closed at {closed}")),
        None => report.note("copies: the set is not closed yet".to_owned()),
    }
    let gone = found.copies.iter().filter_map(|copy| copy.gone.as_ref());
    let last = gone.clone().max().map_or(String::new(), |last| format!(", the last seen gone at {last}"));
    report.ok(format!("copies: {} of {} gone{last}", gone.count(), found.copies.len()));
    for copy in found.copies.iter().filter(|copy| copy.gone.is_none()) {
        report.note(format!("copy {} in {}/{}: {}", short(copy.copy.as_str()), copy.agent, copy.target, due(copy)));
    }
    Ok(())
}

fn due(copy: &CopyResult) -> String {
    match &copy.expected {
        Expected::By(day) => format!("expected gone by {day}"),
        Expected::Never => "never expires by the store's own rules".to_owned(),
        Expected::Unknown => "expiry unknown".to_owned(),
    }
}

fn same_kept(said: &Said<'_>, found: Vec<KeptResult>, report: &mut Report) -> Result<Option<Kept>, Failure> {
    if said.kept != found {
        return Err(Failure::evidence("kept: the statement's obligations differ from the receipts"));
    }
    for kept in &found {
        let last = kept.keep.earliest.before();
        let (items, rule) = (kept.items.get(), &kept.keep.rule);
        report.ok(format!("kept: {items} items in {}/{} under {rule} until {last}", kept.agent, kept.target));
    }
    let Some(until) = found.iter().map(|kept| kept.keep.earliest.before()).max() else { return Ok(None) };
    let mut rules: Vec<String> = found.iter().map(|kept| kept.keep.rule.to_string()).collect();
    rules.sort();
    rules.dedup();
    let items = found.iter().fold(0_u64, |sum, kept| sum.saturating_add(kept.items.get()));
    Ok(Some(Kept { items, rules, until: until.to_string() }))
}

/// Notes under which a part of the request has no date, or no step.
fn blocked<'a>(book: &Book<'a>) -> Vec<&'a Note> {
    let changing = book.plan.steps.iter().filter(|step| step.changes_for_good());
    let acted: BTreeSet<String> = changing.map(|step| format!("{}/{}", step.agent, step.target)).collect();
    let blocks = |note: &&Note| match note.code.as_str() {
        "waits-for-settlement" | "needs-a-period" => true,
        "observe-mode" | "not-purged" => !acted.contains(note.target.as_str()),
        _ => false,
    };
    book.plan.notes.iter().filter(blocks).collect()
}

/// What stands between this evidence and *final*.
fn open(book: &Book<'_>, targets: &[TargetResult], copies: &CopySet<'_>) -> Vec<String> {
    let mut open: Vec<String> = blocked(book)
        .iter()
        .map(|note| format!("the plan notes {} {}", note.code, note.target).trim_end().to_owned())
        .collect();
    let steps = &book.plan.steps;
    if !steps.iter().any(|step| step.changes_for_good() && !step.kind.is_backup()) {
        open.push("the plan erases and keeps nothing".to_owned());
    }
    let foreign = |action| !matches!(action, Action::Inspect | Action::Observe);
    if steps.iter().any(|step| step.kind.is_backup() && foreign(step.action)) {
        open.push("the plan changes a backup target, which this format cannot prove".to_owned());
    }
    let unproven = targets.iter().filter(|target| !target.proven);
    open.extend(unproven.map(|target| format!("target {}/{} is unproven", target.agent, target.target)));
    if copies.closed.is_none() {
        open.push("the set of copies is not closed".to_owned());
    }
    let left = copies.copies.iter().filter(|copy| copy.gone.is_none()).count();
    if left > 0 {
        open.push(format!("{left} copies are not gone"));
    }
    open
}

/// The last day on which a copy that is left should go, where that is all that is open and every one has a day.
fn until(book: &Book<'_>, targets: &[TargetResult], copies: &CopySet<'_>) -> Option<Day> {
    if copies.unseen || targets.iter().any(|target| !target.proven) || !blocked(book).is_empty() {
        return None;
    }
    let left = copies.copies.iter().filter(|copy| copy.gone.is_none());
    let days: Option<Vec<&Day>> = left
        .map(|copy| match &copy.expected {
            Expected::By(day) => Some(day),
            Expected::Never | Expected::Unknown => None,
        })
        .collect();
    days?.into_iter().max().cloned()
}

fn stage(
    said: &Said<'_>,
    open: &[String],
    until: Option<Day>,
    kept: Option<Kept>,
    report: &mut Report,
) -> Result<Outcome, Failure> {
    if let (true, Some(first)) = (said.is_final, open.first()) {
        let why = format!("the statement says final, but the evidence leaves open: {first}");
        return Err(Failure::evidence(&why));
    }
    if said.until != until.as_ref() {
        return Err(Failure::evidence("the statement's last day differs from the evidence"));
    }
    match (said.is_final, open) {
        (true, _) => {
            report.ok("stage: final, as the evidence shows".to_owned());
            Ok(Outcome::Final { kept })
        }
        (false, []) => {
            report.note("stage: interim, though the evidence is complete: the issuer withholds finality".to_owned());
            Ok(Outcome::Interim { until: None, kept })
        }
        (false, open) => {
            for point in open.iter().filter(|point| !point.starts_with("target ")) {
                report.note(format!("open: {point}"));
            }
            report.ok("stage: interim, as the evidence shows".to_owned());
            Ok(Outcome::Interim { until: until.map(|day| day.to_string()), kept })
        }
    }
}
