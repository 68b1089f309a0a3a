//! An issuer written from the pages alone, in texts, keys and hashes: none of its code is the issuer's or the verifier's.
//! Tests break one thing of its story at a time.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a story with a missing part should fail at once")]

pub(crate) mod build;
pub(crate) mod json;
pub(crate) mod keys;
pub(crate) mod log;
pub(crate) mod story;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_verify::{Question, Trust, Verdict};

use build::Built;
use json::Json;
use keys::base64;
use story::Story;

/// What the verifier says of a file under the anchor of the story's manifests.
pub(crate) fn verdict(file: &Built) -> Verdict {
    let trust = Trust::parse(&file.anchor()).unwrap();
    gallra_verify::verify(&file.bytes(), &trust, &Question::default())
}

/// Fails unless the file gets this exit code.
pub(crate) fn expect(name: &str, file: &Built, code: u8) {
    expect_verdict(name, &verdict(file), code);
}

pub(crate) fn expect_verdict(name: &str, verdict: &Verdict, code: u8) {
    let said: Vec<String> = verdict.checks.iter().map(ToString::to_string).collect();
    assert_eq!(verdict.exit_code(&[]), code, "{name}: {}\n{}", verdict.conclusion(), said.join("\n"));
    assert_eq!(verdict.told.is_some(), code == 0, "{name}: told exactly where it is valid");
}

/// The complete file with one part changed, nothing signed anew.
pub(crate) fn altered(alter: impl FnOnce(&mut Json)) -> Built {
    let mut built = Story::complete().built();
    alter(&mut built.file);
    built
}

/// Rewrites the payload of an entry, and leaves its signatures.
pub(crate) fn rewrite(entry: &mut Json, from: &str, to: &str) {
    let payload = entry.get("envelope").get("payload");
    let text = String::from_utf8(STANDARD.decode(payload.text()).unwrap()).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    *payload = base64(text.replacen(from, to, 1).as_bytes()).into();
}

/// The statement with this label in the file.
pub(crate) fn statement<'f>(built: &'f mut Built, label: &str) -> &'f mut Json {
    let wanted = built.logged[label].0.clone();
    let all = built.file.get("statements").all();
    all.iter_mut().find(|entry| *entry.read("envelope") == wanted).unwrap()
}
