//! Which tiles there are, what they are called, and that proofs out of tiles are those out of all hashes.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::tree::grown::Grown;
use crate::tree::{consistency, inclusion, needed_by_consistency, needed_by_inclusion};

fn paths(tiles: impl Iterator<Item = Tile>) -> Vec<String> {
    tiles.map(|tile| tile.to_string()).collect()
}

#[test]
fn tiles_are_called_as_the_specification_says() {
    let hashes = |level, index| Tile { kind: Kind::Hashes { level }, index, partial: None };
    for (tile, path) in [
        (hashes(0, 0), "tile/0/000"),
        (hashes(0, 1_234_067), "tile/0/x001/x234/067"),
        (hashes(63, 999), "tile/63/999"),
        (hashes(1, 1000), "tile/1/x001/000"),
        (Tile { partial: NonZeroU8::new(112), ..hashes(0, 273) }, "tile/0/273.p/112"),
        (Tile { kind: Kind::Entries, ..hashes(0, 5) }, "tile/entries/005"),
        (
            Tile { kind: Kind::Entries, index: u64::MAX, partial: NonZeroU8::new(255) },
            "tile/entries/x018/x446/x744/x073/x709/x551/615.p/255",
        ),
    ] {
        assert_eq!(tile.to_string(), path);
        assert_eq!(path.parse(), Ok(tile));
        assert!(path.len() <= MOST_PATH_BYTES);
    }
}

#[test]
fn other_paths_are_refused() {
    for bad in [
        "",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/001/234",
        "tile/0/x001",
        "tile/0/x000/001",
        "tile/0/xx01/234",
        "tile/0/x001/x234",
        "tile/0/+01",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p/1/",
        "tile/0/x001.p/1/000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/data/000",
        "tile/8/0/000",
        "tile/entries/../../etc/passwd",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
    ] {
        assert_eq!(bad.parse::<Tile>(), Err(PathError), "{bad}");
    }
}

#[test]
fn trees_have_the_tiles_of_the_specifications_examples() {
    let all = paths(changed(0, 70_000));
    assert_eq!(all.iter().filter(|path| path.starts_with("tile/0/")).count(), 274);
    let rest: Vec<_> = all.iter().filter(|path| !path.starts_with("tile/0/") || path.contains(".p/")).collect();
    assert_eq!(rest, ["tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]);
    assert_eq!(paths(changed(0, 256)), ["tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(paths(changed_entries(0, 257)), ["tile/entries/000", "tile/entries/001.p/1"]);
    assert_eq!(changed(0, 0).count(), 0);
}

#[test]
fn an_append_changes_the_right_edge_alone() {
    assert_eq!(paths(changed(5, 7)), ["tile/0/000.p/7"]);
    assert_eq!(paths(changed(255, 256)), ["tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(paths(changed(256, 257)), ["tile/0/001.p/1"]);
    assert_eq!(paths(changed(65_535, 65_537)), ["tile/0/255", "tile/0/256.p/1", "tile/1/000", "tile/2/000.p/1"]);
    assert_eq!(changed(7, 7).count() + changed(9, 7).count() + changed_entries(7, 7).count(), 0);
    // Lazily: the largest tree has 2^56 tiles.
    assert_eq!(changed(0, u64::MAX).take(3).count(), 3);
    let top = changed(u64::MAX - 1, u64::MAX).last().unwrap();
    assert_eq!(top.to_string(), format!("{}", Tile::at(top.kind, top.index, u64::MAX).unwrap()));
}

/// Hashes of a tree too large to grow: those that tiles hold are made up, the others follow from them.
fn made_up(node: Node) -> Option<Hash> {
    if node.level.is_multiple_of(8) {
        return Some(Hash::leaf(&[&[node.level][..], &node.index.to_be_bytes()].concat()));
    }
    let left = Node { level: node.level - 1, index: node.index * 2 };
    Some(Hash::node(&made_up(left)?, &made_up(Node { index: left.index + 1, ..left })?))
}

#[test]
fn proofs_out_of_the_tiles_that_they_need_are_those_out_of_all_hashes() {
    for size in [1, 255, 256, 70_000, (1 << 40) + 77] {
        let tiles = |needed: Vec<Node>| {
            let tiles: BTreeSet<Tile> = needed.into_iter().map(|node| Tile::of(node, size).unwrap()).collect();
            // One a level below the leaf, and one at the right edge.
            assert!(tiles.len() <= 12, "{} tiles", tiles.len());
            let mut held = Tiles::default();
            tiles.iter().for_each(|tile| held.insert(tile, &tile.bytes(&made_up).unwrap()).unwrap());
            held
        };
        for index in [0, 1, 255, 256, 257, 65_535, 65_536, size / 2, size - 1].into_iter().filter(|at| *at < size) {
            let held = tiles(needed_by_inclusion(index, size).unwrap());
            assert_eq!(inclusion(index, size, &held), inclusion(index, size, &made_up), "{index} of {size}");
            let held = tiles(needed_by_consistency(index, size).unwrap());
            assert_eq!(consistency(index, size, &held), consistency(index, size, &made_up), "{index} of {size}");
        }
    }
}

#[test]
fn a_tile_has_as_many_hashes_as_its_name_says() {
    let all = Grown::of(300);
    for (path, bytes) in [("tile/0/000", 8_192), ("tile/0/001.p/44", 44 * 32), ("tile/1/000.p/1", 32)] {
        let tile: Tile = path.parse().unwrap();
        let written = tile.bytes(&all).unwrap();
        assert_eq!(written.len(), bytes);
        assert_eq!(tile.hashes(&written).unwrap().len() as u64, tile.width());
        assert_eq!(tile.hashes(&written[1..]), Err(TileError));
        assert_eq!(tile.hashes(&written[32..]), Err(TileError));
        assert_eq!(tile.hashes(&[&written[..], &[0; 32]].concat()), Err(TileError));
    }
    for path in
        ["tile/0/001", "tile/1/000", "tile/63/000", "tile/0/x018/x446/x744/x073/x709/x551/615", "tile/entries/000"]
    {
        assert_eq!(path.parse::<Tile>().unwrap().bytes(&all), None, "{path}");
    }
    let mut held = Tiles::default();
    let entries: Tile = "tile/entries/000.p/1".parse().unwrap();
    assert_eq!(held.insert(&entries, &[0; 32]), Err(TileError));
    assert_eq!(held.hash(Node::leaf(0)), None);
}

#[test]
fn the_wider_of_two_tiles_is_kept() {
    let all = Grown::of(20);
    let (narrow, wide): (Tile, Tile) = ("tile/0/000.p/5".parse().unwrap(), "tile/0/000.p/20".parse().unwrap());
    let mut held = Tiles::default();
    for tile in [narrow, wide, narrow] {
        held.insert(&tile, &tile.bytes(&all).unwrap()).unwrap();
    }
    assert_eq!(held.hash(Node::leaf(19)), all.hash(Node::leaf(19)));
    assert_eq!(held.hash(Node::leaf(20)), None);
}

#[test]
fn bundles_are_whole_or_refused() {
    let entries: Vec<&[u8]> = vec![b"one", b"", b"three"];
    let bytes = bundle(entries.clone()).unwrap();
    assert_eq!(bytes, b"\0\x03one\0\0\0\x05three");
    let tile = |width| Tile { kind: Kind::Entries, index: 0, partial: NonZeroU8::new(width) };
    assert_eq!(unbundle(&tile(3), &bytes), Ok(entries));
    assert_eq!(unbundle(&tile(2), &bytes), Err(BundleError::Width));
    assert_eq!(unbundle(&tile(4), &bytes), Err(BundleError::Width));
    for end in [1, 2, 4, 6, bytes.len() - 1] {
        assert_eq!(unbundle(&tile(3), &bytes[..end]), Err(BundleError::Torn), "{end}");
    }
    assert_eq!(unbundle(&tile(3), &bytes[..5]), Err(BundleError::Width));
    assert_eq!(bundle([&[0; 65_535][..]]).map(|bytes| bytes.len()), Ok(65_537));
    assert_eq!(bundle([&[0; 65_536][..]]), Err(BundleError::Long));
}

proptest! {
    #[test]
    fn paths_have_one_spelling(level in 0..=63_u8, index: u64, partial: u8, entries: bool, text in "tile/[0-9x/.p]{0,20}") {
        let kind = if entries { Kind::Entries } else { Kind::Hashes { level } };
        let tile = Tile { kind, index, partial: NonZeroU8::new(partial) };
        prop_assert_eq!(tile.to_string().parse(), Ok(tile));
        if let Ok(tile) = text.parse::<Tile>() {
            prop_assert_eq!(tile.to_string(), text);
        }
    }

    #[test]
    fn no_place_and_no_size_panics(level in 0..64_u8, index: u64, old: u64, new: u64) {
        let _ = Tile::of(Node { level, index }, new);
        let _ = Tiles::default().hash(Node { level, index });
        prop_assert!(changed(old, new).take(1_000).all(|tile| Tile::at(tile.kind, tile.index, new) == Some(tile)));
    }

    #[test]
    fn random_bytes_are_no_bundle_or_written_the_same(bytes in prop::collection::vec(0..4_u8, 0..40), width in 1..8_u8) {
        let tile = Tile { kind: Kind::Entries, index: 0, partial: NonZeroU8::new(width) };
        if let Ok(entries) = unbundle(&tile, &bytes) {
            prop_assert_eq!(bundle(entries), Ok(bytes));
        }
    }
}
