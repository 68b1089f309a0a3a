//! From bytes to a proof file: limits first, then the version, then one strict reading (`docs/formats/README.md`,
//! section 2). Upholds that a file has one spelling: what would not come out byte for byte the same is refused.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::format::v1::file::PROOF_FORMAT;
use crate::verdict::{Failure, Kind};

/// Largest file looked at, in bytes.
pub(crate) const MAX_BYTES: usize = 32 * 1024 * 1024;
/// Deepest nesting looked at.
pub(crate) const MAX_DEPTH: usize = 64;

/// Only the name of the format; everything else is skipped unread.
#[derive(Deserialize)]
struct Named {
    format: String,
}

/// Whether a file is of the version that this program knows, and within bounds.
pub(crate) fn known(bytes: &[u8]) -> Result<(), Failure> {
    bounded(bytes)?;
    let named: Named =
        serde_json::from_slice(bytes).map_err(|_| Failure::malformed("the file is no proof: it names no format"))?;
    match named.format.as_str() {
        PROOF_FORMAT => Ok(()),
        "gallra-proof-v0-draft" => {
            Err(Failure::new(Kind::UnknownVersion, "the proof is a draft (v0-draft), which promised nothing for later"))
        }
        other if other.starts_with("gallra-proof-") => {
            Err(Failure::new(Kind::UnknownVersion, "the proof is of a version that this program does not know"))
        }
        _ => Err(Failure::malformed("the file is no proof: its format is another one")),
    }
}

/// Limits, before anything is read.
pub(crate) fn bounded(bytes: &[u8]) -> Result<(), Failure> {
    if bytes.len() > MAX_BYTES {
        return Err(Failure::malformed("the file is larger than 32 MiB"));
    }
    if depth(bytes) > MAX_DEPTH {
        return Err(Failure::malformed("the file is nested deeper than 64 levels"));
    }
    Ok(())
}

/// The whole file: one canonical line.
pub(crate) fn line<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, Failure> {
    let line = bytes.strip_suffix(b"\n").ok_or(Failure::malformed("the file does not end with a newline"))?;
    canonical(line, "file")
}

/// Reads a value whose one spelling these bytes are.
pub(crate) fn canonical<T: DeserializeOwned + Serialize>(bytes: &[u8], noun: &str) -> Result<T, Failure> {
    let value: T = serde_json::from_slice(bytes).map_err(|error| {
        Failure::malformed(&format!("the {noun} does not follow the format, at byte {}", error.column()))
    })?;
    let again = serde_json::to_vec(&value).map_err(|_| Failure::malformed("a value has no JSON form"))?;
    if again == bytes {
        Ok(value)
    } else {
        Err(Failure::malformed(&format!("the {noun} is not in its canonical form")))
    }
}

/// The deepest nesting, counted without recursion.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(bytes: &[u8]) -> Kind {
        known(bytes).expect_err("is refused").kind
    }

    #[test]
    fn what_is_no_proof_is_told_from_what_is_another_version() {
        assert_eq!(kind(b""), Kind::Malformed);
        assert_eq!(kind(b"{}"), Kind::Malformed);
        assert_eq!(kind(br#"{"format":"something"}"#), Kind::Malformed);
        assert_eq!(kind(br#"{"format":"gallra-proof-v2","new":{"a":[1]}}"#), Kind::UnknownVersion);
        assert_eq!(kind(br#"{"format":"gallra-proof-v0-draft"}"#), Kind::UnknownVersion);
        assert_eq!(known(br#"{"format":"gallra-proof-v1"}"#), Ok(()));
    }

    #[test]
    fn size_and_depth_are_bounded_before_anything_is_read() {
        let deep = format!("{}{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
        assert_eq!(known(deep.as_bytes()).expect_err("is refused").why, "the file is nested deeper than 64 levels");
        let long = vec![b' '; MAX_BYTES + 1];
        assert_eq!(known(&long).expect_err("is refused").why, "the file is larger than 32 MiB");
        assert_eq!(depth(br#"{"a":"[[[[\"[["}"#), 1);
    }
}
