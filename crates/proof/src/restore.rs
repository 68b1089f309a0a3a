//! Restores as signed bytes (`docs/formats/proof-v1.md`, section 2.6). Signed on the agent's host by a key that the coordinator
//! does not hold. Upholds I12 where it can be upheld: whoever erased again knows whom, and signs nothing that shows it; the
//! coordinator may have forgotten by then. And that none enters that a verifier would refuse for its form.

use gallra_model::envelope::Envelope;
use gallra_model::restore::Restore;
use gallra_model::statement::{Subject, Type};
use gallra_model::{Digest, Instant};

use crate::issuer;
use crate::key::{SigningKey, VerifyingKey};
use crate::payload::{self, MAX_INTEGER, Opened, PayloadError};
use crate::subject::{self, Identifier};

const NOUN: &str = "restore";

/// Signs what an agent says of a restore with its evidence key, unless it shows one of these identifiers.
///
/// # Errors
/// [`PayloadError::Leak`]; [`PayloadError::Form`] where it cannot be written, never in practice.
pub fn sign(restore: &Restore, identifiers: &[Identifier], key: &SigningKey) -> Result<Envelope, PayloadError> {
    let bytes = issuer::payload(Type::Restore, vec![Subject::of_entry(restore.entry)], restore)?;
    subject::scan(&bytes, identifiers)?;
    Ok(issuer::envelope(&bytes, &[key])?)
}

/// Gives what this key signed, and the digest of the signed bytes.
///
/// # Errors
/// [`PayloadError`]: nothing of it may be used then.
pub fn open(envelope: &Envelope, key: &VerifyingKey) -> Result<(Restore, Digest), PayloadError> {
    let opened: Opened<Restore> = payload::open_alone(NOUN, envelope, key)?;
    check(&opened)?;
    Ok((opened.predicate, opened.digest))
}

/// Reads a stored restore without asking who signed it: for what was opened when it came.
///
/// # Errors
/// [`PayloadError`].
pub fn read(envelope: &Envelope) -> Result<Opened<Restore>, PayloadError> {
    payload::read(NOUN, envelope)
}

fn check(opened: &Opened<Restore>) -> Result<(), PayloadError> {
    let restore = &opened.predicate;
    let c = &restore.counts;
    let counts = [c.erased, c.absent, c.anonymised, c.key_destroyed, c.retained, c.restricted, c.failed, c.unknown];
    if counts.into_iter().any(|count| count > MAX_INTEGER) {
        return Err(PayloadError::TooLarge(NOUN));
    }
    let dated = [restore.taken, restore.started, restore.finished].into_iter().all(is_dated);
    let named = opened.kind == Type::Restore && opened.subject == [Subject::of_entry(restore.entry)];
    if named && dated && restore.started <= restore.finished { Ok(()) } else { Err(PayloadError::Form(NOUN)) }
}

/// Whether the year has four digits and no sign: the formats have no other, the date library has.
fn is_dated(instant: Instant) -> bool {
    !instant.to_string().starts_with('-')
}

#[cfg(test)]
mod tests {
    use gallra_model::Clock;
    use gallra_model::outcome::Counts;
    use gallra_model::target::TargetKind;

    use super::*;
    use crate::subject::Kind;

    fn restore() -> Restore {
        let at = |text: &str| text.parse().expect("a literal");
        Restore {
            entry: Digest::of(b"entry"),
            agent: "web1".parse().expect("a label"),
            target: "www".parse().expect("a label"),
            kind: TargetKind::Files,
            taken: at("2026-02-01T00:00:00Z"),
            counts: Counts { erased: 3, ..Counts::default() },
            released: true,
            started: at("2026-03-01T10:00:00Z"),
            finished: at("2026-03-01T10:05:00Z"),
            clock: Clock::Real,
            software: "gallra-agent 0.1.0".into(),
        }
    }

    #[test]
    fn a_restore_opens_under_its_key_and_no_other_and_names_its_entry() {
        let (key, foreign) = (SigningKey::from_seed(&[1; 32]), SigningKey::from_seed(&[2; 32]));
        let signed = sign(&restore(), &[], &key).expect("signs");
        let (opened, digest) = open(&signed, &key.verifying()).expect("opens");
        assert_eq!((opened, digest), (restore(), crate::dsse::payload_digest(&signed).expect("a payload")));
        assert!(open(&signed, &foreign.verifying()).is_err());
        assert!(crate::receipt::open(&signed, &key.verifying()).is_err(), "no restore is a receipt");
        assert_eq!(read(&signed).expect("reads").subject, [Subject::of_entry(restore().entry)]);
    }

    #[test]
    fn what_a_verifier_would_refuse_is_not_taken() {
        let key = SigningKey::from_seed(&[1; 32]);
        let signed = |subject: Digest, kind: Type, said: &Restore| {
            let bytes = issuer::payload(kind, vec![Subject::of_entry(subject)], said).expect("bytes");
            issuer::envelope(&bytes, &[&key]).expect("signs")
        };
        let good = restore();
        assert!(open(&signed(good.entry, Type::Restore, &good), &key.verifying()).is_ok());
        let huge = Restore { counts: Counts { erased: MAX_INTEGER + 1, ..Counts::default() }, ..restore() };
        let backwards = Restore { finished: good.taken, ..restore() };
        let early = Restore { taken: "-000001-01-01T00:00:00Z".parse().expect("a literal"), ..restore() };
        for (what, envelope) in [
            ("another entry", signed(Digest::of(b"other"), Type::Restore, &good)),
            ("another type", signed(good.entry, Type::Receipt, &good)),
            ("a count beyond all readers", signed(huge.entry, Type::Restore, &huge)),
            ("over before it began", signed(backwards.entry, Type::Restore, &backwards)),
            ("before all years", signed(early.entry, Type::Restore, &early)),
        ] {
            assert!(open(&envelope, &key.verifying()).is_err(), "{what}");
        }
    }

    #[test]
    fn i12_what_would_show_whom_it_is_about_is_not_signed() {
        let key = SigningKey::from_seed(&[1; 32]);
        let whom = [Identifier::new(Kind::Service, "anna.example").expect("an id")];
        assert!(sign(&restore(), &whom, &key).is_ok());
        let shows = Restore { software: "for anna.example".into(), ..restore() };
        assert!(matches!(sign(&shows, &whom, &key), Err(PayloadError::Leak(_))));
    }
}
