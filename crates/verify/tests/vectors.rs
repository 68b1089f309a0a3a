//! The frozen vectors: they verify, and nothing that differs from them does. Whatever the bytes are, nothing panics.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

use gallra_verify::{IssuerKey, Outcome, Require, verify};
use proptest::prelude::*;

const FINAL: &[u8] = include_bytes!("../../../docs/formats/vectors/proof-v0-draft-final.json");
const INTERIM: &[u8] = include_bytes!("../../../docs/formats/vectors/proof-v0-draft-interim.json");
const KEY: &str = include_str!("../../../docs/formats/vectors/issuer.pub");

fn key() -> IssuerKey {
    IssuerKey::parse(KEY).unwrap()
}

fn is_valid(bytes: &[u8]) -> bool {
    !matches!(verify(bytes, &[key()]).outcome, Outcome::Invalid { .. })
}

#[test]
fn frozen_vectors_verify() {
    let verdict = verify(FINAL, &[key()]);
    assert_eq!(verdict.conclusion(), "VALID final, KEPT: 3 items (law/bookkeeping) until 2033-12-31");
    assert_eq!(verdict.exit_code(&[Require::Final]), 0);
    let verdict = verify(INTERIM, &[key()]);
    assert_eq!(verdict.conclusion(), "VALID interim until 2026-08-24");
    assert_eq!(verdict.exit_code(&[Require::Final]), 10);
    assert_eq!(verdict.level, "none");
}

#[test]
fn the_json_answer_says_the_same() {
    let json = verify(FINAL, &[key()]).to_json();
    assert_eq!(json["valid"], true);
    assert_eq!(json["stage"], "final");
    assert_eq!(json["kept"]["until"], "2033-12-31");
    assert_eq!(json["level"], "none");
    assert_eq!(json["clock"], "simulated");
    let json = verify(b"{}", &[key()]).to_json();
    assert_eq!(json["valid"], false);
    assert_eq!(json["error"]["code"], 30);
    assert_eq!(json["checks"][0]["mark"], "fail");
}

/// Bytes all over the file. Every byte of a small file is flipped beside the builder, in `gallra-proof`.
#[test]
fn no_flipped_byte_survives() {
    let mut flipped = FINAL.to_vec();
    for (at, bit) in (0..FINAL.len()).step_by(23).zip((0..8).cycle()) {
        flipped[at] ^= 1 << bit;
        assert!(!is_valid(&flipped), "byte {at}, bit {bit}");
        flipped[at] = FINAL[at];
    }
    assert!(is_valid(&flipped), "and everything was put back");
}

#[test]
fn keys_are_read_from_pem_and_hex_only() {
    let hex = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";
    assert_eq!(IssuerKey::parse(hex).unwrap(), key());
    assert_eq!(IssuerKey::parse(&format!("{hex}\n")).unwrap(), key());
    for bad in ["", "zz", &hex.to_uppercase(), &hex[..62], "-----BEGIN PUBLIC KEY-----", &"00".repeat(32)] {
        assert!(IssuerKey::parse(bad).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn random_bytes_are_invalid_and_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(!is_valid(&bytes));
    }

    #[test]
    fn random_json_in_the_place_of_a_part_never_panics(
        part in prop::sample::select(vec!["statement", "plan", "receipts"]),
        text in "[\\[\\]{}\",:0-9a-z.eE+\\\\ -]{0,80}",
    ) {
        let good = String::from_utf8(FINAL.to_vec()).unwrap();
        let bytes = good.replacen(&format!("\"{part}\":"), &format!("\"{part}\":{text}"), 1).into_bytes();
        prop_assert_eq!(is_valid(&bytes), text.is_empty());
    }

    #[test]
    fn cut_and_spliced_files_are_invalid(from in 0..FINAL.len(), to in 0..INTERIM.len()) {
        let spliced = [&FINAL[..from], &INTERIM[to..]].concat();
        prop_assert_eq!(is_valid(&spliced), spliced == FINAL || spliced == INTERIM);
    }

    #[test]
    fn keys_from_random_text_never_panic(text in ".{0,100}") {
        let _ = IssuerKey::parse(&text);
    }
}
