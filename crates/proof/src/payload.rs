//! From a value to signed bytes and back: compact JSON in the model's field order (`docs/formats/README.md`, section 2).
//! Knows no particular statement. Upholds that the digest handed out is of the bytes that were signed.

use gallra_model::Digest;
use gallra_model::envelope::Envelope;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::dsse::{self, DsseError};
use crate::key::{SigningKey, VerifyingKey};

/// Largest integer in a signed payload: beyond it JSON readers disagree (RFC 7493 s. 2.2).
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Why a value was not signed, or an envelope not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// The envelope does not open.
    #[error(transparent)]
    Envelope(#[from] DsseError),
    /// The signed bytes are no such statement, or not in their one canonical form.
    #[error("the signed bytes are not a {0} in canonical form")]
    Form(&'static str),
    /// A count lies beyond [`MAX_INTEGER`].
    #[error("a count in the {0} is beyond 2^53 - 1")]
    TooLarge(&'static str),
}

pub(crate) struct Kind {
    pub(crate) payload_type: &'static str,
    pub(crate) noun: &'static str,
}

pub(crate) fn sign<T: Serialize>(kind: &Kind, value: &T, key: &SigningKey) -> Result<Envelope, PayloadError> {
    let bytes = serde_json::to_vec(value).map_err(|_| PayloadError::Form(kind.noun))?;
    Ok(dsse::sign(kind.payload_type, &bytes, key))
}

/// Opens and reads. Bytes that would not come out the same when written again are refused here already, since a
/// verifier would refuse the whole proof for them later, when nobody can mend it.
pub(crate) fn open<T: Serialize + DeserializeOwned>(
    kind: &Kind,
    envelope: &Envelope,
    key: &VerifyingKey,
) -> Result<(T, Digest), PayloadError> {
    let bytes = dsse::open(envelope, kind.payload_type, key)?;
    let value: T = serde_json::from_slice(&bytes).map_err(|_| PayloadError::Form(kind.noun))?;
    let again = serde_json::to_vec(&value).map_err(|_| PayloadError::Form(kind.noun))?;
    if again == bytes { Ok((value, Digest::of(&bytes))) } else { Err(PayloadError::Form(kind.noun)) }
}
