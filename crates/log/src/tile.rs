//! Tiles (C2SP tlog-tiles v0.1.0): the tree and its entries cut into files that never change once they are full.
//!
//! Owns which tiles there are, what is in them and how they are called; refuses to know where they lie. What is read from
//! elsewhere is checked for its form here, and for its truth by a proof that ends in a signed root.

mod bundle;
mod path;

use std::collections::BTreeMap;
use std::num::NonZeroU8;

pub use bundle::{BundleError, MOST_ENTRY_BYTES, bundle, unbundle};
pub use path::{MOST_PATH_BYTES, PathError};

use crate::tree::hash::HASH_BYTES;
use crate::tree::{Hash, Hashes, Node};

/// Levels of the tree in a tile: its hashes, and those that follow from them.
const HEIGHT: u8 = 8;

/// Hashes of a full tile, and entries of a full bundle.
pub const WIDTH: u64 = 1 << HEIGHT;

/// Highest level of a tile that a path may name. A tree whose size is a `u64` has none above 7.
pub const HIGHEST_LEVEL: u8 = 63;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Hashes: of leaves at level 0, of full tiles of the level below at others.
    Hashes {
        /// From 0 to [`HIGHEST_LEVEL`].
        level: u8,
    },
    /// The entries themselves, for the hashes of level 0.
    Entries,
}

/// One file. Its `Display` form is its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// Hashes or entries.
    pub kind: Kind,
    /// From the left, from 0.
    pub index: u64,
    /// How many it holds where it is not full: the tree's right edge.
    pub partial: Option<NonZeroU8>,
}

/// The bytes are no tile of this width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the tile's hashes: their number is another one than its name says")]
pub struct TileError;

impl Tile {
    /// How many hashes or entries it holds: 1 to 256.
    pub fn width(&self) -> u64 {
        self.partial.map_or(WIDTH, |width| u64::from(width.get()))
    }

    /// The tile of this kind and index in a tree of this size, as wide as it is there; nothing where there is none.
    pub fn at(kind: Kind, index: u64, size: u64) -> Option<Self> {
        let hashes = hashes_at(kind, size);
        if index < hashes / WIDTH {
            return Some(Self { kind, index, partial: None });
        }
        let rest = u8::try_from(hashes % WIDTH).ok().and_then(NonZeroU8::new)?;
        (index == hashes / WIDTH).then_some(Self { kind, index, partial: Some(rest) })
    }

    /// The tile that has this hash, or from whose hashes it follows, in a tree of this size.
    pub fn of(node: Node, size: u64) -> Option<Self> {
        let (level, row) = (node.level / HEIGHT, node.level % HEIGHT);
        let index = node.index >> (HEIGHT - row);
        Self::at(Kind::Hashes { level }, index, size)
    }

    /// The tile's bytes, out of stored hashes. Nothing for entries, and where a hash is not at hand.
    pub fn bytes(&self, hashes: &impl Hashes) -> Option<Vec<u8>> {
        let Kind::Hashes { level } = self.kind else { return None };
        let first = self.index.checked_mul(WIDTH)?;
        let mut bytes = Vec::with_capacity(HASH_BYTES * 256);
        for offset in 0..self.width() {
            let node = Node { level: level.checked_mul(HEIGHT)?, index: first.checked_add(offset)? };
            bytes.extend_from_slice(hashes.hash(node)?.as_bytes());
        }
        Some(bytes)
    }

    /// The hashes that the bytes of a tile are.
    ///
    /// # Errors
    /// [`TileError`] where they are more or fewer than the tile holds.
    pub fn hashes(&self, bytes: &[u8]) -> Result<Vec<Hash>, TileError> {
        let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
        let fits = rest.is_empty() && u64::try_from(hashes.len()) == Ok(self.width());
        if fits { Ok(hashes.iter().copied().map(Hash::from_bytes).collect()) } else { Err(TileError) }
    }
}

/// How many hashes or entries of a kind a tree of this size has.
fn hashes_at(kind: Kind, size: u64) -> u64 {
    let level = match kind {
        Kind::Hashes { level } => u32::from(level),
        Kind::Entries => 0,
    };
    size.checked_shr(level * u32::from(HEIGHT)).unwrap_or(0)
}

/// The tiles of hashes that a tree of the new size has and one of the old size has not, as they are at the new size: what
/// an append completes, and the right edge that it changes. Level by level, from the left; as many as are asked for.
pub fn changed(old: u64, new: u64) -> impl Iterator<Item = Tile> {
    (0..=HIGHEST_LEVEL).flat_map(move |level| of_kind(Kind::Hashes { level }, old, new))
}

/// The same, for bundles of entries.
pub fn changed_entries(old: u64, new: u64) -> impl Iterator<Item = Tile> {
    of_kind(Kind::Entries, old, new)
}

fn of_kind(kind: Kind, old: u64, new: u64) -> impl Iterator<Item = Tile> {
    let (before, after) = (hashes_at(kind, old), hashes_at(kind, new));
    let end = if after > before { after.div_ceil(WIDTH) } else { 0 };
    (before / WIDTH..end).filter_map(move |index| Tile::at(kind, index, new))
}

/// Hashes out of tiles that were read before, for a tree of one size.
#[derive(Debug, Clone, Default)]
pub struct Tiles {
    tiles: BTreeMap<(u8, u64), Vec<Hash>>,
}

impl Tiles {
    /// Takes a tile of hashes, in the place of a narrower one.
    ///
    /// # Errors
    /// [`TileError`] where the bytes are not as many hashes as the tile holds, or the tile is one of entries.
    pub fn insert(&mut self, tile: &Tile, bytes: &[u8]) -> Result<(), TileError> {
        let Kind::Hashes { level } = tile.kind else { return Err(TileError) };
        let hashes = tile.hashes(bytes)?;
        let held = self.tiles.entry((level, tile.index)).or_default();
        if held.len() < hashes.len() {
            *held = hashes;
        }
        Ok(())
    }
}

impl Hashes for Tiles {
    fn hash(&self, node: Node) -> Option<Hash> {
        let (level, row) = (node.level / HEIGHT, node.level % HEIGHT);
        let tile = self.tiles.get(&(level, node.index >> (HEIGHT - row)))?;
        // The place in its row, and the hashes under it: fewer than 256, whatever the index is.
        let at = usize::try_from(node.index & ((WIDTH >> row) - 1)).ok()?;
        let mut hashes = tile.get(at << row..(at + 1) << row)?.to_vec();
        while hashes.len() > 1 {
            let (pairs, _) = hashes.as_chunks::<2>();
            hashes = pairs.iter().map(|[left, right]| Hash::node(left, right)).collect();
        }
        hashes.first().copied()
    }
}

#[cfg(test)]
mod tests;
