//! The set of copies, from signed listings (`docs/formats/proof-v1.md`, section 11). Owns which copies count, when
//! the set was closed and when a copy was gone. A later listing may add a copy; none is removed without its bytes having
//! been reclaimed.

use std::collections::BTreeMap;

use crate::book::{Book, Place};
use crate::format::receipt::{Listing, Receipt, Reclaimed, Verdict};
use crate::format::shared::Action;
use crate::format::statement::{CopyResult, Expected};
use crate::time::Instant;
use crate::word::{Count, Id};

/// How far two machines' clocks may stand apart, in seconds.
const CLOCK_BOUND_SECONDS: i64 = 600;

/// The copies of all backup targets.
pub(crate) struct CopySet<'a> {
    /// The statements that closed it, one a backup target, by agent and target; unset while it is open.
    pub(crate) closers: Option<Vec<&'a Receipt>>,
    pub(crate) closed: Option<Instant>,
    pub(crate) copies: Vec<CopyResult>,
    /// Set once the set is closed and all copies are gone: since when (none where there is no backup target).
    pub(crate) gone: Option<Option<Instant>>,
    /// A backup target was never listed.
    pub(crate) unseen: bool,
}

struct Seen<'a> {
    receipt: &'a Receipt,
    listing: &'a Listing,
    /// Done, and of the repository of the first listing.
    counts: bool,
    observes: bool,
}

pub(crate) fn of<'a>(book: &Book<'a>, confirmed: Option<&Instant>) -> CopySet<'a> {
    let seen = listings(book);
    let copies: Vec<CopyResult> = seen.iter().flat_map(|(at, seen)| followed(*at, seen, confirmed)).collect();
    let closers: Option<Vec<&Seen<'a>>> =
        confirmed.and_then(|confirmed| seen.values().map(|seen| closer(seen, confirmed)).collect());
    let closings: Option<Vec<Instant>> =
        closers.as_ref().map(|all| all.iter().map(|seen| seen.listing.listed.clone()).collect());
    let all_gone: Option<Vec<Instant>> = copies.iter().map(|copy| copy.gone.clone()).collect();
    CopySet {
        closers: closers.map(|all| all.into_iter().map(|seen| seen.receipt).collect()),
        closed: closings.as_ref().and_then(|all| all.iter().max().or(confirmed).cloned()),
        gone: closings.zip(all_gone).map(|(closed, gone)| closed.into_iter().chain(gone).max()),
        unseen: seen.values().any(Vec::is_empty),
        copies,
    }
}

/// Listings of all backup targets, each target's oldest first (section 11.1).
fn listings<'a>(book: &Book<'a>) -> BTreeMap<Place<'a>, Vec<Seen<'a>>> {
    let mut places: BTreeMap<Place<'_>, Vec<(Count, Seen<'_>)>> =
        book.plan.backups.iter().map(|backup| ((&backup.agent, &backup.target), Vec::new())).collect();
    for entry in book.entries.iter().filter(|entry| entry.step.kind.is_backup()) {
        let observes = entry.step.action == Action::Observe;
        let all = places.entry(entry.place()).or_default();
        for receipt in &entry.receipts {
            if let Some(listing) = &receipt.listing {
                let counts = receipt.verdict == Verdict::Done;
                all.push((receipt.attempt, Seen { receipt, listing, counts, observes }));
            }
        }
    }
    places.into_iter().map(|(at, all)| (at, in_order(all))).collect()
}

fn in_order(mut all: Vec<(Count, Seen<'_>)>) -> Vec<Seen<'_>> {
    all.sort_by(|(a, x), (b, y)| (&x.listing.listed, x.observes, a).cmp(&(&y.listing.listed, y.observes, b)));
    let repository = all.first().map(|(_, seen)| &seen.listing.repository);
    let same = |seen: &Seen<'_>| Some(&seen.listing.repository) == repository;
    let counts: Vec<bool> = all.iter().map(|(_, seen)| seen.counts && same(seen)).collect();
    all.into_iter().zip(counts).map(|((_, seen), counts)| Seen { counts, ..seen }).collect()
}

/// The first listing that began after every run that can hold the data had begun, none being under way (section 11.2).
fn closer<'s, 'a>(seen: &'s [Seen<'a>], confirmed: &Instant) -> Option<&'s Seen<'a>> {
    let closes = |seen: &&Seen<'_>| {
        let late_enough = seen.listing.listed.is_later_by(confirmed, CLOCK_BOUND_SECONDS);
        seen.observes && seen.counts && !seen.listing.run_under_way && late_enough
    };
    seen.iter().find(closes)
}

/// What all listings together say of one copy.
struct Trace<'a> {
    began: &'a Instant,
    expected: &'a Expected,
    /// Number of the last listing that has it.
    last: usize,
}

/// The copies that count, by beginning and id (sections 11.3 and 11.4).
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
    let reclaims = reclaims(seen);
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
            gone: reclaims.get(trace.last + 1).copied().flatten().cloned(),
        })
        .collect();
    copies.sort_by(|a, b| (&a.began, &a.copy).cmp(&(&b.began, &b.copy)));
    copies
}

/// For each listing, when the first complete reclaim at or after it was listed; one more at the end, for none.
fn reclaims<'a>(seen: &[Seen<'a>]) -> Vec<Option<&'a Instant>> {
    let shows = |seen: &Seen<'_>| seen.counts && seen.listing.reclaimed.as_ref().is_some_and(Reclaimed::is_complete);
    let mut reclaims = vec![None];
    for seen in seen.iter().rev() {
        let next = reclaims.last().copied().flatten();
        reclaims.push(if shows(seen) { Some(&seen.listing.listed) } else { next });
    }
    reclaims.reverse();
    reclaims
}
