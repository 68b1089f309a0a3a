//! Files of almost 32 MiB, each the worst of its kind: what verifying them takes is bounded by their size. Each is verified in a
//! process of its own, whose peak of memory the system counts; what takes the square of this is stopped by the runner's limit.
//! The figures are in `docs/measurements/proof-*.md`; `GALLRA_BOUNDED_KEEP=FILE` appends them there.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

mod issuer;

use std::path::Path;
use std::process::Command;

use gallra_verify::{Question, Trust, verify};
use issuer::build::Built;
use issuer::json::{Json, list, object};
use issuer::keys::{self, ISSUER, Key, ROOTS};
use issuer::log::witness_key;
use issuer::story::{Item, Story, event, manifest, observed};

/// Largest file that is looked at, in bytes, as the page has it.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// Smallest that says anything about the largest.
const LARGE: usize = 26 * 1024 * 1024;
/// Files of thousands of post-quantum signatures are so much smaller without optimisation, where making them takes minutes.
const PART: u16 = if cfg!(debug_assertions) { 8 } else { 1 };
/// Most memory beside the file's own bytes, in bytes for each of its bytes: the text written again, what was read of it, one
/// payload in three forms, what is told.
const MOST_TIMES: usize = 12;

/// What a process of its own found.
struct Found {
    code: u8,
    why: String,
}

/// Verifies a file in another process, and fails where it took more memory than the bound.
fn found(name: &str, file: &[u8], trust: &str, identifiers: &[&str]) -> Found {
    assert!(file.len() <= MOST_BYTES, "{name}: {} bytes", file.len());
    let dir = tempfile::tempdir().unwrap();
    let (path, told) = (dir.path().join("proof"), dir.path().join("told"));
    std::fs::write(&path, file).unwrap();
    std::fs::write(dir.path().join("trust"), trust).unwrap();
    std::fs::write(dir.path().join("identifiers"), identifiers.join("\n")).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    let run = child.args(["--exact", "in_a_process_of_its_own"]).env("GALLRA_BOUNDED", dir.path()).output().unwrap();
    assert!(run.status.success(), "{name}: {}", String::from_utf8_lossy(&run.stdout));
    let told = std::fs::read_to_string(told).unwrap();
    let mut lines = told.lines();
    let (code, why) = (lines.next().unwrap().parse().unwrap(), lines.next().unwrap().to_owned());
    let mut number = || lines.next().unwrap().parse::<usize>().unwrap();
    let (kib, ticks) = (number(), number());
    if let Some(keep) = std::env::var_os("GALLRA_BOUNDED_KEEP") {
        use std::io::Write as _;
        let mut keep = std::fs::OpenOptions::new().create(true).append(true).open(keep).unwrap();
        writeln!(keep, "{name}: {} bytes, exit {code}, {kib} KiB, {}0 ms: {why}", file.len(), ticks).unwrap();
    }
    assert!(kib * 1024 <= file.len() * MOST_TIMES + 16 * 1024 * 1024, "{name}: {kib} KiB for {} bytes", file.len());
    Found { code, why }
}

/// Does nothing unless another test asks for it.
#[test]
fn in_a_process_of_its_own() {
    let Some(dir) = std::env::var_os("GALLRA_BOUNDED") else { return };
    let dir = Path::new(&dir);
    let trust = Trust::parse(&std::fs::read_to_string(dir.join("trust")).unwrap()).unwrap();
    let identifiers = std::fs::read_to_string(dir.join("identifiers")).unwrap();
    let identifiers = identifiers.lines().map(|line| line.parse().unwrap()).collect();
    let question = Question { identifiers, ..Question::default() };
    let file = std::fs::read(dir.join("proof")).unwrap();
    let (before, began) = (status("VmRSS"), ticks());
    let verdict = verify(&file, &trust, &question);
    let (kib, took) = (status("VmHWM") - before, ticks() - began);
    std::fs::write(dir.join("told"), format!("{}\n{}\n{kib}\n{took}\n", verdict.exit_code(&[]), verdict.conclusion()))
        .unwrap();
}

/// KiB, as the system counts them for this process.
fn status(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Hundredths of a second that this process has computed in its own code.
fn ticks() -> usize {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(11).unwrap().parse().unwrap()
}

fn expect(name: &str, built: &Built, identifiers: &[&str], code: u8) -> usize {
    let bytes = built.bytes();
    let found = found(name, &bytes, &built.anchor(), identifiers);
    assert_eq!(found.code, code, "{name}: {}", found.why);
    bytes.len()
}

/// The story with these statements right before its proof.
fn before_the_proof(mut story: Story, items: impl Iterator<Item = Item>) -> Story {
    let proof = story.items.pop().unwrap();
    story.items.extend(items);
    story.items.push(proof);
    story.evidence();
    story
}

fn raw_list(lines: impl Iterator<Item = String>) -> Json {
    Json::Raw(format!("[{}]", lines.collect::<Vec<_>>().join(",")))
}

#[test]
fn as_many_signed_statements_as_fit() {
    let looks = (2..9_900).map(|attempt| observed(9, attempt, "2026-03-02T04:00:00Z", &[1, 2], false));
    let story = before_the_proof(Story::halfway(), looks);
    assert!(expect("statements", &story.built(), &[], 0) > LARGE);
}

#[test]
fn as_many_events_as_fit() {
    let signers = ISSUER.map(quick);
    let enrolled = event("event", "enrolled", keys::agent("web2"), &signers, enrolment());
    let again = (0..4_900 / PART).map(|number| Item { label: format!("event-{number}"), ..enrolled.clone() });
    let size = expect("events", &before_the_proof(Story::halfway(), again).built(), &[], 0);
    assert!(size * usize::from(PART) > LARGE, "{size}");
}

/// The same key, in the hands of the library that is quick in a test too.
fn quick(key: Key) -> Key {
    if let Key::Ml(seed) = key { Key::OtherMl(seed) } else { key }
}

fn enrolment() -> Vec<(&'static str, Json)> {
    vec![
        ("role", "agent".into()),
        ("actor", "web2".into()),
        ("algorithm", "ed25519".into()),
        ("spki", keys::base64(&keys::agent("web2").spki()).into()),
    ]
}

#[test]
fn as_many_manifests_as_fit() {
    let last = u64::from(1_150 / PART);
    let signed = |version| Item { signers: ROOTS.map(quick).to_vec(), ..manifest(version, keys::first()) };
    let mut story = before_the_proof(Story::halfway(), (2..=last).map(signed));
    let named = object([("version", last.into()), ("digest", format!("@manifest-{last}").into())]);
    story.proof().set("manifest", named);
    let size = expect("manifests", &story.built(), &[], 0);
    assert!(size * usize::from(PART) > LARGE, "{size}");
}

#[test]
fn as_many_checkpoints_and_cosignatures_as_may_be() {
    const WITNESSES: u8 = 31;
    let witness = |number: u8| {
        let name = format!("Witness {number}").into();
        object([("name", name), ("key", witness_key(number).into()), ("outside", true.into())])
    };
    let all: Vec<u8> = (1..=WITNESSES).collect();
    let mut story = Story::halfway();
    story.item("manifest-1").predicate.set("witnesses", list(all.iter().map(|number| witness(*number))));
    let first = story.items.len();
    story.checkpoints = (first..first + 999).map(|size| (size, all.clone())).collect();
    (story.witnesses, story.later) = (all, 999);
    expect("cosignatures", &story.built(), &[], 0);
}

#[test]
fn as_many_copies_as_fit() {
    const COPIES: usize = 66_000;
    let copy = |number: usize| format!("{{\"copy\":\"{number:032x}\"");
    let (place, began) = ("\"agent\":\"backup1\",\"target\":\"store\"", "\"began\":\"2026-02-21T02:00:00Z\"");
    let (never, all) = ("\"expected\":{\"kind\":\"never\"}", || 0..COPIES);
    let mut story = Story::halfway();
    story.item("8.1").predicate.get("listing").set("copies", list([]));
    let listed = raw_list(all().map(|n| format!("{},{began},{never}}}", copy(n))));
    story.item("9.1").predicate.get("listing").set("copies", listed);
    story.item("copy-set").predicate.set("copies", raw_list(all().map(|n| format!("{},{place},{began}}}", copy(n)))));
    story.proof().set("copies", raw_list(all().map(|n| format!("{},{place},{began},{never}}}", copy(n)))));
    story.proof().remove("until");
    assert!(expect("copies", &story.built(), &[], 0) > LARGE);
}

#[test]
fn a_plan_of_a_million_notes_that_is_searched_for_somebody() {
    let mut story = Story::halfway();
    let notes = raw_list((0..1_000_000).map(|_| "{\"code\":\"a\",\"text\":\"b\"}".to_owned()));
    story.item("plan").predicate.set("notes", notes);
    assert!(expect("notes", &story.built(), &["customer-number=K-777777", "email=anna@example.org"], 0) > LARGE);
}

#[test]
fn what_is_no_proof_and_as_large_as_it_may_be() {
    let built = Story::halfway().built();
    let (good, full) = (built.file.to_string(), MOST_BYTES - 64 * 1024);
    let payload = built.file.read("proof").read("envelope").read("payload").text().to_owned();
    let nested = format!("{}{}\n", "[".repeat(full / 2), "]".repeat(full / 2));
    let flat = format!("{{\"format\":\"gallra-proof-v1\",\"proof\":[{}0]}}\n", "0,".repeat(full / 2));
    let named = format!("{{\"format\":\"gallra-proof-v1\",\"{}\":1}}\n", "a".repeat(full));
    let escaped = format!("{{\"format\":\"{}\"}}\n", "\\u0000".repeat(full / 6));
    let zeros = format!("{}\n", good.replacen(&payload, &"AAAA".repeat((full - good.len()) / 4), 1));
    let open = format!("{{\"format\":\"gallra-proof-v1\",\"proof\":\"{}", "a".repeat(full));
    let last = built.logged["proof-1"].0.to_string();
    let signatures = list((0..full / 180).map(|n| keys::signature(&format!("{n:064x}"), &[7; 64])));
    let mut signed = built.logged["proof-1"].0.clone();
    signed.set("signatures", signatures);
    let signed = format!("{}\n", good.replacen(&last, &signed.to_string(), 1));
    for (name, file, code) in [
        ("nested", nested, 30),
        ("flat", flat, 30),
        ("a long name", named, 30),
        ("escapes", escaped, 30),
        ("zeros as a payload", zeros, 20),
        ("never closed", open, 30),
        ("signatures", signed, 30),
    ] {
        let found = found(name, file.as_bytes(), &built.anchor(), &[]);
        assert_eq!(found.code, code, "{name}: {}", found.why);
    }
}
