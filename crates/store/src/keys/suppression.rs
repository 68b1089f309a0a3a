//! Keys of suppression lists: by agent, in the order of sequences. A tag stands in the value, never in a key: what is dropped
//! must not linger as a name.

use gallra_model::{AgentName, Digest};

use super::Family;
use crate::key::{Key, KeyPrefix, KeyRange};

fn number(sequence: u64) -> String {
    format!("{sequence:016x}")
}

/// One line of an agent's list.
pub fn suppression(agent: &AgentName, sequence: u64) -> Key {
    suppressions_of(agent).key(&number(sequence))
}

/// All lines of an agent's list, in order.
pub fn suppressions_of(agent: &AgentName) -> KeyPrefix {
    Family::Suppression.under(&[agent.as_str()])
}

/// The lines after a sequence, in order.
pub fn suppressions_after(agent: &AgentName, sequence: u64) -> KeyRange {
    suppressions_of(agent).range().above(&suppression(agent, sequence))
}

/// All lists.
pub fn suppressions() -> KeyPrefix {
    Family::Suppression.prefix()
}

/// Whose list a line is of; none for another key.
pub fn parse_suppression(key: &Key) -> Option<AgentName> {
    suppressions().rest(key)?.split_once('/')?.0.parse().ok()
}

/// The sequence that an agent's list was last given.
pub fn suppression_head(agent: &AgentName) -> Key {
    Family::SuppressionHead.prefix().key(agent.as_str())
}

/// Whose erasure an entry was, by the digest of its canonical bytes. Stays when the entry is dropped: a restore that was carried
/// out before is told of later.
pub fn suppression_entry(entry: &Digest) -> Key {
    Family::SuppressionEntry.prefix().key(&entry.to_string())
}
