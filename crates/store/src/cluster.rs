//! Being one of several coordinators on one store: who is there (decision 4). Who leads is [`crate::election`]'s. Knows no engine; the
//! embedded one has a single coordinator and none of this.

use std::sync::Arc;

use async_trait::async_trait;

use crate::election::{Election, Term};
use crate::store::{Store, StoreError};

/// An engine that several coordinators work on.
#[async_trait]
pub trait Cluster: Election {
    /// This process among them: random, another one at each start.
    fn id(&self) -> &str;

    /// Shows that this process is there, with a word about it ([`crate::keys::replica_alive`]), until it ends or cannot reach the
    /// store. To be said again and again: what was lost in between comes back with it.
    ///
    /// # Errors
    /// The engine's.
    async fn show(&self, about: &[u8]) -> Result<(), StoreError>;

    /// A view of the store as it stands now: reads of it are all of one moment, for some minutes, and it takes no commits.
    ///
    /// # Errors
    /// The engine's.
    async fn moment(&self) -> Result<Arc<dyn Store>, StoreError>;

    /// Forgets what the store held before now, where the engine keeps it.
    ///
    /// # Errors
    /// The engine's.
    async fn forget_history(&self) -> Result<(), StoreError>;

    /// What is wrong with the engine, or soon will be: whether anything is at risk now, and a text with what to do.
    ///
    /// # Errors
    /// The engine's, where nobody answers.
    async fn findings(&self) -> Result<Vec<(bool, String)>, StoreError> {
        Ok(Vec::new())
    }

    /// The share of its quota that the engine uses, from 0 to 1; none where there is no quota.
    ///
    /// # Errors
    /// The engine's, where nobody answers.
    async fn quota_share(&self) -> Result<Option<f64>, StoreError> {
        Ok(None)
    }

    /// What the engine wants done by whoever leads, for as long as the term lasts.
    async fn while_leading(&self, term: &Term) {
        term.ended().await;
    }
}
