//! Every proof of small trees, and of some that are as large as a tree can be; and that nothing else passes.

use proptest::prelude::*;

use super::*;
use crate::tree::grown::{Grown, number as leaf};

/// The definition of the RFC, word for word: another way to the same root.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::EMPTY,
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(usize::try_from(split(leaves.len() as u64)).unwrap());
            Hash::node(&mth(left), &mth(right))
        }
    }
}

#[test]
fn every_leaf_of_every_small_tree_is_proven_and_no_other() {
    let log = Grown::of(33);
    for size in 1..=33 {
        let root = log.root(size);
        assert_eq!(root, mth(&(0..size).map(leaf).collect::<Vec<_>>()));
        assert_eq!(root_at(size, &log), Ok(root));
        for index in 0..size {
            let path = inclusion(index, size, &log).unwrap();
            assert_eq!(check_inclusion(&path, index, size, &leaf(index), &root), Ok(()), "{index} of {size}");
            for other in (0..size).filter(|other| *other != index) {
                let answer = check_inclusion(&path, other, size, &leaf(index), &root);
                assert!(answer.is_err(), "{index} of {size} passes as {other}");
            }
            assert_eq!(check_inclusion(&path, index, size, &leaf(index + 1), &root), Err(ProofError::Root));
            assert_eq!(
                check_inclusion(&[&path[..], &[root]].concat(), index, size, &leaf(index), &root),
                Err(ProofError::Length)
            );
            if let Some((_, short)) = path.split_last() {
                assert_eq!(check_inclusion(short, index, size, &leaf(index), &root), Err(ProofError::Length));
            }
        }
        assert_eq!(inclusion(size, size, &log), Err(ProofError::Outside));
        assert_eq!(check_inclusion(&[], size, size, &leaf(0), &root), Err(ProofError::Outside));
    }
}

#[test]
fn every_small_tree_is_the_beginning_of_every_later_one_and_of_no_other() {
    let log = Grown::of(33);
    for new in 0..=33 {
        for old in 0..=new {
            let (before, after) = (log.root(old), log.root(new));
            let path = consistency(old, new, &log).unwrap();
            assert_eq!(check_consistency(&path, (old, &before), (new, &after)), Ok(()), "{old} to {new}");
            let wrong = leaf(99);
            assert_eq!(check_consistency(&path, (old, &wrong), (new, &after)), Err(ProofError::Root), "{old} to {new}");
            // An empty tree is the beginning of anything: that is all that it says.
            let anything = if old == 0 && new > 0 { Ok(()) } else { Err(ProofError::Root) };
            assert_eq!(check_consistency(&path, (old, &before), (new, &wrong)), anything, "{old} to {new}");
            assert_eq!(
                check_consistency(&[&path[..], &[wrong]].concat(), (old, &before), (new, &after)),
                Err(ProofError::Length)
            );
            if let Some((_, short)) = path.split_last() {
                assert!(check_consistency(short, (old, &before), (new, &after)).is_err(), "{old} to {new}");
            }
            for at in 0..path.len() {
                let mut altered = path.clone();
                altered[at] = wrong;
                assert_eq!(
                    check_consistency(&altered, (old, &before), (new, &after)),
                    Err(ProofError::Root),
                    "{old} to {new}"
                );
            }
        }
    }
    // A proof to a smaller tree says nothing about one that is deeper, be its root the same.
    for new in 2..=33 {
        for old in 1..new {
            let (path, deeper) = (consistency(old, new, &log).unwrap(), new.next_power_of_two() * 2);
            let answer = check_consistency(&path, (old, &log.root(old)), (deeper, &log.root(new)));
            assert_eq!(answer, Err(ProofError::Length), "{old} to {new}");
        }
    }
    assert_eq!(consistency(3, 2, &log), Err(ProofError::Outside));
    assert_eq!(check_consistency(&[], (3, &log.root(3)), (2, &log.root(2))), Err(ProofError::Outside));
}

#[test]
fn what_is_needed_is_what_is_asked_for() {
    let log = Grown::of(37);
    for index in 0..37 {
        let needed = needed_by_inclusion(index, 37).unwrap();
        let only = |node: Node| needed.contains(&node).then(|| log.stored[&node]);
        assert_eq!(inclusion(index, 37, &only), inclusion(index, 37, &log));
        for without in &needed {
            let missing = |node: Node| (node != *without).then(|| log.stored[&node]);
            assert_eq!(inclusion(index, 37, &missing), Err(ProofError::Missing(*without)));
        }
        let needed = needed_by_consistency(index, 37).unwrap();
        let only = |node: Node| needed.contains(&node).then(|| log.stored[&node]);
        assert_eq!(consistency(index, 37, &only), consistency(index, 37, &log));
        let needed = needed_by_root(index);
        let only = |node: Node| needed.contains(&node).then(|| log.stored[&node]);
        assert_eq!(root_at(index, &only), Ok(log.root(index)));
    }
}

/// A tree of equal leaves, of any size: one hash a level.
fn uniform() -> impl Hashes {
    let levels: Vec<_> =
        std::iter::successors(Some(leaf(0)), |hash| Some(Hash::node(hash, hash))).take(LEVELS.into()).collect();
    move |node: Node| levels.get(usize::from(node.level)).copied()
}

proptest! {
    #[test]
    fn trees_of_any_size_are_proven_within_the_bound(old: u64, more: u64, index: u64) {
        let (uniform, new) = (uniform(), old.saturating_add(more).max(1));
        let root = root_at(new, &uniform).unwrap();
        let index = index % new;
        let path = inclusion(index, new, &uniform).unwrap();
        prop_assert!(path.len() <= MOST_HASHES);
        prop_assert_eq!(check_inclusion(&path, index, new, &leaf(0), &root), Ok(()));
        let path = consistency(old, new, &uniform).unwrap();
        prop_assert!(path.len() <= MOST_HASHES);
        let before = root_at(old, &uniform).unwrap();
        prop_assert_eq!(check_consistency(&path, (old, &before), (new, &root)), Ok(()));
    }

    #[test]
    fn random_paths_show_nothing_and_never_panic(
        path in prop::collection::vec(any::<[u8; 32]>().prop_map(Hash::from_bytes), 0..70),
        sizes: (u64, u64, u64),
    ) {
        let (old, new, index) = sizes;
        let (one, other) = (leaf(1), leaf(2));
        prop_assert!(check_inclusion(&path, index, new, &one, &other).is_err());
        prop_assert!(old == 0 || check_consistency(&path, (old, &one), (new, &other)).is_err());
    }
}
