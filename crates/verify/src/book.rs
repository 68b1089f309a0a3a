//! Receipts laid beside the steps that they are of (`docs/formats/proof-v1.md`, section 10.1 and 10.2). Owns which
//! receipt speaks for a step and when it settles it; knows nothing of copies.

use std::collections::BTreeMap;

use crate::envelope::Opened;
use crate::format::plan::{Plan, Step};
use crate::format::receipt::{Receipt, Verdict};
use crate::format::shared::{Action, ClockWord};
use crate::verdict::Failure;
use crate::word::{Id, Name};

/// More steps than any request has: bounds the work on one file.
const MAX_STEPS: usize = 10_000;
/// Rows without a date that one plan may carry.
const MAX_TERMS: usize = 10_000;

/// One target on one agent.
pub(crate) type Place<'a> = (&'a Name, &'a Name);

/// A step with its receipts on the statement's clock, in the file's order.
pub(crate) struct Entry<'a> {
    pub(crate) step: &'a Step,
    pub(crate) receipts: Vec<&'a Receipt>,
}

/// A plan with its receipts.
pub(crate) struct Book<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) entries: Vec<Entry<'a>>,
}

impl<'a> Book<'a> {
    /// Lays every receipt beside its step. A receipt that is of no step of this plan makes the file invalid; one under
    /// another clock counts for nothing.
    pub(crate) fn new(plan: &'a Plan, receipts: &'a [Opened<Receipt>], clock: ClockWord) -> Result<Self, Failure> {
        if plan.steps.len() > MAX_STEPS {
            return Err(Failure::malformed("the plan has more than 10000 steps"));
        }
        if plan.terms.len() > MAX_TERMS {
            return Err(Failure::malformed("the plan has more than 10000 terms"));
        }
        let jobs: BTreeMap<&Id, &Step> = plan.steps.iter().map(|step| (&step.job, step)).collect();
        if jobs.len() != plan.steps.len() {
            return Err(Failure::evidence("two steps of the plan share a job"));
        }
        let mut taken: BTreeMap<&Id, Vec<&'a Receipt>> = BTreeMap::new();
        for receipt in receipts.iter().map(|receipt| &receipt.value) {
            if !jobs.get(&receipt.job).is_some_and(|step| is_of(step, receipt)) {
                let why = format!("a receipt of agent {} is of no step of the plan", receipt.agent);
                return Err(Failure::evidence(&why));
            }
            if receipt.clock == clock {
                taken.entry(&receipt.job).or_default().push(receipt);
            }
        }
        let entry = |step: &'a Step| Entry { step, receipts: taken.remove(&step.job).unwrap_or_default() };
        Ok(Self { plan, entries: plan.steps.iter().map(entry).collect() })
    }
}

fn is_of(step: &Step, receipt: &Receipt) -> bool {
    step.agent == receipt.agent
        && step.target == receipt.target
        && step.kind == receipt.kind
        && step.action == receipt.action
}

impl<'a> Entry<'a> {
    pub(crate) fn place(&self) -> Place<'a> {
        (&self.step.agent, &self.step.target)
    }

    /// The receipt that speaks for the step, if it is done and settles the step by itself. The newest attempt speaks;
    /// a refusal touched nothing and unsays nothing.
    pub(crate) fn done(&self) -> Option<&'a Receipt> {
        let acted = self.receipts.iter().copied().filter(|receipt| receipt.verdict != Verdict::Refused);
        let newest = acted.max_by_key(|receipt| (receipt.attempt, receipt.finished.clone()))?;
        let settles = match self.step.action {
            Action::Inspect | Action::Restrict => true,
            Action::Observe => newest.listing.is_some(),
            Action::Preserve => preserves(self.step, newest),
            Action::Erase => erases(newest),
            Action::Purge => purges(self.step, newest),
            Action::Confirm => newest.counts.absent.get() > 0 && newest.counts.settles(),
        };
        (newest.verdict == Verdict::Done && settles).then_some(newest)
    }
}

fn erases(receipt: &Receipt) -> bool {
    let counts = &receipt.counts;
    let gone = [counts.erased, counts.absent, counts.anonymised, counts.key_destroyed];
    counts.settles() && gone.iter().any(|count| count.get() > 0)
}

/// As much went as the plan says, and nothing of it stays for a hold's sake.
fn purges(step: &Step, receipt: &Receipt) -> bool {
    let same_cut = step.older_than.is_some() && receipt.older_than == step.older_than;
    same_cut && receipt.counts.retained.get() == 0 && erases(receipt)
}

/// Kept with the ground and date that the plan gives, or nothing was there to keep.
fn preserves(step: &Step, receipt: &Receipt) -> bool {
    let counts = &receipt.counts;
    let kept = match &receipt.kept {
        Some(kept) => {
            counts.retained.get() > 0 && kept.items == counts.retained && step.keep.as_ref() == Some(&kept.keep)
        }
        None => counts.retained.get() == 0 && counts.absent.get() > 0,
    };
    kept && counts.settles()
}
