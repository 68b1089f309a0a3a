//! Receipts as signed bytes (`docs/formats/receipt-v0-draft.md`). Signed on the agent's
//! host by a key that the coordinator does not hold; upholds that no receipt enters that a verifier would refuse for its form.

use gallra_model::Digest;
use gallra_model::envelope::Envelope;
use gallra_model::receipt::{RECEIPT_TYPE, Receipt};

use crate::key::{SigningKey, VerifyingKey};
use crate::payload::{self, Kind, MAX_INTEGER, PayloadError};

const KIND: Kind = Kind { payload_type: RECEIPT_TYPE, noun: "receipt" };

/// Signs a receipt with the agent's evidence key.
///
/// # Errors
/// [`PayloadError::Form`] where it cannot be written; never in practice.
pub fn sign(receipt: &Receipt, key: &SigningKey) -> Result<Envelope, PayloadError> {
    payload::sign(&KIND, receipt, key)
}

/// Gives the receipt that this key signed, and the digest of the signed bytes.
///
/// # Errors
/// [`PayloadError`]: nothing of it may be used then.
pub fn open(envelope: &Envelope, key: &VerifyingKey) -> Result<(Receipt, Digest), PayloadError> {
    let (receipt, digest): (Receipt, Digest) = payload::open(&KIND, envelope, key)?;
    if numbers(&receipt).any(|number| number > MAX_INTEGER) {
        return Err(PayloadError::TooLarge(KIND.noun));
    }
    Ok((receipt, digest))
}

/// Every number in a receipt: sums of accepted ones cannot overflow.
fn numbers(receipt: &Receipt) -> impl Iterator<Item = u64> + '_ {
    let c = &receipt.counts;
    let counts = [c.erased, c.absent, c.anonymised, c.key_destroyed, c.retained, c.restricted, c.failed, c.unknown];
    let tallies =
        [receipt.before, receipt.after].into_iter().flat_map(|tally| [tally.items, tally.bytes, tally.others]);
    let reclaimed = receipt.listing.as_ref().and_then(|listing| listing.reclaimed).into_iter();
    counts
        .into_iter()
        .chain(tallies)
        .chain(receipt.checks.iter().map(|check| check.count))
        .chain(receipt.kept.iter().map(|kept| kept.items))
        .chain(reclaimed.flat_map(|r| [r.blobs_indexed, r.blobs_referenced, r.packs_stored, r.packs_indexed]))
}
