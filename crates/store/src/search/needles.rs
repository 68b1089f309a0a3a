//! What is looked for, and how deep: in the bytes, in the strings of JSON, and in base64 and hex inside these, since an
//! envelope's payload is base64 of JSON. ASCII letters match in either case: an address is found however it is written.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::Value;

/// Layers of encoding that are taken off. An envelope in a proof in a value has three.
const MAX_DEPTH: u8 = 6;

/// Texts to look for. Personal data: no `Debug`.
pub struct Needles(Vec<Vec<u8>>);

impl Needles {
    /// From texts; empty ones, which would be found everywhere, are left out.
    pub fn new<'n>(texts: impl IntoIterator<Item = &'n str>) -> Self {
        let texts = texts.into_iter().filter(|text| !text.is_empty());
        Self(texts.map(|text| text.to_ascii_lowercase().into_bytes()).collect())
    }

    /// Whether a needle is in the bytes as they are.
    pub fn in_bytes(&self, bytes: &[u8]) -> bool {
        let bytes = bytes.to_ascii_lowercase();
        self.0.iter().any(|needle| bytes.windows(needle.len()).any(|window| window == needle))
    }

    /// Whether a needle is in the bytes, or in what they encode.
    pub fn in_value(&self, bytes: &[u8]) -> bool {
        self.within(bytes, MAX_DEPTH)
    }

    fn within(&self, bytes: &[u8], depth: u8) -> bool {
        if self.in_bytes(bytes) {
            return true;
        }
        let Some(depth) = depth.checked_sub(1) else { return false };
        // Proofs and key files are lines; each line may be JSON of its own.
        if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
            return self.in_json(&value, depth);
        }
        let text = bytes.trim_ascii();
        decoded(text).iter().any(|inner| self.within(inner, depth))
    }

    fn in_json(&self, value: &Value, depth: u8) -> bool {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
            Value::String(text) => self.within(text.as_bytes(), depth),
            Value::Array(values) => values.iter().any(|value| self.in_json(value, depth)),
            Value::Object(fields) => {
                fields.iter().any(|(name, value)| self.within(name.as_bytes(), depth) || self.in_json(value, depth))
            }
        }
    }
}

/// What a text may be the encoding of.
fn decoded(text: &[u8]) -> Vec<Vec<u8>> {
    // Shorter than this, words decode to noise.
    const SHORTEST: usize = 8;
    if text.len() < SHORTEST {
        return Vec::new();
    }
    let base64 = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].into_iter().filter_map(|e| e.decode(text).ok());
    base64.chain(hex::decode(text).ok()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NEEDLE: &str = "ada@example.org";

    fn needles() -> Needles {
        Needles::new([NEEDLE, ""])
    }

    #[test]
    fn a_needle_is_found_through_every_wrapping() {
        let inner = serde_json::json!({ "to": format!("<{}>", NEEDLE.to_uppercase()) }).to_string();
        let envelope = serde_json::json!({ "payload": STANDARD.encode(&inner), "signatures": [] }).to_string();
        let nested = serde_json::json!({ "receipts": [envelope] }).to_string();
        let escaped = r#"{"a":"ada\u0040example.org"}"#.to_owned();
        let named = serde_json::json!({ NEEDLE: 1 }).to_string();
        let hex = hex::encode(NEEDLE);
        for hay in [NEEDLE.to_owned(), inner, envelope, nested, escaped, named, hex, URL_SAFE_NO_PAD.encode(NEEDLE)] {
            assert!(needles().in_value(hay.as_bytes()), "{hay}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for hay in ["", "ada@example.com", r#"{"a":["b",null,1,true]}"#, "YWRhQGV4YW1wbGUuY29t"] {
            assert!(!needles().in_value(hay.as_bytes()), "{hay}");
        }
        assert!(!Needles::new([""]).in_value(b"anything"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            needles().in_value(&bytes);
        }

        #[test]
        fn a_needle_between_any_bytes_is_found(before in prop::collection::vec(any::<u8>(), 0..50), after in prop::collection::vec(any::<u8>(), 0..50)) {
            prop_assert!(needles().in_value(&[&before, NEEDLE.as_bytes(), &after].concat()));
        }
    }
}
