//! Keys that live outside the store: one pair an epoch, and two that last. Makes, wraps and rewraps subjects' keys,
//! blind indexes and pseudonyms; destroys an epoch's pair.
//!
//! Owns the key directory. Refuses to know the time (when an epoch turns is [`crate::epochs`]' business) and to hold a
//! subject's key longer than its caller does. Upholds decision 12: without the wrapped key's record in the store *and*
//! its epoch's file here, nothing that was sealed for a subject can be read. `docs/decisions/0003-sealing-and-epochs.md`.
//!
//! Shared by all tasks of a process: an epoch may begin or end while others seal and look up. Who writes under an epoch
//! uses [`Wrapped::create_in`] and [`Keyring::claim_index`], which refuse a commit once the epoch is closed; who looks up
//! uses [`Keyring::find`], which misses nothing that moves meanwhile.

mod blind;
mod epoch;
mod error;
mod file;
mod find;
mod learn;
mod month;
mod seal;
mod secret;
mod shared;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};

use gallra_model::SubjectId;

use crate::key::Key;
use crate::keys;
use crate::txn::{Expect, Txn};

pub use epoch::{EPOCH_DAYS, Epoch};
pub use error::KeyringError;
pub use seal::SubjectKey;
pub use shared::Shared;

use epoch::EpochKeys;
use secret::Secret;

/// The key of pseudonyms: they stay what they are for a job's months. What it is applied to is random.
const LASTING_FILE: &str = "lasting.key";
const LASTING_FIELDS: [&str; 1] = ["pseudonym"];
/// The key of closed contracts' references, in a file of its own: it is applied to identifiers and outlives every epoch, so
/// a custodian may want to keep it elsewhere than what turns (decision 12).
const CLOSED_FILE: &str = "closed.key";
const CLOSED_FIELDS: [&str; 1] = ["closed"];

/// A subject's key as it is stored: put it, and later remove it, under this name.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// `key/<epoch>/<subject>`.
    pub key: Key,
    /// What only the epoch's keys open.
    pub value: Vec<u8>,
}

impl Wrapped {
    /// Adds it to a transaction, which fails once its epoch is closed: what came too late would be lost with the epoch.
    #[must_use]
    pub fn create_in(self, txn: Txn) -> Txn {
        let fence = keys::parse_subject_key(&self.key).map(|(epoch, _)| keys::meta_closed_epoch(epoch));
        let txn = fence.into_iter().fold(txn, |txn, fence| txn.expect(fence, Expect::Absent));
        txn.create(self.key, self.value)
    }
}

/// The epochs whose keys are here.
#[derive(Clone)]
struct Held {
    current: Arc<EpochKeys>,
    /// Newest first.
    older: Vec<Arc<EpochKeys>>,
}

impl Held {
    fn newest_first(&self) -> impl Iterator<Item = &EpochKeys> {
        std::iter::once(&self.current).chain(&self.older).map(AsRef::as_ref)
    }

    fn keys(&self, epoch: Epoch) -> Result<&EpochKeys, KeyringError> {
        self.newest_first().find(|keys| keys.epoch == epoch).ok_or(KeyringError::NoEpoch(epoch))
    }
}

/// All keys of a key directory.
pub struct Keyring {
    dir: PathBuf,
    held: RwLock<Held>,
    /// Whether other processes turn the epochs of the same directory.
    shared: AtomicBool,
    pseudonym: Secret,
    closed: Secret,
}

/// The keys in a text that is a key file of one of the four kinds: for `gallra-fuzzing`, no part of the product calls it.
#[doc(hidden)]
pub fn reads_key_file(text: &str) -> Vec<&'static str> {
    let single = [LASTING_FIELDS, CLOSED_FIELDS, month::FIELDS];
    let single = single.into_iter().filter(|fields| file::parse(text, *fields).is_some()).flatten();
    let epoch = Some(epoch::FIELDS).filter(|fields| file::parse(text, *fields).is_some());
    single.chain(epoch.into_iter().flatten()).collect()
}

impl Keyring {
    /// Makes a key directory (mode 0700) with the first epoch's keys.
    ///
    /// # Errors
    /// When it holds keys already, or cannot be written.
    pub fn create(dir: &Path) -> Result<Self, KeyringError> {
        file::make_dir(dir)?;
        if let Some(name) = file::names(dir)?.into_iter().find(|name| name.ends_with(".key")) {
            return Err(KeyringError::Exists(name));
        }
        EpochKeys::random(Epoch::FIRST)?.write(dir)?;
        file::write(dir, CLOSED_FILE, CLOSED_FIELDS, [&Secret::random()?])?;
        // Last, so that a directory with this file is whole.
        file::write(dir, LASTING_FILE, LASTING_FIELDS, [&Secret::random()?])?;
        Self::open(dir)
    }

    /// Reads a key directory.
    ///
    /// # Errors
    /// When a file is missing, damaged, or readable by others than its owner.
    pub fn open(dir: &Path) -> Result<Self, KeyringError> {
        let [pseudonym] = file::read(dir, LASTING_FILE, LASTING_FIELDS)?;
        let [closed] = file::read(dir, CLOSED_FILE, CLOSED_FIELDS)?;
        let mut epochs: Vec<Epoch> = file::names(dir)?.iter().filter_map(|name| Epoch::of_file(name)).collect();
        epochs.sort_unstable_by(|a, b| b.cmp(a));
        let mut keys = epochs.into_iter().map(|epoch| EpochKeys::read(dir, epoch).map(Arc::new));
        let current = keys.next().ok_or_else(|| KeyringError::Missing(Epoch::FIRST.file()))??;
        let held = RwLock::new(Held { current, older: keys.collect::<Result<_, _>>()? });
        Ok(Self { dir: dir.to_owned(), held, shared: AtomicBool::default(), pseudonym, closed })
    }

    /// The newest epoch: what is made now is made under it.
    pub fn epoch(&self) -> Epoch {
        self.held().current.epoch
    }

    /// All epochs whose keys are here, newest first.
    pub fn epochs(&self) -> Vec<Epoch> {
        self.held().newest_first().map(|keys| keys.epoch).collect()
    }

    /// Makes the next epoch's keys, durably, and goes over to it. The old epoch's stay until what is live is rewrapped.
    ///
    /// # Errors
    /// When the file cannot be written or flushed; the epoch is what it was then, and the call may be repeated.
    pub fn begin_epoch(&self) -> Result<Epoch, KeyringError> {
        let epoch = self.epoch().next();
        self.make_epoch(epoch)?;
        self.go_over(epoch)?;
        Ok(epoch)
    }

    /// Makes an epoch's keys, durably, where there are none yet. What is made meanwhile is still made under the current one.
    ///
    /// # Errors
    /// When the file cannot be written or flushed; the call may be repeated.
    pub fn make_epoch(&self, epoch: Epoch) -> Result<(), KeyringError> {
        match EpochKeys::random(epoch)?.write(&self.dir) {
            // A try before this one made the file and failed at the flush: nothing was wrapped under it.
            Ok(()) | Err(KeyringError::Exists(_)) => {}
            Err(error) => return Err(error),
        }
        file::sync_dir(&self.dir)
    }

    /// Destroys an older epoch's keys, on disk and here: what is still wrapped under it can never be read again. Doing it
    /// twice equals doing it once, from any crash in between.
    ///
    /// # Errors
    /// [`KeyringError::Current`] for the newest epoch; others when the file could not be overwritten and removed.
    pub fn destroy_epoch(&self, epoch: Epoch) -> Result<(), KeyringError> {
        if epoch >= self.epoch() {
            return Err(KeyringError::Current(epoch));
        }
        file::destroy(&self.dir, &epoch.file())?;
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.older.retain(|keys| keys.epoch != epoch);
        Ok(())
    }

    /// Makes a key for a subject and wraps it under the current epoch. Removing what is stored under [`Wrapped::key`],
    /// in every epoch, destroys it.
    ///
    /// # Errors
    /// [`KeyringError::Library`].
    pub fn new_subject(&self, subject: &SubjectId) -> Result<(SubjectKey, Wrapped), KeyringError> {
        let key = SubjectKey::random()?;
        let wrapped = wrap(subject, &self.held().current, &key)?;
        Ok((key, wrapped))
    }

    /// A subject's key from what is stored under `name`.
    ///
    /// # Errors
    /// When the name is no subject key's, its epoch's keys are gone, or the value is not what was stored there.
    pub fn unwrap_subject(&self, name: &Key, wrapped: &[u8]) -> Result<SubjectKey, KeyringError> {
        let (epoch, _) = keys::parse_subject_key(name).ok_or_else(|| KeyringError::NotASubjectKey(name.clone()))?;
        seal::unwrap_key(&self.held().keys(epoch)?.wrap, name, wrapped)
    }

    /// The same key, wrapped under another epoch. The caller puts it and removes the old record in one transaction.
    ///
    /// # Errors
    /// As [`Keyring::unwrap_subject`], and when the keys of `to` are not here.
    pub fn rewrap(&self, name: &Key, wrapped: &[u8], to: Epoch) -> Result<Wrapped, KeyringError> {
        let (_, subject) = keys::parse_subject_key(name).ok_or_else(|| KeyringError::NotASubjectKey(name.clone()))?;
        wrap(&subject, self.held().keys(to)?, &self.unwrap_subject(name, wrapped)?)
    }

    /// Where a subject's key may be stored, newest epoch first.
    pub fn subject_key_names(&self, subject: &SubjectId) -> Vec<Key> {
        self.epochs().into_iter().map(|epoch| keys::subject_key(epoch, subject)).collect()
    }

    /// What is here at this moment.
    fn held(&self) -> Held {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn wrap(subject: &SubjectId, keys: &EpochKeys, key: &SubjectKey) -> Result<Wrapped, KeyringError> {
    let name = keys::subject_key(keys.epoch, subject);
    let value = seal::wrap_key(&keys.wrap, &name, key)?;
    Ok(Wrapped { key: name, value })
}

#[cfg(test)]
mod tests;
