//! Thirty-two secret bytes: made at random, wiped when dropped, never printed.

use zeroize::Zeroizing;

use super::KeyringError;

/// Bytes in every key of this crate.
pub(super) const KEY_BYTES: usize = 32;

/// A key's bytes. No `Debug`, no `Clone`.
pub(super) struct Secret(Zeroizing<[u8; KEY_BYTES]>);

impl Secret {
    /// A fresh one from the operating system's generator.
    pub(super) fn random() -> Result<Self, KeyringError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        gallra_random::fill(bytes.as_mut()).map_err(|_| KeyringError::Library)?;
        Ok(Self(bytes))
    }

    /// One from its bytes; none when their number is wrong.
    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; KEY_BYTES] = bytes.try_into().ok()?;
        Some(Self(Zeroizing::new(*bytes)))
    }

    /// One from lowercase hex.
    pub(super) fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        hex::decode_to_slice(text, bytes.as_mut()).ok()?;
        Some(Self(bytes))
    }

    /// As lowercase hex.
    pub(super) fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.expose()))
    }

    /// The bytes, for the cipher.
    pub(super) fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}
