//! What can stop a turning, in words for an operator. No variant carries a key, a path or a person. Nothing is lost by any of
//! them: the turning goes on where it stands.

use crate::key::Key;
use crate::keyring::KeyringError;
use crate::store::StoreError;

/// Why a turning did not go on.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Keys: one is missing, or does not open what it should.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// `meta/epoch` cannot be read.
    #[error("the record of the key epoch cannot be read ({0}); it was written by another version, or is damaged")]
    Record(String),
    /// The backup holds a key that the current epoch does not open: the old one may not be destroyed.
    #[error("the backup holds {0}, which the current key does not open; the old key is kept")]
    BackupUnreadable(Key),
    /// A backup could not be listed or removed.
    #[error("backups could not be {done}: {hint}")]
    Backups {
        /// What was tried.
        done: &'static str,
        /// What the operating system said.
        hint: String,
    },
}
