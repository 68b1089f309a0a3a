//! A tree as what its right edge is: the roots of the complete subtrees that it consists of, one a bit of its size. Enough
//! to append and to know the root; 64 hashes at most, however large the tree is.

use super::hash::Hash;
use super::place::{Node, fold, nodes};

/// The tree has 2^64 - 1 leaves, and no more are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log is full: begin a new one under another origin")]
pub struct Full;

/// A compact range that begins at the first leaf.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Range {
    size: u64,
    /// From the left: subtrees of falling width.
    peaks: Vec<Hash>,
}

impl Range {
    /// The tree of this size, whose right edge was stored. Nothing where the number of hashes does not fit the size; that
    /// they are the right ones shows in the root.
    pub fn new(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (u32::try_from(peaks.len()) == Ok(size.count_ones())).then_some(Self { size, peaks })
    }

    /// Leaves in the tree.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, from the left: what to store.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Where [`Range::peaks`] are in the tree, in the same order.
    pub fn places(&self) -> Vec<Node> {
        nodes(0, self.size)
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        fold(&self.peaks)
    }

    /// Appends a leaf, and says each subtree that is complete now, the leaf itself first: what a store has to keep.
    ///
    /// # Errors
    /// [`Full`].
    pub fn append(&mut self, leaf: Hash, mut complete: impl FnMut(Node, Hash)) -> Result<(), Full> {
        let size = self.size.checked_add(1).ok_or(Full)?;
        let (mut node, mut hash) = (Node::leaf(self.size), leaf);
        complete(node, hash);
        // Each subtree as wide as the new one stands left of it: the trailing ones of the size.
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            hash = Hash::node(&left, &hash);
            node = node.parent();
            complete(node, hash);
        }
        self.peaks.push(hash);
        self.size = size;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::grown::{Grown, number};

    #[test]
    fn the_roots_are_those_of_the_rfcs_test_data() {
        // The inputs and roots that the Certificate Transparency project published for its reference code.
        let leaves =
            ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut range = Range::default();
        assert_eq!(range.root(), Hash::EMPTY);
        for (leaf, root) in leaves.iter().zip(roots) {
            range.append(Hash::leaf(&hex::decode(leaf).unwrap()), |_, _| ()).unwrap();
            assert_eq!(hex::encode(range.root().as_bytes()), root, "{} leaves", range.size());
        }
    }

    #[test]
    fn the_right_edge_is_where_it_says_and_enough_to_go_on() {
        let grown = Grown::of(200);
        let mut range = Range::default();
        for leaf in (0..200).map(number) {
            range.append(leaf, |_, _| ()).unwrap();
            let edge: Vec<_> = range.places().iter().map(|node| grown.stored[node]).collect();
            assert_eq!(edge, range.peaks());
            assert_eq!(Range::new(range.size(), edge), Some(range.clone()));
        }
        assert_eq!(Range::new(3, vec![Hash::EMPTY]), None);
    }

    #[test]
    fn a_full_tree_takes_nothing_more() {
        let mut range = Range::new(u64::MAX, vec![Hash::EMPTY; 64]).unwrap();
        let before = range.clone();
        assert_eq!(range.append(Hash::EMPTY, |_, _| panic!("something is complete")), Err(Full));
        assert_eq!(range, before);
    }
}
