//! SHA-256 of leaves and nodes, written in base64 as all formats of the log do. A leaf can never pass for a node: the
//! first byte that is hashed tells them apart.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// Bytes of a hash.
pub const HASH_BYTES: usize = 32;

/// A hash of the tree: of a leaf, a node or a whole tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; HASH_BYTES]);

/// The text was not the standard base64, with padding, of 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a hash: expected the standard base64, with padding, of 32 bytes")]
pub struct HashError;

impl Hash {
    /// The root of the tree without leaves: SHA-256 of nothing.
    pub const EMPTY: Self = Self([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae,
        0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
    ]);

    /// A hash that was made elsewhere.
    pub const fn from_bytes(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }

    /// The raw 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }

    /// The hash of an entry: SHA-256 of `0x00` and its bytes.
    pub fn leaf(entry: &[u8]) -> Self {
        Self(Sha256::new().chain_update([0]).chain_update(entry).finalize().into())
    }

    /// The hash of two subtrees beside each other: SHA-256 of `0x01` and both hashes.
    pub fn node(left: &Self, right: &Self) -> Self {
        // One block of input is hashed faster from one piece than from three.
        let mut bytes = [1; 1 + 2 * HASH_BYTES];
        let (_, hashes) = bytes.split_at_mut(1);
        let (first, second) = hashes.split_at_mut(HASH_BYTES);
        first.copy_from_slice(&left.0);
        second.copy_from_slice(&right.0);
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = STANDARD.decode(text).map_err(|_| HashError)?;
        bytes.try_into().map(Self).map_err(|_| HashError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_and_nodes_are_hashed_as_the_rfc_says() {
        // The first values of the Certificate Transparency project's test data.
        assert_eq!(hex::encode(Hash::leaf(b"").0), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_eq!(hex::encode(Hash::leaf(&[0]).0), "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7");
        let root = Hash::node(&Hash::leaf(b""), &Hash::leaf(&[0]));
        assert_eq!(hex::encode(root.0), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
        assert_eq!(Hash::EMPTY.0, <[u8; 32]>::from(Sha256::digest(b"")));
    }

    #[test]
    fn a_hash_has_one_spelling() {
        let hash = Hash::leaf(b"x");
        let text = hash.to_string();
        assert_eq!(text.parse(), Ok(hash));
        for bad in ["", &text[..43], &format!("{text}\n"), &format!(" {text}"), &text.replace('=', "")] {
            assert_eq!(bad.parse::<Hash>(), Err(HashError), "{bad}");
        }
        // The last character carries two bits that no byte has.
        let zeros = format!("{}=", "A".repeat(43));
        assert_eq!(zeros.parse(), Ok(Hash::from_bytes([0; 32])));
        assert_eq!(zeros.replace("A=", "B=").parse::<Hash>(), Err(HashError));
    }
}
