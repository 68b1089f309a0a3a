//! Which replica has which agent's stream, and what that was told of the emergency stop. Written by whoever has it, read by whoever
//! is asked; never trusted to stop or to permit anything (I1).

use gallra_model::AgentName;
use gallra_store::{Entry, Expect, StoreError, Txn, keys};
use serde::{Deserialize, Serialize};

use crate::core::Core;
use crate::error::{CoreError, decode, encode};

/// A stream that a replica has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The replica's id.
    pub replica: String,
    /// The global guard's count up to which the agent was told of the emergency stop.
    pub told: u64,
}

impl Core {
    /// Says that this replica has an agent's stream from now on, whoever had one before.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn hold_stream(&self, agent: &AgentName) -> Result<(), CoreError> {
        let Some(replica) = &self.replica else { return Ok(()) };
        let held = Held { replica: replica.to_string(), told: 0 };
        self.store.commit(Txn::new().put(keys::replica_of_agent(agent), encode(&held)?)).await?;
        Ok(())
    }

    /// Says up to which count of the global guard an agent was told on this replica's stream, if it still has that.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn told_on_stream(&self, agent: &AgentName, told: u64) -> Result<(), CoreError> {
        let Some((entry, held)) = self.own_stream(agent).await? else { return Ok(()) };
        if held.told >= told {
            return Ok(());
        }
        self.unless_moved(Txn::new().replace(&entry, encode(&Held { told, ..held })?)).await
    }

    /// Says that this replica has no stream of an agent any more, unless it has, or another replica.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn let_stream_go(&self, agent: &AgentName) -> Result<(), CoreError> {
        let Some((entry, _)) = self.own_stream(agent).await? else { return Ok(()) };
        if self.fleet.is_connected(agent) {
            return Ok(());
        }
        let gone = Txn::new().expect(entry.key.clone(), Expect::Version(entry.version)).delete(entry.key);
        self.unless_moved(gone).await
    }

    async fn own_stream(&self, agent: &AgentName) -> Result<Option<(Entry, Held)>, CoreError> {
        let Some(replica) = &self.replica else { return Ok(None) };
        let Some(entry) = self.store.get(&keys::replica_of_agent(agent)).await? else { return Ok(None) };
        let held: Held = decode("stream", &entry.value)?;
        Ok((held.replica == **replica).then_some((entry, held)))
    }

    /// Whoever has the stream now says so itself.
    async fn unless_moved(&self, txn: Txn) -> Result<(), CoreError> {
        match self.store.commit(txn).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether an agent has opened a newer stream at another replica.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn went_elsewhere(&self, agent: &AgentName) -> Result<bool, CoreError> {
        let Some(replica) = &self.replica else { return Ok(false) };
        let held = self.store.get(&keys::replica_of_agent(agent)).await?;
        let held: Option<Held> = held.map(|entry| decode("stream", &entry.value)).transpose()?;
        Ok(held.is_some_and(|held| held.replica != **replica))
    }

    /// The streams that replicas have who are there, this one's among them; none where there are no others.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn streams(&self) -> Result<Vec<(AgentName, Held)>, CoreError> {
        if self.replica.is_none() {
            return Ok(Vec::new());
        }
        let alive = crate::state::entries(&*self.store, &keys::replicas_alive()).await?;
        let alive: std::collections::BTreeSet<_> = alive.into_iter().map(|entry| entry.key).collect();
        let all: Vec<Entry> = crate::state::entries(&*self.store, &keys::replicas_of_agents()).await?;
        let mut held = Vec::with_capacity(all.len());
        for entry in all {
            let Some(agent) = keys::parse_replica_of_agent(&entry.key) else { continue };
            let stream: Held = decode("stream", &entry.value)?;
            if alive.contains(&keys::replica_alive(&stream.replica)) {
                held.push((agent, stream));
            }
        }
        Ok(held)
    }

    /// Whether an agent's stream is open, here or at another replica.
    ///
    /// # Errors
    /// The store's.
    pub async fn is_connected(&self, agent: &AgentName) -> Result<bool, CoreError> {
        if self.fleet.is_connected(agent) {
            return Ok(true);
        }
        let Some(entry) = self.store.get(&keys::replica_of_agent(agent)).await? else { return Ok(false) };
        let held: Held = decode("stream", &entry.value)?;
        Ok(self.replica.is_some() && self.store.get(&keys::replica_alive(&held.replica)).await?.is_some())
    }
}
