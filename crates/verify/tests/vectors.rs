//! The frozen vectors: they verify for ever, and nothing that differs from them does. Whatever the bytes are, nothing panics.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

use gallra_verify::{Outcome, Question, Require, Trust, Verdict};
use proptest::prelude::*;

const FINAL: &[u8] = include_bytes!("../../../docs/formats/vectors/proof-v1.json");
const INTERIM: &[u8] = include_bytes!("../../../docs/formats/vectors/proof-v1-interim.json");
const KEYS: &str = include_str!("../../../docs/formats/vectors/proof-v1.keys.json");
const ANCHOR: &str = include_str!("../../../docs/formats/vectors/proof-v1.anchor");
const ISSUER: &str = include_str!("../../../docs/formats/vectors/issuer-v1.pub");

fn under(bytes: &[u8], trust: &str) -> Verdict {
    gallra_verify::verify(bytes, &Trust::parse(trust).unwrap(), &Question::default())
}

fn is_valid(bytes: &[u8]) -> bool {
    !matches!(under(bytes, ANCHOR).outcome, Outcome::Invalid { .. })
}

#[test]
fn frozen_vectors_verify_under_each_form_of_trust() {
    for trust in [KEYS, ANCHOR, ISSUER] {
        let verdict = under(FINAL, trust);
        assert_eq!(verdict.conclusion(), "VALID final, KEPT: 3 items (law/bookkeeping) until 2033-12-31");
        assert_eq!(verdict.exit_code(&[Require::Final]), 0);
        let verdict = under(INTERIM, trust);
        assert_eq!(verdict.conclusion(), "VALID interim until 2026-08-24");
        assert_eq!(verdict.exit_code(&[Require::Final]), 10);
        assert_eq!(verdict.level, "A0", "nobody stamped it");
    }
}

#[test]
fn the_json_answer_says_the_same() {
    let json = under(FINAL, KEYS).to_json();
    assert_eq!(json["valid"], true);
    assert_eq!(json["stage"], "final");
    assert_eq!(json["kept"]["until"], "2033-12-31");
    assert_eq!(json["level"], "A0");
    let json = under(b"{}", KEYS).to_json();
    assert_eq!(json["valid"], false);
    assert_eq!(json["error"]["code"], 30);
    assert_eq!(json["checks"][0]["mark"], "fail");
}

#[test]
fn a_draft_is_refused() {
    let draft = br#"{"format":"gallra-proof-v0-draft","statement":{},"plan":{},"receipts":[]}"#;
    assert_eq!(under(draft, ANCHOR).exit_code(&[]), 31);
}

/// Bytes all over the file: each file has thousands of ML-DSA bytes, and each check of one takes its time.
#[test]
fn no_flipped_byte_survives() {
    let mut flipped = FINAL.to_vec();
    for (at, bit) in (0..FINAL.len()).step_by(997).zip((0..8).cycle()) {
        flipped[at] ^= 1 << bit;
        assert!(!is_valid(&flipped), "byte {at}, bit {bit}");
        flipped[at] = FINAL[at];
    }
    assert!(is_valid(&flipped), "and everything was put back");
}

#[test]
fn what_is_trusted_has_three_forms_and_no_other() {
    let one_key = ISSUER.split_inclusive("-----END PUBLIC KEY-----\n").next().unwrap();
    let doubled = format!("{one_key}{one_key}");
    for bad in ["", "zz", "sha256:00", &ANCHOR.to_uppercase(), "-----BEGIN PUBLIC KEY-----", one_key, &doubled, "{}"] {
        assert!(Trust::parse(bad).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn random_bytes_are_invalid_and_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(!is_valid(&bytes));
    }

    #[test]
    fn random_json_in_the_place_of_a_part_never_panics(
        part in prop::sample::select(vec!["proof", "request", "plan", "statements", "manifests", "events", "checkpoints"]),
        text in "[\\[\\]{}\",:0-9a-z.eE+\\\\ -]{1,80}",
    ) {
        let good = String::from_utf8(FINAL.to_vec()).unwrap();
        let bytes = good.replacen(&format!("\"{part}\":"), &format!("\"{part}\":{text}"), 1).into_bytes();
        prop_assert!(!is_valid(&bytes));
    }

    #[test]
    fn cut_and_spliced_files_are_invalid(from in 0..FINAL.len(), to in 0..INTERIM.len()) {
        let spliced = [&FINAL[..from], &INTERIM[to..]].concat();
        prop_assume!(spliced != FINAL && spliced != INTERIM);
        prop_assert!(!is_valid(&spliced));
    }

    #[test]
    fn trust_from_random_text_never_panics(text in ".{0,100}") {
        let _ = Trust::parse(&text);
    }
}
