//! Whatever the bytes are: nothing that differs from a good file of version 1 is valid, and nothing panics.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

mod issuer;

use std::sync::LazyLock;

use gallra_verify::{Question, Trust};
use issuer::story::Story;
use proptest::prelude::*;

static FINAL: LazyLock<(Vec<u8>, Trust, String)> = LazyLock::new(|| {
    let mut story = Story::complete();
    story.checkpoints = vec![(9, Vec::new())];
    let built = story.built();
    (built.bytes(), Trust::parse(&built.anchor()).unwrap(), built.key_file(&["manifest-1"], &[]))
});
static INTERIM: LazyLock<Vec<u8>> = LazyLock::new(|| Story::halfway().built().bytes());

fn is_valid(bytes: &[u8]) -> bool {
    gallra_verify::verify(bytes, &FINAL.1, &Question::default()).exit_code(&[]) == 0
}

/// A bit of every 401st byte: in names, numbers, base64 of payloads, signatures, paths and notes.
#[test]
fn no_flipped_byte_survives() {
    let good = &FINAL.0;
    let mut flipped = good.clone();
    for (at, bit) in (0..good.len()).step_by(401).zip((0..8).cycle()) {
        flipped[at] ^= 1 << bit;
        assert!(!is_valid(&flipped), "byte {at}, bit {bit}");
        flipped[at] = good[at];
    }
    assert!(is_valid(&flipped), "and everything was put back");
}

/// Whoever passes a file on can drop a cosignature, and so can spoil its line: then it counts for nothing.
#[test]
fn a_spoilt_cosignature_is_refused_or_not_counted() {
    let mut story = Story::complete();
    story.witnesses = vec![1];
    let built = story.built();
    let (good, asked) = (built.bytes(), Question { witnesses: 1, ..Question::default() });
    let code = |bytes: &[u8]| gallra_verify::verify(bytes, &FINAL.1, &asked).exit_code(&[]);
    assert_eq!(code(&good), 0);
    let line = good.windows(8).rposition(|window| window == b"\xe2\x80\x94 witn").unwrap();
    let mut spoilt = good.clone();
    for at in (line..line + 120).step_by(11) {
        spoilt[at] ^= 1;
        assert!([23, 30].contains(&code(&spoilt)), "byte {at}: {}", code(&spoilt));
        spoilt[at] = good[at];
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn cut_and_spliced_files_are_invalid(from in 0..FINAL.0.len(), to in 0..INTERIM.len()) {
        let spliced = [&FINAL.0[..from], &INTERIM[to..]].concat();
        prop_assert_eq!(is_valid(&spliced), spliced == FINAL.0 || spliced == *INTERIM);
    }

    #[test]
    fn random_json_in_the_place_of_a_part_never_panics(
        part in prop::sample::select(vec![
            "proof", "request", "plan", "statements", "manifests", "events", "checkpoints", "consistency", "timestamps",
            "index", "path", "keyid", "sig", "payload", "from", "to", "root",
        ]),
        text in "[\\[\\]{}\",:0-9a-z.eE+\\\\ -]{0,80}",
    ) {
        let good = String::from_utf8(FINAL.0.clone()).unwrap();
        let bytes = good.replacen(&format!("\"{part}\":"), &format!("\"{part}\":{text}"), 1).into_bytes();
        prop_assert_eq!(is_valid(&bytes), text.is_empty());
    }

    #[test]
    fn a_key_file_is_one_text(at in 0_usize..60_000, byte in any::<u8>()) {
        let mut text = FINAL.2.clone().into_bytes();
        let at = at % text.len();
        let same = text[at] == byte;
        text[at] = byte;
        let trust = String::from_utf8(text).ok().and_then(|text| Trust::parse(&text).ok());
        if let Some(trust) = trust {
            let verdict = gallra_verify::verify(&FINAL.0, &trust, &Question::default());
            prop_assert_eq!(verdict.exit_code(&[]) == 0, same || FINAL.2.len() == at + 1, "{}", verdict.conclusion());
        }
    }

    #[test]
    fn trust_from_random_text_never_panics(text in ".{0,100}") {
        let _ = Trust::parse(&text);
    }
}
