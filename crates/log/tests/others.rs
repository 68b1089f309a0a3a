//! Somebody else's reading of the same specifications: `signed_note` and `tlog_tiles`, by Cloudflare. What is made here
//! passes there, and what is made there passes here: keys, notes, checkpoints, both proofs, roots and tiles.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a missing part should fail the test at once")]

use std::collections::BTreeMap;

use gallra_log::checkpoint::Checkpoint;
use gallra_log::cosign::cosign;
use gallra_log::note::{Key, Kind, Note, Signer};
use gallra_log::tile::{self, Tile, changed, changed_entries};
use gallra_log::tree::{self, Hash, Node, Range};
use proptest::prelude::*;
use signed_note::{
    Note as TheirNote, NoteError as TheirError, Signer as _, StandardSigner, StandardVerifier, Verifier as _,
    VerifierList,
};
use tlog_tiles::{Checkpoint as TheirCheckpoint, Hash as TheirHash, HashReader, Tile as TheirTile};

const ORIGIN: &str = "log.provider.example/2026a";

fn theirs(hash: Hash) -> TheirHash {
    TheirHash(*hash.as_bytes())
}

fn ours(hash: TheirHash) -> Hash {
    Hash::from_bytes(hash.0)
}

/// One log, grown by both.
#[derive(Default)]
struct Log {
    range: Range,
    stored: BTreeMap<Node, Hash>,
    /// In the order of the other library's store.
    linear: Vec<TheirHash>,
}

impl HashReader for Log {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<TheirHash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.linear[usize::try_from(*index).unwrap()]).collect())
    }
}

impl tree::Hashes for Log {
    fn hash(&self, node: Node) -> Option<Hash> {
        self.stored.get(&node).copied()
    }
}

impl Log {
    fn grown(size: u64) -> Self {
        let mut log = Self::default();
        for number in 0..size {
            let entry = format!("entry {number}");
            let more = tlog_tiles::stored_hashes(number, entry.as_bytes(), &log).unwrap();
            log.linear.extend(more);
            let (range, stored) = (&mut log.range, &mut log.stored);
            range
                .append(Hash::leaf(entry.as_bytes()), |node, hash| {
                    stored.insert(node, hash);
                })
                .unwrap();
        }
        log
    }

    fn root(&self, size: u64) -> Hash {
        tree::root_at(size, self).unwrap()
    }
}

fn leaf(number: u64) -> Hash {
    Hash::leaf(format!("entry {number}").as_bytes())
}

#[test]
fn both_grow_the_same_tree() {
    let log = Log::grown(300);
    for (node, hash) in &log.stored {
        let index = usize::try_from(tlog_tiles::stored_hash_index(node.level, node.index)).unwrap();
        assert_eq!(ours(log.linear[index]), *hash, "{node:?}");
    }
    assert_eq!(log.linear.len(), log.stored.len());
    for size in [0, 1, 2, 3, 255, 256, 257, 300] {
        assert_eq!(ours(tlog_tiles::tree_hash(size, &log).unwrap()), log.root(size), "{size}");
    }
}

#[test]
fn both_make_the_same_proofs_and_each_checks_the_others() {
    const SIZE: u64 = 70;
    let log = Log::grown(SIZE);
    for size in 1..=SIZE {
        let root = log.root(size);
        for at in 0..size {
            let (mine, other) =
                (tree::inclusion(at, size, &log).unwrap(), tlog_tiles::prove_record(size, at, &log).unwrap());
            assert_eq!(mine, other.iter().copied().map(ours).collect::<Vec<_>>(), "{at} of {size}");
            tlog_tiles::check_record(
                &mine.iter().copied().map(theirs).collect(),
                size,
                theirs(root),
                at,
                theirs(leaf(at)),
            )
            .unwrap();
            let other: Vec<_> = other.into_iter().map(ours).collect();
            tree::check_inclusion(&other, at, size, &leaf(at), &root).unwrap();

            // Theirs knows no empty old tree.
            let old = at + 1;
            let (mine, other) =
                (tree::consistency(old, size, &log).unwrap(), tlog_tiles::prove_tree(size, old, &log).unwrap());
            assert_eq!(mine, other.iter().copied().map(ours).collect::<Vec<_>>(), "{old} to {size}");
            let before = log.root(old);
            tlog_tiles::check_tree(
                &mine.iter().copied().map(theirs).collect(),
                size,
                theirs(root),
                old,
                theirs(before),
            )
            .unwrap();
            let other: Vec<_> = other.into_iter().map(ours).collect();
            tree::check_consistency(&other, (old, &before), (size, &root)).unwrap();
        }
    }
}

/// Their paths have the height, which C2SP leaves out, and another word for entries.
fn path(tile: &TheirTile) -> String {
    tile.path().replace("tile/8/data/", "tile/entries/").replace("tile/8/", "tile/")
}

#[test]
fn both_cut_the_tree_into_the_same_tiles() {
    let log = Log::grown(600);
    for (old, new) in [(0, 1), (0, 600), (5, 9), (255, 256), (256, 256), (256, 257), (300, 599), (511, 513)] {
        let mine: Vec<Tile> = changed(old, new).collect();
        let other = TheirTile::new_tiles(8, old, new);
        assert_eq!(mine.iter().map(Tile::to_string).collect::<Vec<_>>(), other.iter().map(path).collect::<Vec<_>>());
        for (mine, other) in mine.iter().zip(&other) {
            assert_eq!(mine.bytes(&log).unwrap(), other.read_data(&log).unwrap(), "{mine}");
        }
        let entries: Vec<_> = other
            .iter()
            .filter(|tile| tile.level() == 0)
            .map(|tile| {
                let mut tile = *tile;
                tile.set_is_data();
                path(&tile)
            })
            .collect();
        assert_eq!(changed_entries(old, new).map(|tile| tile.to_string()).collect::<Vec<_>>(), entries);
    }
}

/// Reads our tiles, and checks them against the root as it goes.
struct Served<'l>(&'l Log);

impl tlog_tiles::TileReader for Served<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[TheirTile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        Ok(tiles.iter().map(|tile| path(tile).parse::<Tile>().unwrap().bytes(self.0).unwrap()).collect())
    }

    fn save_tiles(&self, _: &[TheirTile], _: &[Vec<u8>]) {}
}

#[test]
fn a_client_of_theirs_proves_leaves_out_of_our_tiles() {
    let log = Log::grown(600);
    let (root, served) = (log.root(600), Served(&log));
    let reader = tlog_tiles::TileHashReader::new(600, theirs(root), &served);
    for at in [0, 255, 256, 511, 512, 599] {
        let path = tlog_tiles::prove_record(600, at, &reader).unwrap();
        tlog_tiles::check_record(&path, 600, theirs(root), at, theirs(leaf(at))).unwrap();
    }
    // And our own reader out of theirs.
    let mut tiles = tile::Tiles::default();
    for tile in TheirTile::new_tiles(8, 0, 600) {
        tiles.insert(&path(&tile).parse().unwrap(), &tile.read_data(&log).unwrap()).unwrap();
    }
    assert_eq!(tree::inclusion(300, 600, &tiles), tree::inclusion(300, 600, &log));
}

fn key(seed: u8) -> (Signer, StandardSigner) {
    let mine = Signer::from_seed(ORIGIN, Kind::Log, &[seed; 32]).unwrap();
    // Their text of a private key: as that of a public one, with the seed in the place of the point.
    let typed = [&[1][..], &[seed; 32]].concat();
    let id = hex(&mine.public().id());
    let other = StandardSigner::new(&format!("PRIVATE+KEY+{ORIGIN}+{id}+{}", base64(&typed))).unwrap();
    (mine, other)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn a_key_has_one_text_and_one_id() {
    let (mine, other) = key(1);
    let text = mine.public().to_string();
    let read = StandardVerifier::new(&text).unwrap();
    assert_eq!((read.name(), read.key_id()), (ORIGIN, u32::from_be_bytes(mine.public().id())));
    assert_eq!((other.name(), other.key_id()), (ORIGIN, u32::from_be_bytes(mine.public().id())));
    assert_eq!(text.parse::<Key>().unwrap(), *mine.public());
}

#[test]
fn each_opens_the_others_checkpoints_with_a_cosignature_that_one_of_them_ignores() {
    let (mine, other) = key(1);
    let witness = Signer::from_seed("witness.example/w1", Kind::Witness, &[2; 32]).unwrap();
    let log = Log::grown(9);
    let origin = ORIGIN.parse().unwrap();
    let checkpoint = Checkpoint { origin, size: 9, root: log.root(9), extensions: vec!["more".into()] };
    let mut note = Note::new(checkpoint.to_string()).unwrap();
    note.sign(checkpoint.sign(&mine).unwrap()).unwrap();
    note.sign(cosign(&checkpoint, 1_700_000_000, &witness).unwrap()).unwrap();

    let read = TheirNote::from_bytes(note.to_string().as_bytes()).unwrap();
    assert_eq!(read.to_bytes(), note.to_string().into_bytes());
    let known = VerifierList::new(vec![Box::new(StandardVerifier::new(&mine.public().to_string()).unwrap())]);
    let (verified, ignored) = read.verify(&known).unwrap();
    assert_eq!((verified.len(), ignored.len()), (1, 1));
    let their = TheirCheckpoint::from_bytes(read.text()).unwrap();
    assert_eq!((their.origin(), their.size(), ours(*their.hash())), (ORIGIN, 9, checkpoint.root));
    assert_eq!(their.extension(), "more\n");

    let made = TheirCheckpoint::new(ORIGIN, 9, theirs(checkpoint.root), "more\n").unwrap();
    let mut made = TheirNote::new(&made.to_bytes(), &[]).unwrap();
    made.add_sigs(&[&other]).unwrap();
    let opened = Checkpoint::open(&Note::parse(&made.to_bytes()).unwrap(), mine.public(), &[]).unwrap();
    assert_eq!(opened.checkpoint, checkpoint);

    let mut altered = note.to_string();
    altered = altered.replace("\n9\n", "\n8\n");
    let read = TheirNote::from_bytes(altered.as_bytes()).unwrap();
    assert!(matches!(read.verify(&known), Err(TheirError::InvalidSignature { .. })));
}

proptest! {
    /// Whoever is refused is refused by both. Where ours refuses more, it is by its bounds and its one spelling of base64.
    #[test]
    fn both_read_the_same_notes(
        text in "(a|\n){0,4}\n{0,2}",
        lines in prop::collection::vec(
            prop::sample::select(vec!["— k AAAAAAA=\n", "— k AAAA\n", "— k  AAAAAAA=\n", "\n", "— k AAAAAAA=", "x\n", "— k+ AAAAAAA=\n"]),
            0..3,
        ),
    ) {
        let note = format!("{text}{}", lines.concat());
        let (mine, other) = (Note::parse(note.as_bytes()), TheirNote::from_bytes(note.as_bytes()));
        prop_assert_eq!(mine.is_ok(), other.is_ok(), "{:?}", note);
        if let (Ok(mine), Ok(other)) = (mine, other) {
            prop_assert_eq!(other.text(), mine.unverified_text().as_bytes());
        }
    }

    /// Theirs panics at a partial tile without hashes and at a level above 63, and so is not asked about them.
    #[test]
    fn both_read_the_same_paths(path in "tile/(63|8|0|data)/(x?[0-9]{3}/){0,2}[0-9]{3}(\\.p/[1-9][0-9]{0,2})?") {
        let other = TheirTile::from_path(&path.replacen("tile/", "tile/8/", 1));
        let other = other.ok().filter(|tile| !tile.is_data() && tile.level() <= 63);
        prop_assert_eq!(path.parse::<Tile>().is_ok(), other.is_some(), "{}", path);
    }
}
