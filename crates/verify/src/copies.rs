//! The set of copies, from signed listings (`docs/formats/proof-v0-draft.md`, section 6). Owns which copies count, when
//! the set was closed and when a copy was gone. A later listing may add a copy; none is removed without its bytes having
//! been reclaimed.

use std::collections::{BTreeMap, BTreeSet};

use crate::book::{Book, Place};
use crate::format::receipt::{Listing, Reclaimed, Verdict};
use crate::format::shared::Action;
use crate::format::statement::{CopyResult, Expected};
use crate::time::Instant;
use crate::word::Id;

/// How far two machines' clocks may stand apart, in seconds.
const CLOCK_BOUND_SECONDS: i64 = 600;

/// The copies of all backup targets.
pub(crate) struct CopySet {
    pub(crate) closed: Option<Instant>,
    pub(crate) copies: Vec<CopyResult>,
    /// Set once the set is closed and all copies are gone: since when (none where there is no backup target).
    pub(crate) gone: Option<Option<Instant>>,
    /// A backup target was never listed.
    pub(crate) unseen: bool,
}

struct Seen<'a> {
    listing: &'a Listing,
    /// Done, and of the repository of the first listing.
    counts: bool,
    observes: bool,
}

pub(crate) fn of(book: &Book<'_>, confirmed: Option<&Instant>) -> CopySet {
    let steps = book.entries.iter().filter(|entry| entry.step.kind.is_backup()).map(|entry| entry.place());
    let places: BTreeSet<Place<'_>> =
        steps.chain(book.plan.backups.iter().map(|backup| (&backup.agent, &backup.target))).collect();
    let seen: Vec<_> = places.into_iter().map(|at| (at, listings(book, at))).collect();
    let copies: Vec<CopyResult> = seen.iter().flat_map(|(at, seen)| followed(*at, seen, confirmed)).collect();
    let closings: Option<Vec<Instant>> =
        confirmed.and_then(|confirmed| seen.iter().map(|(_, seen)| closed(seen, confirmed)).collect());
    let all_gone: Option<Vec<Instant>> = copies.iter().map(|copy| copy.gone.clone()).collect();
    CopySet {
        closed: closings.as_ref().and_then(|all| all.iter().max().or(confirmed).cloned()),
        gone: closings.zip(all_gone).map(|(closed, gone)| closed.into_iter().chain(gone).max()),
        unseen: seen.iter().any(|(_, seen)| seen.is_empty()),
        copies,
    }
}

/// Listings of one backup target, oldest first (section 6.1).
fn listings<'a>(book: &Book<'a>, at: Place<'a>) -> Vec<Seen<'a>> {
    let mut all = Vec::new();
    for entry in book.entries.iter().filter(|entry| entry.step.kind.is_backup() && entry.place() == at) {
        let observes = entry.step.action == Action::Observe;
        for receipt in &entry.receipts {
            if let Some(listing) = &receipt.listing {
                all.push((receipt.attempt, Seen { listing, counts: receipt.verdict == Verdict::Done, observes }));
            }
        }
    }
    all.sort_by(|(a, x), (b, y)| (&x.listing.listed, x.observes, a).cmp(&(&y.listing.listed, y.observes, b)));
    let repository = all.first().map(|(_, seen)| &seen.listing.repository);
    let same = |seen: &Seen<'_>| Some(&seen.listing.repository) == repository;
    let counts: Vec<bool> = all.iter().map(|(_, seen)| seen.counts && same(seen)).collect();
    all.into_iter().zip(counts).map(|((_, seen), counts)| Seen { counts, ..seen }).collect()
}

/// The first listing that began after every run that can hold the data had begun, none being under way (section 6.2).
fn closed(seen: &[Seen<'_>], confirmed: &Instant) -> Option<Instant> {
    let closes = |seen: &&Seen<'_>| {
        let late_enough = seen.listing.listed.is_later_by(confirmed, CLOCK_BOUND_SECONDS);
        seen.observes && seen.counts && !seen.listing.run_under_way && late_enough
    };
    seen.iter().find(closes).map(|seen| seen.listing.listed.clone())
}

/// What all listings together say of one copy.
struct Trace<'a> {
    began: &'a Instant,
    expected: &'a Expected,
    /// Number of the last listing that has it.
    last: usize,
}

/// The copies that count, by beginning and id (sections 6.3 and 6.4).
fn followed(at: Place<'_>, seen: &[Seen<'_>], confirmed: Option<&Instant>) -> Vec<CopyResult> {
    let mut traces: BTreeMap<&Id, Trace<'_>> = BTreeMap::new();
    for (number, seen) in seen.iter().enumerate() {
        // A listing that names a copy twice is read by its first entry.
        for listed in seen.listing.copies.iter().rev() {
            let earlier = traces.get(&listed.copy).filter(|trace| trace.last < number).map(|trace| trace.began);
            let began = earlier.map_or(&listed.began, |earlier| earlier.min(&listed.began));
            traces.insert(&listed.copy, Trace { began, expected: &listed.expected, last: number });
        }
    }
    let counts = |began: &Instant| confirmed.is_none_or(|confirmed| !began.is_later_by(confirmed, CLOCK_BOUND_SECONDS));
    let mut copies: Vec<CopyResult> = traces
        .into_iter()
        .filter(|(_, trace)| counts(trace.began))
        .map(|(copy, trace)| CopyResult {
            copy: copy.clone(),
            agent: at.0.clone(),
            target: at.1.clone(),
            began: trace.began.clone(),
            expected: trace.expected.clone(),
            gone: gone(seen, trace.last),
        })
        .collect();
    copies.sort_by(|a, b| (&a.began, &a.copy).cmp(&(&b.began, &b.copy)));
    copies
}

/// The first complete reclaim after the last listing that has the copy.
fn gone(seen: &[Seen<'_>], last: usize) -> Option<Instant> {
    let shows = |seen: &&Seen<'_>| seen.counts && seen.listing.reclaimed.as_ref().is_some_and(Reclaimed::is_complete);
    seen.iter().skip(last + 1).find(shows).map(|seen| seen.listing.listed.clone())
}
