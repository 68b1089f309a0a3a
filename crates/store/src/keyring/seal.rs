//! Sealing: AES-256-GCM under a random nonce, bound to the store key that the value stands under. Owns the bytes of a
//! sealed value; upholds that one moved to another key, altered, or of another subject does not open.
//!
//! A sealed value is a version byte (1), the nonce (12 bytes), the ciphertext, the tag (16 bytes). Random nonces are
//! safe for 2^32 values under one key; a subject has some dozens, an epoch wraps some millions.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::{Zeroize, Zeroizing};

use super::KeyringError;
use super::secret::{KEY_BYTES, Secret};
use crate::key::Key;

const VERSION: u8 = 1;
const TAG_BYTES: usize = 16;
/// How much longer a sealed value is than what it holds.
#[cfg(test)]
pub(super) const SEALED_OVERHEAD_BYTES: usize = 1 + NONCE_LEN + TAG_BYTES;

/// Said with each value, so that a wrapped key never passes for a sealed value.
#[derive(Clone, Copy)]
enum Purpose {
    Value,
    SubjectKey,
}

impl Purpose {
    fn bound_to(self, name: &Key) -> Aad<Vec<u8>> {
        let word: &[u8] = match self {
            Self::Value => b"gallra sealed value\0",
            Self::SubjectKey => b"gallra subject key\0",
        };
        Aad::from([word, name.as_bytes()].concat())
    }
}

/// A subject's key. Wiped when dropped; no `Debug`, no `Clone`.
pub struct SubjectKey(Secret);

impl SubjectKey {
    pub(super) fn random() -> Result<Self, KeyringError> {
        Secret::random().map(Self)
    }

    /// Seals a value for the place where it will be stored.
    ///
    /// # Errors
    /// [`KeyringError::Library`].
    pub fn seal(&self, name: &Key, plain: &[u8]) -> Result<Vec<u8>, KeyringError> {
        seal(&self.0, Purpose::Value, name, plain)
    }

    /// Opens a value from the place where it is stored. What it returns is wiped when dropped.
    ///
    /// # Errors
    /// [`KeyringError::DoesNotOpen`].
    pub fn open(&self, name: &Key, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        open(&self.0, Purpose::Value, name, sealed)
    }
}

/// A subject's key under an epoch's, for the place where it will be stored.
pub(super) fn wrap_key(with: &Secret, name: &Key, key: &SubjectKey) -> Result<Vec<u8>, KeyringError> {
    seal(with, Purpose::SubjectKey, name, key.0.expose())
}

/// A subject's key from the place where it is stored.
pub(super) fn unwrap_key(with: &Secret, name: &Key, wrapped: &[u8]) -> Result<SubjectKey, KeyringError> {
    let bytes = open(with, Purpose::SubjectKey, name, wrapped)?;
    Secret::from_slice(&bytes).map(SubjectKey).ok_or_else(|| KeyringError::DoesNotOpen(name.clone()))
}

fn cipher(key: &Secret) -> Result<RandomizedNonceKey, KeyringError> {
    const { assert!(KEY_BYTES == 32, "AES-256") };
    RandomizedNonceKey::new(&AES_256_GCM, key.expose()).map_err(|_| KeyringError::Library)
}

fn seal(key: &Secret, purpose: Purpose, name: &Key, plain: &[u8]) -> Result<Vec<u8>, KeyringError> {
    // Room for the tag from the start: a buffer that grew would leave the plaintext behind.
    let mut text = Vec::with_capacity(plain.len() + TAG_BYTES);
    text.extend_from_slice(plain);
    let Ok(nonce) = cipher(key)?.seal_in_place_append_tag(purpose.bound_to(name), &mut text) else {
        text.zeroize();
        return Err(KeyringError::Library);
    };
    Ok([&[VERSION], nonce.as_ref().as_slice(), &text].concat())
}

fn open(key: &Secret, purpose: Purpose, name: &Key, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let refused = || KeyringError::DoesNotOpen(name.clone());
    let rest = sealed.strip_prefix(&[VERSION]).ok_or_else(refused)?;
    let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or_else(refused)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| refused())?;
    let mut text = Zeroizing::new(text.to_vec());
    let length = cipher(key)?.open_in_place(nonce, purpose.bound_to(name), &mut text).map_err(|_| refused())?.len();
    text.truncate(length);
    Ok(text)
}
