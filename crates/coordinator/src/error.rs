//! What can go wrong in the coordinator, and its one mapping to gRPC status codes. Texts say what and what next, and
//! carry no identifier (I9, decision 12).

use gallra_store::StoreError;
use tonic::Status;

/// Why something was not done. Nothing changed then, unless the text says so.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// No such thing, or none that the caller may know of.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The caller's input.
    #[error("{0}")]
    Invalid(String),
    /// The state does not allow it now.
    #[error("{0}")]
    Precondition(String),
    /// Something exists already.
    #[error("{0} exists already")]
    Exists(&'static str),
    /// A fact changed while an answer was made from it: make it again.
    #[error("a fact changed meanwhile; try again")]
    Outdated,
    /// Other writers were faster too often.
    #[error("too many changes at once; try again")]
    Busy,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored value cannot be read: written by a newer version, or damaged.
    #[error("a stored {what} cannot be read: {why}")]
    Unreadable {
        /// Which kind of value.
        what: &'static str,
        /// The parser's words.
        why: String,
    },
    /// A key, a signature or a seal.
    #[error("{0}")]
    Crypto(String),
    /// It would show who it is about: it is not signed.
    #[error(transparent)]
    Leak(#[from] gallra_proof::subject::Leak),
}

impl From<CoreError> for Status {
    fn from(error: CoreError) -> Self {
        let text = error.to_string();
        match error {
            CoreError::NotFound(_) => Self::not_found(text),
            CoreError::Invalid(_) => Self::invalid_argument(text),
            CoreError::Precondition(_) => Self::failed_precondition(text),
            CoreError::Exists(_) => Self::already_exists(text),
            CoreError::Outdated | CoreError::Busy | CoreError::Store(StoreError::Conflict { .. }) => {
                Self::aborted(text)
            }
            CoreError::Store(_) => Self::unavailable(text),
            CoreError::Unreadable { .. } => Self::data_loss(text),
            CoreError::Crypto(_) | CoreError::Leak(_) => Self::internal(text),
        }
    }
}

/// Reads a stored JSON value.
///
/// # Errors
/// [`CoreError::Unreadable`].
pub fn decode<T: serde::de::DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, CoreError> {
    // The parser's own words may quote the value, and some values name people.
    let place =
        |why: serde_json::Error| format!("{:?} at line {}, column {}", why.classify(), why.line(), why.column());
    serde_json::from_slice(bytes).map_err(|why| CoreError::Unreadable { what, why: place(why) })
}

/// Writes a value as stored JSON.
///
/// # Errors
/// Never in practice: every stored type serialises.
pub fn encode<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, CoreError> {
    serde_json::to_vec(value).map_err(|why| CoreError::Unreadable { what: "value", why: why.to_string() })
}
