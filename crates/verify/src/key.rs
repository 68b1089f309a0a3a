//! Keys that the caller trusts, and their ids (`docs/formats/envelope.md`, section 4).

use ed25519_dalek::pkcs8::DecodePublicKey as _;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};

/// A DER SubjectPublicKeyInfo of an Ed25519 key is this, then the key (RFC 8410 s. 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A text that is no usable key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an issuer key: expected one Ed25519 public key as PEM (SubjectPublicKeyInfo) or 64 lowercase hex characters"
)]
pub struct KeyError;

/// A public key that the caller trusts to issue proofs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerKey {
    key: VerifyingKey,
    keyid: String,
}

impl IssuerKey {
    /// Reads PEM (`issuer.pub`) or 64 lowercase hex characters; space around it is ignored.
    ///
    /// # Errors
    /// [`KeyError`], also for keys under which anybody can make signatures.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let key = if text.starts_with("-----BEGIN") {
            VerifyingKey::from_public_key_pem(text).map_err(|_| KeyError)?
        } else {
            from_hex(text).ok_or(KeyError)?
        };
        Self::strong(key).ok_or(KeyError)
    }

    /// Lowercase hex SHA-256 of the key's DER SubjectPublicKeyInfo.
    pub fn keyid(&self) -> &str {
        &self.keyid
    }

    /// An agent's evidence key, out of a plan.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        from_hex(text).and_then(Self::strong)
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }

    fn strong(key: VerifyingKey) -> Option<Self> {
        let keyid = Sha256::new().chain_update(SPKI_PREFIX).chain_update(key.as_bytes()).finalize();
        (!key.is_weak()).then(|| Self { key, keyid: hex::encode(keyid) })
    }
}

fn from_hex(text: &str) -> Option<VerifyingKey> {
    let mut bytes = [0; 32];
    let lowercase = !text.bytes().any(|b| b.is_ascii_uppercase());
    hex::decode_to_slice(text, &mut bytes).ok().filter(|()| lowercase)?;
    VerifyingKey::from_bytes(&bytes).ok()
}
