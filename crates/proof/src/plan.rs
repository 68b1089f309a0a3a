//! Plans as signed bytes (`docs/formats/plan-v1.md`). Made by the planner; signed by the issuer before anything is done.

use gallra_model::Digest;
use gallra_model::envelope::Envelope;
use gallra_model::plan::Plan;
use gallra_model::statement::{Subject, Type};

use crate::issuer::Issuer;
use crate::key::VerifyingKey;
use crate::payload::{self, Opened, PayloadError};
use crate::subject::Identifier;

const NOUN: &str = "plan";

/// Signs a plan about these subjects, unless it shows one of these identifiers.
///
/// # Errors
/// [`PayloadError::Leak`], and the keys'.
pub fn sign(
    plan: &Plan,
    subject: Vec<Subject>,
    identifiers: &[Identifier],
    issuer: &Issuer,
) -> Result<Envelope, PayloadError> {
    issuer.sign(Type::Plan, subject, plan, identifiers)
}

/// Gives the plan that the issuer of this classical key signed, and the digest of the signed bytes.
///
/// # Errors
/// [`PayloadError`]: nothing of it may be used then.
pub fn open(envelope: &Envelope, key: &VerifyingKey) -> Result<(Plan, Digest), PayloadError> {
    let opened: Opened<Plan> = payload::open_own(NOUN, envelope, key)?;
    if opened.kind == Type::Plan { Ok((opened.predicate, opened.digest)) } else { Err(PayloadError::Form(NOUN)) }
}

/// Reads one's own stored plan.
///
/// # Errors
/// [`PayloadError`].
pub fn read(envelope: &Envelope) -> Result<Opened<Plan>, PayloadError> {
    payload::read(NOUN, envelope)
}
