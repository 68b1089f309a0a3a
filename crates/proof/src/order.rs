//! Orders as signed bytes (`docs/formats/order-v0-draft.md`). What an order means is the agent's to decide; here is
//! only the signature.

use gallra_model::Digest;
use gallra_model::envelope::Envelope;
use gallra_model::order::{ORDER_TYPE, Order};

use crate::key::{SigningKey, VerifyingKey};
use crate::payload::{self, Kind, PayloadError};

const KIND: Kind = Kind { payload_type: ORDER_TYPE, noun: "order" };

/// Signs an order with the permit key.
///
/// # Errors
/// [`PayloadError::Form`] where it cannot be written; never in practice.
pub fn sign(order: &Order, key: &SigningKey) -> Result<Envelope, PayloadError> {
    payload::sign(&KIND, order, key)
}

/// Gives the order that this key signed, and the digest of the signed bytes.
///
/// # Errors
/// [`PayloadError`]: nothing of it may be used then.
pub fn open(envelope: &Envelope, key: &VerifyingKey) -> Result<(Order, Digest), PayloadError> {
    payload::open(&KIND, envelope, key)
}
