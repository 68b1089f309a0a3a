//! Inclusion (RFC 6962, section 2.1.1) and consistency (2.1.2): made from stored hashes, and checked with nothing but the
//! two roots. Checks are the loops of RFC 9162, sections 2.1.3.2 and 2.1.4.2: other code than what makes the proofs.

use super::hash::Hash;
use super::place::{Hashes, LEVELS, Node, fold, nodes, split};

/// Most hashes of a proof: one a level, and the old tree's own root.
pub const MOST_HASHES: usize = LEVELS as usize + 1;

/// Why a proof is not made, or shows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf is not in the tree, or the old tree is larger than the new one.
    #[error("the index or the old size lies outside the tree")]
    Outside,
    /// A hash is not at hand.
    #[error("a hash of the tree is missing: level {}, index {}", .0.level, .0.index)]
    Missing(Node),
    /// The proof has more or fewer hashes than the sizes ask for.
    #[error("the proof has another length than the sizes ask for")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// A run of leaves whose hash is a step of a proof: from the first to before the second.
type Run = (u64, u64);

/// PATH of the RFC, from the leaf up.
fn inclusion_runs(index: u64, size: u64) -> Result<Vec<Run>, ProofError> {
    if index >= size {
        return Err(ProofError::Outside);
    }
    let (mut low, mut high, mut runs) = (0, size, Vec::new());
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            runs.push((middle, high));
            high = middle;
        } else {
            runs.push((low, middle));
            low = middle;
        }
    }
    runs.reverse();
    Ok(runs)
}

/// PROOF of the RFC: from the old tree's right edge up.
fn consistency_runs(old: u64, new: u64) -> Result<Vec<Run>, ProofError> {
    if old > new {
        return Err(ProofError::Outside);
    }
    // Nothing comes before an empty tree, and a tree follows from itself: no hash is needed for either.
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let (mut low, mut high, mut runs) = (0, new, Vec::new());
    while high != old {
        let middle = low + split(high - low);
        if old <= middle {
            runs.push((middle, high));
            high = middle;
        } else {
            runs.push((low, middle));
            low = middle;
        }
    }
    // The old tree is known to who checks; a part of it is not.
    if low > 0 {
        runs.push((low, high));
    }
    runs.reverse();
    Ok(runs)
}

fn hash((low, high): Run, hashes: &impl Hashes) -> Result<Hash, ProofError> {
    let stored = |node| hashes.hash(node).ok_or(ProofError::Missing(node));
    match nodes(low, high).as_slice() {
        // All but those at the right edge.
        [one] => stored(*one),
        several => Ok(fold(&several.iter().map(|node| stored(*node)).collect::<Result<Vec<_>, _>>()?)),
    }
}

/// Proves that the leaf is in the tree of this size, as the hashes beside its path, from the leaf up.
///
/// # Errors
/// [`ProofError::Outside`], [`ProofError::Missing`].
pub fn inclusion(index: u64, size: u64, hashes: &impl Hashes) -> Result<Vec<Hash>, ProofError> {
    inclusion_runs(index, size)?.into_iter().map(|run| hash(run, hashes)).collect()
}

/// Proves that the tree of the old size is the beginning of the one of the new size.
///
/// # Errors
/// [`ProofError::Outside`], [`ProofError::Missing`].
pub fn consistency(old: u64, new: u64, hashes: &impl Hashes) -> Result<Vec<Hash>, ProofError> {
    consistency_runs(old, new)?.into_iter().map(|run| hash(run, hashes)).collect()
}

/// The root that the tree had when it was of this size.
///
/// # Errors
/// [`ProofError::Missing`].
pub fn root_at(size: u64, hashes: &impl Hashes) -> Result<Hash, ProofError> {
    hash((0, size), hashes)
}

/// What [`inclusion`] asks for: to be read before, where a store cannot be asked in between.
///
/// # Errors
/// [`ProofError::Outside`].
pub fn needed_by_inclusion(index: u64, size: u64) -> Result<Vec<Node>, ProofError> {
    Ok(inclusion_runs(index, size)?.into_iter().flat_map(|(low, high)| nodes(low, high)).collect())
}

/// What [`consistency`] asks for.
///
/// # Errors
/// [`ProofError::Outside`].
pub fn needed_by_consistency(old: u64, new: u64) -> Result<Vec<Node>, ProofError> {
    Ok(consistency_runs(old, new)?.into_iter().flat_map(|(low, high)| nodes(low, high)).collect())
}

/// What [`root_at`] asks for: the right edge of the tree of this size.
pub fn needed_by_root(size: u64) -> Vec<Node> {
    nodes(0, size)
}

/// Checks that the leaf is the tree's `index`th, from 0.
///
/// # Errors
/// [`ProofError`] where that is not shown.
pub fn check_inclusion(path: &[Hash], index: u64, size: u64, leaf: &Hash, root: &Hash) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Outside);
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for beside in path {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if at & 1 == 1 || at == last {
            hash = Hash::node(beside, &hash);
            let up = skipped(at);
            (at, last) = (at >> up, last >> up);
        } else {
            hash = Hash::node(&hash, beside);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if hash == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Levels at which an even node is the last one and goes up without a sister.
fn skipped(at: u64) -> u32 {
    if at == 0 { 0 } else { at.trailing_zeros() }
}

/// Checks that the old tree is the beginning of the new one.
///
/// # Errors
/// [`ProofError`] where that is not shown.
pub fn check_consistency(
    path: &[Hash],
    (old, old_root): (u64, &Hash),
    (new, new_root): (u64, &Hash),
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Outside);
    }
    if old == 0 || old == new {
        let before = if old == 0 { &Hash::EMPTY } else { new_root };
        return match path {
            [] if old_root == before && (new > 0 || new_root == before) => Ok(()),
            [] => Err(ProofError::Root),
            _ => Err(ProofError::Length),
        };
    }
    let whole = old.is_power_of_two();
    let mut hashes = whole.then_some(old_root).into_iter().chain(path);
    let Some(first) = hashes.next() else { return Err(ProofError::Length) };
    let up = (old - 1).trailing_ones();
    let (mut at, mut last) = ((old - 1) >> up, (new - 1) >> up);
    let (mut before, mut after) = (*first, *first);
    for beside in hashes {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if at & 1 == 1 || at == last {
            before = Hash::node(beside, &before);
            after = Hash::node(beside, &after);
            let up = skipped(at);
            (at, last) = (at >> up, last >> up);
        } else {
            after = Hash::node(&after, beside);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if before == *old_root && after == *new_root { Ok(()) } else { Err(ProofError::Root) }
}

#[cfg(test)]
mod tests;
