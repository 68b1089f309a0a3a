//! One backup target's copies: which count, when the set is closed, when one is gone (decision 7).
//!
//! ```text
//!            not listed any more          reclaim complete
//!  Listed ──────────────────────▶ Unlisted ──────────────▶ Gone
//!     ▲                              │
//!     └──────── listed again ────────┘
//! ```
//!
//! Upholds I5's middle part. A listing made while a backup ran closes nothing; a copy that reappears counts again, even
//! after it was gone.

use gallra_model::copy::{CopyListing, CopyRecord, CopyState, Expected};
use gallra_model::target::TargetId;
use gallra_model::time::{CLOCK_BOUND_SECONDS, start_of};
use gallra_model::{AgentName, Instant};
use jiff::{SignedDuration, ToSpan};

/// Longest time between two looks at a store, in days: a copy that goes early, or a store that breaks, is seen.
pub const LONGEST_BETWEEN_LOOKS_DAYS: i64 = 30;

/// Copies that began up to here can hold the data.
pub fn cutoff(live_confirmed: Instant) -> Instant {
    live_confirmed.checked_add(SignedDuration::from_secs(CLOCK_BOUND_SECONDS)).unwrap_or(live_confirmed)
}

/// Takes one listing of a backup target in. `cutoff` is unset while live data still exists: then every copy counts.
/// Copies of other targets pass through unchanged.
pub fn step(
    copies: &[CopyRecord],
    at: (&AgentName, &TargetId),
    listing: &CopyListing,
    cutoff: Option<Instant>,
) -> Vec<CopyRecord> {
    let (agent, target) = at;
    let ours = |copy: &CopyRecord| copy.agent == *agent && copy.target == *target;
    let mut next: Vec<CopyRecord> =
        copies.iter().map(|copy| if ours(copy) { follow(copy, listing) } else { copy.clone() }).collect();
    for listed in &listing.copies {
        let counts = cutoff.is_none_or(|cutoff| listed.began <= cutoff);
        if counts && !copies.iter().any(|copy| ours(copy) && copy.copy == listed.copy) {
            next.push(CopyRecord {
                copy: listed.copy,
                agent: agent.clone(),
                target: target.clone(),
                began: listed.began,
                expected: listed.expected,
                state: CopyState::Listed,
            });
        }
    }
    next.sort_by(|a, b| (&a.agent, &a.target, a.began, a.copy).cmp(&(&b.agent, &b.target, b.began, b.copy)));
    next
}

fn follow(copy: &CopyRecord, listing: &CopyListing) -> CopyRecord {
    let mut next = copy.clone();
    let listed = listing.copies.iter().find(|listed| listed.copy == copy.copy);
    let reclaimed = listing.reclaimed.is_some_and(|reclaimed| reclaimed.is_complete());
    next.state = match (listed, copy.state) {
        (Some(listed), _) => {
            next.expected = listed.expected;
            CopyState::Listed
        }
        (None, CopyState::Gone { seen }) => CopyState::Gone { seen },
        (None, CopyState::Listed | CopyState::Unlisted) if reclaimed => CopyState::Gone { seen: listing.listed },
        (None, CopyState::Listed | CopyState::Unlisted) => CopyState::Unlisted,
    };
    next
}

/// Whether a listing closes the set: no run was under way, and it was made after every backup run that can have begun
/// with the data had begun.
pub fn closes(listing: &CopyListing, cutoff: Instant) -> bool {
    !listing.run_under_way && listing.listed > cutoff
}

/// When to look at a store again: the day after the next copy should have gone, soon where something is unsettled.
pub fn next_look(copies: &[CopyRecord], closed: bool, now: Instant) -> Instant {
    let in_hours = |hours| now.checked_add(SignedDuration::from_hours(hours)).unwrap_or(now);
    if !closed {
        return in_hours(1);
    }
    let tomorrow = in_hours(24);
    let far = in_hours(24 * LONGEST_BETWEEN_LOOKS_DAYS);
    copies
        .iter()
        .filter(|copy| !matches!(copy.state, CopyState::Gone { .. }))
        .map(|copy| match (copy.state, copy.expected) {
            (CopyState::Unlisted, _) => tomorrow,
            (_, Expected::By(day)) => {
                day.checked_add(1.day()).and_then(start_of).map_or(far, |after| after.clamp(tomorrow, far))
            }
            (_, Expected::Never | Expected::Unknown) => far,
        })
        .min()
        .unwrap_or(tomorrow)
}

#[cfg(test)]
mod tests {
    use gallra_model::CopyId;
    use gallra_model::copy::{ListedCopy, Reclaimed};
    use gallra_model::digest::Digest;

    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().expect("a literal instant")
    }

    fn listing(copies: &[(u8, &str)], listed: &str, reclaimed: Option<bool>) -> CopyListing {
        CopyListing {
            repository: Digest::of(b"repository"),
            listed: at(listed),
            run_under_way: false,
            copies: copies
                .iter()
                .map(|(id, began)| ListedCopy {
                    copy: CopyId::from_bytes([*id; 16]),
                    began: at(began),
                    expected: Expected::Unknown,
                })
                .collect(),
            reclaimed: reclaimed.map(|complete| Reclaimed {
                blobs_indexed: 4,
                blobs_referenced: if complete { 4 } else { 3 },
                packs_stored: 1,
                packs_indexed: 1,
            }),
        }
    }

    fn states(copies: &[CopyRecord]) -> Vec<CopyState> {
        copies.iter().map(|copy| copy.state).collect()
    }

    #[test]
    fn a_copy_is_gone_only_when_unlisted_and_reclaimed() {
        let (agent, target) = ("b".parse().expect("a name"), "repo".parse().expect("a name"));
        let place = (&agent, &target);
        let first = listing(&[(1, "2026-01-01T00:00:00Z"), (2, "2026-01-08T00:00:00Z")], "2026-02-01T00:00:00Z", None);
        let known = step(&[], place, &first, None);
        assert_eq!(states(&known), [CopyState::Listed, CopyState::Listed]);

        let gone_but_kept_bytes = listing(&[(2, "2026-01-08T00:00:00Z")], "2026-03-01T00:00:00Z", Some(false));
        let known = step(&known, place, &gone_but_kept_bytes, None);
        assert_eq!(states(&known), [CopyState::Unlisted, CopyState::Listed]);

        let reclaimed = listing(&[(2, "2026-01-08T00:00:00Z")], "2026-03-02T00:00:00Z", Some(true));
        let known = step(&known, place, &reclaimed, None);
        assert_eq!(states(&known), [CopyState::Gone { seen: at("2026-03-02T00:00:00Z") }, CopyState::Listed]);

        let back = listing(&[(1, "2026-01-01T00:00:00Z")], "2026-03-03T00:00:00Z", Some(true));
        let known = step(&known, place, &back, None);
        assert_eq!(states(&known), [CopyState::Listed, CopyState::Gone { seen: at("2026-03-03T00:00:00Z") }]);
    }

    #[test]
    fn copies_that_began_after_the_cutoff_do_not_count() {
        let (agent, target) = ("b".parse().expect("a name"), "repo".parse().expect("a name"));
        let cut = cutoff(at("2026-02-28T21:30:00Z"));
        let later = listing(&[(1, "2026-02-28T21:40:00Z"), (2, "2026-02-28T21:40:01Z")], "2026-03-01T00:00:00Z", None);
        assert_eq!(step(&[], (&agent, &target), &later, Some(cut)).len(), 1, "one began within the clock bound");
    }

    #[test]
    fn a_listing_during_a_run_or_too_early_closes_nothing() {
        let cut = at("2026-02-28T21:40:00Z");
        assert!(closes(&listing(&[], "2026-02-28T21:40:01Z", None), cut));
        assert!(!closes(&listing(&[], "2026-02-28T21:40:00Z", None), cut));
        assert!(!closes(&CopyListing { run_under_way: true, ..listing(&[], "2026-03-01T00:00:00Z", None) }, cut));
    }

    #[test]
    fn never_and_unknown_are_still_looked_at_monthly() {
        let now = at("2026-03-01T00:00:00Z");
        let (agent, target): (AgentName, TargetId) = ("b".parse().expect("a name"), "repo".parse().expect("a name"));
        let copies =
            step(&[], (&agent, &target), &listing(&[(1, "2026-01-01T00:00:00Z")], "2026-03-01T00:00:00Z", None), None);
        assert_eq!(next_look(&copies, true, now), at("2026-03-31T00:00:00Z"));
        assert_eq!(next_look(&copies, false, now), at("2026-03-01T01:00:00Z"));
    }
}
