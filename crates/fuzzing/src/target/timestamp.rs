//! Time stamps: tokens as they come out of a proof, roots as they stand in a key manifest, and answers of authorities.

use gallra_stamp::{Why, read_answer};
use gallra_verify::timestamp::{Stamp, StampError, check, is_root};

use crate::Seen;
use crate::quiet::says_nothing_of;

/// What the frozen tokens are of.
const CHECKPOINT: &[u8] = include_bytes!("../../../verify/tests/timestamp/checkpoint");

/// The roots under which they were made.
const ROOTS: [&[u8]; 2] = [
    include_bytes!("../../../verify/tests/timestamp/root-rsa.der"),
    include_bytes!("../../../verify/tests/timestamp/root-p384.der"),
];

/// One of the frozen tokens.
const FROZEN: &[u8] = include_bytes!("../../../verify/tests/timestamp/good-p256.tst");

/// Time and number of the frozen tokens that are seeds. Their keys are gone: nobody makes others.
const STAMPED: [(&str, &str); 2] =
    [("2026-11-28T02:59:56Z", "02"), ("2026-03-01T12:00:00.25Z", "1234567890abcdef1234")];

/// A token, or a root. Whatever verifies is one of those that were made, and says what it said then.
pub fn token(bytes: &[u8]) -> Seen {
    let token = match check(bytes, CHECKPOINT, &ROOTS) {
        Ok(stamp) => {
            is_one_of_ours(&stamp);
            assert_eq!(check(bytes, b"another checkpoint\n", &ROOTS), Err(StampError::OtherMessage));
            assert_eq!(check(bytes, CHECKPOINT, &[]), Err(StampError::Untrusted), "trusted without a root");
            true
        }
        Err(refusal) => {
            says_nothing_of(bytes, &refusal.to_string());
            false
        }
    };
    let root = match check(FROZEN, CHECKPOINT, &[bytes]) {
        Ok(stamp) => {
            is_one_of_ours(&stamp);
            assert!(is_root(bytes), "vouches, and is said to be no root");
            true
        }
        Err(refusal) => {
            says_nothing_of(bytes, &refusal.to_string());
            false
        }
    };
    Seen::of(token || root || is_root(bytes))
}

fn is_one_of_ours(stamp: &Stamp) {
    assert!(STAMPED.contains(&(&stamp.at(), stamp.serial())), "a token that nobody made: {stamp:?}");
    assert!(stamp.seen(&stamp.at()).is_ok() && stamp.at() <= stamp.until(), "made outside of its own validity");
    let name = stamp.authority().unwrap_or_default();
    assert!(!name.chars().any(char::is_control), "a control character in {name:?}");
}

/// An authority's answer. What is taken for a token lies in it, and answers this request and no other.
pub fn answer(bytes: &[u8]) -> Seen {
    const NONCE: [u8; 16] = [0x41; 16];
    match read_answer(bytes, CHECKPOINT, NONCE) {
        Ok(token) => {
            assert!(bytes.windows(token.len()).any(|part| part == token), "a token that was not sent");
            assert_eq!(read_answer(bytes, b"another checkpoint\n", NONCE), Err(Why::Imprint));
            assert_eq!(read_answer(bytes, CHECKPOINT, [0x42; 16]), Err(Why::Nonce));
            Seen::Read
        }
        Err(refusal) => {
            says_nothing_of(bytes, &refusal.to_string());
            Seen::of(matches!(refusal, Why::Rejected { .. }))
        }
    }
}
