//! DSSE v1.0 over exact bytes (`docs/formats/envelope.md`). Owns the encoding that is signed; refuses to know what a
//! payload means. Upholds that nothing is parsed before its signature is checked, and that a payload signed as one type
//! is never read as another.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_model::Digest;
use gallra_model::envelope::{Envelope, Signature};

use crate::key::{SigningKey, VerifyingKey};

/// Why an envelope was not opened. Tells what is wrong with it, never what is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DsseError {
    /// The payload is of another type than asked for.
    #[error("the envelope's payload type is not the expected one")]
    Type,
    /// Payload or signature is not standard base64 with padding.
    #[error("the envelope's payload or signature is not canonical base64")]
    Base64,
    /// Not exactly one signature.
    #[error("the envelope does not carry exactly one signature")]
    Signatures,
    /// The signature names another key.
    #[error("the envelope is signed by another key than the expected one")]
    Key,
    /// The signature does not fit payload and key.
    #[error("the envelope's signature does not verify")]
    Signature,
}

/// The bytes that are signed: `DSSEv1 SP len(type) SP type SP len(payload) SP payload`, lengths in decimal bytes.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// Signs a payload as a type.
pub fn sign(payload_type: &str, payload: &[u8], key: &SigningKey) -> Envelope {
    let signature = key.sign(&pae(payload_type, payload));
    Envelope {
        payload_type: payload_type.to_owned(),
        payload: STANDARD.encode(payload),
        signatures: vec![Signature { keyid: key.verifying().keyid(), sig: STANDARD.encode(signature) }],
    }
}

/// Gives the payload of an envelope that this key, and no other, signed as this type.
///
/// # Errors
/// [`DsseError`]: the payload must not be looked at then.
pub fn open(envelope: &Envelope, payload_type: &str, key: &VerifyingKey) -> Result<Vec<u8>, DsseError> {
    if envelope.signatures.len() != 1 {
        return Err(DsseError::Signatures);
    }
    open_among(envelope, payload_type, key)
}

/// The same where others may have signed beside this key: nothing is said of them.
///
/// # Errors
/// [`DsseError`].
pub fn open_among(envelope: &Envelope, payload_type: &str, key: &VerifyingKey) -> Result<Vec<u8>, DsseError> {
    if envelope.payload_type != payload_type {
        return Err(DsseError::Type);
    }
    let keyid = key.keyid();
    let Some(signature) = envelope.signatures.iter().find(|signature| signature.keyid == keyid) else {
        return Err(DsseError::Key);
    };
    let payload = payload(envelope)?;
    let sig = STANDARD.decode(&signature.sig).map_err(|_| DsseError::Base64)?;
    let sig: [u8; 64] = sig.try_into().map_err(|_| DsseError::Signature)?;
    if key.verifies(&pae(payload_type, &payload), &sig) { Ok(payload) } else { Err(DsseError::Signature) }
}

/// The payload without any check of who signed it: for one's own stored envelopes, and for naming a digest.
///
/// # Errors
/// [`DsseError::Base64`].
pub fn payload(envelope: &Envelope) -> Result<Vec<u8>, DsseError> {
    STANDARD.decode(&envelope.payload).map_err(|_| DsseError::Base64)
}

/// SHA-256 of the payload: how one statement names another.
///
/// # Errors
/// [`DsseError::Base64`].
pub fn payload_digest(envelope: &Envelope) -> Result<Digest, DsseError> {
    Ok(Digest::of(&payload(envelope)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "application/x-test";

    #[test]
    fn the_encoding_is_the_one_of_the_specification() {
        // The example of the DSSE v1.0 protocol page.
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn only_the_signed_bytes_under_the_named_key_and_type_open() {
        let key = SigningKey::from_seed(&[1; 32]);
        let good = sign(TYPE, b"payload", &key);
        assert_eq!(open(&good, TYPE, &key.verifying()), Ok(b"payload".to_vec()));

        let foreign = SigningKey::from_seed(&[2; 32]);
        assert_eq!(open(&good, TYPE, &foreign.verifying()), Err(DsseError::Key));
        assert_eq!(open(&good, "application/x-other", &key.verifying()), Err(DsseError::Type));

        let mut altered = good.clone();
        altered.payload = STANDARD.encode(b"Payload");
        assert_eq!(open(&altered, TYPE, &key.verifying()), Err(DsseError::Signature));

        let mut renamed = sign(TYPE, b"payload", &foreign);
        for signature in &mut renamed.signatures {
            signature.keyid = key.verifying().keyid();
        }
        assert_eq!(open(&renamed, TYPE, &key.verifying()), Err(DsseError::Signature));
    }

    #[test]
    fn retyped_envelopes_do_not_open_as_the_other_type() {
        let key = SigningKey::from_seed(&[1; 32]);
        let mut retyped = sign(TYPE, b"payload", &key);
        retyped.payload_type = "application/x-other".to_owned();
        assert_eq!(open(&retyped, "application/x-other", &key.verifying()), Err(DsseError::Signature));
    }

    #[test]
    fn one_signature_exactly_and_canonical_base64() {
        let key = SigningKey::from_seed(&[1; 32]);
        let good = sign(TYPE, b"p", &key);
        let none = Envelope { signatures: Vec::new(), ..good.clone() };
        assert_eq!(open(&none, TYPE, &key.verifying()), Err(DsseError::Signatures));
        let doubled =
            Envelope { signatures: [good.signatures.clone(), good.signatures.clone()].concat(), ..good.clone() };
        assert_eq!(open(&doubled, TYPE, &key.verifying()), Err(DsseError::Signatures));
        // "cA==" is "p"; "cB==" carries the same byte with stray bits behind it.
        let stray = Envelope { payload: "cB==".to_owned(), ..good };
        assert_eq!(open(&stray, TYPE, &key.verifying()), Err(DsseError::Base64));
    }
}
