//! Plans as signed bytes (`docs/formats/plan-v0-draft.md`). Made by the
//! planner; signed by the issuer, who thereby vouches for the evidence keys in it.

use gallra_model::Digest;
use gallra_model::envelope::Envelope;
use gallra_model::plan::{PLAN_TYPE, Plan};

use crate::key::{SigningKey, VerifyingKey};
use crate::payload::{self, Kind, PayloadError};

const KIND: Kind = Kind { payload_type: PLAN_TYPE, noun: "plan" };

/// Signs a plan with the issuer key.
///
/// # Errors
/// [`PayloadError::Form`] where it cannot be written; never in practice.
pub fn sign(plan: &Plan, key: &SigningKey) -> Result<Envelope, PayloadError> {
    payload::sign(&KIND, plan, key)
}

/// Gives the plan that this key signed, and the digest of the signed bytes.
///
/// # Errors
/// [`PayloadError`]: nothing of it may be used then.
pub fn open(envelope: &Envelope, key: &VerifyingKey) -> Result<(Plan, Digest), PayloadError> {
    payload::open(&KIND, envelope, key)
}
