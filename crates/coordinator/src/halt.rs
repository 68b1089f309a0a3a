//! The emergency stop; what pulls it without anybody is `brake`. The stop lies on the global guard, so every permit sees it or loses to it; the signed
//! order that agents are told follows from the guard alone, so any replica, and any stream that opens later, says the same.

use std::collections::BTreeMap;
use std::time::Duration;

use gallra_model::AgentName;
use gallra_model::envelope::Envelope;
use gallra_model::hold::{Guard, Halt, Level};
use gallra_model::order::Order;
use gallra_store::{Change, Txn, keys};

use crate::core::{Core, until_committed};
use crate::error::CoreError;
use crate::holds::words;
use crate::jobs::AgentRecord;
use crate::{guards, state};

/// How long `stop` and `start` wait for the streams of connected agents to have been told.
const TOLD_WITHIN: Duration = Duration::from_secs(3);

/// Whether everything is stopped, and who knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halted {
    /// The stop; none when work may go on.
    pub halt: Option<Halt>,
    /// Connected agents that were told of the present state.
    pub told: Vec<AgentName>,
    /// Registered agents that were not: they stop at their next asking, since no permit is given.
    pub untold: Vec<AgentName>,
    /// Jobs that change data and had their permit before: told agents stop them at their next item.
    pub begun: usize,
}

impl Core {
    /// Stops all changing of data, on every agent. Pulled twice, the first stays on record.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] for the reason, or the store's.
    pub async fn stop(&self, reason: &str, by: &str) -> Result<Halted, CoreError> {
        words("reason", reason)?;
        let halt = Halt { by: by.to_owned(), at: self.time.now(), reason: reason.trim().to_owned() };
        let count = until_committed!(self.try_stop(&halt))?;
        tracing::warn!(by, "the emergency stop was pulled");
        self.told(count).await
    }

    async fn try_stop(&self, halt: &Halt) -> Result<u64, CoreError> {
        self.change_global(Txn::new(), |guard| {
            guard.halt.get_or_insert_with(|| halt.clone());
        })
        .await
    }

    /// Lets work go on, and lets the brake count anew.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] for the reason, or the store's.
    pub async fn start(&self, reason: &str, by: &str) -> Result<Halted, CoreError> {
        words("reason", reason)?;
        let count = until_committed!(self.try_start_again())?;
        tracing::warn!(by, reason = reason.trim(), "the emergency stop was lifted");
        self.told(count).await
    }

    async fn try_start_again(&self) -> Result<u64, CoreError> {
        self.change_global(Txn::new().delete(keys::meta_ends()), |guard| guard.halt = None).await
    }

    async fn change_global(&self, txn: Txn, change: impl FnOnce(&mut Guard) + Send) -> Result<u64, CoreError> {
        let mut count = 0;
        let txn = guards::change(&*self.store, txn, keys::guard_global(), |guard| {
            change(guard);
            count = guard.count;
            Ok(())
        })
        .await?;
        self.store.commit(txn).await?;
        self.wake.notify_one();
        Ok(count)
    }

    /// Whether everything is stopped, and which agents were told so.
    ///
    /// # Errors
    /// The store's.
    pub async fn halted(&self) -> Result<Halted, CoreError> {
        let (_, guard) = guards::one(&*self.store, &keys::guard_global()).await?;
        let agents: Vec<AgentRecord> = state::all(&*self.store, &keys::agents(), "agent").await?;
        // Before the first order there is nothing to tell, and every agent knows it.
        let elsewhere: BTreeMap<AgentName, u64> =
            self.streams().await?.into_iter().map(|(agent, held)| (agent, held.told)).collect();
        let told_up_to = |agent: &AgentName| self.fleet.told(agent).max(elsewhere.get(agent).copied());
        let knows = |agent: &AgentName| told_up_to(agent).is_some_and(|told| told >= guard.count);
        let (told, untold) = agents.into_iter().map(|agent| agent.name).partition(knows);
        let begun = self.begun_under(&Level::Global).await?;
        Ok(Halted { halt: guard.halt, told, untold, begun })
    }

    /// The state, once every connected agent was told of this count, or was given time for it.
    async fn told(&self, count: u64) -> Result<Halted, CoreError> {
        let all = async {
            loop {
                let moved = self.fleet.moved.notified();
                tokio::pin!(moved);
                moved.as_mut().enable();
                if self.fleet.all_told(count) {
                    return;
                }
                moved.await;
            }
        };
        let everywhere = async {
            all.await;
            let mut moved = self.store.watch(keys::replicas_of_agents());
            while self.streams().await?.iter().any(|(_, held)| held.told < count) {
                if moved.next().await == Change::Closed {
                    break;
                }
            }
            Ok::<(), CoreError>(())
        };
        if let Ok(heard) = tokio::time::timeout(TOLD_WITHIN, everywhere).await {
            heard?;
        }
        self.halted().await
    }

    /// What an agent is told of the emergency stop, and the count up to which that tells everything. None while the global
    /// guard was never raised: then there is nothing to say.
    ///
    /// # Errors
    /// The store's, or the signature's.
    pub async fn order(&self) -> Result<Option<(u64, Envelope)>, CoreError> {
        let (entry, guard) = guards::one(&*self.store, &keys::guard_global()).await?;
        if entry.is_none() {
            return Ok(None);
        }
        let order = Order {
            halted: guard.halt.is_some(),
            generation: self.generation,
            sequence: guard.count,
            at: self.time.now(),
            clock: self.time.kind(),
        };
        let signed = gallra_proof::order::sign(&order, &self.permits);
        signed.map(|envelope| Some((guard.count, envelope))).map_err(|error| CoreError::Crypto(error.to_string()))
    }
}
