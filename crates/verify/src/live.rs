//! What became of live targets (`docs/formats/proof-v0-draft.md`, section 5). Owns when all live data counts as
//! confirmed gone, and what each target's line must say.

use std::collections::BTreeMap;

use crate::book::{Book, Entry, Place};
use crate::format::receipt::Receipt;
use crate::format::shared::{Action, Counts};
use crate::format::statement::{KeptResult, TargetResult};
use crate::time::Instant;
use crate::word::{Count, Word};

/// The steps of one live target, in the plan's order.
pub(crate) struct Target<'a, 'b> {
    entries: Vec<&'b Entry<'a>>,
}

/// Live targets, in the plan's order.
pub(crate) fn targets<'a, 'b>(book: &'b Book<'a>) -> Vec<Target<'a, 'b>> {
    let mut places: BTreeMap<Place<'a>, usize> = BTreeMap::new();
    let mut all: Vec<Target<'a, 'b>> = Vec::new();
    for entry in book.entries.iter().filter(|entry| !entry.step.kind.is_backup()) {
        let at = *places.entry(entry.place()).or_insert(all.len());
        match all.get_mut(at) {
            Some(target) => target.entries.push(entry),
            None => all.push(Target { entries: vec![entry] }),
        }
    }
    all
}

/// When the last residue was confirmed gone; unset while a live target is unsettled (section 5.3).
pub(crate) fn confirmed(targets: &[Target<'_, '_>]) -> Option<Instant> {
    if !targets.iter().all(Target::is_settled) {
        return None;
    }
    let gone = targets.iter().filter_map(Target::residue_gone).max();
    let others = |action| targets.iter().filter_map(move |target| target.last(action)).max();
    gone.or_else(|| others(Action::Preserve).max(others(Action::Purge)))
}

impl<'a> Target<'a, '_> {
    fn of(&self, action: Action) -> impl Iterator<Item = &Entry<'a>> {
        self.entries.iter().copied().filter(move |entry| entry.step.action == action)
    }

    /// The receipt that settles a step, given what else was done on the target (section 5.2).
    fn settled(&self, entry: &Entry<'a>) -> Option<&'a Receipt> {
        let receipt = entry.done()?;
        let holds = match entry.step.action {
            Action::Erase => self.keeps(receipt.counts.retained),
            Action::Confirm => self.keeps(receipt.counts.retained) && self.follows(receipt),
            Action::Inspect | Action::Restrict | Action::Preserve | Action::Purge | Action::Observe => true,
        };
        holds.then_some(receipt)
    }

    /// Whether so many retained items are behind the handles of this target's preserve steps.
    fn keeps(&self, retained: Count) -> bool {
        let kept = self.of(Action::Preserve).filter_map(Entry::done);
        retained <= kept.fold(Count::default(), |sum, receipt| sum.plus(receipt.counts.retained))
    }

    /// Whether a confirmation began after everything was erased on its target.
    fn follows(&self, confirmation: &Receipt) -> bool {
        self.of(Action::Erase)
            .all(|erase| self.settled(erase).is_some_and(|erased| erased.finished <= confirmation.started))
    }

    /// What must be settled before live data counts as confirmed gone.
    fn required(&self) -> impl Iterator<Item = &Entry<'a>> {
        let confirms = |entry: &Entry<'a>| entry.step.action == Action::Confirm && !entry.step.is_recheck();
        self.entries.iter().copied().filter(move |entry| entry.step.changes_for_good() || confirms(entry))
    }

    fn is_settled(&self) -> bool {
        self.entries.iter().any(|entry| entry.step.changes_for_good())
            && self.required().all(|entry| self.settled(entry).is_some())
    }

    fn last(&self, action: Action) -> Option<Instant> {
        let entries = self.of(action).filter(|entry| !entry.step.is_recheck());
        entries.filter_map(|entry| self.settled(entry)).map(|receipt| receipt.finished.clone()).max()
    }

    /// When the residue of what was erased here was confirmed gone, else when it was erased.
    fn residue_gone(&self) -> Option<Instant> {
        self.of(Action::Erase).next()?;
        self.last(Action::Confirm).or_else(|| self.last(Action::Erase))
    }

    /// Confirmations that began at or after the last copy went (section 5.4): none while a copy is left.
    fn rechecks(&self, gone: Option<&Option<Instant>>) -> Vec<&'a Receipt> {
        let Some(gone) = gone else { return Vec::new() };
        let late_enough = |receipt: &&'a Receipt| gone.as_ref().is_none_or(|gone| receipt.started >= *gone);
        let steps = self.of(Action::Confirm).filter(|entry| entry.step.is_recheck());
        steps.filter_map(|entry| self.settled(entry)).filter(late_enough).collect()
    }

    /// Whether every look again that the plan asks for was made, and one was if anything was erased.
    fn is_rechecked(&self, rechecks: usize) -> bool {
        let planned = self.of(Action::Confirm).filter(|entry| entry.step.is_recheck()).count();
        rechecks == planned && (planned > 0 || self.of(Action::Erase).next().is_none())
    }

    /// The target's line, without a word for why (section 5.5). `gone` is set once every copy is gone.
    pub(crate) fn result(&self, gone: Option<&Option<Instant>>) -> Option<TargetResult> {
        let step = self.entries.first()?.step;
        let rechecks = self.rechecks(gone);
        let proven = self.is_settled() && (gone.is_none() || self.is_rechecked(rechecks.len()));
        let settling = self.required().filter_map(|entry| self.settled(entry)).chain(rechecks);
        Some(TargetResult {
            agent: step.agent.clone(),
            target: step.target.clone(),
            kind: step.kind,
            category: step.category.clone(),
            role: step.role,
            counts: settling.fold(Counts::default(), |sum, receipt| sum.plus(&receipt.counts)),
            proven,
            why: Word::default(),
        })
    }
}

/// What settled preserve steps left, in the plan's order (section 7).
pub(crate) fn kept(book: &Book<'_>) -> Vec<KeptResult> {
    let preserves = |entry: &&Entry<'_>| entry.step.action == Action::Preserve && !entry.step.kind.is_backup();
    let results = book.entries.iter().filter(preserves).filter_map(|entry| {
        let kept = entry.done()?.kept.as_ref()?;
        Some(KeptResult {
            handle: kept.handle.clone(),
            agent: entry.step.agent.clone(),
            target: entry.step.target.clone(),
            items: kept.items,
            keep: kept.keep.clone(),
        })
    });
    results.collect()
}
