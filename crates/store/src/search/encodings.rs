//! In which forms a text can stand in a file without being hidden from who looks: clear, hex, base64 at any offset,
//! URL-encoded, and as a plain MD5, SHA-1 or SHA-256, which a guess undoes. Owns the patterns; compressed data is unpacked by
//! [`super::needles`].

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use md5::Digest as _;

/// Fewer characters of base64 than this say nothing.
const LEAST_BASE64: usize = 6;

/// A row of bytes, and whether ASCII letters match in either case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pattern {
    pub(super) bytes: Vec<u8>,
    pub(super) any_case: bool,
}

/// Every form of a text.
pub(super) fn patterns(text: &str) -> Vec<Pattern> {
    let mut forms = Vec::new();
    // How an identifier is written where it is compared: as it is, and evened out.
    let lower = text.to_lowercase();
    let spellings = if lower == text { vec![text.to_owned()] } else { vec![text.to_owned(), lower] };
    for spelling in &spellings {
        let bytes = spelling.as_bytes();
        forms.push(any_case(bytes.to_vec()));
        forms.push(any_case(hex::encode(bytes).into_bytes()));
        forms.extend(url_encoded(bytes).into_iter().map(any_case));
        forms.extend(base64_at_any_offset(bytes));
        for digest in digests(bytes) {
            forms.push(any_case(hex::encode(&digest).into_bytes()));
            forms.push(exact(STANDARD_NO_PAD.encode(&digest).into_bytes()));
            forms.push(exact(URL_SAFE_NO_PAD.encode(&digest).into_bytes()));
            forms.push(exact(digest));
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

fn any_case(bytes: Vec<u8>) -> Pattern {
    Pattern { bytes: bytes.to_ascii_lowercase(), any_case: true }
}

fn exact(bytes: Vec<u8>) -> Pattern {
    Pattern { bytes, any_case: false }
}

fn digests(bytes: &[u8]) -> [Vec<u8>; 3] {
    [
        md5::Md5::digest(bytes).to_vec(),
        digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec(),
        digest::digest(&digest::SHA256, bytes).as_ref().to_vec(),
    ]
}

/// With what must be encoded encoded, with all that may be, and with all.
fn url_encoded(bytes: &[u8]) -> Vec<Vec<u8>> {
    let encode = |plain: fn(u8) -> bool| {
        let encoded =
            bytes.iter().map(|byte| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02x}") });
        encoded.collect::<String>().into_bytes()
    };
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    vec![
        encode(unreserved),
        encode(|byte| byte.is_ascii_alphanumeric() || b"-._~@+:!$&'()*,;=".contains(&byte)),
        encode(|byte| byte.is_ascii_alphanumeric()),
        encode(|_| false),
    ]
}

/// What of its base64 is the same wherever it stands in a longer text: begun at each of three offsets, without the
/// characters that its neighbours have a part in.
fn base64_at_any_offset(bytes: &[u8]) -> Vec<Pattern> {
    let mut forms = Vec::new();
    for offset in 0..3 {
        let padded = [vec![0; offset], bytes.to_vec()].concat();
        let own_from = (offset * 8).div_ceil(6);
        let own_to = padded.len() * 8 / 6;
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&padded).into_bytes();
            let own = encoded.get(own_from..own_to).unwrap_or_default();
            if own.len() >= LEAST_BASE64 {
                forms.push(exact(own.to_vec()));
            }
        }
    }
    // Whole, however short.
    forms.push(exact(STANDARD.encode(bytes).into_bytes()));
    forms
}
