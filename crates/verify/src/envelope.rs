//! What the signed bytes of an envelope are (`docs/formats/envelope.md`), and what came of opening one.

use crate::word::Hex64;

/// What was signed, once the signature checked.
pub(crate) struct Opened<T> {
    pub(crate) value: T,
    /// SHA-256 of the signed bytes.
    pub(crate) digest: Hex64,
    pub(crate) keyid: String,
}

/// The bytes that are signed.
pub(crate) fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}
