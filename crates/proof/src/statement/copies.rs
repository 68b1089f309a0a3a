//! The set of copies, from signed listings (`docs/formats/proof-v1.md`, section 11; decision 7). Owns which copies
//! count, when the set is closed and when a copy is gone. Upholds that a later listing may add a copy, never remove one
//! without its bytes having been reclaimed.

use std::collections::BTreeMap;

use gallra_model::copy::{CopyListing, Expected, Reclaimed};
use gallra_model::job::Action;
use gallra_model::plan::Plan;
use gallra_model::proof::CopyResult;
use gallra_model::receipt::Verdict;
use gallra_model::time::CLOCK_BOUND_SECONDS;
use gallra_model::{CopyId, Digest, Instant};
use jiff::SignedDuration;

use super::book::{Book, Place, place};

/// The copies of all backup targets.
pub(super) struct CopySet {
    /// When the last backup target's set was closed; unset while one is open.
    pub(super) closed: Option<Instant>,
    /// The statements that closed the sets, by agent and target, while all are closed.
    pub(super) closings: Vec<Digest>,
    /// All copies that count, by agent, target, beginning and id.
    pub(super) copies: Vec<CopyResult>,
    /// Set once the set is closed and every copy is gone: the instant from which live targets are looked at again,
    /// or none where there is no backup target at all.
    pub(super) gone: Option<Option<Instant>>,
    /// A backup target was never listed: nobody can say what it holds.
    pub(super) unseen: bool,
}

/// One listing with the weight that its receipt gives it.
struct Seen<'a> {
    listing: &'a CopyListing,
    digest: Digest,
    attempt: u32,
    /// The attempt was done, on the repository of the first listing: it may close the set and show that a copy went.
    counts: bool,
    observes: bool,
}

/// The last instant at which a backup run can have begun and still hold the data.
pub(super) fn cutoff(confirmed: Instant) -> Instant {
    confirmed.checked_add(SignedDuration::from_secs(CLOCK_BOUND_SECONDS)).unwrap_or(Instant::MAX)
}

/// Backup targets of a plan, each once.
fn backup_targets(plan: &Plan) -> Vec<Place<'_>> {
    let steps = plan.steps.iter().filter(|step| step.kind.is_backup()).map(place);
    let mut all: Vec<Place<'_>> = steps.chain(plan.backups.iter().map(|b| (&b.agent, &b.target))).collect();
    all.sort();
    all.dedup();
    all
}

pub(super) fn of(book: &Book<'_>, confirmed: Option<Instant>) -> CopySet {
    let cutoff = confirmed.map(cutoff);
    let targets: Vec<_> = backup_targets(book.plan).into_iter().map(|at| (at, listings(book, at))).collect();
    let closings: Option<Vec<(Instant, Digest)>> = targets.iter().map(|(_, seen)| closed(seen, cutoff?)).collect();
    let copies: Vec<CopyResult> = targets.iter().flat_map(|(at, seen)| followed(*at, seen, cutoff)).collect();
    let gone: Option<Vec<Instant>> = copies.iter().map(|copy| copy.gone).collect();
    let (closings, statements) = closings.map_or((None, Vec::new()), |all| {
        let (instants, digests): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        (Some(instants), digests)
    });
    CopySet {
        closings: statements,
        closed: closings.as_ref().and_then(|all| all.iter().max().copied().or(confirmed)),
        gone: closings.zip(gone).filter(|_| confirmed.is_some()).map(|(a, b)| a.into_iter().chain(b).max()),
        unseen: targets.iter().any(|(_, seen)| seen.is_empty()),
        copies,
    }
}

/// Listings of a backup target, oldest first.
fn listings<'a>(book: &Book<'a>, at: Place<'_>) -> Vec<Seen<'a>> {
    let mut all = Vec::new();
    for step in book.plan.steps.iter().filter(|step| step.kind.is_backup() && place(step) == at) {
        for opened in book.opened_of(step) {
            let receipt = &opened.predicate;
            let Some(listing) = &receipt.listing else { continue };
            let (digest, attempt) = (opened.digest, receipt.attempt);
            let observes = step.action == Action::Observe;
            all.push(Seen { listing, digest, attempt, counts: receipt.verdict == Verdict::Done, observes });
        }
    }
    all.sort_by_key(|seen| (seen.listing.listed, seen.observes, seen.attempt));
    let repository = all.first().map(|seen| seen.listing.repository);
    for seen in &mut all {
        seen.counts &= Some(seen.listing.repository) == repository;
    }
    all
}

/// When the set of a backup target was closed: the first listing that began after every run that can hold the data had
/// begun, and while none was under way.
fn closed(seen: &[Seen<'_>], cutoff: Instant) -> Option<(Instant, Digest)> {
    let closes =
        |seen: &&Seen<'_>| seen.observes && seen.counts && !seen.listing.run_under_way && seen.listing.listed > cutoff;
    seen.iter().find(closes).map(|seen| (seen.listing.listed, seen.digest))
}

/// What all listings together say of one copy.
struct Followed {
    began: Instant,
    expected: Expected,
    /// Number of the last listing that has it.
    last: usize,
}

/// Each copy through all listings: its earliest beginning, its newest expectation, and the first complete reclaim after the last
/// listing that still had it. A store that keeps half a year of days is listed as often: each listing is gone through once.
fn followed((agent, target): Place<'_>, seen: &[Seen<'_>], cutoff: Option<Instant>) -> Vec<CopyResult> {
    let mut all: BTreeMap<CopyId, Followed> = BTreeMap::new();
    for (number, seen) in seen.iter().enumerate() {
        for listed in &seen.listing.copies {
            let new = || Followed { began: listed.began, expected: listed.expected, last: number };
            let copy = all.entry(listed.copy).or_insert_with(new);
            // One that is listed twice is read by its first entry.
            if copy.last < number {
                *copy = Followed { began: copy.began.min(listed.began), expected: listed.expected, last: number };
            }
        }
    }
    let shows = |seen: &&Seen<'_>| seen.counts && seen.listing.reclaimed.as_ref().is_some_and(Reclaimed::is_complete);
    let gone = |last: usize| seen.iter().skip(last + 1).find(shows).map(|seen| seen.listing.listed);
    let counted = all.into_iter().filter(|(_, copy)| cutoff.is_none_or(|cutoff| copy.began <= cutoff));
    let mut copies: Vec<CopyResult> = counted
        .map(|(id, Followed { began, expected, last })| CopyResult {
            copy: id,
            agent: agent.clone(),
            target: target.clone(),
            began,
            expected,
            gone: gone(last),
        })
        .collect();
    copies.sort_by_key(|copy| (copy.began, copy.copy));
    copies
}
