//! Where an agent's journal stands, as the agent says it before everything that a permit could follow from. Owns the
//! value and its order; the journal is the agent's, the memory of it the coordinator's. Upholds I3's second half: a
//! journal that went back, or that two hosts went on with, is noticed.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// How far a journal has come, and a digest that every record so far went into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalMark {
    /// Records written since the journal was made; shortening does not lower it.
    pub position: u64,
    /// SHA-256 chained over their exact lines.
    pub head: Digest,
}

impl JournalMark {
    /// A journal without a record.
    pub fn start() -> Self {
        Self { position: 0, head: Digest::of(b"gallra-journal") }
    }

    /// The mark after one more record.
    #[must_use]
    pub fn after(&self, line: &[u8]) -> Self {
        Self { position: self.position + 1, head: Digest::of_parts(&[self.head.as_bytes(), line]) }
    }

    /// Whether this can be a later state of the journal that stood at `known`: further on, or the very same. Two journals
    /// that went different ways from one image differ in `head` as soon as they are equally long.
    pub fn may_follow(&self, known: &Self) -> bool {
        self.position > known.position || self == known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_went_back_or_another_way_does_not_follow() {
        let first = JournalMark::start().after(b"a");
        let (on, other) = (first.after(b"b"), first.after(b"c"));
        assert!(on.may_follow(&first) && on.may_follow(&on));
        assert!(!first.may_follow(&on), "an old image");
        assert!(!other.may_follow(&on), "a clone that went on by itself");
    }
}
