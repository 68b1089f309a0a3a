//! From a value to signed bytes and back: compact JSON in the model's field order (`docs/formats/README.md`, section 2).
//! Knows no particular statement. Upholds that the digest handed out is of the bytes that were signed.

use gallra_model::Digest;
use gallra_model::envelope::Envelope;
use gallra_model::statement::{PAYLOAD_TYPE, STATEMENT_TYPE, Statement, Subject, Type};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::dsse::{self, DsseError};
use crate::issuer::SignError;
use crate::key::{SigningKey, VerifyingKey};
use crate::subject::Leak;

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
    /// It would show who it is about.
    #[error(transparent)]
    Leak(#[from] Leak),
    /// The key did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
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

/// A statement that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened<P> {
    /// Its type.
    pub kind: Type,
    /// What it is about.
    pub subject: Vec<Subject>,
    /// What it says.
    pub predicate: P,
    /// Digest of its payload.
    pub digest: Digest,
    /// The key that signed it, as the envelope says; of the issuer's, the first.
    pub keyid: String,
}

/// Reads one's own stored statement without asking who signed it: what comes from elsewhere is opened when it comes.
///
/// # Errors
/// [`PayloadError::Form`], [`PayloadError::Envelope`].
pub fn read<P: Serialize + DeserializeOwned>(
    noun: &'static str,
    envelope: &Envelope,
) -> Result<Opened<P>, PayloadError> {
    parse(noun, &dsse::payload(envelope)?, envelope)
}

/// Opens a statement that this key alone signed: an agent's.
pub(crate) fn open_alone<P: Serialize + DeserializeOwned>(
    noun: &'static str,
    envelope: &Envelope,
    key: &VerifyingKey,
) -> Result<Opened<P>, PayloadError> {
    parse(noun, &dsse::open(envelope, PAYLOAD_TYPE, key)?, envelope)
}

/// Opens a statement that this key signed beside another: the issuer's own, by its classical key.
pub(crate) fn open_own<P: Serialize + DeserializeOwned>(
    noun: &'static str,
    envelope: &Envelope,
    key: &VerifyingKey,
) -> Result<Opened<P>, PayloadError> {
    parse(noun, &dsse::open_among(envelope, PAYLOAD_TYPE, key)?, envelope)
}

/// Reads the bytes of a statement, in the one form that every reader sees the same in.
fn parse<P: Serialize + DeserializeOwned>(
    noun: &'static str,
    bytes: &[u8],
    envelope: &Envelope,
) -> Result<Opened<P>, PayloadError> {
    let form = || PayloadError::Form(noun);
    let statement: Statement<P> = serde_json::from_slice(bytes).map_err(|_| form())?;
    let again = serde_json::to_vec(&statement).map_err(|_| form())?;
    let kind = Type::of_uri(&statement.predicate_type).ok_or_else(form)?;
    if again != bytes || statement.statement_type != STATEMENT_TYPE || statement.subject.is_empty() {
        return Err(form());
    }
    let keyid = envelope.signatures.first().map(|signature| signature.keyid.clone()).unwrap_or_default();
    Ok(Opened { kind, subject: statement.subject, predicate: statement.predicate, digest: Digest::of(bytes), keyid })
}
