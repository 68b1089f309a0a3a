//! The proof of a whole flow, checked by us and by a program that is not ours.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_testkit::provider::verify;
use gallra_testkit::{Story, day};
use gallra_wire::v1;

/// A flow without backups: final as soon as the targets were looked at again.
async fn finished() -> (Story, std::path::PathBuf, std::path::PathBuf) {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    let request = story.end_and_settle().await.expect("a request");
    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    story.advance(day(2026, 3, 1), 22, 30).await.expect("the clock moves");
    let (proof, key, stage) = story.newest_proof(&request).await.expect("a proof");
    assert_eq!(stage, v1::Stage::Final, "{:?}", story.request(&request).await);
    (story, proof, key)
}

#[tokio::test]
async fn it_verifies_and_no_flipped_byte_does() {
    let (story, proof, key) = finished().await;
    assert!(verify(&proof, &key).starts_with("VALID final, KEPT:"), "{}", verify(&proof, &key));
    let whole = std::fs::read(&proof).expect("the proof");
    let flipped = story.folder.path().join("flipped.json");
    for at in (0..whole.len()).step_by(whole.len() / 97 + 1) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&flipped, &bytes).expect("a file");
        assert!(verify(&flipped, &key).starts_with("INVALID"), "byte {at} can be flipped");
    }
}

#[tokio::test]
async fn openssl_agrees_on_the_signature() {
    let (story, proof, key) = finished().await;
    let file: serde_json::Value = serde_json::from_slice(&std::fs::read(&proof).expect("the proof")).expect("JSON");
    let envelope = &file["proof"]["envelope"];
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let payload = STANDARD.decode(text(&envelope["payload"])).expect("base64");
    let kind = text(&envelope["payloadType"]);
    let mut pae = format!("DSSEv1 {} {} {} ", kind.len(), kind, payload.len()).into_bytes();
    pae.extend(&payload);
    // The other one is of ML-DSA-65, which this program does not know yet.
    let signatures = envelope["signatures"].as_array().expect("signatures").iter();
    let mut signatures = signatures.map(|one| STANDARD.decode(text(&one["sig"])).expect("base64"));
    let signature = signatures.find(|signature| signature.len() == 64).expect("an Ed25519 signature");
    let (message, sig) = (story.folder.path().join("pae"), story.folder.path().join("sig"));
    std::fs::write(&sig, signature).expect("a file");
    std::fs::write(&message, &pae).expect("a file");
    assert!(openssl(&key, &message, &sig), "openssl refuses the statement's signature");
    pae[20] ^= 1;
    std::fs::write(&message, &pae).expect("a file");
    assert!(!openssl(&key, &message, &sig), "openssl accepts altered bytes");
}

fn openssl(key: &Path, message: &Path, signature: &Path) -> bool {
    Command::new("openssl")
        .args(["pkeyutl", "-verify", "-pubin", "-rawin", "-inkey"])
        .arg(key)
        .arg("-in")
        .arg(message)
        .arg("-sigfile")
        .arg(signature)
        .output()
        .expect("openssl")
        .status
        .success()
}
