//! What a turning does beside transactions: key files, copies, the store's file. Owns the folder of backups and the names
//! in it; each effect may be repeated, from any crash in between (I6).

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use gallra_model::Instant;

use super::TurnError;
use crate::embedded::{ClosedStore, Copied, Embedded};
use crate::key::Key;
use crate::keyring::{Epoch, Keyring};
use crate::keys;

/// Effects of a turning, so that a test can let each of them fail.
#[async_trait]
pub trait Effects: Send + Sync {
    /// Makes the keys of the next epoch, where there are none yet.
    ///
    /// # Errors
    /// When the file cannot be written.
    async fn make_key(&self, keyring: &Keyring, epoch: Epoch) -> Result<(), TurnError> {
        Ok(keyring.make_epoch(epoch)?)
    }

    /// Makes a copy of the store that is readable under this epoch's keys alone, and verifies it.
    ///
    /// # Errors
    /// When the copy cannot be made, differs from the store, or holds what these keys do not open.
    async fn back_up(&self, keyring: &Keyring, epoch: Epoch, at: Instant) -> Result<(), TurnError>;

    /// Destroys an older epoch's keys.
    ///
    /// # Errors
    /// When the file cannot be overwritten or removed.
    async fn destroy_key(&self, keyring: &Keyring, epoch: Epoch) -> Result<(), TurnError> {
        Ok(keyring.destroy_epoch(epoch)?)
    }

    /// Removes copies of epochs before this one.
    ///
    /// # Errors
    /// When one cannot be removed.
    async fn remove_backups_before(&self, epoch: Epoch) -> Result<(), TurnError>;

    /// Puts a fresh file in the store's place.
    ///
    /// # Errors
    /// The store's.
    async fn rewrite(&self) -> Result<(), TurnError>;
}

/// The embedded store with a folder of backups beside it.
pub struct OnDisk {
    store: Arc<Embedded>,
    backups: Backups,
}

impl OnDisk {
    /// Of this store, with backups in this folder; it is made when the first one is (mode 0700).
    pub fn new(store: Arc<Embedded>, backups: PathBuf) -> Self {
        Self { store, backups: Backups::new(backups) }
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
        let copied = self.store.back_up(&path).await?;
        self.backups.check(&path, keyring, epoch)?;
        Ok((path, copied))
    }
}

#[async_trait]
impl Effects for OnDisk {
    async fn back_up(&self, keyring: &Keyring, epoch: Epoch, at: Instant) -> Result<(), TurnError> {
        self.copy(keyring, epoch, at).await.map(drop)
    }

    async fn remove_backups_before(&self, epoch: Epoch) -> Result<(), TurnError> {
        self.backups.remove_before(epoch)
    }

    async fn rewrite(&self) -> Result<(), TurnError> {
        Ok(self.store.rewrite().await?)
    }
}

/// The folder of copies, whatever they are made of.
pub(super) struct Backups(PathBuf);

impl Backups {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Where the next copy goes.
    pub(super) fn place(&self, epoch: Epoch, at: Instant) -> Result<PathBuf, TurnError> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0).map_err(|e| failed("made", &e))?;
        Ok(self.0.join(name(epoch, at)))
    }

    /// Tries every wrapped key of a copy. The name is what it is removed by: it may not say a newer epoch than the oldest that is
    /// in it.
    pub(super) fn check(&self, path: &Path, keyring: &Keyring, epoch: Epoch) -> Result<(), TurnError> {
        if opens_all(path, keyring)?.is_some_and(|oldest| oldest < epoch) {
            fs::remove_file(path).map_err(|e| failed("removed", &e))?;
            return Err(TurnError::Backups {
                done: "made",
                hint: "an epoch is turning; try again when it has".to_owned(),
            });
        }
        Ok(())
    }

    pub(super) fn remove_before(&self, epoch: Epoch) -> Result<(), TurnError> {
        for name in names(&self.0)? {
            if epoch_of(&name).is_some_and(|of| of < epoch) {
                fs::remove_file(self.0.join(&name)).map_err(|e| failed("removed", &e))?;
            }
        }
        match File::open(&self.0).and_then(|dir| dir.sync_all()) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(failed("removed", &source)),
            _ => Ok(()),
        }
    }
}

/// A backup's name: by its epoch it is removed, by its time a person tells two apart.
fn name(epoch: Epoch, at: Instant) -> String {
    format!("store-{epoch}-{}.redb", at.to_string().replace(':', ""))
}

/// The epoch of a file with this name, half-made copies included.
fn epoch_of(name: &str) -> Option<Epoch> {
    name.strip_prefix("store-")?.split('-').next()?.parse().ok()
}

fn names(dir: &Path) -> Result<Vec<String>, TurnError> {
    let list = || fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>();
    match list() {
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(failed("listed", &source)),
        Ok(names) => Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect()),
    }
}

/// Tries every wrapped key of a copy: a copy that nobody can read is none. Returns the oldest epoch that is in it.
fn opens_all(file: &Path, keyring: &Keyring) -> Result<Option<Epoch>, TurnError> {
    let (mut refused, mut oldest) = (None, None::<Epoch>);
    ClosedStore::open(file)?.each(|key, value| {
        let Some(name) = Key::from_bytes(key).ok() else { return };
        let Some((epoch, _)) = keys::parse_subject_key(&name) else { return };
        oldest = Some(oldest.map_or(epoch, |oldest| oldest.min(epoch)));
        if keyring.unwrap_subject(&name, value).is_err() {
            refused = Some(name);
        }
    })?;
    refused.map_or(Ok(oldest), |name| Err(TurnError::BackupUnreadable(name)))
}

fn failed(done: &'static str, source: &io::Error) -> TurnError {
    TurnError::Backups { done, hint: source.to_string() }
}
