//! Permits as signed bytes (`docs/formats/permit-v1.md`). Whether a permit is given
//! is decided in `gallra-flow`, whether it fits the asking by the agent; here is only the signature.

use gallra_model::Digest;
use gallra_model::envelope::Envelope;
use gallra_model::permit::{PERMIT_TYPE, Permit};

use crate::key::{SigningKey, VerifyingKey};
use crate::payload::{self, Kind, PayloadError};

const KIND: Kind = Kind { payload_type: PERMIT_TYPE, noun: "permit" };

/// Signs a permit with the permit key.
///
/// # Errors
/// [`PayloadError::Form`] where it cannot be written; never in practice.
pub fn sign(permit: &Permit, key: &SigningKey) -> Result<Envelope, PayloadError> {
    payload::sign(&KIND, permit, key)
}

/// Gives the permit that this key signed, and the digest of the signed bytes.
///
/// # Errors
/// [`PayloadError`]: nothing of it may be used then.
pub fn open(envelope: &Envelope, key: &VerifyingKey) -> Result<(Permit, Digest), PayloadError> {
    payload::open(&KIND, envelope, key)
}
