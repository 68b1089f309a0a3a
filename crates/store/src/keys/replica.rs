//! Keys of several coordinators on one store: which are there, and which has whose stream. Nothing of it outlives
//! them: the truth about every request is elsewhere.

use gallra_model::AgentName;

use super::Family;
use crate::key::{Key, KeyPrefix};

/// A coordinator that is there, by its id.
pub fn replica_alive(id: &str) -> Key {
    replicas_alive().key(id)
}

/// All coordinators that are there.
pub fn replicas_alive() -> KeyPrefix {
    Family::Replica.under(&["alive"])
}

/// Which coordinator has an agent's stream.
pub fn replica_of_agent(agent: &AgentName) -> Key {
    replicas_of_agent(agent).key("stream")
}

/// The same, to be watched.
pub fn replicas_of_agent(agent: &AgentName) -> KeyPrefix {
    Family::Replica.under(&["agent", agent.as_str()])
}

/// The agent whose stream it is; none for another key.
pub fn parse_replica_of_agent(key: &Key) -> Option<AgentName> {
    replicas_of_agents().rest(key)?.strip_suffix("/stream")?.parse().ok()
}

/// All agents' streams.
pub fn replicas_of_agents() -> KeyPrefix {
    Family::Replica.under(&["agent"])
}
