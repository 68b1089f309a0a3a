//! Receipts looked up by the step that they are of (`docs/formats/proof-v1.md`, section 10.1). Owns which receipt
//! speaks for a step, and when it settles it; refuses to know of copies.

use gallra_model::job::Action;
use gallra_model::outcome::Counts;
use gallra_model::plan::{After, Plan, Step};
use gallra_model::proof::Piece;
use gallra_model::receipt::{Receipt, Verdict};
use gallra_model::target::TargetId;
use gallra_model::{AgentName, Clock};

use crate::payload::Opened;

/// One target on one agent.
pub(super) type Place<'a> = (&'a AgentName, &'a TargetId);

pub(super) fn place(step: &Step) -> Place<'_> {
    (&step.agent, &step.target)
}

pub(super) fn is_of(step: &Step, receipt: &Receipt) -> bool {
    step.job == receipt.job
        && step.agent == receipt.agent
        && step.target == receipt.target
        && step.kind == receipt.kind
        && step.action == receipt.action
}

/// Whether a step is the confirmation that comes after the last copy went.
pub(super) fn is_recheck(step: &Step) -> bool {
    step.action == Action::Confirm && step.after.contains(&After::CopiesGone)
}

/// The plan and those receipts that are of it.
pub(super) struct Book<'a> {
    pub(super) plan: &'a Plan,
    receipts: Vec<&'a Opened<Receipt>>,
    clock: Clock,
}

impl<'a> Book<'a> {
    pub(super) fn new(plan: &'a Plan, receipts: &'a [Opened<Receipt>], clock: Clock) -> Self {
        let ours = |opened: &&Opened<Receipt>| plan.steps.iter().any(|step| is_of(step, &opened.predicate));
        Self { plan, receipts: receipts.iter().filter(ours).collect(), clock }
    }

    pub(super) fn pieces(&self) -> Vec<Piece> {
        self.receipts.iter().map(|opened| Piece { statement: opened.kind, digest: opened.digest }).collect()
    }

    /// Those that are of the plan, in the file's order, under whatever clock.
    pub(super) fn receipts(&self) -> impl Iterator<Item = &'a Opened<Receipt>> + '_ {
        self.receipts.iter().copied()
    }

    /// Receipts of a step on the statement's clock, in the file's order.
    pub(super) fn of_step(&self, step: &'a Step) -> impl DoubleEndedIterator<Item = &'a Receipt> + '_ {
        self.opened_of(step).map(|opened| &opened.predicate)
    }

    /// The same, with their digests.
    pub(super) fn opened_of(&self, step: &'a Step) -> impl DoubleEndedIterator<Item = &'a Opened<Receipt>> + '_ {
        let clock = self.clock;
        let ours = move |opened: &&Opened<Receipt>| opened.predicate.clock == clock && is_of(step, &opened.predicate);
        self.receipts.iter().copied().filter(ours)
    }

    /// The receipt that speaks for a step: of its newest attempt. A refusal touched nothing and unsays nothing.
    pub(super) fn newest(&self, step: &'a Step) -> Option<&'a Receipt> {
        self.of_step(step)
            .filter(|receipt| receipt.verdict != Verdict::Refused)
            .max_by_key(|receipt| (receipt.attempt, receipt.finished))
    }

    /// The receipt that settles a step, whatever it waits for.
    pub(super) fn settled(&self, step: &'a Step) -> Option<&'a Receipt> {
        let receipt = self.newest(step).filter(|receipt| receipt.verdict == Verdict::Done)?;
        let settles = match step.action {
            Action::Inspect | Action::Restrict => true,
            Action::Observe => receipt.listing.is_some(),
            Action::Preserve => preserves(step, receipt),
            Action::Erase => erases(&receipt.counts) && self.keeps_what_it_retains(step, receipt),
            // Items of held subjects stay without a date: that is no purge yet.
            Action::Purge => erases(&receipt.counts) && receipt.counts.retained == 0 && has_cut(step, receipt),
            Action::Confirm => {
                receipt.counts.absent > 0
                    && receipt.counts.settles()
                    && self.keeps_what_it_retains(step, receipt)
                    && self.follows_the_erasure(step, receipt)
            }
        };
        settles.then_some(receipt)
    }

    /// What an erase or confirm job leaves must be behind the handle of a preserve job on the same target.
    fn keeps_what_it_retains(&self, step: &'a Step, receipt: &Receipt) -> bool {
        let beside = |other: &&'a Step| other.action == Action::Preserve && place(other) == place(step);
        let kept = self.plan.steps.iter().filter(beside).filter_map(|other| self.settled(other));
        let kept = kept.fold(0_u64, |sum, receipt| sum.saturating_add(receipt.counts.retained));
        receipt.counts.retained <= kept
    }

    /// A confirmation says something only about what was erased before it began. Same agent, same clock.
    fn follows_the_erasure(&self, step: &'a Step, receipt: &Receipt) -> bool {
        let beside = |other: &&'a Step| other.action == Action::Erase && place(other) == place(step);
        self.plan
            .steps
            .iter()
            .filter(beside)
            .all(|erase| self.settled(erase).is_some_and(|erased| erased.finished <= receipt.started))
    }
}

fn erases(counts: &Counts) -> bool {
    let gone = [counts.erased, counts.absent, counts.anonymised, counts.key_destroyed];
    counts.settles() && gone.iter().any(|&count| count > 0)
}

/// Whether as much was to go as the plan says.
fn has_cut(step: &Step, receipt: &Receipt) -> bool {
    step.older_than.is_some() && receipt.older_than == step.older_than
}

/// Kept with the ground and date that the plan gives, or nothing was there to keep.
fn preserves(step: &Step, receipt: &Receipt) -> bool {
    let counts = &receipt.counts;
    let kept = match &receipt.kept {
        Some(kept) => counts.retained > 0 && kept.items == counts.retained && step.keep.as_ref() == Some(&kept.keep),
        None => counts.retained == 0 && counts.absent > 0,
    };
    kept && counts.settles()
}
