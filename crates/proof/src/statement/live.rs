//! What became of live targets (`docs/formats/proof-v1.md`, section 10). Owns when live data counts as confirmed
//! gone, and what a target's line says; refuses to know why something is missing.

use gallra_model::Instant;
use gallra_model::job::Action;
use gallra_model::outcome::Counts;
use gallra_model::plan::{Plan, Step};
use gallra_model::proof::{KeptResult, TargetResult};
use gallra_model::receipt::Receipt;
use gallra_planted::Bug;

use super::book::{Book, Place, is_recheck, place};
use super::copies::CopySet;

/// Live targets with their steps, in the plan's order.
pub(super) fn by_target(plan: &Plan) -> Vec<(Place<'_>, Vec<&Step>)> {
    let mut all: Vec<(Place<'_>, Vec<&Step>)> = Vec::new();
    for step in plan.steps.iter().filter(|step| !step.kind.is_backup()) {
        match all.iter_mut().find(|(at, _)| *at == place(step)) {
            Some((_, steps)) => steps.push(step),
            None => all.push((place(step), vec![step])),
        }
    }
    all
}

/// Whether a step must be settled before live data counts as confirmed gone.
fn is_required(step: &Step) -> bool {
    changes_for_good(step) || (step.action == Action::Confirm && !is_recheck(step))
}

fn changes_for_good(step: &Step) -> bool {
    matches!(step.action, Action::Erase | Action::Preserve | Action::Purge)
}

fn is_settled<'a>(book: &Book<'a>, steps: &[&'a Step]) -> bool {
    steps.iter().any(|step| changes_for_good(step))
        && steps.iter().filter(|step| is_required(step)).all(|step| book.settled(step).is_some())
}

/// When the last residue was confirmed gone; unset while any live target is unsettled (section 10.3).
pub(super) fn confirmed(book: &Book<'_>) -> Option<Instant> {
    let targets = by_target(book.plan);
    if !targets.iter().all(|(_, steps)| is_settled(book, steps)) {
        return None;
    }
    let last_of = |wanted: fn(&Step) -> bool| {
        let receipts = targets.iter().filter_map(move |(_, steps)| finished(book, steps, wanted));
        receipts.max()
    };
    // Per target: the confirmation where there is one, else the erasure itself. What is only kept holds nobody up.
    let gone = targets.iter().filter_map(|(_, steps)| {
        let erases = steps.iter().any(|step| step.action == Action::Erase);
        let first = finished(book, steps, |step| step.action == Action::Confirm && !is_recheck(step));
        if erases { first.or_else(|| finished(book, steps, |step| step.action == Action::Erase)) } else { None }
    });
    gone.max().or_else(|| last_of(changes_for_good))
}

fn finished<'a>(book: &Book<'a>, steps: &[&'a Step], wanted: fn(&Step) -> bool) -> Option<Instant> {
    steps.iter().filter(|step| wanted(step)).filter_map(|step| book.settled(step)).map(|r| r.finished).max()
}

/// One line a target.
pub(super) fn targets<'a>(book: &Book<'a>, copies: &CopySet, why: impl Fn(&[&'a Step]) -> String) -> Vec<TargetResult> {
    let mut all = Vec::new();
    for (_, steps) in by_target(book.plan) {
        let Some(first) = steps.first() else { continue };
        let rechecked = is_rechecked(book, &steps, copies);
        let proven = is_settled(book, &steps) && rechecked;
        all.push(TargetResult {
            agent: first.agent.clone(),
            target: first.target.clone(),
            kind: first.kind,
            category: first.category.clone(),
            role: first.role,
            counts: sum(settling(book, &steps, copies)),
            proven,
            why: match (proven, is_settled(book, &steps)) {
                (true, _) => String::new(),
                (false, true) => "not-rechecked".to_owned(),
                (false, false) => why(&steps),
            },
        });
    }
    all
}

/// Once the last copy went: whether the target was looked at again after that (section 10.4). Before: nothing is due yet.
fn is_rechecked<'a>(book: &Book<'a>, steps: &[&'a Step], copies: &CopySet) -> bool {
    let Some(gone) = copies.gone else { return true };
    if gallra_planted::is(Bug::FinalBeforeLastConfirm) {
        return true;
    }
    let mut rechecks = steps.iter().filter(|step| is_recheck(step)).peekable();
    let needed = steps.iter().any(|step| step.action == Action::Erase);
    (rechecks.peek().is_some() || !needed) && rechecks.all(|step| recheck(book, step, gone).is_some())
}

fn recheck<'a>(book: &Book<'a>, step: &'a Step, gone: Option<Instant>) -> Option<&'a Receipt> {
    book.settled(step).filter(|receipt| gone.is_none_or(|gone| receipt.started >= gone))
}

fn settling<'a>(book: &Book<'a>, steps: &[&'a Step], copies: &CopySet) -> Vec<&'a Receipt> {
    let counted = |step: &&'a Step| -> Option<&'a Receipt> {
        match (is_recheck(step), copies.gone) {
            (true, Some(gone)) => recheck(book, step, gone),
            (true, None) => None,
            (false, _) => book.settled(step),
        }
    };
    steps.iter().filter(|step| is_required(step) || is_recheck(step)).filter_map(counted).collect()
}

fn sum(receipts: Vec<&Receipt>) -> Counts {
    receipts.into_iter().fold(Counts::default(), |sum, receipt| sum.plus(receipt.counts))
}

/// What settled preserve steps left, in the plan's order (section 12).
pub(super) fn kept(book: &Book<'_>) -> Vec<KeptResult> {
    let preserves = book.plan.steps.iter().filter(|step| step.action == Action::Preserve && !step.kind.is_backup());
    let results = preserves.filter_map(|step| {
        let kept = book.settled(step)?.kept.as_ref()?;
        Some(KeptResult {
            handle: kept.handle,
            agent: step.agent.clone(),
            target: step.target.clone(),
            items: kept.items,
            keep: kept.keep.clone(),
        })
    });
    results.collect()
}
