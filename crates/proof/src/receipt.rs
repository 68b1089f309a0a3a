//! Receipts as signed bytes (`docs/formats/receipt-v0-draft.md`). Signed on the agent's
//! host by a key that the coordinator does not hold; upholds that no receipt enters that a verifier would refuse for its form.

use gallra_model::copy::Expected;
use gallra_model::envelope::Envelope;
use gallra_model::receipt::{RECEIPT_TYPE, Receipt};
use gallra_model::{Day, Digest, Instant};

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
    let rule = receipt.kept.as_ref().is_none_or(|kept| is_name(&kept.keep.rule));
    if !rule || instants(&receipt).any(|instant| !is_dated(instant)) || days(&receipt).any(|day| day.year() < 0) {
        return Err(PayloadError::Form(KIND.noun));
    }
    Ok((receipt, digest))
}

/// A rule's name as a proof carries it: 1 to 128 of a-z, 0-9 and `-/._` (`docs/formats/README.md`, section 3).
fn is_name(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-/._".contains(&b);
    (1..=128).contains(&text.len()) && text.bytes().all(known)
}

/// Whether the year has four digits and no sign: the formats have no other, the date library has.
fn is_dated(instant: Instant) -> bool {
    !instant.to_string().starts_with('-')
}

fn instants(receipt: &Receipt) -> impl Iterator<Item = Instant> + '_ {
    let listed = receipt.listing.iter().map(|listing| listing.listed);
    let began = receipt.listing.iter().flat_map(|listing| &listing.copies).map(|copy| copy.began);
    [receipt.started, receipt.finished].into_iter().chain(listed).chain(began)
}

fn days(receipt: &Receipt) -> impl Iterator<Item = Day> + '_ {
    let keeps = receipt.kept.iter().flat_map(|kept| [Some(kept.keep.earliest), kept.keep.latest]).flatten();
    let copies = receipt.listing.iter().flat_map(|listing| &listing.copies);
    let expected = copies.filter_map(|copy| match copy.expected {
        Expected::By(day) => Some(day),
        Expected::Never | Expected::Unknown => None,
    });
    keeps.chain(expected)
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
