//! Agents' statements about attempts as signed bytes (`docs/formats/receipt-v1.md`). Signed on the agent's host by a key that
//! the coordinator does not hold; upholds that none enters that a verifier would refuse for its form.

use gallra_model::copy::Expected;
use gallra_model::envelope::Envelope;
use gallra_model::job::Action;
use gallra_model::receipt::{Receipt, statement_of};
use gallra_model::statement::{Subject, Type};
use gallra_model::{Day, Digest, Instant};

use crate::issuer;
use crate::key::{SigningKey, VerifyingKey};
use crate::payload::{self, MAX_INTEGER, Opened, PayloadError};

const NOUN: &str = "receipt";

/// Signs what an agent says with its evidence key. `again`: it is of the look again, after the last copy went.
///
/// # Errors
/// [`PayloadError::Form`] where it cannot be written; never in practice.
pub fn sign(receipt: &Receipt, again: bool, key: &SigningKey) -> Result<Envelope, PayloadError> {
    let kind = statement_of(receipt.action, again);
    let bytes = issuer::payload(kind, vec![Subject::of_job(receipt.spec)], receipt)?;
    Ok(issuer::envelope(&bytes, &[key])?)
}

/// Gives what this key signed, and the digest of the signed bytes.
///
/// # Errors
/// [`PayloadError`]: nothing of it may be used then.
pub fn open(envelope: &Envelope, key: &VerifyingKey) -> Result<(Receipt, Digest), PayloadError> {
    let opened: Opened<Receipt> = payload::open_alone(NOUN, envelope, key)?;
    check(&opened)?;
    Ok((opened.predicate, opened.digest))
}

/// Reads a stored receipt without asking who signed it: for what was opened when it came.
///
/// # Errors
/// [`PayloadError`].
pub fn read(envelope: &Envelope) -> Result<Opened<Receipt>, PayloadError> {
    payload::read(NOUN, envelope)
}

fn check(opened: &Opened<Receipt>) -> Result<(), PayloadError> {
    let receipt = &opened.predicate;
    if numbers(receipt).any(|number| number > MAX_INTEGER) {
        return Err(PayloadError::TooLarge(NOUN));
    }
    let again = opened.kind == Type::Recheck;
    let typed = opened.kind == statement_of(receipt.action, again && receipt.action == Action::Confirm);
    let rule = receipt.kept.as_ref().is_none_or(|kept| is_name(&kept.keep.rule));
    let dated = instants(receipt).all(is_dated) && days(receipt).all(|day| day.year() >= 0);
    if typed && opened.subject == [Subject::of_job(receipt.spec)] && rule && dated {
        Ok(())
    } else {
        Err(PayloadError::Form(NOUN))
    }
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
    let commitment = receipt.commitment.iter().map(|commitment| commitment.size);
    counts
        .into_iter()
        .chain(commitment)
        .chain(tallies)
        .chain(receipt.checks.iter().map(|check| check.count))
        .chain(receipt.kept.iter().map(|kept| kept.items))
        .chain(reclaimed.flat_map(|r| [r.blobs_indexed, r.blobs_referenced, r.packs_stored, r.packs_indexed]))
}
