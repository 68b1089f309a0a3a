//! Lines of suppression lists and restore receipts as signed bytes (`docs/formats/suppression-v0-draft.md`). What a line
//! means is `gallra-flow`'s; here is only the signature.

use gallra_model::Digest;
use gallra_model::envelope::Envelope;
use gallra_model::suppression::{Line, RESTORE_TYPE, Restored, SUPPRESSION_TYPE};

use crate::key::{SigningKey, VerifyingKey};
use crate::payload::{self, Kind, PayloadError};

const LINE: Kind = Kind { payload_type: SUPPRESSION_TYPE, noun: "suppression line" };
const RESTORED: Kind = Kind { payload_type: RESTORE_TYPE, noun: "restore receipt" };

/// Signs one line of a list with the permit key: an entry in it is a standing permit.
///
/// # Errors
/// [`PayloadError::Form`] where it cannot be written; never in practice.
pub fn sign(line: &Line, key: &SigningKey) -> Result<Envelope, PayloadError> {
    payload::sign(&LINE, line, key)
}

/// Gives the line that this key signed, and the digest of the signed bytes.
///
/// # Errors
/// [`PayloadError`]: nothing of it may be used then.
pub fn open(envelope: &Envelope, key: &VerifyingKey) -> Result<(Line, Digest), PayloadError> {
    payload::open(&LINE, envelope, key)
}

/// Signs a restore receipt with the agent's evidence key.
///
/// # Errors
/// [`PayloadError::Form`] where it cannot be written; never in practice.
pub fn sign_restored(restored: &Restored, key: &SigningKey) -> Result<Envelope, PayloadError> {
    payload::sign(&RESTORED, restored, key)
}

/// Gives the restore receipt that this key signed, and the digest of the signed bytes.
///
/// # Errors
/// [`PayloadError`]: nothing of it may be used then.
pub fn open_restored(envelope: &Envelope, key: &VerifyingKey) -> Result<(Restored, Digest), PayloadError> {
    payload::open(&RESTORED, envelope, key)
}

#[cfg(test)]
mod tests {
    use gallra_model::Clock;
    use gallra_model::suppression::{Entry, Item, Lift, Month};

    use super::*;

    fn items() -> Vec<Item> {
        let at: gallra_model::Instant = "2026-03-01T03:00:00Z".parse().expect("a literal");
        let id = gallra_model::SuppressionId::from_bytes([7; 16]);
        let entry = Entry {
            id,
            month: Month::of(at),
            key: Digest::of(b"key"),
            tag: Digest::of(b"tag"),
            target: "www".parse().expect("a label"),
            erased: at,
            rule: "webone/customer-data".into(),
            cause: None,
            generation: 1,
            clock: Clock::Real,
        };
        vec![
            Item::Entry(entry),
            Item::Lift(Lift { entry: id, by: "ada".into(), at }),
            Item::Hold { entry: id, held: true },
            Item::Drop { entry: id },
            Item::Complete { at, clock: Clock::Real },
        ]
    }

    #[test]
    fn every_line_opens_under_its_key_and_no_other() {
        let (key, foreign) = (SigningKey::from_seed(&[1; 32]), SigningKey::from_seed(&[2; 32]));
        for item in items() {
            let line = Line { agent: "web1".parse().expect("a label"), sequence: 9, after: 8, item };
            let signed = sign(&line, &key).expect("signs");
            assert_eq!(open(&signed, &key.verifying()).expect("opens").0, line);
            assert!(open(&signed, &foreign.verifying()).is_err());
            assert!(crate::order::open(&signed, &key.verifying()).is_err(), "no line is an order");
        }
    }
}
