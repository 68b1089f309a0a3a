//! What the `restic` program and its repositories say, and the rules that a host's admin writes for them.

use std::io::Write as _;

use gallra_model::time::CLOCK_BOUND_SECONDS;
use gallra_targets::fuzzing::{self, Answered};
use gallra_targets::restic::keep::{Rules, Within};

use super::text;
use crate::Seen;
use crate::spelling::same_again;

/// Keep rules: a length of time as restic writes it, or the table of rules. A life is never shorter than its rules.
pub fn keep(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let within = same_again::<Within>(text);
    let Ok(rules) = toml::from_str::<Rules>(text) else { return Seen::of(within) };
    let newest = fuzzing::days_kept(&rules, 7);
    assert!(rules.is_empty() == newest.is_none(), "rules without a life, or the other way round: {rules:?}");
    assert!(newest.is_none_or(|days| days >= rules.last.saturating_mul(7)), "{rules:?} for {newest:?} days");
    Seen::of(within || !rules.is_empty())
}

/// An answer of restic's, in JSON: the first byte says to which question.
pub fn answer(bytes: &[u8]) -> Seen {
    let Some((question, said)) = bytes.split_first() else { return Seen::Refused };
    match fuzzing::restic_answer(*question, said) {
        None => Seen::Refused,
        Some(Answered::Snapshots { ids, times, expected }) => {
            let is_id = |id: &String| id.len() == 64 && id.bytes().all(|b| b"0123456789abcdef".contains(&b));
            assert!(ids.iter().all(is_id), "an id that restic did not write");
            assert!(times.is_sorted() && times.len() == ids.len() && expected == ids.len(), "not in order");
            // Nothing is decided on the machine's zone.
            let _ = times.first().map(|first| first.as_second().saturating_add(CLOCK_BOUND_SECONDS));
            Seen::Read
        }
        Some(Answered::Other) => Seen::Read,
    }
}

/// A pack file, under a key of zeros. What it counts as blobs was checked, and a hit lies in one of them.
pub fn pack(bytes: &[u8]) -> Seen {
    let needle = b"canary".to_vec();
    let found = fuzzing::search_pack(bytes, &[needle]);
    assert!(found.hits == 0 || found.blobs > 0, "found in nothing");
    assert!(found.blobs <= bytes.len() as u64 / 32, "more blobs than there is room for");
    assert!(found.blobs > 0 || found.unreadable > 0 || bytes.len() <= 40, "an empty pack says nothing");
    let mut sink = std::io::sink();
    let _ = write!(sink, "{found:?}");
    Seen::of(found.blobs > 0 && found.unreadable == 0)
}
