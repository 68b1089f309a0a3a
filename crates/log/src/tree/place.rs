//! Where a hash is in the tree, and the trait of whoever has it. A node is complete: a power of two of leaves is under it,
//! and its hash never changes again, so that it may be stored for good.

use super::hash::Hash;

/// Most levels of a tree whose size is a `u64`.
pub const LEVELS: u8 = 64;

/// A complete subtree: leaves `index << level` to `(index + 1) << level`, the last one not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// 0 is a leaf; each level has half as many nodes as the one below. Less than 64.
    pub level: u8,
    /// From the left, from 0.
    pub index: u64,
}

impl Node {
    /// The leaf of an index.
    pub const fn leaf(index: u64) -> Self {
        Self { level: 0, index }
    }

    /// The node above.
    pub const fn parent(self) -> Self {
        Self { level: self.level + 1, index: self.index >> 1 }
    }
}

/// Whoever has hashes of complete subtrees: a map, tiles ([`crate::tile::Tiles`]), a store that was read before.
pub trait Hashes {
    /// The hash of this complete subtree; nothing where it is not at hand.
    fn hash(&self, node: Node) -> Option<Hash>;
}

impl<F: Fn(Node) -> Option<Hash>> Hashes for F {
    fn hash(&self, node: Node) -> Option<Hash> {
        self(node)
    }
}

/// The largest power of two below `width`, which is at least 2: where RFC 6962 divides a tree.
pub(crate) fn split(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

/// The complete subtrees that leaves `low` to `high` consist of, the largest first, as RFC 6962 divides them. `low` is a
/// multiple of the first one's width.
pub(crate) fn nodes(low: u64, high: u64) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut at = low;
    while at < high {
        // What is left begins at a multiple of its largest power of two, since what went before was larger.
        let level = (high - at).ilog2();
        nodes.push(Node { level: u8::try_from(level).unwrap_or(LEVELS), index: at >> level });
        at += 1 << level;
    }
    nodes
}

/// The hash over complete subtrees of falling width, as RFC 6962 combines them: from the right.
pub(crate) fn fold(hashes: &[Hash]) -> Hash {
    let mut rest = hashes.iter().rev();
    let Some(last) = rest.next() else { return Hash::EMPTY };
    rest.fold(*last, |right, left| Hash::node(left, &right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_consist_of_complete_subtrees() {
        let node = |level, index| Node { level, index };
        assert_eq!(nodes(0, 7), [node(2, 0), node(1, 2), node(0, 6)]);
        assert_eq!(nodes(8, 12), [node(2, 2)]);
        assert_eq!(nodes(0, 0), []);
        let all = nodes(0, u64::MAX);
        assert_eq!((all.len(), all.first(), all.last()), (64, Some(&node(63, 0)), Some(&node(0, u64::MAX - 1))));
    }

    #[test]
    fn a_tree_is_divided_at_the_largest_power_of_two_below_its_width() {
        for (width, at) in [(2, 1), (3, 2), (4, 2), (5, 4), (u64::MAX, 1 << 63)] {
            assert_eq!(split(width), at, "{width}");
        }
    }
}
