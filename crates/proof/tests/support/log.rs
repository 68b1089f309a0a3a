//! A log of RFC 6962, with other people's entries between ours.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_log::checkpoint::Checkpoint;
use gallra_log::cosign::cosign;
use gallra_log::entry::{About, Entry, Kind};
use gallra_log::note::{Kind as KeyKind, Note, Signer};
use gallra_log::tree::{Hash, Node, Range, consistency, inclusion, root_at};
use gallra_model::envelope::Envelope;
use gallra_model::statement::{Commitment, Type};
use gallra_model::{Day, Digest, RequestId};
use gallra_proof::dsse;

pub(crate) const ORIGIN: &str = "log.provider.example/2026a";
pub(crate) const LOG_SEED: [u8; 32] = [21; 32];

pub(crate) fn log_key() -> Signer {
    Signer::from_seed(ORIGIN, KeyKind::Log, &LOG_SEED).expect("a name for keys")
}

pub(crate) fn witness_key() -> Signer {
    Signer::from_seed("witness.auditor.example/w1", KeyKind::Witness, &[22; 32]).expect("a name for keys")
}

fn joined(hashes: &[Hash]) -> String {
    STANDARD.encode(hashes.iter().flat_map(|hash| *hash.as_bytes()).collect::<Vec<u8>>())
}

/// The log's line about an envelope (`docs/formats/log-v1.md`, section 2).
pub(crate) fn entry_of(envelope: &Envelope, kind: Type, request: Option<RequestId>, due: Option<Day>) -> Entry {
    let kind = Kind::ALL.into_iter().find(|known| format!("https://w3id.org/gallra/{}/v1", known.word()) == kind.uri());
    let pae = dsse::pae(&envelope.payload_type, &dsse::payload(envelope).expect("base64"));
    let signatures = envelope.signatures.iter().map(|signature| {
        let raw = STANDARD.decode(&signature.sig).expect("base64");
        (signature.keyid.parse().expect("a digest"), Digest::of(&raw))
    });
    let about = About { kind: kind.expect("a kind of entry"), request, due };
    Entry::new(Some(about), Digest::of(&pae), signatures.collect()).expect("an entry")
}

/// The tree.
#[derive(Default)]
pub(crate) struct Tree {
    range: Range,
    nodes: BTreeMap<Node, Hash>,
    others: u8,
    /// Roots of the trees of nothing but the crowd's entries, by level: they need not be kept one by one.
    crowd: Vec<Hash>,
}

impl Tree {
    pub(crate) fn size(&self) -> u64 {
        self.range.size()
    }

    /// Gives the entry's position.
    pub(crate) fn enter(&mut self, entry: &Entry) -> u64 {
        let index = self.size();
        let nodes = &mut self.nodes;
        let keep = |node, hash| {
            nodes.insert(node, hash);
        };
        self.range.append(entry.leaf(), keep).expect("not full");
        index
    }

    /// An entry about somebody else.
    pub(crate) fn other(&mut self) {
        self.others += 1;
        let about = About { kind: Kind::Receipt, request: Some(RequestId::from_bytes([0xb2; 16])), due: None };
        let key = (Digest::of(b"a key"), Digest::of(&[b's', self.others]));
        let entry = Entry::new(Some(about), Digest::of(&[b'p', self.others]), vec![key]).expect("an entry");
        self.enter(&entry);
    }

    /// So many entries about others, all alike: a log as large as a provider's.
    pub(crate) fn crowd(&mut self, many: u64) {
        if many > 0 && self.crowd.is_empty() {
            let next = |below: &Hash| Some(Hash::node(below, below));
            self.crowd = std::iter::successors(Some(Hash::leaf(b"somebody else")), next).take(64).collect();
        }
        let (nodes, crowd) = (&mut self.nodes, &self.crowd);
        for _ in 0..many {
            let keep = |node: Node, hash| {
                if crowd.get(usize::from(node.level)) != Some(&hash) {
                    nodes.insert(node, hash);
                }
            };
            self.range.append(crowd[0], keep).expect("not full");
        }
    }

    /// The tree of this size, as a permit quotes it.
    pub(crate) fn commitment(&self, size: u64) -> Commitment {
        let root = root_at(size, &self.stored()).expect("a tree of before");
        Commitment { size, root: Digest::from_bytes(*root.as_bytes()) }
    }

    pub(crate) fn path(&self, index: u64, size: u64) -> String {
        joined(&inclusion(index, size, &self.stored()).expect("an entry of the tree"))
    }

    pub(crate) fn consistency(&self, from: u64, to: u64) -> String {
        joined(&consistency(from, to, &self.stored()).expect("a tree of before"))
    }

    /// The log's note of this size, with a witness's cosignature at a time in seconds since 1970.
    pub(crate) fn note(&self, size: u64, time: u64) -> String {
        let root = root_at(size, &self.stored()).expect("a tree of before");
        let checkpoint = Checkpoint { origin: ORIGIN.parse().expect("an origin"), size, root, extensions: Vec::new() };
        let mut note = Note::new(checkpoint.to_string()).expect("a note");
        note.sign(checkpoint.sign(&log_key()).expect("signs")).expect("one signature");
        note.sign(cosign(&checkpoint, time, &witness_key()).expect("cosigns")).expect("another");
        note.to_string()
    }

    fn stored(&self) -> impl Fn(Node) -> Option<Hash> + '_ {
        |node| self.nodes.get(&node).or_else(|| self.crowd.get(usize::from(node.level))).copied()
    }
}
