//! The command of `docs/audit.md`, section 6, run as it stands on the page over entries of a mirror: it lists the requests whose
//! day is over without any proof, and no others.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

use std::process::Command;

use gallra_log::entry::{About, Entry, Kind};
use gallra_log::tile::bundle;
use gallra_model::{Digest, RequestId};

const PAGE: &str = include_str!("../../../docs/audit.md");

/// An entry about a request that is named by one byte.
fn entry(kind: Kind, request: u8, due: Option<&str>) -> String {
    let about =
        About { kind, request: Some(RequestId::from_bytes([request; 16])), due: due.map(|day| day.parse().unwrap()) };
    let signatures = vec![(Digest::of(b"key"), Digest::of(&[request]))];
    Entry::new(Some(about), Digest::of(&[request]), signatures).unwrap().to_string()
}

/// What the page's command prints beside a mirror that has these entries, in files of two.
fn missing(entries: &[String]) -> String {
    let mirror = tempfile::tempdir().unwrap();
    let mut names = String::new();
    for (number, two) in entries.chunks(2).enumerate() {
        let name = format!("bundle-{number}");
        std::fs::write(mirror.path().join(&name), bundle(two.iter().map(String::as_bytes)).unwrap()).unwrap();
        names += &format!("{name}\n");
    }
    std::fs::write(mirror.path().join("entries"), names).unwrap();
    let command = PAGE.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let output = Command::new("sh").arg("-c").arg(command).current_dir(mirror.path()).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_plan_whose_day_is_over_and_no_proof_is_listed() {
    let entries = [
        entry(Kind::Request, 0xa1, None),
        entry(Kind::Plan, 0xa1, Some("2026-05-08")),
        entry(Kind::Plan, 0xb2, Some("2026-05-08")),
        entry(Kind::Receipt, 0xa1, None),
        entry(Kind::Proof, 0xb2, None),
        // Its newest plan has another day, or none.
        entry(Kind::Plan, 0xc3, Some("2026-04-01")),
        entry(Kind::Plan, 0xc3, Some("9999-01-01")),
        entry(Kind::Plan, 0xd4, Some("2026-04-01")),
        entry(Kind::Plan, 0xd4, None),
    ];
    assert_eq!(missing(&entries), format!("2026-05-08 {}\n", "a1".repeat(16)));
    assert_eq!(missing(&entries[2..]), "");
}
