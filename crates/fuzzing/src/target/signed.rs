//! What is signed, as its receiver opens it: payloads under a right signature, envelopes, and the texts of keys.

use gallra_model::cause::CAUSE_TYPE;
use gallra_model::envelope::Envelope;
use gallra_model::order::ORDER_TYPE;
use gallra_model::permit::PERMIT_TYPE;
use gallra_model::statement::{PAYLOAD_TYPE, Type};
use gallra_model::suppression::{RESTORE_TYPE, SUPPRESSION_TYPE};
use gallra_proof::key::{SigningKey, VerifyingKey};
use gallra_proof::{cause, dsse, issuer, order, permit, plan, receipt, suppression};

use super::text;
use crate::Seen;
use crate::quiet::says_nothing_of;
use crate::spelling::same_json;

/// A payload that whoever holds the key signed. Where it opens, these bytes are its one form, and the verifier, who
/// shares no code with us, reads it too: else a proof would fail later, when nobody can mend it.
pub fn payload(bytes: &[u8]) -> Seen {
    let key = SigningKey::from_seed(&[1; 32]);
    let public = key.verifying();
    let permit = permit::open(&dsse::sign(PERMIT_TYPE, bytes, &key), &public);
    let statement = dsse::sign(PAYLOAD_TYPE, bytes, &key);
    let plan = plan::open(&statement, &public);
    let receipt = receipt::open(&statement, &public);
    let cause = cause::open(&dsse::sign(CAUSE_TYPE, bytes, &key), &public);
    let order = order::open(&dsse::sign(ORDER_TYPE, bytes, &key), &public);
    let line = suppression::open(&dsse::sign(SUPPRESSION_TYPE, bytes, &key), &public);
    let restored = suppression::open_restored(&dsse::sign(RESTORE_TYPE, bytes, &key), &public);
    if let Ok((line, _)) = &line {
        assert_eq!(suppression::sign(line, &key), Ok(dsse::sign(SUPPRESSION_TYPE, bytes, &key)));
    }
    if let Ok((restored, _)) = &restored {
        assert_eq!(suppression::sign_restored(restored, &key), Ok(dsse::sign(RESTORE_TYPE, bytes, &key)));
    }
    if let Ok((cause, _)) = &cause {
        assert_eq!(cause::sign(cause, &key), Ok(dsse::sign(CAUSE_TYPE, bytes, &key)));
    }
    if let Ok((order, _)) = &order {
        assert_eq!(order::sign(order, &key), Ok(dsse::sign(ORDER_TYPE, bytes, &key)));
    }
    if let Ok((permit, _)) = &permit {
        assert_eq!(permit::sign(permit, &key), Ok(dsse::sign(PERMIT_TYPE, bytes, &key)));
    }
    if let Ok((read, _)) = &plan {
        let subject = plan::read(&statement).map(|opened| opened.subject).unwrap_or_default();
        assert_eq!(issuer::payload(Type::Plan, subject, read).as_deref(), Ok(bytes), "a plan in a second form");
    }
    if let Ok((read, _)) = &receipt {
        let again = receipt::read(&statement).is_ok_and(|opened| opened.kind == Type::Recheck);
        assert_eq!(receipt::sign(read, again, &key).as_ref(), Ok(&statement));
        let predicate = serde_json::to_vec(read).unwrap_or_default();
        assert!(gallra_verify::reads_receipt(&predicate), "the verifier refuses the receipt");
    }
    let refusals = [permit.as_ref().err(), plan.as_ref().err(), receipt.as_ref().err()];
    let more = [cause.as_ref().err(), order.as_ref().err(), line.as_ref().err(), restored.as_ref().err()];
    for refusal in refusals.into_iter().chain(more).flatten() {
        says_nothing_of(bytes, &refusal.to_string());
    }
    let read = [permit.is_ok(), plan.is_ok(), receipt.is_ok(), cause.is_ok(), order.is_ok()];
    let read = read.into_iter().chain([line.is_ok(), restored.is_ok()]);
    let read = read.filter(|read| *read).count();
    assert!(read <= 1, "two things at once");
    Seen::of(read == 1)
}

/// An envelope, as JSON. Nothing opens that this key did not sign as this type.
pub fn envelope(bytes: &[u8]) -> Seen {
    let Some(envelope) = same_json::<Envelope>(bytes) else { return Seen::Refused };
    let key = SigningKey::from_seed(&[1; 32]);
    let types = [PERMIT_TYPE, PAYLOAD_TYPE, CAUSE_TYPE, ORDER_TYPE, SUPPRESSION_TYPE, RESTORE_TYPE];
    for payload_type in types {
        match dsse::open(&envelope, payload_type, &key.verifying()) {
            // Ed25519 signatures are a function of key and bytes, so whatever opens is what we sign.
            Ok(payload) => assert_eq!(dsse::sign(payload_type, &payload, &key), envelope, "another's signature opens"),
            Err(refusal) => says_nothing_of(bytes, &refusal.to_string()),
        }
    }
    if let (Ok(payload), Ok(digest)) = (dsse::payload(&envelope), dsse::payload_digest(&envelope)) {
        assert_eq!(digest, gallra_model::Digest::of(&payload));
    }
    Seen::Read
}

/// A key as text: what is read is written again as it was.
pub fn key_text(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let ours = if text.starts_with("-----BEGIN") { VerifyingKey::from_pem(text) } else { VerifyingKey::from_hex(text) };
    if let Err(why) = &ours {
        says_nothing_of(bytes, &why.to_string());
    }
    if let Ok(key) = &ours {
        assert_eq!(VerifyingKey::from_hex(&key.to_hex()).as_ref(), Ok(key));
        assert_eq!(VerifyingKey::from_pem(&key.to_pem()).as_ref(), Ok(key));
    }
    let private = SigningKey::from_pem(text);
    match &private {
        Ok(key) => {
            let again = key.to_pem().and_then(|pem| SigningKey::from_pem(&pem)).map(|key| key.verifying());
            assert_eq!(again, Ok(key.verifying()));
        }
        Err(refusal) => says_nothing_of(bytes, &refusal.to_string()),
    }
    Seen::of(ours.is_ok() || private.is_ok())
}
