//! Whether a log may sign after its store was restored, or at any start: what the store says, against what others have seen.
//!
//! A store that went back to an older state would sign another tree of a size that it signed before, in good faith, and
//! every proof since would be worth nothing. So before the first signature after a start, those are heard who keep what
//! the log said: witnesses, agents, acknowledgements that were handed out.
//!
//! Owns the decision; refuses to know how anybody is asked, and who must have been heard. What is handed in as seen is
//! believed: a checkpoint that was opened under the log's own key, or the word of a witness whose address is configured.
//! Anything less, and whoever speaks could stop the log. Upholds I7.

use crate::tree::{Hash, Hashes, root_at};

/// A tree, as its size and root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Leaves.
    pub size: u64,
    /// The root.
    pub root: Hash,
}

impl Head {
    /// The tree without leaves: where every log begins.
    pub const EMPTY: Self = Self { size: 0, root: Hash::EMPTY };
}

/// What somebody has seen of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The tree's size.
    pub size: u64,
    /// Its root; unset where only the size is known, as from a witness that answers 409.
    pub root: Option<Hash>,
}

/// Why a log signs nothing. It stays so until somebody has found out what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rollback {
    /// Somebody has seen more.
    #[error(
        "the log was seen with {seen} entries and its store has {ours}: the store went back; rebuild it from mirrors, or \
         end this log and begin one under another origin"
    )]
    Ahead {
        /// Entries in the store.
        ours: u64,
        /// Entries that were seen.
        seen: u64,
    },
    /// Somebody has seen another tree of a size that the store passed.
    #[error(
        "at {size} entries the log was seen with another root than its store has: the store holds another history; \
         rebuild it from mirrors, or end this log and begin one under another origin"
    )]
    Fork {
        /// The size at which both differ.
        size: u64,
    },
    /// The store's own hashes do not make its own root, or are missing.
    #[error(
        "the log's store does not hold the hashes of its own tree at {size} entries: restore it before anything is signed"
    )]
    Damaged {
        /// The size that cannot be compared.
        size: u64,
    },
}

/// Whether the log may sign its tree `ours`, whose stored hashes are `hashes`. Gives how many of those who have seen it
/// were compared by root; whether these are enough is for whoever asked them, since nobody may be heard at a first start.
///
/// # Errors
/// [`Rollback`]: nothing is signed. Whoever has seen most is told of first.
pub fn may_sign(ours: &Head, hashes: &impl Hashes, seen: &[Seen]) -> Result<usize, Rollback> {
    if let Some(most) = seen.iter().map(|seen| seen.size).max().filter(|most| *most > ours.size) {
        return Err(Rollback::Ahead { ours: ours.size, seen: most });
    }
    if root_at(ours.size, hashes) != Ok(ours.root) {
        return Err(Rollback::Damaged { size: ours.size });
    }
    let mut compared = 0;
    for (size, root) in seen.iter().filter_map(|seen| Some((seen.size, seen.root?))) {
        let own = root_at(size, hashes).map_err(|_| Rollback::Damaged { size })?;
        if own != root {
            return Err(Rollback::Fork { size });
        }
        compared += 1;
    }
    Ok(compared)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tree::Node;
    use crate::tree::grown::{Grown, number};

    /// A log whose entries from `fork` on are other ones.
    fn log(size: u64, fork: u64) -> Grown {
        Grown::new((0..size).map(|at| number(if at < fork { at } else { at + 1000 })))
    }

    fn ask(size: u64, fork: u64, seen: &[Seen]) -> Result<usize, Rollback> {
        let log = log(size, fork);
        may_sign(&Head { size, root: log.root(size) }, &log, seen)
    }

    fn seen(size: u64) -> Seen {
        Seen { size, root: Some(log(size, size).root(size)) }
    }

    fn size(size: u64) -> Seen {
        Seen { size, root: None }
    }

    #[test]
    fn a_store_that_goes_on_from_all_that_was_seen_may_sign() {
        assert_eq!(ask(0, 0, &[]), Ok(0));
        assert_eq!(ask(9, 9, &[]), Ok(0), "nobody was heard, and the caller is told so");
        assert_eq!(ask(9, 9, &[seen(9), seen(4), seen(0), size(9), size(1)]), Ok(3));
    }

    #[test]
    fn a_restored_store_signs_nothing_while_anybody_has_seen_more() {
        for witness in [seen(10), size(10)] {
            assert_eq!(ask(9, 9, &[seen(3), witness, seen(9)]), Err(Rollback::Ahead { ours: 9, seen: 10 }));
        }
        assert_eq!(ask(0, 0, &[size(1)]), Err(Rollback::Ahead { ours: 0, seen: 1 }));
    }

    #[test]
    fn a_store_that_went_back_and_on_is_found_by_any_root_after_the_fork() {
        assert_eq!(ask(12, 7, &[seen(5), seen(7)]), Ok(2), "what both share shows nothing");
        assert_eq!(ask(12, 7, &[seen(5), seen(8)]), Err(Rollback::Fork { size: 8 }));
        assert_eq!(ask(12, 7, &[seen(12)]), Err(Rollback::Fork { size: 12 }));
        assert_eq!(ask(12, 7, &[size(12)]), Ok(0), "a size alone cannot tell");
    }

    #[test]
    fn a_store_without_its_hashes_signs_nothing() {
        let mut log = log(12, 12);
        let ours = Head { size: 12, root: log.root(12) };
        log.stored.remove(&Node { level: 2, index: 0 });
        // 12 entries are a subtree of 8 and one of 4: the root needs no smaller one, the root at 4 does.
        assert_eq!(may_sign(&ours, &log, &[]), Ok(0));
        assert_eq!(may_sign(&ours, &log, &[seen(4)]), Err(Rollback::Damaged { size: 4 }));
        let other = Head { size: 12, root: log.root(11) };
        assert_eq!(may_sign(&other, &log, &[]), Err(Rollback::Damaged { size: 12 }));
    }

    proptest! {
        #[test]
        fn it_signs_if_and_only_if_all_heads_are_its_own(
            ours in 0..20_u64, fork in 0..20_u64, others in prop::collection::vec(0..20_u64, 0..4),
        ) {
            let seen: Vec<Seen> = others.iter().map(|other| seen(*other)).collect();
            let own = others.iter().all(|other| *other <= ours && *other <= fork);
            prop_assert_eq!(ask(ours, fork, &seen).is_ok(), own);
        }
    }
}
