//! Proofs of version 1, and what readers trust. A file of version 1 is some tens of kilobytes, most of it signatures: what is
//! fuzzed is how it differs from a good one.

use std::sync::LazyLock;

use gallra_verify::{Question, Trust};

use super::proof::is_sound;
use super::text;
use crate::Seen;
use crate::quiet::says_nothing_of;

/// A final proof of a purge, and from where its keys are trusted, written by no code of ours.
const GOOD: &[u8] = include_bytes!("../../../verify/tests/golden/purge-v1.json");
const ANCHOR: &str = include_str!("../../../verify/tests/golden/purge-v1.anchor");

static TRUSTED: LazyLock<Trust> =
    LazyLock::new(|| Trust::parse(ANCHOR).unwrap_or_else(|why| panic!("the anchor beside the file: {why}")));

/// Most edits of one file: bounds the time of one execution.
const MOST_EDITS: usize = 64;

/// Lines: a place in the good file, how many bytes go there, and the text that comes. Nothing but the good file is valid.
pub fn file(bytes: &[u8]) -> Seen {
    let Some(edits) = text(bytes) else { return Seen::Refused };
    let mut file = GOOD.to_vec();
    for edit in edits.lines().take(MOST_EDITS) {
        let mut parts = edit.splitn(3, ' ');
        let mut number = || parts.next()?.parse::<usize>().ok();
        let (Some(place), Some(gone)) = (number(), number()) else { return Seen::Refused };
        let from = place.min(file.len());
        let to = from.saturating_add(gone).min(file.len());
        file.splice(from..to, parts.next().unwrap_or_default().bytes());
    }
    let verdict = gallra_verify::verify(&file, &TRUSTED, &Question::default());
    let valid = is_sound(bytes, &verdict);
    assert_eq!(valid, file == GOOD, "valid in a second form: {}", verdict.conclusion());
    assert_eq!(verdict.told.is_some(), valid, "told exactly where it is valid");
    Seen::of(valid)
}

/// A key file, an anchor or keys as PEM. What is taken for trust changes no verdict but whose it is, and the good file is
/// valid only under what vouches for it.
pub fn trust(bytes: &[u8]) -> Seen {
    let Some(said) = text(bytes) else { return Seen::Refused };
    match Trust::parse(said) {
        Ok(trust) => {
            let verdict = gallra_verify::verify(GOOD, &trust, &Question::default());
            let valid = is_sound(bytes, &verdict);
            assert!(!valid || said.trim() == ANCHOR.trim(), "valid under what did not vouch for it");
            Seen::Read
        }
        Err(refusal) => {
            says_nothing_of(bytes, &refusal.to_string());
            Seen::Refused
        }
    }
}
