//! Keys of the transparency log: what waits for its place, the tree in tiles, and what was signed. Upholds that the order of
//! keys is the order in which entries came, and of sizes.

use gallra_model::{AgentName, Digest, Instant};

use super::Family;
use super::time::{millis_up, number};
use crate::key::{Key, KeyPrefix, KeyRange};

/// The tree's size and right edge: whoever appends writes it.
pub fn ledger_head() -> Key {
    Family::Log.prefix().key("head")
}

/// The size of the newest tree that was signed.
pub fn ledger_newest() -> Key {
    Family::Log.prefix().key("newest")
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
pub fn ledger_at(leaf: &[u8; 32]) -> Key {
    Family::Log.under(&["at"]).key(&hex::encode(leaf))
}

/// A tile of hashes, as wide as it has become.
pub fn ledger_tile(level: u8, index: u64) -> Key {
    Family::Log.under(&["tile", &format!("{level:02x}")]).key(&number(index))
}

/// A bundle of entries, as wide as it has become.
pub fn ledger_bundle(index: u64) -> Key {
    Family::Log.under(&["entries"]).key(&number(index))
}

/// The signed note of the tree of one size.
pub fn ledger_note(size: u64) -> Key {
    ledger_notes().key(&number(size))
}

/// All signed notes, by size.
pub fn ledger_notes() -> KeyPrefix {
    Family::Log.under(&["note"])
}

/// A time stamp on the checkpoint of one size.
pub fn ledger_stamp(size: u64) -> Key {
    Family::Log.under(&["stamp"]).key(&number(size))
}

/// The time stamps on checkpoints of this size and of larger ones, the smallest first.
pub fn ledger_stamps_from(size: u64) -> KeyRange {
    Family::Log.under(&["stamp"]).range().starting_at(&ledger_stamp(size))
}

/// Which time stamp is the newest.
pub fn ledger_stamped() -> Key {
    Family::Log.prefix().key("stamped")
}

/// The size of the checkpoint that a time stamp is on; none for another key.
pub fn parse_ledger_stamp(key: &Key) -> Option<u64> {
    u64::from_str_radix(Family::Log.under(&["stamp"]).rest(key)?, 16).ok()
}

/// The signed notes of trees of this size and of larger ones, the smallest first.
pub fn ledger_notes_from(size: u64) -> KeyRange {
    ledger_notes().range().starting_at(&ledger_note(size))
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
