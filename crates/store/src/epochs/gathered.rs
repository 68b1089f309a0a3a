//! What a turning does beside transactions where the state is in an engine that several coordinators work on: a copy of one moment in
//! a file of the embedded engine, and the engine's history forgotten.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use gallra_model::Instant;

use super::TurnError;
use super::effects::{Backups, Effects};
use crate::cluster::Cluster;
use crate::embedded::{Copied, gather};
use crate::keyring::{Epoch, Keyring};

/// An engine of several, with a folder of backups at the coordinator that leads.
pub struct Gathered {
    cluster: Arc<dyn Cluster>,
    backups: Backups,
}

impl Gathered {
    /// Of this engine, with backups in this folder; it is made when the first one is (mode 0700).
    pub fn new(cluster: Arc<dyn Cluster>, backups: PathBuf) -> Self {
        Self { cluster, backups: Backups::new(backups) }
    }

    /// Makes a backup under the keyring's current epoch, verified. It is removed when that epoch has turned.
    ///
    /// # Errors
    /// As [`Effects::back_up`].
    pub async fn back_up_now(&self, keyring: &Keyring, at: Instant) -> Result<(PathBuf, Copied), TurnError> {
        self.copy(keyring, keyring.epoch(), at).await
    }

    async fn copy(&self, keyring: &Keyring, epoch: Epoch, at: Instant) -> Result<(PathBuf, Copied), TurnError> {
        let path = self.backups.place(epoch, at)?;
        let copied = gather(self.cluster.moment().await?, &path).await?;
        self.backups.check(&path, keyring, epoch)?;
        Ok((path, copied))
    }
}

#[async_trait]
impl Effects for Gathered {
    async fn back_up(&self, keyring: &Keyring, epoch: Epoch, at: Instant) -> Result<(), TurnError> {
        self.copy(keyring, epoch, at).await.map(drop)
    }

    async fn remove_backups_before(&self, epoch: Epoch) -> Result<(), TurnError> {
        self.backups.remove_before(epoch)
    }

    async fn rewrite(&self) -> Result<(), TurnError> {
        Ok(self.cluster.forget_history().await?)
    }
}
