//! What an append makes of the tree's right edge: a pure function from the stored edge and new entries to all tiles and bundles
//! that are other ones afterwards. Upholds that a full tile never changes again: only what is right of the old size is made.

use std::collections::BTreeMap;

use gallra_log::tile::{Kind, Tile, Tiles, WIDTH, bundle, changed, changed_entries, unbundle};
use gallra_log::tree::{Hash, Hashes as _, Node, Range};

use crate::error::CoreError;

/// A grown tree: what is to be stored of it.
pub(super) struct Grown {
    /// The right edge.
    pub(super) range: Range,
    /// Tiles and bundles, as wide as they are now.
    pub(super) written: Vec<(Tile, Vec<u8>)>,
}

/// The tiles and the bundle at the right edge that are not full at this size: what [`grow`] needs.
pub(super) fn edge(size: u64) -> impl Iterator<Item = Tile> {
    let levels = (0..8_u8).map(move |level| (Kind::Hashes { level }, size >> (8 * u32::from(level))));
    let kinds = levels.chain([(Kind::Entries, size)]);
    kinds.filter_map(move |(kind, hashes)| Tile::at(kind, hashes / WIDTH, size))
}

/// Appends entries. `edge` has the bytes of [`edge`]'s tiles, in any order.
///
/// # Errors
/// [`CoreError::Unreadable`] where the edge is not what it says, or a part of it is missing.
pub(super) fn grow(mut range: Range, edge: &[(Tile, Vec<u8>)], entries: &[&[u8]]) -> Result<Grown, CoreError> {
    let damaged = |why: &str| CoreError::Unreadable { what: "log tile", why: why.to_owned() };
    let (mut stored, mut bundled): (Tiles, Vec<&[u8]>) = (Tiles::default(), Vec::new());
    for (tile, bytes) in edge {
        match tile.kind {
            Kind::Hashes { .. } => stored.insert(tile, bytes).map_err(|why| damaged(&why.to_string()))?,
            Kind::Entries => bundled = unbundle(tile, bytes).map_err(|why| damaged(&why.to_string()))?,
        }
    }
    let old = range.size();
    if bundled.len() as u64 != old % WIDTH {
        return Err(damaged("the last bundle of entries is missing"));
    }
    let mut new: BTreeMap<Node, Hash> = BTreeMap::new();
    for entry in entries {
        let keep = |node, hash| {
            new.insert(node, hash);
        };
        range.append(Hash::leaf(entry), keep).map_err(|full| CoreError::Precondition(full.to_string()))?;
    }
    let hashes = |node: Node| new.get(&node).copied().or_else(|| stored.hash(node));
    let mut written = Vec::new();
    for tile in changed(old, range.size()) {
        let bytes = tile.bytes(&hashes).ok_or_else(|| damaged("a hash of the right edge is missing"))?;
        written.push((tile, bytes));
    }
    bundled.extend(entries);
    let mut rest = bundled.into_iter();
    for tile in changed_entries(old, range.size()) {
        let width = usize::try_from(tile.width()).unwrap_or(usize::MAX);
        let bytes = bundle(rest.by_ref().take(width)).map_err(|why| damaged(&why.to_string()))?;
        written.push((tile, bytes));
    }
    Ok(Grown { range, written })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gallra_log::tree::root_at;
    use proptest::prelude::*;

    use super::*;

    /// What a store would hold: the widest of each tile.
    #[derive(Default)]
    struct Held(BTreeMap<String, (Tile, Vec<u8>)>);

    impl Held {
        fn name(tile: &Tile) -> String {
            Tile { partial: None, ..*tile }.to_string()
        }

        fn edge(&self, size: u64) -> Vec<(Tile, Vec<u8>)> {
            edge(size).filter_map(|tile| Some((tile, self.0.get(&Self::name(&tile))?.1.clone()))).collect()
        }

        fn take(&mut self, written: Vec<(Tile, Vec<u8>)>) {
            for (tile, bytes) in written {
                let old = self.0.insert(Self::name(&tile), (tile, bytes.clone()));
                if let Some((old_tile, old_bytes)) = old {
                    assert!(old_tile.partial.is_some(), "{old_tile} was full and is written again");
                    assert!(bytes.starts_with(&old_bytes), "{old_tile} changed and did not only grow");
                }
            }
        }

        fn hashes(&self) -> Tiles {
            let mut tiles = Tiles::default();
            for (tile, bytes) in self.0.values().filter(|(tile, _)| tile.kind != Kind::Entries) {
                tiles.insert(tile, bytes).unwrap();
            }
            tiles
        }
    }

    fn entry(number: u64) -> Vec<u8> {
        format!("entry {number}\n").into_bytes()
    }

    fn grown(batches: &[u64]) -> (Held, Range) {
        let (mut held, mut range, mut next) = (Held::default(), Range::default(), 0);
        for batch in batches {
            let entries: Vec<Vec<u8>> = (next..next + batch).map(entry).collect();
            let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
            let grown = grow(range.clone(), &held.edge(range.size()), &entries).unwrap();
            held.take(grown.written);
            (range, next) = (grown.range, next + batch);
        }
        (held, range)
    }

    #[test]
    fn a_tree_over_three_levels_has_its_root_in_its_tiles() {
        let (held, range) = grown(&[56; 1_200]);
        assert_eq!(range.size(), 67_200);
        assert_eq!(root_at(range.size(), &held.hashes()), Ok(range.root()));
        assert!(held.0.contains_key("tile/2/000"), "three levels");
        for size in [1, 255, 256, 257, 65_535, 65_536, 65_537] {
            let once = (0..size).fold(Range::default(), |mut range, number| {
                range.append(Hash::leaf(&entry(number)), |_, _| ()).unwrap();
                range
            });
            assert_eq!(root_at(size, &held.hashes()), Ok(once.root()), "{size}");
        }
    }

    #[test]
    fn without_its_edge_a_tree_does_not_grow() {
        let (held, range) = grown(&[56; 10]);
        let whole = held.edge(range.size());
        assert_eq!(whole.len(), 3, "two levels and the entries");
        // As many as complete the lowest tile, so that the one above it changes too.
        let entries = vec![&b"x"[..]; 208];
        assert!(grow(range.clone(), &whole, &entries).is_ok());
        for missing in 0..whole.len() {
            let mut edge = whole.clone();
            edge.remove(missing);
            assert!(grow(range.clone(), &edge, &entries).is_err(), "without {}", whole[missing].0);
        }
        for short in 0..whole.len() {
            let mut edge = whole.clone();
            edge[short].1.pop();
            assert!(grow(range.clone(), &edge, &entries).is_err(), "{} is shorter", whole[short].0);
        }
    }

    proptest! {
        #[test]
        fn however_it_is_cut_into_batches_the_tree_is_the_same(batches in prop::collection::vec(1..200_u64, 1..12)) {
            let (held, range) = grown(&batches);
            let size: u64 = batches.iter().sum();
            let (once, same) = grown(&[size]);
            prop_assert_eq!(range, same);
            prop_assert_eq!(held.0, once.0);
        }
    }
}
