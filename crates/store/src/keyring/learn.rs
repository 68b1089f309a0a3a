//! A key directory that several coordinators share: one of them turns the epoch, and the others learn of it from the store before
//! they look anything up. Upholds that nobody writes under an epoch before the one before it is closed, so that two who claim one
//! identifier always meet, whoever of them has learnt what.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::epoch::EpochKeys;
use super::{Epoch, Held, Keyring, KeyringError, file};
use crate::epochs::EpochRecord;
use crate::keys;
use crate::store::{Store, StoreError};

impl Keyring {
    /// Says that others turn the epochs of this directory, too: each look-up asks the store first which epoch is current. To be said
    /// before anything is looked up or written.
    ///
    /// # Errors
    /// As [`Keyring::learn`].
    pub async fn share(&self, store: &dyn Store) -> Result<(), StoreError> {
        self.shared.store(true, Ordering::Relaxed);
        let Some(record) = record(store).await? else { return Ok(()) };
        // Also back to it: the newest keys in the directory may be of an epoch that nobody writes under yet.
        let held = self.read_up_to(record.current()).map_err(|error| failed(error.to_string()))?;
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = held;
        Ok(())
    }

    /// Goes over to the epoch that the store says is current, and forgets what was destroyed. Does nothing where the directory is
    /// not shared: then this process turned it itself.
    ///
    /// # Errors
    /// The store's; [`StoreError::Failed`] where the current epoch's keys are not in the directory, which then is not the shared one.
    pub async fn learn(&self, store: &dyn Store) -> Result<(), StoreError> {
        if !self.shared.load(Ordering::Relaxed) {
            return Ok(());
        }
        let Some(record) = record(store).await? else { return Ok(()) };
        let current = record.current();
        if self.epoch() == current && self.oldest() >= record.oldest() {
            return Ok(());
        }
        self.go_over(current).map_err(|error| failed(error.to_string()))
    }

    /// Goes over to an epoch whose keys are in the directory. Those of older ones that are gone from it are forgotten.
    ///
    /// # Errors
    /// [`KeyringError::NoEpoch`] where there are none; others when the directory cannot be read.
    pub fn go_over(&self, to: Epoch) -> Result<(), KeyringError> {
        let read = self.read_up_to(to)?;
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        // Epochs only go on: whoever has learnt more meanwhile keeps it.
        if held.current.epoch <= to {
            *held = read;
        }
        Ok(())
    }

    fn read_up_to(&self, to: Epoch) -> Result<Held, KeyringError> {
        let mut epochs: Vec<Epoch> = file::names(&self.dir)?.iter().filter_map(|name| Epoch::of_file(name)).collect();
        epochs.retain(|epoch| *epoch <= to);
        epochs.sort_unstable_by(|a, b| b.cmp(a));
        if epochs.first() != Some(&to) {
            return Err(KeyringError::NoEpoch(to));
        }
        let mut keys = epochs.into_iter().map(|epoch| EpochKeys::read(&self.dir, epoch).map(Arc::new));
        let current = keys.next().ok_or(KeyringError::NoEpoch(to))??;
        let older = keys
            // Destroyed since the directory was listed.
            .filter(|read| !matches!(read, Err(KeyringError::Missing(_))))
            .collect::<Result<_, _>>()?;
        Ok(Held { current, older })
    }

    fn oldest(&self) -> Epoch {
        self.held().newest_first().map(|keys| keys.epoch).last().unwrap_or(Epoch::FIRST)
    }
}

async fn record(store: &dyn Store) -> Result<Option<EpochRecord>, StoreError> {
    let Some(entry) = store.get(&keys::meta_epoch()).await? else { return Ok(None) };
    serde_json::from_slice(&entry.value).map(Some).map_err(|error| failed(error.to_string()))
}

fn failed(hint: String) -> StoreError {
    StoreError::Failed { during: "learning which key epoch is current", hint }
}
