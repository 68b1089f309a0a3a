//! The worked example of `docs/formats/proof-v1.md`: its commands, run as they stand on the page, say what the page says, and say
//! otherwise once something is altered; the verifier ends as the page says.

#![allow(clippy::unwrap_used, reason = "a missing part should fail the test at once")]

use std::path::{Path, PathBuf};
use std::process::Command;

use gallra_verify::{Question, Trust, verify};

const PAGE: &str = include_str!("../../../docs/formats/proof-v1.md");
const FILES: [&str; 3] = ["proof-v1.json", "issuer-v1.pub", "proof-v1.anchor"];

fn vector(name: &str) -> String {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats/vectors");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// The fenced blocks of a language in the worked example, one after the other.
fn blocks(language: &str) -> String {
    let (_, example) = PAGE.split_once("\n## 15. A worked example\n").unwrap();
    let fence = format!("```{language}\n");
    example.split(&fence).skip(1).map(|part| part.split("```").next().unwrap()).collect()
}

/// Runs the page's commands beside copies of the vectors, of which the proof is changed before.
fn run(change: impl Fn(String) -> String) -> String {
    let copy = tempfile::tempdir().unwrap();
    for file in FILES {
        let text = if file == "proof-v1.json" { change(vector(file)) } else { vector(file) };
        std::fs::write(copy.path().join(file), text).unwrap();
    }
    let output = Command::new("sh").arg("-c").arg(blocks("sh")).current_dir(copy.path()).output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_pages_commands_say_what_the_page_says() {
    let said = run(|proof| proof);
    assert_eq!(said, blocks("text"), "{said}");
}

#[test]
fn the_pages_commands_see_what_was_altered() {
    // The first payload in the file is the issuer's statement.
    let said = run(|proof| proof.replacen("\"payload\":\"eyJf", "\"payload\":\"eyJg", 1));
    assert!(said.contains("Verification Failure"), "{said}");
    assert!(!said.contains("Verified Successfully"), "{said}");
}

#[test]
fn the_verifier_ends_as_the_page_says() {
    let trust = Trust::parse(&vector("proof-v1.keys.json")).unwrap();
    let verdict = verify(vector("proof-v1.json").as_bytes(), &trust, &Question::default());
    let printed = verdict.checks.iter().map(ToString::to_string).chain([verdict.conclusion()]);
    let printed = printed.collect::<Vec<_>>().join("\n");
    let end = PAGE.rsplit("```\n").nth(1).unwrap();
    assert!(printed.ends_with(end.trim_end()), "{printed}");
}
