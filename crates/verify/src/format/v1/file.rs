//! `docs/formats/proof-v1.md`, section 1, and the key file of `docs/formats/keys-v1.md`, section 4.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::format::statement::Envelope;
use crate::time::Day;
use crate::word::{Count, Hex64};

pub(crate) const PROOF_FORMAT: &str = "gallra-proof-v1";
pub(crate) const KEYS_FORMAT: &str = "gallra-keys-v1";

/// More hashes than any path of a tree of 2^64 leaves has.
const MAX_HASHES: usize = 65;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProofFile {
    format: String,
    pub(crate) proof: Entry,
    pub(crate) request: Entry,
    pub(crate) plan: Entry,
    pub(crate) statements: Vec<Entry>,
    pub(crate) manifests: Vec<Entry>,
    pub(crate) events: Vec<Entry>,
    pub(crate) checkpoints: Vec<String>,
    pub(crate) consistency: Vec<Consistency>,
    pub(crate) timestamps: Vec<TimeStamp>,
}

/// An envelope and where in the log it is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) envelope: Envelope,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) due: Option<Day>,
    /// Number of the checkpoint, from 0.
    pub(crate) checkpoint: Count,
    /// Log position, from 0.
    pub(crate) index: Count,
    pub(crate) path: Hashes,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Consistency {
    pub(crate) from: Count,
    pub(crate) root: Hex64,
    pub(crate) to: Count,
    pub(crate) path: Hashes,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimeStamp {
    /// Number of the checkpoint, from 0.
    pub(crate) checkpoint: Count,
    pub(crate) token: Bytes,
}

/// What an operator publishes of its keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyFile {
    pub(crate) format: String,
    pub(crate) manifests: Vec<Placed>,
    pub(crate) events: Vec<Placed>,
}

/// An envelope, and at which position it is in the log: the key file's own word.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Placed {
    pub(crate) envelope: Envelope,
    pub(crate) index: Count,
}

/// A node's hash.
pub(crate) type Hash = [u8; 32];

/// Concatenated hashes in standard base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Hashes(Vec<Hash>);

impl Hashes {
    pub(crate) fn as_slice(&self) -> &[Hash] {
        &self.0
    }
}

impl TryFrom<String> for Hashes {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = STANDARD.decode(&text).map_err(|_| "hashes are not canonical base64")?;
        let (hashes, rest) = bytes.as_chunks::<32>();
        if rest.is_empty() && hashes.len() <= MAX_HASHES {
            Ok(Self(hashes.to_vec()))
        } else {
            Err("a path does not have 0 to 65 hashes of 32 bytes")
        }
    }
}

impl From<Hashes> for String {
    fn from(hashes: Hashes) -> Self {
        STANDARD.encode(hashes.0.concat())
    }
}

/// Bytes in standard base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Bytes(Vec<u8>);

impl Bytes {
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<String> for Bytes {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        STANDARD.decode(&text).map(Self).map_err(|_| "bytes are not canonical base64")
    }
}

impl From<Bytes> for String {
    fn from(bytes: Bytes) -> Self {
        STANDARD.encode(bytes.0)
    }
}
