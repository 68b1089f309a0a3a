//! Reading the lists, and lifting one entry: an approver's word, on record with its reason, which the agent is told and the
//! request of that erasure shows.

use gallra_model::request::Request;
use gallra_model::selector::Selector;
use gallra_model::suppression::{Item, Lift};
use gallra_model::{AgentName, RequestId, SuppressionId};
use gallra_store::{Txn, keys};

use super::{Lifted, Stored, TURN, crypto};
use crate::core::{Core, until_committed};
use crate::error::{CoreError, decode, encode};
use crate::holds::words;
use crate::state;

impl Core {
    /// All entries, by agent and in order; only those of a request, or of a selector, where one is given.
    ///
    /// # Errors
    /// The store's, or a key file that cannot be read.
    pub async fn list_suppressions(
        &self,
        request: Option<RequestId>,
        selector: &Selector,
    ) -> Result<Vec<(AgentName, Stored)>, CoreError> {
        let mut found = Vec::new();
        for agent in self.listed_agents().await? {
            for (_, line) in self.lines_of(&agent).await? {
                let Some(entry) = line.entry() else { continue };
                let mut fits = request.is_none_or(|request| line.request == Some(request));
                if !selector.is_empty() {
                    let key = self.keyring.find_month_key(entry.month).map_err(crypto)?;
                    fits &= key.is_some_and(|key| key.tag(&agent, &entry.target, selector) == Some(entry.tag));
                }
                if fits {
                    found.push((agent.clone(), line));
                }
            }
        }
        Ok(found)
    }

    async fn listed_agents(&self) -> Result<Vec<AgentName>, CoreError> {
        let agents: Vec<crate::jobs::AgentRecord> = state::all(&*self.store, &keys::agents(), "agent").await?;
        Ok(agents.into_iter().map(|agent| agent.name).collect())
    }

    /// Lifts an entry. From when its agent has heard of it a restore leaves that subject in that target alone.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Invalid`] for the reason, or the store's.
    pub async fn lift_suppression(
        &self,
        id: &SuppressionId,
        reason: &str,
        by: &str,
    ) -> Result<(AgentName, Stored), CoreError> {
        words("reason", reason)?;
        let _turn = TURN.lock().await;
        let lifted = until_committed!(self.try_lift(id, reason.trim(), by))?;
        tracing::warn!(suppression = %id, by, "a suppression was lifted");
        Ok(lifted)
    }

    async fn try_lift(&self, id: &SuppressionId, reason: &str, by: &str) -> Result<(AgentName, Stored), CoreError> {
        for agent in self.listed_agents().await? {
            let lines = self.lines_of(&agent).await?;
            let found = lines.into_iter().find(|(_, line)| line.entry().is_some_and(|entry| entry.id == *id));
            let Some((record, stored)) = found else { continue };
            if stored.lifted.is_some() {
                return Ok((agent, stored));
            }
            let at = self.time.now();
            let lifted = Some(Lifted { by: by.to_owned(), at, reason: reason.to_owned() });
            let changed = Stored { lifted, ..stored };
            let txn = Txn::new().replace(&record, encode(&changed)?);
            let mut adding = self.adding(&agent, self.reopen(txn, changed.request).await?).await?;
            let lift = Lift { entry: *id, by: by.to_owned(), at };
            adding.add(|sequence| Stored::line(sequence, Item::Lift(lift)))?;
            self.store.commit(adding.done()?).await?;
            return Ok((agent, changed));
        }
        Err(CoreError::NotFound("suppression entry"))
    }

    /// Adds the request's fact: what its proof says of this target no longer holds by itself.
    async fn reopen(&self, txn: Txn, request: Option<RequestId>) -> Result<Txn, CoreError> {
        let Some(request) = request else { return Ok(txn) };
        let Some(record) = self.store.get(&keys::request(&request)).await? else { return Ok(txn) };
        let mut request: Request = decode("request", &record.value)?;
        request.facts.reopened = true;
        Ok(txn.replace(&record, encode(&request)?))
    }
}
