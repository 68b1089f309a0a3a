//! The frozen vectors in `docs/formats/vectors` are what the fixed seeds give, and their signatures check with OpenSSL.
//!
//! A format that changes needs a new name, not new vectors. `GALLRA_WRITE_VECTORS=1` writes them, for a new name.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_model::proof::PROOF_TYPE;
use gallra_proof::dsse;
use support::Story;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats/vectors")
}

#[test]
fn frozen_vectors_are_what_the_fixed_seeds_give() {
    let made = [
        ("proof-v0-draft-final.json", Story::complete().bytes()),
        ("proof-v0-draft-interim.json", Story::halfway().bytes()),
        ("issuer.pub", Story::planned().issuer.verifying().to_pem().into_bytes()),
    ];
    for (name, bytes) in made {
        let path = folder().join(name);
        if std::env::var_os("GALLRA_WRITE_VECTORS").is_some() {
            std::fs::write(&path, &bytes).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == bytes, "{name} is not what this code writes");
    }
}

/// `docs/formats/envelope.md`, section 5, with the same commands.
fn openssl_accepts(key: &str, signed: &[u8], signature: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("issuer.pub"), key).unwrap();
    std::fs::write(at("pae"), signed).unwrap();
    std::fs::write(at("sig"), signature).unwrap();
    let output = Command::new("openssl")
        .args(["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "issuer.pub", "-in", "pae", "-sigfile", "sig"])
        .current_dir(folder.path())
        .output()
        .expect("the openssl program is there");
    output.status.success()
}

#[test]
fn openssl_accepts_the_statement_and_nothing_else() {
    let story = Story::complete();
    let file = story.file(&story.statement());
    let key = story.issuer.verifying().to_pem();
    let mut signed = dsse::pae(PROOF_TYPE, &dsse::payload(&file.statement).unwrap());
    let signature = STANDARD.decode(&file.statement.signatures[0].sig).unwrap();
    assert!(openssl_accepts(&key, &signed, &signature));
    *signed.last_mut().unwrap() ^= 1;
    assert!(!openssl_accepts(&key, &signed, &signature));
}

#[test]
fn openssl_reads_the_private_key_that_we_write() {
    let story = Story::planned();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("issuer.key");
    std::fs::write(&path, story.issuer.to_pem().unwrap()).unwrap();
    let output = Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(&path).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), story.issuer.verifying().to_pem());
}
