//! What can go wrong in the coordinator, and its one mapping to gRPC status codes. Texts say what and what next, and
//! carry no identifier (I9, decision 12).

use std::time::Duration;

use gallra_store::StoreError;
use gallra_wire::details::{NEXT_TURN, Reason, STORE_BACK, invalid_text, status};
use tonic::{Code, Status};

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
        let (code, reason, again) = match &error {
            CoreError::Invalid(_) => return invalid_text(text),
            CoreError::NotFound(_) => (Code::NotFound, Reason::NotFound, None),
            CoreError::Precondition(_) => (Code::FailedPrecondition, Reason::State, None),
            CoreError::Exists(_) => (Code::AlreadyExists, Reason::Exists, None),
            CoreError::Outdated => (Code::Aborted, Reason::Outdated, Some(NEXT_TURN)),
            CoreError::Busy => (Code::Aborted, Reason::Busy, Some(NEXT_TURN)),
            CoreError::Store(error) => of_store(error),
            CoreError::Unreadable { .. } => (Code::DataLoss, Reason::Unreadable, None),
            CoreError::Crypto(_) | CoreError::Leak(_) => (Code::Internal, Reason::NotSigned, None),
        };
        status(code, reason, text, again)
    }
}

/// Whose trouble it is: where waiting helps it says how long, and where somebody has to act it does not.
const fn of_store(error: &StoreError) -> (Code, Reason, Option<Duration>) {
    match error {
        StoreError::Conflict { .. } => (Code::Aborted, Reason::Outdated, Some(NEXT_TURN)),
        StoreError::Deposed => (Code::Unavailable, Reason::Deposed, Some(STORE_BACK)),
        // Whoever asks again is answered as if once: every call says how.
        StoreError::Uncertain { .. } | StoreError::Unavailable { .. } | StoreError::Closed => {
            (Code::Unavailable, Reason::StoreUnavailable, Some(STORE_BACK))
        }
        StoreError::Full { .. } => (Code::ResourceExhausted, Reason::StoreFull, None),
        // The caller's own rights are not what is missing.
        StoreError::Denied { .. } => (Code::Unavailable, Reason::StoreDenied, None),
        StoreError::Refused(_) => (Code::ResourceExhausted, Reason::TooLarge, None),
        StoreError::InUse | StoreError::Failed { .. } => (Code::Unavailable, Reason::StoreUnavailable, None),
        StoreError::Format { .. } | StoreError::Archive { .. } => (Code::DataLoss, Reason::Unreadable, None),
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
