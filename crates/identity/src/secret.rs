//! A join token's secret: 32 random bytes. Never printed by `Debug`, compared only by its hash and in constant time.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// Length of a secret, in bytes.
const SECRET_BYTES: usize = 32;

/// 32 bytes that nobody can guess.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; SECRET_BYTES]);

/// Why there is no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Not what [`Secret::to_hex`] writes.
    #[error("not a token secret: expected 64 lowercase hex characters")]
    Hex,
    /// The system gave no random bytes.
    #[error("no random bytes from the system for a token secret")]
    Random,
}

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn random() -> Result<Self, SecretError> {
        let mut bytes = [0; SECRET_BYTES];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| SecretError::Random)?;
        Ok(Self(bytes))
    }

    /// As the token and the enrolment call carry it: 64 lowercase hex characters.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    /// SHA-256, the only form in which it is stored.
    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(SecretError::Hex);
        }
        let mut bytes = [0; SECRET_BYTES];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| SecretError::Hex)?;
        Ok(Self(bytes))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_lowercase_hex_only() {
        let secret = Secret::random().expect("random bytes");
        assert_eq!(secret.to_hex().parse(), Ok(secret.clone()));
        assert_eq!("A".repeat(64).parse::<Secret>(), Err(SecretError::Hex));
        assert_eq!("a".repeat(62).parse::<Secret>(), Err(SecretError::Hex));
        assert_ne!(secret, Secret::random().expect("random bytes"));
    }

    #[test]
    fn debug_output_hides_it() {
        let secret = Secret::random().expect("random bytes");
        assert!(!format!("{secret:?}").contains(&secret.to_hex()));
    }
}
