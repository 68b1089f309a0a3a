//! What can be wrong with keys and sealed values, in words for an operator. Upholds that no key, path or person is named.

use super::Epoch;
use crate::key::Key;

/// Why keys could not be had or used. Names files, never paths, keys or persons.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// There are keys already.
    #[error("the key directory holds {0} already; open it, or choose an empty one")]
    Exists(String),
    /// A file that must be there is not.
    #[error("no {0} in the key directory; check the path, or bring the file back from a custodian")]
    Missing(String),
    /// Others than its owner may read a key file.
    #[error("{0} can be read by others; set it to mode 0600 and consider its keys known")]
    Exposed(String),
    /// A file is damaged or none of ours.
    #[error("{0} is no key file of this version; bring it back from a custodian")]
    Malformed(String),
    /// The operating system refused.
    #[error("{file} could not be {done}: {hint}")]
    Io {
        /// The file.
        file: String,
        /// What was tried.
        done: &'static str,
        /// What the operating system said.
        hint: String,
    },
    /// The epoch's keys are not here: destroyed, or never brought.
    #[error("no keys of epoch {0}; what was wrapped under it cannot be read here")]
    NoEpoch(Epoch),
    /// The newest epoch's keys are what everything live is wrapped under.
    #[error("epoch {0} is the current one; begin the next before its keys are destroyed")]
    Current(Epoch),
    /// The key is none of a subject's.
    #[error("{0} is not the name of a subject's key")]
    NotASubjectKey(Key),
    /// Altered, moved to another name, or sealed under another key.
    #[error("the value at {0} does not open; its key, its name or its bytes are not what they were")]
    DoesNotOpen(Key),
    /// The random generator or the cipher failed.
    #[error("the cryptographic library failed; check the machine's source of randomness")]
    Library,
}
