//! RFC 6962's tree (`docs/formats/log-v1.md`, section 3), checked with the loops of RFC 9162, sections 2.1.3.2 and 2.1.4.2.
//! Knows hashes and numbers, and nothing of what they stand for. At most 65 steps each.

use sha2::{Digest as _, Sha256};

use crate::format::v1::file::Hash;

pub(crate) fn leaf(entry: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// Where a path stands: the node's number on its level, and the last one's there.
struct Climb {
    at: u64,
    last: u64,
}

impl Climb {
    /// Whether the hash beside this node is its left one. A last node without a sister goes up unchanged before that.
    fn is_right(&mut self) -> bool {
        let right = self.at & 1 == 1 || self.at == self.last;
        if right {
            while self.at & 1 == 0 && self.at != 0 {
                self.up();
            }
        }
        self.up();
        right
    }

    fn up(&mut self) {
        self.at >>= 1;
        self.last >>= 1;
    }
}

/// The root that a leaf and its audit path lead to; nothing where the path has another length than it must.
pub(crate) fn root_of(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut climb, mut hash) = (Climb { at: index, last: size - 1 }, leaf);
    for beside in path {
        if climb.last == 0 {
            return None;
        }
        hash = if climb.is_right() { node(beside, &hash) } else { node(&hash, beside) };
    }
    (climb.last == 0).then_some(hash)
}

/// Whether the tree of the old size, which is not empty, is the beginning of the new one, which is larger.
pub(crate) fn follows(old: (u64, &Hash), new: (u64, &Hash), path: &[Hash]) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size == 0 || old_size >= new_size {
        return false;
    }
    let mut hashes = old_size.is_power_of_two().then_some(old_root).into_iter().chain(path);
    let Some(first) = hashes.next() else { return false };
    let mut climb = Climb { at: old_size - 1, last: new_size - 1 };
    while climb.at & 1 == 1 {
        climb.up();
    }
    let (mut before, mut after) = (*first, *first);
    for beside in hashes {
        if climb.last == 0 {
            return false;
        }
        if climb.is_right() {
            before = node(beside, &before);
            after = node(beside, &after);
        } else {
            after = node(&after, beside);
        }
    }
    climb.last == 0 && before == *old_root && after == *new_root
}
