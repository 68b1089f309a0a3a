//! The worked example of `docs/formats/timestamp-v1.md`: its commands, run as they stand on the page, say what the page
//! says, and say otherwise once something is altered; the verifier reads the same files and says the same.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_verify::timestamp::check;

const PAGE: &str = include_str!("../../../docs/formats/timestamp-v1.md");
const FILES: [&str; 3] = ["log-v1.tlog-proof", "timestamp-v1.tst", "timestamp-v1.pem"];

fn vector(name: &str) -> Vec<u8> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats/vectors");
    std::fs::read(folder.join(name)).unwrap()
}

/// The fenced blocks of a language, one after the other.
fn blocks(language: &str) -> String {
    let fence = format!("```{language}\n");
    PAGE.split(&fence).skip(1).map(|part| part.split("```").next().unwrap()).collect()
}

/// Runs the page's commands beside copies of the vectors, of which one is changed before.
fn run(name: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) -> String {
    let copy = tempfile::tempdir().unwrap();
    for file in FILES {
        let bytes = vector(file);
        let changed = if file == name { change(bytes.clone()) } else { bytes.clone() };
        assert!(file != name || changed != bytes, "{name} is not changed");
        std::fs::write(copy.path().join(file), changed).unwrap();
    }
    let output = Command::new("sh").arg("-c").arg(blocks("sh")).current_dir(copy.path()).output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn checkpoint() -> String {
    let evidence = String::from_utf8(vector("log-v1.tlog-proof")).unwrap();
    let (_, note) = evidence.split_once("\n\n").unwrap();
    format!("{}\n", note.split("\n\n").next().unwrap())
}

fn root() -> Vec<u8> {
    let pem = String::from_utf8(vector("timestamp-v1.pem")).unwrap();
    STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap()
}

#[test]
fn the_pages_commands_say_what_the_page_says() {
    let said = run("", |bytes| bytes);
    assert_eq!(said, blocks("text"), "{said}");
}

#[test]
fn the_verifier_says_what_the_page_says() {
    let (root, token) = (root(), vector("timestamp-v1.tst"));
    let stamp = check(&token, checkpoint().as_bytes(), &[&root]).unwrap();
    assert_eq!(stamp.at(), "2026-08-24T10:00:05Z");
    assert!(blocks("text").starts_with(&stamp.at()));
    assert!(check(&token, checkpoint().trim_end().as_bytes(), &[&root]).is_err());
}

#[test]
fn the_pages_commands_see_what_was_altered() {
    let said = run("log-v1.tlog-proof", |text| String::from_utf8(text).unwrap().replace("\n37\n", "\n38\n").into());
    assert!(said.contains("Verification: FAILED") && !said.contains("OK"), "{said}");
    let said = run("timestamp-v1.tst", |mut token| {
        let last = token.len() - 1;
        token[last] ^= 1;
        token
    });
    assert!(said.contains("Verification: FAILED") && !said.contains("OK"), "{said}");
    let said = run("timestamp-v1.pem", |_| Vec::new());
    assert!(!said.contains("OK"), "{said}");
}
