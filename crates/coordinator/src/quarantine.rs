//! Agents whose journal went back (I3): a host restored from an old image, or two hosts with one identity. Such an agent
//! gets no stream, so no offer and no permit, until an approver has looked. Owns the memory of where journals stand.

use gallra_model::journal::JournalMark;
use gallra_model::{AgentName, Instant};
use gallra_store::{Txn, keys};

use crate::core::{Core, until_committed};
use crate::error::{CoreError, decode, encode};

/// What an agent's operator is told.
const WENT_BACK: &str = "the agent's journal is older than what it said before: was its host restored from an image, or do \
                         two hosts use its keys? It gets no work until an approver has looked and runs `gallra agent approve`";

/// What is known of an agent's journal.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Standing {
    /// The furthest that it has said.
    pub mark: Option<JournalMark>,
    /// Since when it is quarantined.
    pub quarantined: Option<Instant>,
}

impl Core {
    /// What is known of an agent's journal.
    ///
    /// # Errors
    /// The store's.
    pub async fn standing(&self, agent: &AgentName) -> Result<Standing, CoreError> {
        let entry = self.store.get(&keys::agent_journal(agent)).await?;
        entry.map_or_else(|| Ok(Standing::default()), |entry| decode("standing", &entry.value))
    }

    /// Takes an agent's word on where its journal stands.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] when it cannot follow what the agent said before: the agent is quarantined from here on.
    pub async fn see_journal(&self, agent: &AgentName, mark: JournalMark) -> Result<(), CoreError> {
        let good = until_committed!(self.try_see(agent, mark))?;
        if good { Ok(()) } else { Err(CoreError::Precondition(WENT_BACK.to_owned())) }
    }

    async fn try_see(&self, agent: &AgentName, mark: JournalMark) -> Result<bool, CoreError> {
        let key = keys::agent_journal(agent);
        let entry = self.store.get(&key).await?;
        let mut standing: Standing =
            entry.as_ref().map_or_else(|| Ok(Standing::default()), |entry| decode("standing", &entry.value))?;
        if standing.quarantined.is_some() || standing.mark == Some(mark) {
            return Ok(standing.quarantined.is_none());
        }
        let good = standing.mark.is_none_or(|known| mark.may_follow(&known));
        if good {
            standing.mark = Some(mark);
        } else {
            tracing::error!(%agent, "quarantined: its journal went back");
            standing.quarantined = Some(self.time.now());
        }
        let txn = Txn::new().expect_as_read(&key, entry.as_ref()).put(key.clone(), encode(&standing)?);
        self.store.commit(txn).await?;
        Ok(good)
    }

    /// Lifts a quarantine: what the agent says next is believed again.
    ///
    /// # Errors
    /// [`CoreError::NotFound`] for an agent that never joined, or the store's.
    pub async fn approve_agent(&self, agent: &AgentName) -> Result<(), CoreError> {
        self.agent(agent).await?;
        let txn = Txn::new().put(keys::agent_journal(agent), encode(&Standing::default())?);
        self.store.commit(txn).await?;
        Ok(())
    }
}
