//! Keys of agents, what they report, who may become one, and whose causes are taken.

use gallra_model::{AgentName, Digest};

use super::Family;
use crate::key::{Key, KeyPrefix};

/// One enrolled agent.
pub fn agent(name: &AgentName) -> Key {
    agents().key(name.as_str())
}

/// All enrolled agents, by name.
pub fn agents() -> KeyPrefix {
    Family::Agent.prefix()
}

/// What an agent last reported of its host.
pub fn inventory(agent: &AgentName) -> Key {
    inventories().key(agent.as_str())
}

/// All inventories, by agent.
pub fn inventories() -> KeyPrefix {
    Family::Inventory.prefix()
}

/// Where an agent's journal stands, as it said last.
pub fn agent_journal(agent: &AgentName) -> Key {
    Family::AgentJournal.prefix().key(agent.as_str())
}

/// One open invitation, by a hash of its token: who reads the store cannot join with what it finds.
pub fn invite(token_hash: &[u8; 16]) -> Key {
    invites().key(&hex::encode(token_hash))
}

/// All open invitations.
pub fn invites() -> KeyPrefix {
    Family::Invite.prefix()
}

/// One registered cause key, by its key id.
pub fn cause_key(keyid: &Digest) -> Key {
    cause_keys().key(&keyid.to_string())
}

/// All registered cause keys, by key id.
pub fn cause_keys() -> KeyPrefix {
    Family::CauseKey.prefix()
}
