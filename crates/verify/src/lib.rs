//! Offline verification of a proof, version 1 (`docs/formats/proof-v1.md`). Sees bytes, trusted keys and what
//! the caller asks, nothing else: no file system, no network, no clock, and no code shared with those who issue proofs.
//!
//! Upholds I13 (a proof file and a trusted key suffice) and I5 on the reader's side: what the issuer says is worked out
//! again from the signed plan and the agents' statements, and a proof that says anything else is invalid. No key found in
//! the file is trusted, except what a trusted key, or a chain that begins with one, vouches for.
//!
//! Read it in this order: `lib` and `v1` (the steps), `form` and `format` (what the bytes are), `trust` (keys),
//! `book` (which receipt speaks for a step), `live`, `copies`, `judge` (what follows), `verdict` (how it is told).

mod book;
mod copies;
mod envelope;
mod form;
mod format;
mod judge;
mod key;
mod live;
mod time;
#[doc(hidden)]
pub mod timestamp;
pub mod told;
mod trust;
mod v1;
mod verdict;
mod word;

pub use trust::{Trust, TrustError};
pub use v1::{ClaimCode, Identifier, IdentifierKind, Opening, Question, QuestionError};
pub use verdict::{Check, Clock, Kept, Kind, Mark, Outcome, Require, Verdict};

use format::receipt::Receipt;
use verdict::Report;

/// Verifies a proof file against what the caller trusts. Never panics, whatever the bytes are.
pub fn verify(bytes: &[u8], trust: &Trust, question: &Question) -> Verdict {
    let mut report = Report::default();
    let valid = form::known(bytes).and_then(|()| v1::steps(bytes, trust, question, &mut report));
    match valid {
        Ok(valid) => report.valid(valid.outcome, valid.level, Some(valid.told)),
        Err(failure) => report.invalid(failure),
    }
}

/// Whether a receipt's signed bytes follow the format: for `gallra-fuzzing`, which asks whether the issuer's side takes
/// receipts that would make a proof invalid later.
#[doc(hidden)]
pub fn reads_receipt(payload: &[u8]) -> bool {
    form::canonical::<Receipt>(payload, "receipt").is_ok()
}

/// The commitment with a number to an identifier under a code, in hex: for `gallra-fuzzing`, which asks whether the issuer commits to
/// the same.
#[doc(hidden)]
pub fn commits(code: &ClaimCode, number: u8, identifier: &Identifier) -> String {
    code.commitment(number, identifier)
}

/// Whether one of these identifiers stands in a payload: for `gallra-fuzzing`, which asks whether the issuer would have signed it.
#[doc(hidden)]
pub fn shows(payload: &[u8], identifiers: &[Identifier]) -> bool {
    v1::shows(payload, identifiers)
}

/// The first 16 characters of a key id or copy id: enough to compare by eye.
fn short(id: &str) -> &str {
    id.get(..16).unwrap_or(id)
}
