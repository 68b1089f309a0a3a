//! What is looked for, and how deep: in the bytes, in every plain encoding of them ([`super::encodings`]), inside gzip, in
//! the strings of JSON, and in base64 and hex inside these, since an envelope's payload is base64 of JSON. ASCII letters
//! match in either case: an address is found however it is written.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::encodings::{Pattern, patterns};

/// Layers of encoding that are taken off. An envelope in a proof in a value has three.
const MAX_DEPTH: u8 = 6;
/// How gzip begins: two magic bytes, and the only method there is.
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];
/// Bytes that are unpacked of one compressed stream.
const MAX_UNPACKED: u64 = 64 * 1024 * 1024;
/// Compressed streams in one file that are unpacked: a tree of rotated logs in one archive has fewer.
const MAX_STREAMS: usize = 4_096;

/// Texts to look for. Personal data: no `Debug`.
pub struct Needles {
    /// By the first byte, in lower case.
    by_first: Vec<Vec<Pattern>>,
}

impl Needles {
    /// From texts; empty ones, which would be found everywhere, are left out.
    pub fn new<'n>(texts: impl IntoIterator<Item = &'n str>) -> Self {
        let mut by_first = vec![Vec::new(); 256];
        for pattern in texts.into_iter().filter(|text| !text.is_empty()).flat_map(patterns) {
            let first = pattern.bytes.first().map(u8::to_ascii_lowercase);
            if let Some(place) = first.and_then(|first| by_first.get_mut(usize::from(first))) {
                place.push(pattern);
            }
        }
        Self { by_first }
    }

    /// Whether a needle is in the bytes, in any plain encoding, or in what is gzipped in them.
    pub fn in_bytes(&self, bytes: &[u8]) -> bool {
        self.plainly(bytes) || unpacked(bytes).any(|inner| self.plainly(&inner))
    }

    fn plainly(&self, bytes: &[u8]) -> bool {
        (0..bytes.len()).any(|at| {
            let rest = bytes.get(at..).unwrap_or_default();
            let first = rest.first().map_or(0, u8::to_ascii_lowercase);
            self.by_first.get(usize::from(first)).is_some_and(|forms| forms.iter().any(|form| form.begins(rest)))
        })
    }

    /// Whether a needle is in the bytes, or in what they encode.
    pub fn in_value(&self, bytes: &[u8]) -> bool {
        self.within(bytes, MAX_DEPTH)
    }

    fn within(&self, bytes: &[u8], depth: u8) -> bool {
        if self.plainly(bytes) {
            return true;
        }
        let Some(depth) = depth.checked_sub(1) else { return false };
        // Proofs and key files are lines; each line may be JSON of its own.
        if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
            return self.in_json(&value, depth);
        }
        if unpacked(bytes).any(|inner| self.within(&inner, depth)) {
            return true;
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

impl Pattern {
    fn begins(&self, bytes: &[u8]) -> bool {
        let Some(head) = bytes.get(..self.bytes.len()) else { return false };
        if self.any_case { head.eq_ignore_ascii_case(&self.bytes) } else { head == self.bytes }
    }
}

/// What is gzipped in the bytes, wherever a stream begins. A stream that breaks off gives what came before.
fn unpacked(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let starts = bytes.windows(GZIP.len()).enumerate().filter(|(_, window)| *window == GZIP).map(|(at, _)| at);
    starts.take(MAX_STREAMS).map(move |at| {
        let mut inner = Vec::new();
        let packed = bytes.get(at..).unwrap_or_default();
        let _ = MultiGzDecoder::new(packed).take(MAX_UNPACKED).read_to_end(&mut inner);
        inner
    })
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
    use std::io::Write as _;

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

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(bytes).expect("packs");
        packer.finish().expect("packs")
    }

    #[test]
    fn a_needle_is_found_in_every_form_in_the_midst_of_others() {
        let shifted = |before: &str| STANDARD.encode(format!("{before}{NEEDLE} and so on"));
        let forms = [
            NEEDLE.to_uppercase().into_bytes(),
            hex::encode(NEEDLE).into_bytes(),
            hex::encode_upper(NEEDLE).into_bytes(),
            shifted("").into_bytes(),
            shifted("a").into_bytes(),
            shifted("ab").into_bytes(),
            URL_SAFE_NO_PAD.encode(format!("??>{NEEDLE}")).into_bytes(),
            b"ada%40example.org".to_vec(),
            b"ada%40example%2eorg".to_vec(),
            b"%61%64%61%40%65%78%61%6D%70%6C%65%2E%6F%72%67".to_vec(),
            // printf ada@example.org | md5sum, sha1sum, sha256sum
            b"5bfcf2d8e394674550332640d72db509".to_vec(),
            b"3c1b5f0cb91772d027dcdde8fb749091db780cbb".to_vec(),
            b"cfe00dde46ef942601ffafb9e2825e802858b460e586b8305b344c1eb826357d".to_vec(),
            hex::decode("cfe00dde46ef942601ffafb9e2825e802858b460e586b8305b344c1eb826357d").expect("hex"),
            STANDARD.encode(hex::decode("3c1b5f0cb91772d027dcdde8fb749091db780cbb").expect("hex")).into_bytes(),
            gzip(format!("GET /?to={NEEDLE} HTTP/1.1").as_bytes()),
            gzip(&gzip(NEEDLE.as_bytes())),
        ];
        for (n, form) in forms.iter().enumerate() {
            let hay = [b"before, ", form.as_slice(), b" after"].concat();
            assert!(needles().in_value(&hay), "form {n}");
            assert!(needles().in_bytes(&hay) || n == forms.len() - 1, "form {n} in bytes");
        }
        let torn = gzip(format!("{NEEDLE} {}", "x".repeat(5_000)).as_bytes());
        assert!(needles().in_bytes(&torn[..torn.len() - 12]), "a stream that breaks off");
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
