//! Ed25519 keys and their text forms. Owns the key id; refuses to know who holds a key or where its file is, and to make
//! randomness: a seed comes in. Checks signatures strictly, so that one message has one acceptable signature.

use std::fmt;

use ed25519_dalek::Signer as _;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _};
use gallra_model::Digest;

/// A DER SubjectPublicKeyInfo of an Ed25519 key is this, then the 32 bytes of the key (RFC 8410 s. 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Why a text is no key. Never quotes the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not PKCS#8 PEM of an Ed25519 key.
    #[error("not a private key: expected one Ed25519 key as PKCS#8 PEM")]
    Private,
    /// Neither SPKI PEM nor hex of an Ed25519 key.
    #[error("not a public key: expected one Ed25519 key as SubjectPublicKeyInfo PEM, or 64 lowercase hex characters")]
    Public,
    /// A point under which anybody can make signatures.
    #[error("the public key is weak: make a new key pair")]
    Weak,
    /// The PEM text could not be written.
    #[error("the key cannot be written as PEM")]
    Write,
}

/// A private key. Its `Debug` form shows only the key id.
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// The key of a seed: 32 bytes from the operating system's random source.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// Reads PKCS#8 PEM, with or without the public half in it.
    ///
    /// # Errors
    /// [`KeyError::Private`].
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        ed25519_dalek::SigningKey::from_pkcs8_pem(text).map(Self).map_err(|_| KeyError::Private)
    }

    /// Writes PKCS#8 PEM without the public half: OpenSSL 3.0 does not read the newer form that carries it.
    ///
    /// # Errors
    /// [`KeyError::Write`].
    pub fn to_pem(&self) -> Result<String, KeyError> {
        let pair = ed25519_dalek::pkcs8::KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        let pem = pair.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::Write)?;
        Ok(pem.to_string())
    }

    /// The public half.
    pub fn verifying(&self) -> VerifyingKey {
        VerifyingKey(self.0.verifying_key())
    }

    /// The seed that the key was made of: for formats that sign under a name of their own, as the log's does. It is the secret.
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.verifying().keyid())
    }
}

/// A public key.
#[derive(Clone, PartialEq, Debug)]
pub struct VerifyingKey(ed25519_dalek::VerifyingKey);

impl VerifyingKey {
    /// Reads 64 lowercase hex characters.
    ///
    /// # Errors
    /// [`KeyError::Public`] where it is no key, [`KeyError::Weak`] where it is one of small order.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| KeyError::Public)?;
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(KeyError::Public);
        }
        Self::strong(ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::Public)?)
    }

    /// Writes 64 lowercase hex characters.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0.as_bytes())
    }

    /// Reads SubjectPublicKeyInfo PEM.
    ///
    /// # Errors
    /// As [`VerifyingKey::from_hex`].
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        Self::strong(ed25519_dalek::VerifyingKey::from_public_key_pem(text).map_err(|_| KeyError::Public)?)
    }

    /// Writes SubjectPublicKeyInfo PEM: what `openssl pkey -pubin` reads.
    pub fn to_pem(&self) -> String {
        self.0.to_public_key_pem(LineEnding::LF).expect("44 bytes of DER always fit a PEM text")
    }

    /// DER SubjectPublicKeyInfo (RFC 8410 s. 4).
    pub fn to_spki(&self) -> Vec<u8> {
        [SPKI_PREFIX.as_slice(), self.0.as_bytes()].concat()
    }

    /// Reads DER SubjectPublicKeyInfo in its one form (RFC 8410 s. 4).
    ///
    /// # Errors
    /// As [`VerifyingKey::from_hex`].
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        let raw = der.strip_prefix(&SPKI_PREFIX).ok_or(KeyError::Public)?;
        let raw: [u8; 32] = raw.try_into().map_err(|_| KeyError::Public)?;
        Self::strong(ed25519_dalek::VerifyingKey::from_bytes(&raw).map_err(|_| KeyError::Public)?)
    }

    /// Lowercase hex SHA-256 of the DER SubjectPublicKeyInfo.
    pub fn keyid(&self) -> String {
        Digest::of(&self.to_spki()).to_string()
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
    }

    fn strong(key: ed25519_dalek::VerifyingKey) -> Result<Self, KeyError> {
        if key.is_weak() { Err(KeyError::Weak) } else { Ok(Self(key)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_survive_their_text_forms() {
        let key = SigningKey::from_seed(&[7; 32]);
        let again = SigningKey::from_pem(&key.to_pem().expect("writes")).expect("reads");
        assert_eq!(again.verifying(), key.verifying());
        assert_eq!(VerifyingKey::from_pem(&key.verifying().to_pem()), Ok(key.verifying()));
        assert_eq!(VerifyingKey::from_hex(&key.verifying().to_hex()), Ok(key.verifying()));
        assert_eq!(VerifyingKey::from_hex(&key.verifying().to_hex().to_uppercase()), Err(KeyError::Public));
    }

    #[test]
    fn the_key_id_is_the_digest_of_what_the_pem_carries() {
        let key = SigningKey::from_seed(&[7; 32]).verifying();
        let der = key.0.to_public_key_der().expect("writes");
        assert_eq!(key.keyid(), Digest::of(der.as_bytes()).to_string());
    }

    #[test]
    fn a_key_under_which_anybody_can_sign_is_refused() {
        let neutral = format!("01{}", "00".repeat(31));
        assert_eq!(VerifyingKey::from_hex(&neutral), Err(KeyError::Weak));
    }

    #[test]
    fn debug_does_not_show_the_secret() {
        let seed = [0xab; 32];
        assert!(!format!("{:?}", SigningKey::from_seed(&seed)).contains(&hex::encode(seed)));
    }
}
