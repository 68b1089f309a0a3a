//! For tests: a tree that was grown leaf by leaf, with all hashes and the root at every size.

use std::collections::BTreeMap;

use super::{Hash, Hashes, Node, Range};

pub(crate) struct Grown {
    pub(crate) stored: BTreeMap<Node, Hash>,
    /// From the empty tree on.
    pub(crate) roots: Vec<Hash>,
}

impl Grown {
    pub(crate) fn new(leaves: impl IntoIterator<Item = Hash>) -> Self {
        let (mut range, mut grown) = (Range::default(), Self { stored: BTreeMap::new(), roots: vec![Hash::EMPTY] });
        for leaf in leaves {
            let keep = |node, hash| assert_eq!(grown.stored.insert(node, hash), None, "{node:?} twice");
            range.append(leaf, keep).unwrap();
            grown.roots.push(range.root());
        }
        grown
    }

    /// Of leaves that are numbers, from 0.
    pub(crate) fn of(size: u64) -> Self {
        Self::new((0..size).map(number))
    }

    pub(crate) fn root(&self, size: u64) -> Hash {
        self.roots[usize::try_from(size).unwrap()]
    }
}

impl Hashes for Grown {
    fn hash(&self, node: Node) -> Option<Hash> {
        self.stored.get(&node).copied()
    }
}

/// The leaf of a number.
pub(crate) fn number(number: u64) -> Hash {
    Hash::leaf(&number.to_be_bytes())
}
