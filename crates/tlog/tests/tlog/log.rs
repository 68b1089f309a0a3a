//! A log in memory: entries, hashes, and a signed checkpoint at any size.

use std::collections::BTreeMap;

use async_trait::async_trait;
use gallra_log::checkpoint::Checkpoint;
use gallra_log::note::{Kind, Note, Signer};
use gallra_log::tile::{Kind as TileKind, Tile, bundle};
use gallra_log::tree::{Hash, Hashes, Node, Range, consistency, root_at};
use gallra_log::witness::AddCheckpoint;
use gallra_tlog::{Published, Unavailable};

pub(crate) const ORIGIN: &str = "log.provider.example/2026a";

pub(crate) struct Log {
    range: Range,
    stored: BTreeMap<Node, Hash>,
    entries: Vec<Vec<u8>>,
    pub(crate) key: Signer,
    /// What `checkpoint` gives.
    pub(crate) note: Option<Note>,
    /// The store cannot be read.
    pub(crate) broken: bool,
}

impl Hashes for Log {
    fn hash(&self, node: Node) -> Option<Hash> {
        self.stored.get(&node).copied()
    }
}

impl Log {
    /// Entries that say their number, those of another branch from `fork` on.
    pub(crate) fn forked(size: u64, fork: u64, branch: &str) -> Self {
        let mut log = Self {
            range: Range::default(),
            stored: BTreeMap::new(),
            entries: Vec::new(),
            key: Signer::from_seed(ORIGIN, Kind::Log, &[1; 32]).unwrap(),
            note: None,
            broken: false,
        };
        for number in 0..size {
            let entry = format!("{} {number}", if number < fork { "entry" } else { branch }).into_bytes();
            let stored = &mut log.stored;
            log.range
                .append(Hash::leaf(&entry), |node, hash| {
                    stored.insert(node, hash);
                })
                .unwrap();
            log.entries.push(entry);
        }
        log.note = Some(log.signed(size));
        log
    }

    pub(crate) fn of(size: u64) -> Self {
        Self::forked(size, size, "")
    }

    pub(crate) fn root(&self, size: u64) -> Hash {
        root_at(size, self).unwrap()
    }

    pub(crate) fn entry(&self, index: usize) -> &[u8] {
        &self.entries[index]
    }

    /// Another entry in the place of one; the tree stays as it is.
    pub(crate) fn spoil(&mut self, index: usize) {
        self.entries[index] = b"entry x".to_vec();
    }

    pub(crate) fn signed_by(&self, size: u64, key: &Signer) -> Note {
        let origin = key.public().name().parse().unwrap();
        let checkpoint = Checkpoint { origin, size, root: self.root(size), extensions: Vec::new() };
        let mut note = Note::new(checkpoint.to_string()).unwrap();
        note.sign(checkpoint.sign(key).unwrap()).unwrap();
        note
    }

    pub(crate) fn signed(&self, size: u64) -> Note {
        self.signed_by(size, &self.key)
    }

    pub(crate) fn proof(&self, old: u64, new: u64) -> Vec<Hash> {
        consistency(old, new, self).unwrap()
    }

    pub(crate) fn request(&self, old: u64, new: u64) -> AddCheckpoint {
        AddCheckpoint::new(old, self.proof(old, new), self.signed(new)).unwrap()
    }
}

#[async_trait]
impl Published for Log {
    async fn checkpoint(&self) -> Result<Option<Vec<u8>>, Unavailable> {
        if self.broken {
            return Err(Unavailable("the disk is gone".to_owned()));
        }
        Ok(self.note.as_ref().map(|note| note.to_string().into_bytes()))
    }

    async fn file(&self, path: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        if self.broken {
            return Err(Unavailable("the disk is gone".to_owned()));
        }
        let tile: Tile = path.parse().unwrap();
        let widest = Tile::at(tile.kind, tile.index, self.range.size());
        if widest.is_none_or(|widest| widest.width() < tile.width()) {
            return Ok(None);
        }
        let first = usize::try_from(tile.index * 256).unwrap();
        Ok(match tile.kind {
            TileKind::Entries => {
                let entries = self.entries[first..].iter().take(usize::try_from(tile.width()).unwrap());
                Some(bundle(entries.map(Vec::as_slice)).unwrap())
            }
            TileKind::Hashes { .. } => tile.bytes(self),
        })
    }
}
