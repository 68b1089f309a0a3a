//! Being one of several coordinators on one store: who is there (decision 4). Who leads is [`crate::election`]'s. Knows no engine; the
//! embedded one has a single coordinator and none of this.

use async_trait::async_trait;

use crate::election::Election;
use crate::store::StoreError;

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
}
