//! Keys that live outside the store: one pair an epoch, and one that lasts. Makes, wraps and rewraps subjects' keys,
//! blind indexes and pseudonyms.
//!
//! Owns the key directory. Refuses to know the time (when an epoch turns is the leader's business) and to hold a
//! subject's key longer than its caller does. Upholds decision 12: without the wrapped key's record in the store *and*
//! its epoch's file here, nothing that was sealed for a subject can be read. `docs/decisions/0003-sealing-and-epochs.md`.

mod blind;
mod epoch;
mod error;
mod file;
mod seal;
mod secret;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gallra_model::SubjectId;

use crate::key::Key;
use crate::keys;

pub use epoch::{EPOCH_DAYS, Epoch};
pub use error::KeyringError;
pub use seal::SubjectKey;

use epoch::EpochKeys;
use secret::Secret;

/// Keys that do not turn: pseudonyms stay what they are for a job's months, closed references for longer. Neither
/// leads back to an identifier for who lacks the key; only the second is made of one.
const LASTING_FILE: &str = "lasting.key";
const LASTING_FIELDS: [&str; 2] = ["pseudonym", "closed"];

/// A subject's key as it is stored: put it, and later remove it, under this name.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// `key/<epoch>/<subject>`.
    pub key: Key,
    /// What only the epoch's keys open.
    pub value: Vec<u8>,
}

/// All keys of a key directory.
pub struct Keyring {
    dir: PathBuf,
    older: BTreeMap<Epoch, EpochKeys>,
    current: EpochKeys,
    pseudonym: Secret,
    closed: Secret,
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
        let (pseudonym, closed) = (Secret::random()?, Secret::random()?);
        // Last, so that a directory with this file is whole.
        file::write(dir, LASTING_FILE, LASTING_FIELDS, [&pseudonym, &closed])?;
        Self::open(dir)
    }

    /// Reads a key directory.
    ///
    /// # Errors
    /// When a file is missing, damaged, or readable by others than its owner.
    pub fn open(dir: &Path) -> Result<Self, KeyringError> {
        let [pseudonym, closed] = file::read(dir, LASTING_FILE, LASTING_FIELDS)?;
        let mut older = BTreeMap::new();
        for epoch in file::names(dir)?.iter().filter_map(|name| Epoch::of_file(name)) {
            older.insert(epoch, EpochKeys::read(dir, epoch)?);
        }
        let (_, current) = older.pop_last().ok_or_else(|| KeyringError::Missing(Epoch::FIRST.file()))?;
        Ok(Self { dir: dir.to_owned(), older, current, pseudonym, closed })
    }

    /// The newest epoch: what is made now is made under it.
    pub fn epoch(&self) -> Epoch {
        self.current.epoch
    }

    /// All epochs whose keys are here, newest first.
    pub fn epochs(&self) -> impl Iterator<Item = Epoch> {
        self.newest_first().map(|keys| keys.epoch)
    }

    /// Makes the next epoch's keys, durably, and goes over to it. The old epoch's stay until what is live is rewrapped.
    ///
    /// # Errors
    /// When the file cannot be written; then nothing changed.
    pub fn begin_epoch(&mut self) -> Result<Epoch, KeyringError> {
        let next = EpochKeys::random(self.epoch().next())?;
        next.write(&self.dir)?;
        let old = std::mem::replace(&mut self.current, next);
        self.older.insert(old.epoch, old);
        Ok(self.epoch())
    }

    /// Makes a key for a subject and wraps it under the current epoch. Removing what is stored under [`Wrapped::key`],
    /// in every epoch, destroys it.
    ///
    /// # Errors
    /// [`KeyringError::Library`].
    pub fn new_subject(&self, subject: &SubjectId) -> Result<(SubjectKey, Wrapped), KeyringError> {
        let key = SubjectKey::random()?;
        let wrapped = wrap(subject, &self.current, &key)?;
        Ok((key, wrapped))
    }

    /// A subject's key from what is stored under `name`.
    ///
    /// # Errors
    /// When the name is no subject key's, its epoch's keys are gone, or the value is not what was stored there.
    pub fn unwrap_subject(&self, name: &Key, wrapped: &[u8]) -> Result<SubjectKey, KeyringError> {
        let (epoch, _) = keys::parse_subject_key(name).ok_or_else(|| KeyringError::NotASubjectKey(name.clone()))?;
        seal::unwrap_key(&self.keys(epoch)?.wrap, name, wrapped)
    }

    /// The same key, wrapped under another epoch. The caller puts it and removes the old record in one transaction.
    ///
    /// # Errors
    /// As [`Keyring::unwrap_subject`], and when the keys of `to` are not here.
    pub fn rewrap(&self, name: &Key, wrapped: &[u8], to: Epoch) -> Result<Wrapped, KeyringError> {
        let (_, subject) = keys::parse_subject_key(name).ok_or_else(|| KeyringError::NotASubjectKey(name.clone()))?;
        wrap(&subject, self.keys(to)?, &self.unwrap_subject(name, wrapped)?)
    }

    /// Where a subject's key may be stored, newest epoch first.
    pub fn subject_key_names(&self, subject: &SubjectId) -> Vec<Key> {
        self.epochs().map(|epoch| keys::subject_key(epoch, subject)).collect()
    }

    fn newest_first(&self) -> impl Iterator<Item = &EpochKeys> {
        std::iter::once(&self.current).chain(self.older.values().rev())
    }

    fn keys(&self, epoch: Epoch) -> Result<&EpochKeys, KeyringError> {
        self.newest_first().find(|keys| keys.epoch == epoch).ok_or(KeyringError::NoEpoch(epoch))
    }
}

fn wrap(subject: &SubjectId, keys: &EpochKeys, key: &SubjectKey) -> Result<Wrapped, KeyringError> {
    let name = keys::subject_key(keys.epoch, subject);
    let value = seal::wrap_key(&keys.wrap, &name, key)?;
    Ok(Wrapped { key: name, value })
}

#[cfg(test)]
mod tests;
