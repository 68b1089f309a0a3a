//! What became of live targets (`docs/formats/proof-v1.md`, section 10). Owns when all live data counts as
//! confirmed gone, and what each target's line must say.

use std::collections::{BTreeMap, BTreeSet};

use crate::book::{Book, Entry, Place};
use crate::format::receipt::Receipt;
use crate::format::shared::{Action, Counts};
use crate::format::statement::{KeptResult, TargetResult};
use crate::time::Instant;
use crate::word::{Count, Name, Word};

/// The steps of one live target, in the plan's order, each with the receipt that settles it by itself.
pub(crate) struct Target<'a, 'b> {
    entries: Vec<(&'b Entry<'a>, Option<&'a Receipt>)>,
    /// What the settled preserve steps retain together.
    kept: Count,
    /// When the last erase step was done; unset while one of them is not settled. Worked out once: a plan may have
    /// thousands of steps on one target.
    erased: Option<Option<&'a Instant>>,
}

/// Live targets, in the plan's order.
pub(crate) fn targets<'a, 'b>(book: &'b Book<'a>) -> Vec<Target<'a, 'b>> {
    let mut places: BTreeMap<Place<'a>, usize> = BTreeMap::new();
    let mut all: Vec<Vec<_>> = Vec::new();
    for entry in book.entries.iter().filter(|entry| !entry.step.kind.is_backup()) {
        let at = *places.entry(entry.place()).or_insert(all.len());
        let entry = (entry, entry.done());
        match all.get_mut(at) {
            Some(entries) => entries.push(entry),
            None => all.push(vec![entry]),
        }
    }
    all.into_iter().map(Target::new).collect()
}

/// When the last residue was confirmed gone; unset while a live target is unsettled (section 10.3).
pub(crate) fn confirmed(targets: &[Target<'_, '_>]) -> Option<Instant> {
    if !targets.iter().all(Target::is_settled) {
        return None;
    }
    let gone = targets.iter().filter_map(Target::residue_gone).max();
    let others = |action| targets.iter().filter_map(move |target| target.last(action)).max();
    gone.or_else(|| others(Action::Preserve).max(others(Action::Purge)))
}

/// A step, and the receipt that settles it by itself.
type Settling<'a, 'b> = (&'b Entry<'a>, Option<&'a Receipt>);

impl<'a, 'b> Target<'a, 'b> {
    fn new(entries: Vec<Settling<'a, 'b>>) -> Self {
        let mut target = Self { entries, kept: Count::default(), erased: None };
        let kept = target.of(Action::Preserve).filter_map(|(_, done)| done);
        target.kept = kept.fold(Count::default(), |sum, receipt| sum.plus(receipt.counts.retained));
        let erased: Option<Vec<_>> = target.of(Action::Erase).map(|erase| target.settled(erase)).collect();
        target.erased = erased.map(|all| all.into_iter().map(|receipt| &receipt.finished).max());
        target
    }

    fn of(&self, action: Action) -> impl Iterator<Item = Settling<'a, '_>> {
        self.entries.iter().copied().filter(move |(entry, _)| entry.step.action == action)
    }

    /// The receipt that settles a step, given what else was done on the target (section 10.2).
    fn settled(&self, (entry, done): Settling<'a, '_>) -> Option<&'a Receipt> {
        let receipt = done?;
        let holds = match entry.step.action {
            Action::Erase => receipt.counts.retained <= self.kept,
            Action::Confirm => receipt.counts.retained <= self.kept && self.follows(receipt),
            Action::Inspect | Action::Restrict | Action::Preserve | Action::Purge | Action::Observe => true,
        };
        holds.then_some(receipt)
    }

    /// Whether a confirmation began after everything was erased on its target.
    fn follows(&self, confirmation: &Receipt) -> bool {
        self.erased.is_some_and(|erased| erased.is_none_or(|erased| *erased <= confirmation.started))
    }

    /// What must be settled before live data counts as confirmed gone.
    fn required(&self) -> impl Iterator<Item = Settling<'a, '_>> {
        let confirms = |entry: &Entry<'a>| entry.step.action == Action::Confirm && !entry.step.is_recheck();
        self.entries.iter().copied().filter(move |(entry, _)| entry.step.changes_for_good() || confirms(entry))
    }

    fn is_settled(&self) -> bool {
        self.entries.iter().any(|(entry, _)| entry.step.changes_for_good())
            && self.required().all(|entry| self.settled(entry).is_some())
    }

    fn last(&self, action: Action) -> Option<Instant> {
        let entries = self.of(action).filter(|(entry, _)| !entry.step.is_recheck());
        entries.filter_map(|entry| self.settled(entry)).map(|receipt| receipt.finished.clone()).max()
    }

    /// When the residue of what was erased here was confirmed gone, else when it was erased.
    fn residue_gone(&self) -> Option<Instant> {
        self.of(Action::Erase).next()?;
        self.last(Action::Confirm).or_else(|| self.last(Action::Erase))
    }

    /// Confirmations that began at or after the last copy went (section 10.4): none while a copy is left.
    fn rechecks(&self, gone: Option<&Option<Instant>>) -> Vec<&'a Receipt> {
        let Some(gone) = gone else { return Vec::new() };
        let late_enough = |receipt: &&'a Receipt| gone.as_ref().is_none_or(|gone| receipt.started >= *gone);
        let steps = self.of(Action::Confirm).filter(|(entry, _)| entry.step.is_recheck());
        steps.filter_map(|entry| self.settled(entry)).filter(late_enough).collect()
    }

    /// Whether every look again that the plan asks for was made, and one was if anything was erased.
    fn is_rechecked(&self, rechecks: usize) -> bool {
        let planned = self.of(Action::Confirm).filter(|(entry, _)| entry.step.is_recheck()).count();
        rechecks == planned && (planned > 0 || self.of(Action::Erase).next().is_none())
    }

    /// Whether nothing was erased or purged here, or another agent than the one that did it confirmed it gone.
    pub(crate) fn is_apart(&self) -> bool {
        let acted: BTreeSet<&Name> = self
            .of(Action::Erase)
            .chain(self.of(Action::Purge))
            .filter_map(|(_, done)| done)
            .map(|r| &r.agent)
            .collect();
        let mut looked = self.of(Action::Confirm).filter_map(|(_, done)| done).map(|receipt| &receipt.agent).peekable();
        acted.is_empty() || looked.peek().is_some() && looked.all(|agent| !acted.contains(&agent))
    }

    /// The target's line, without a word for why (section 5.5). `gone` is set once every copy is gone.
    pub(crate) fn result(&self, gone: Option<&Option<Instant>>) -> Option<TargetResult> {
        let step = self.entries.first()?.0.step;
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
