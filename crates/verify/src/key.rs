//! Keys that the caller trusts, and their ids (`docs/formats/envelope.md`, section 4).

use ed25519_dalek::{Signature, VerifyingKey};
use ml_dsa::MlDsa65;
use sha2::{Digest as _, Sha256, Sha512};

/// A DER SubjectPublicKeyInfo of an Ed25519 key is this, then the key (RFC 8410 s. 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A DER SubjectPublicKeyInfo of an ML-DSA-65 key is this, then the key (RFC 9881 s. 4).
const ML_DSA_65_PREFIX: [u8; 22] = [
    0x30, 0x82, 0x07, 0xb2, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x12, 0x03, 0x82,
    0x07, 0xa1, 0x00,
];

/// A public key of one of the two algorithms of version 1.
#[derive(Clone)]
pub(crate) enum PublicKey {
    Ed25519(VerifyingKey),
    MlDsa65(Box<ml_dsa::VerifyingKey<MlDsa65>>),
}

impl PublicKey {
    /// Reads DER SubjectPublicKeyInfo in its one spelling; nothing for keys under which anybody can sign.
    pub(crate) fn from_spki(der: &[u8]) -> Option<Self> {
        if let Some(raw) = der.strip_prefix(&SPKI_PREFIX) {
            let key = VerifyingKey::from_bytes(raw.try_into().ok()?).ok()?;
            return (!key.is_weak()).then_some(Self::Ed25519(key));
        }
        let raw = der.strip_prefix(&ML_DSA_65_PREFIX)?;
        let encoded = ml_dsa::EncodedVerifyingKey::<MlDsa65>::try_from(raw).ok()?;
        Some(Self::MlDsa65(Box::new(ml_dsa::VerifyingKey::decode(&encoded))))
    }

    /// The raw Ed25519 key of a note, which names no algorithm.
    pub(crate) fn from_ed25519(raw: &[u8]) -> Option<Self> {
        Self::from_spki(&[&SPKI_PREFIX, raw].concat())
    }

    /// The raw key, where it is an Ed25519 one.
    pub(crate) fn ed25519(&self) -> Option<[u8; 32]> {
        match self {
            Self::Ed25519(key) => Some(key.to_bytes()),
            Self::MlDsa65(_) => None,
        }
    }

    /// Whether this is a signature over the message as it is.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => {
                Signature::from_slice(signature).is_ok_and(|s| key.verify_strict(message, &s).is_ok())
            }
            Self::MlDsa65(key) => ml_dsa::Signature::<MlDsa65>::try_from(signature)
                .is_ok_and(|signature| key.verify_with_context(message, &[], &signature)),
        }
    }

    /// Whether this is a signature of an envelope (`docs/formats/statement-v1.md`, section 4).
    pub(crate) fn signed(&self, pae: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(_) => self.verifies(pae, signature),
            // The form of TUF's TAP 21: what is signed cannot be anything else that the key signs.
            Self::MlDsa65(_) => {
                let message = [b"tuf\x01", Sha512::digest(pae).as_slice()].concat();
                self.verifies(&message, signature)
            }
        }
    }
}

/// Lowercase hex SHA-256 of a key's DER.
pub(crate) fn keyid(der: &[u8]) -> String {
    hex::encode(Sha256::digest(der))
}
