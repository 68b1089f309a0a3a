//! Keys of the transparency log: what waits for its place, the tree in tiles, and what was signed. Upholds that the order of
//! keys is the order in which entries came, and of sizes; and that a log which goes on where another ended shares no key with it.

use gallra_model::{AgentName, Digest, Instant};

use super::Family;
use super::time::{millis_up, number};
use crate::key::{Key, KeyPrefix, KeyRange};

/// Which log of a store: the one that it began with, or one that goes on where another ended. What waits belongs to none of them:
/// it is entered in the one that is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tree {
    /// The one that the store began with.
    #[default]
    First,
    /// A later one, named after its first entries.
    After(Digest),
}

impl Tree {
    fn prefix(&self) -> KeyPrefix {
        match self {
            Self::First => Family::Log.prefix(),
            Self::After(digest) => Family::Log.under(&["of", &digest.to_string()]),
        }
    }

    fn under(&self, segments: &[&str]) -> KeyPrefix {
        match self {
            Self::First => Family::Log.under(segments),
            Self::After(digest) => Family::Log.under(&[&["of", &digest.to_string()], segments].concat()),
        }
    }
}

/// That a log goes on where another ended; they count from 1, and the last one says which log is in force.
pub fn ledger_succession(number: u32) -> Key {
    ledger_successions().key(&format!("{number:08x}"))
}

/// All of these, in order.
pub fn ledger_successions() -> KeyPrefix {
    Family::Log.under(&["succession"])
}

/// The tree's size and right edge: whoever appends writes it.
pub fn ledger_head(tree: &Tree) -> Key {
    tree.prefix().key("head")
}

/// The size of the newest tree that was signed.
pub fn ledger_newest(tree: &Tree) -> Key {
    tree.prefix().key("newest")
}

/// An entry that waits for its place since an instant. What waits is taken in the order of these keys.
pub fn ledger_waits(since: Instant, leaf: &[u8; 32]) -> Key {
    Family::Log.under(&["waits", &number(millis_up(since))]).key(&hex::encode(leaf))
}

/// All entries that wait, the first one first.
pub fn ledger_waiting() -> KeyPrefix {
    Family::Log.under(&["waits"])
}

/// At which index a leaf is, by its hash.
pub fn ledger_at(tree: &Tree, leaf: &[u8; 32]) -> Key {
    tree.under(&["at"]).key(&hex::encode(leaf))
}

/// A tile of hashes, as wide as it has become.
pub fn ledger_tile(tree: &Tree, level: u8, index: u64) -> Key {
    tree.under(&["tile", &format!("{level:02x}")]).key(&number(index))
}

/// A bundle of entries, as wide as it has become.
pub fn ledger_bundle(tree: &Tree, index: u64) -> Key {
    tree.under(&["entries"]).key(&number(index))
}

/// The signed note of the tree of one size.
pub fn ledger_note(tree: &Tree, size: u64) -> Key {
    ledger_notes(tree).key(&number(size))
}

/// All signed notes, by size.
pub fn ledger_notes(tree: &Tree) -> KeyPrefix {
    tree.under(&["note"])
}

/// A time stamp on the checkpoint of one size.
pub fn ledger_stamp(tree: &Tree, size: u64) -> Key {
    tree.under(&["stamp"]).key(&number(size))
}

/// The time stamps on checkpoints of this size and of larger ones, the smallest first.
pub fn ledger_stamps_from(tree: &Tree, size: u64) -> KeyRange {
    tree.under(&["stamp"]).range().starting_at(&ledger_stamp(tree, size))
}

/// Which time stamp is the newest.
pub fn ledger_stamped(tree: &Tree) -> Key {
    tree.prefix().key("stamped")
}

/// The size of the checkpoint that a time stamp is on; none for another key.
pub fn parse_ledger_stamp(tree: &Tree, key: &Key) -> Option<u64> {
    u64::from_str_radix(tree.under(&["stamp"]).rest(key)?, 16).ok()
}

/// The signed notes of trees of this size and of larger ones, the smallest first.
pub fn ledger_notes_from(tree: &Tree, size: u64) -> KeyRange {
    ledger_notes(tree).range().starting_at(&ledger_note(tree, size))
}

/// That a replica has heard an agent about the log; its version says when.
pub fn ledger_heard(agent: &AgentName) -> Key {
    ledger_heard_all().key(agent.as_str())
}

/// All agents that some replica has heard.
pub fn ledger_heard_all() -> KeyPrefix {
    Family::Log.under(&["heard"])
}

/// The agent that was heard; none for another key.
pub fn parse_ledger_heard(key: &Key) -> Option<AgentName> {
    ledger_heard_all().rest(key)?.parse().ok()
}

/// A note under the log's own key that the store's tree does not agree with, by its digest.
pub fn ledger_contrary(note: &Digest) -> Key {
    ledger_contraries().key(&note.to_string())
}

/// All notes that some replica heard and that speak against the log.
pub fn ledger_contraries() -> KeyPrefix {
    Family::Log.under(&["contrary"])
}
