//! A log in memory that can be two: from `fork` on the entries are other ones.

use std::collections::BTreeMap;

use gallra_log::checkpoint::Checkpoint;
use gallra_log::note::{Kind, Note, Signer};
use gallra_log::tree::{Hash, Hashes, Node, Range, consistency, root_at};
use gallra_log::witness::AddCheckpoint;

pub(crate) const ORIGIN: &str = "log.provider.example/2026a";

pub(crate) struct Log(BTreeMap<Node, Hash>);

impl Hashes for Log {
    fn hash(&self, node: Node) -> Option<Hash> {
        self.0.get(&node).copied()
    }
}

pub(crate) fn key() -> Signer {
    Signer::from_seed(ORIGIN, Kind::Log, &[1; 32]).unwrap()
}

impl Log {
    pub(crate) fn forked(size: u64, fork: u64, branch: &str) -> Self {
        let entry = |number| if number < fork { format!("entry {number}") } else { format!("{branch} {number}") };
        Self::from_entries(&(0..size).map(entry).collect::<Vec<_>>())
    }

    pub(crate) fn from_entries(entries: &[String]) -> Self {
        let (mut range, mut stored) = (Range::default(), BTreeMap::new());
        for entry in entries {
            range
                .append(Hash::leaf(entry.as_bytes()), |node, hash| {
                    stored.insert(node, hash);
                })
                .unwrap();
        }
        Self(stored)
    }

    pub(crate) fn of(size: u64) -> Self {
        Self::forked(size, size, "")
    }

    pub(crate) fn root(&self, size: u64) -> Hash {
        root_at(size, self).unwrap()
    }

    pub(crate) fn signed_by(&self, size: u64, key: &Signer) -> Note {
        let origin = key.public().name().parse().unwrap();
        let checkpoint = Checkpoint { origin, size, root: self.root(size), extensions: Vec::new() };
        let mut note = Note::new(checkpoint.to_string()).unwrap();
        note.sign(checkpoint.sign(key).unwrap()).unwrap();
        note
    }

    pub(crate) fn request(&self, old: u64, new: u64) -> AddCheckpoint {
        AddCheckpoint::new(old, consistency(old, new, self).unwrap(), self.signed_by(new, &key())).unwrap()
    }
}
