//! The DSSE envelope as data (secure-systems-lab/dsse v1.0): signed bytes travel and rest in this shape.
//! Signing and checking are `gallra-proof`'s.

use serde::{Deserialize, Serialize};

/// One signature over the envelope's pre-authentication encoding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Lowercase hex SHA-256 of the key's DER SubjectPublicKeyInfo.
    pub keyid: String,
    /// The signature, standard base64 with padding.
    pub sig: String,
}

/// A signed payload. Field order is part of the format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Envelope {
    /// What the payload is.
    pub payload_type: String,
    /// The exact payload bytes, standard base64 with padding.
    pub payload: String,
    /// One signature per key.
    pub signatures: Vec<Signature>,
}
