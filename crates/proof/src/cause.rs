//! Causes as signed bytes (`docs/formats/cause-v0-draft.md`). What a cause means is the agent's to decide; here is
//! only the signature.

use gallra_model::Digest;
use gallra_model::cause::{CAUSE_TYPE, Cause};
use gallra_model::envelope::Envelope;

use crate::key::{SigningKey, VerifyingKey};
use crate::payload::{self, Kind, PayloadError};

const KIND: Kind = Kind { payload_type: CAUSE_TYPE, noun: "cause" };

/// Signs a cause with a cause key.
///
/// # Errors
/// [`PayloadError::Form`] where it cannot be written; never in practice.
pub fn sign(cause: &Cause, key: &SigningKey) -> Result<Envelope, PayloadError> {
    payload::sign(&KIND, cause, key)
}

/// Gives the cause that this key signed, and the digest of the signed bytes.
///
/// # Errors
/// [`PayloadError`]: nothing of it may be used then.
pub fn open(envelope: &Envelope, key: &VerifyingKey) -> Result<(Cause, Digest), PayloadError> {
    payload::open(&KIND, envelope, key)
}

#[cfg(test)]
mod tests {
    use gallra_model::cause::{Ground, commit_customer, commit_service};
    use gallra_model::{Clock, Nonce};

    use super::*;

    /// Frozen: what a host was given years ago must still say the same. The commitments were computed by another program.
    const PAYLOAD: &str = r#"{"ground":"contract-end","service":"4fd15d34d352079665f1d5490624e38491a1d595bb20132e8d23d02e99cf4b61","customer":"fdac482b22935e8a8b6ad1f6fe9c8821fed307c0d047fd0d659e582fc5c48dbf","ended":"2026-01-31","signed":"2026-02-01T09:00:00Z","clock":"real"}"#;
    const SIGNATURE: &str = "7FcawXDEwPCVF97owgHsNzkgGxpTyAn/UCbdSkkNhL3/qvCeRjDKMJj4/vqmWpmiKQpdkT5d+YMw2RzUXvgcAQ==";

    fn cause() -> Cause {
        let id = |text: &str| text.parse().expect("a literal");
        Cause {
            ground: Ground::ContractEnd,
            service: Some(commit_service(&Nonce::from_bytes([1; 16]), &id("anna.example"))),
            customer: Some(commit_customer(&Nonce::from_bytes([2; 16]), &id("1001"))),
            ended: Some("2026-01-31".parse().expect("a literal")),
            policy: None,
            signed: "2026-02-01T09:00:00Z".parse().expect("a literal"),
            clock: Clock::Real,
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_format_page_for_ever() {
        let key = SigningKey::from_seed(&[7; 32]);
        let envelope = sign(&cause(), &key).expect("signs");
        let payload = crate::dsse::payload(&envelope).expect("base64");
        assert_eq!(String::from_utf8(payload).expect("JSON"), PAYLOAD);
        assert_eq!(envelope.signatures.first().map(|signature| signature.sig.as_str()), Some(SIGNATURE));
        assert_eq!(open(&envelope, &key.verifying()).map(|(cause, _)| cause), Ok(cause()));
    }

    #[test]
    fn another_key_and_another_statement_do_not_open() {
        let key = SigningKey::from_seed(&[7; 32]);
        let envelope = sign(&cause(), &key).expect("signs");
        assert!(open(&envelope, &SigningKey::from_seed(&[8; 32]).verifying()).is_err());
        let retyped = Envelope { payload_type: gallra_model::permit::PERMIT_TYPE.to_owned(), ..envelope };
        assert!(open(&retyped, &key.verifying()).is_err());
    }
}
