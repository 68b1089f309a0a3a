//! What stands between the evidence and *final* (I5; `docs/formats/proof-v1.md`, section 13). Owns the list, in
//! sentences for an operator; says nothing that the statement does not also show.

use gallra_model::Instant;
use gallra_model::job::Action;
use gallra_model::plan::{Note, Plan};
use gallra_model::proof::{KeptResult, TargetResult};
use gallra_model::restore::Restore;

use super::Evidence;
use super::copies::{self, CopySet};

/// Notes under which a part of the request has no date, or no step.
pub fn blocked(plan: &Plan) -> impl Iterator<Item = &Note> {
    plan.notes.iter().filter(|note| match note.code.as_str() {
        "waits-for-settlement" | "needs-a-period" => true,
        "observe-mode" | "not-purged" => !acts_on(plan, &note.target),
        _ => false,
    })
}

/// Whether the plan erases or preserves on a target, given as `agent/target`.
fn acts_on(plan: &Plan, target: &str) -> bool {
    let acts = |action| matches!(action, Action::Erase | Action::Preserve | Action::Purge);
    plan.steps.iter().any(|step| acts(step.action) && format!("{}/{}", step.agent, step.target) == target)
}

pub(super) fn points(
    evidence: &Evidence<'_>,
    targets: &[TargetResult],
    copies: &CopySet,
    kept: &[KeptResult],
    confirmed: Option<Instant>,
) -> Vec<String> {
    let mut open: Vec<String> = planned(evidence);
    for target in targets.iter().filter(|target| !target.proven) {
        open.push(format!("target {}/{} is unproven: {}", target.agent, target.target, target.why));
    }
    if copies.closed.is_none() {
        open.push("the set of copies is not closed".to_owned());
    }
    for copy in copies.copies.iter().filter(|copy| copy.gone.is_none()) {
        open.push(format!("copy {} in {}/{} is not gone", copy.copy, copy.agent, copy.target));
    }
    for restore in evidence.restores.iter().filter(|restore| !is_gone_again(evidence, restore)) {
        open.push(format!("what a restore brought back to {}/{} is not erased again", restore.agent, restore.target));
    }
    open.extend(unaccounted(evidence, copies, kept, confirmed));
    open
}

/// Whether all that a restore brought back is gone again, from a live target that the plan names, and under the proof's clock.
pub(super) fn is_gone_again(evidence: &Evidence<'_>, restore: &Restore) -> bool {
    let mut live = evidence.plan.steps.iter().filter(|step| !step.kind.is_backup());
    let known = live.any(|step| step.agent == restore.agent && step.target == restore.target);
    known && !restore.kind.is_backup() && restore.clock == evidence.clock && restore.is_gone_again()
}

/// What the request and the plan alone leave open.
fn planned(evidence: &Evidence<'_>) -> Vec<String> {
    let plan = evidence.plan;
    let facts = evidence.request.facts;
    let mut open: Vec<String> = blocked(plan).map(|note| format!("the plan notes {}", note.code)).collect();
    if facts.held {
        open.push("a hold covers the request".to_owned());
    }
    if facts.cancelled {
        open.push("the request is cancelled".to_owned());
    }
    // Also where the statement that says so is not in the file, since nobody believes its key any more.
    if facts.came_back {
        open.push("a restore brought back what was erased, and nobody says that all of it is gone again".to_owned());
    }
    let changes = |action| matches!(action, Action::Erase | Action::Preserve | Action::Purge);
    if !plan.steps.iter().any(|step| changes(step.action) && !step.kind.is_backup()) {
        open.push("the plan erases and keeps nothing".to_owned());
    }
    let foreign = |action| !matches!(action, Action::Inspect | Action::Observe);
    if plan.steps.iter().any(|step| foreign(step.action) && step.kind.is_backup()) {
        open.push("the plan changes a backup target, which this format cannot prove".to_owned());
    }
    open
}

/// What the coordinator's own records know and the receipts do not show.
fn unaccounted(
    evidence: &Evidence<'_>,
    copies: &CopySet,
    kept: &[KeptResult],
    confirmed: Option<Instant>,
) -> Vec<String> {
    let mut open = Vec::new();
    let cutoff = confirmed.map(copies::cutoff);
    for record in evidence.copies.iter().filter(|record| cutoff.is_none_or(|cutoff| record.began <= cutoff)) {
        if !copies.copies.iter().any(|copy| copy.copy == record.copy) {
            open.push(format!("no receipt lists copy {}", record.copy));
        }
    }
    let mut held: Vec<_> = evidence.obligations.iter().map(|obligation| obligation.handle).collect();
    let mut signed: Vec<_> = kept.iter().map(|kept| kept.handle).collect();
    held.sort();
    signed.sort();
    if held != signed {
        open.push("the obligations on record are not those that the receipts leave".to_owned());
    }
    open
}
