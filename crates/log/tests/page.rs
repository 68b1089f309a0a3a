//! The worked example of `docs/formats/log-v1.md`: its files are what fixed seeds give, and its commands, run as they stand on
//! the page, say what the page says, and say otherwise once a byte is altered.
//!
//! A format that changes needs a new name, not new vectors. `GALLRA_WRITE_VECTORS=1` writes them, for a new name.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_log::checkpoint::Checkpoint;
use gallra_log::cosign::cosign;
use gallra_log::entry::{About, Entry, Kind};
use gallra_log::evidence::Evidence;
use gallra_log::note::{Key, Kind as KeyKind, Note, Signer};
use gallra_log::tree::{Hash, Node, Range, inclusion};
use gallra_model::envelope::Envelope;
use gallra_model::{Day, Digest, RequestId};
use gallra_proof::dsse;
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/formats/log-v1.md");
const PROOF: &[u8] = include_bytes!("../../../docs/formats/vectors/proof-v0-draft-final.json");
const ORIGIN: &str = "log.provider.example/2026a";
const WITNESS: &str = "witness.auditor.example/w1";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats/vectors")
}

/// The entry of one envelope, as the page's section 2 makes it.
fn entry(kind: Kind, request: RequestId, due: Option<Day>, envelope: &Value) -> Entry {
    let envelope: Envelope = serde_json::from_value(envelope.clone()).unwrap();
    let pae = dsse::pae(&envelope.payload_type, &dsse::payload(&envelope).unwrap());
    let signatures = envelope
        .signatures
        .iter()
        .map(|signature| (signature.keyid.parse().unwrap(), Digest::of(&STANDARD.decode(&signature.sig).unwrap())));
    Entry::new(Some(About { kind, request: Some(request), due }), Digest::of(&pae), signatures.collect()).unwrap()
}

/// Entries about somebody else, so that the path goes to both sides.
const OTHERS: u8 = 3;

/// The log of the frozen proof: its plan, its receipts, the statement itself, and what came after.
fn entries() -> Vec<Entry> {
    let file: Value = serde_json::from_slice(PROOF).unwrap();
    let request = RequestId::from_bytes([0xa1; 16]);
    let due = "2026-08-24".parse().ok();
    let plan = entry(Kind::Plan, request, due, &file["plan"]);
    let receipts = file["receipts"].as_array().unwrap().iter();
    let receipts = receipts.map(|receipt| entry(Kind::Receipt, request, None, receipt));
    let statement = entry(Kind::Proof, request, None, &file["statement"]);
    let others = (0..OTHERS).map(|at| {
        let about = About { kind: Kind::Recheck, request: Some(RequestId::from_bytes([0xb2; 16])), due: None };
        let key = (Digest::of(b"a key"), Digest::of(&[b's', at]));
        Entry::new(Some(about), Digest::of(&[b'p', at]), vec![key]).unwrap()
    });
    [plan].into_iter().chain(receipts).chain([statement]).chain(others).collect()
}

/// The statement's place, and its entry.
fn statement() -> (u64, Entry) {
    let entries = entries();
    let (index, entry) = entries
        .iter()
        .enumerate()
        .rfind(|(_, entry)| entry.about().is_some_and(|about| about.kind == Kind::Proof))
        .unwrap();
    (u64::try_from(index).unwrap(), entry.clone())
}

fn keys() -> (Signer, Signer) {
    let log = Signer::from_seed(ORIGIN, KeyKind::Log, &[21; 32]).unwrap();
    (log, Signer::from_seed(WITNESS, KeyKind::Witness, &[22; 32]).unwrap())
}

fn evidence() -> Evidence {
    let (mut range, mut stored) = (Range::default(), std::collections::BTreeMap::new());
    for entry in entries() {
        range
            .append(entry.leaf(), |node, hash| {
                stored.insert(node, hash);
            })
            .unwrap();
    }
    let (log, witness) = keys();
    let origin = ORIGIN.parse().unwrap();
    let checkpoint = Checkpoint { origin, size: range.size(), root: range.root(), extensions: Vec::new() };
    let mut note = Note::new(checkpoint.to_string()).unwrap();
    note.sign(checkpoint.sign(&log).unwrap()).unwrap();
    note.sign(cosign(&checkpoint, 1_787_565_600, &witness).unwrap()).unwrap();
    let (index, _) = statement();
    let path = inclusion(index, range.size(), &|node: Node| stored.get(&node).copied()).unwrap();
    Evidence { unverified_extra: None, index, path, note }
}

#[test]
fn the_frozen_files_are_what_the_fixed_seeds_give() {
    let (log, witness) = keys();
    let made = [
        ("log-v1.tlog-proof", evidence().to_string()),
        ("log-v1.vkeys", format!("{}\n{}\n", log.public(), witness.public())),
    ];
    for (name, text) in made {
        let path = folder().join(name);
        if std::env::var_os("GALLRA_WRITE_VECTORS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        assert!(std::fs::read_to_string(&path).unwrap() == text, "{name} is not what this code writes");
    }
}

#[test]
fn the_frozen_evidence_shows_the_frozen_statement() {
    let read = |name: &str| std::fs::read_to_string(folder().join(name)).unwrap();
    let keys: Vec<Key> = read("log-v1.vkeys").lines().map(|line| line.parse().unwrap()).collect();
    let [log, witness] = keys.as_slice() else { panic!("two keys") };
    let evidence: Evidence = read("log-v1.tlog-proof").parse().unwrap();
    let (index, entry) = statement();
    assert_eq!(evidence.index, index);
    let opened = evidence.check(&entry.leaf(), log, std::slice::from_ref(witness)).unwrap();
    assert_eq!(opened.witnesses, [(WITNESS.to_owned(), 1_787_565_600)]);
}

/// The fenced blocks of a language, one after the other.
fn blocks(language: &str) -> String {
    let fence = format!("```{language}\n");
    let parts = PAGE.split(&fence).skip(1);
    parts.map(|part| part.split("```").next().unwrap()).collect()
}

/// Runs the page's commands beside copies of the vectors, of which one is changed before.
fn run(name: &str, change: impl Fn(String) -> String) -> String {
    let folder = vectors(name, change);
    let output = Command::new("sh").arg("-c").arg(blocks("sh")).current_dir(folder.path()).output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn vectors(name: &str, change: impl Fn(String) -> String) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in ["proof-v0-draft-final.json", "log-v1.tlog-proof", "log-v1.vkeys"] {
        let text = std::fs::read_to_string(folder().join(file)).unwrap();
        let changed = if file == name { change(text.clone()) } else { text.clone() };
        assert!(file != name || changed != text, "{name} is not changed");
        std::fs::write(copy.path().join(file), changed).unwrap();
    }
    copy
}

#[test]
fn the_pages_first_entry_is_one() {
    let read: Entry = blocks("entry").parse().unwrap();
    let about = read.about().unwrap();
    assert_eq!((about.kind, about.due), (Kind::Plan, "2027-05-08".parse().ok()));
    assert_eq!(read.pae(), Digest::of(b"a statement"));
}

#[test]
fn the_pages_commands_say_what_the_page_says() {
    let said = run("", |text| text);
    assert_eq!(said, blocks("text"), "{said}");
    // The entry that the shell built is ours, byte for byte.
    assert!(PAGE.contains(&statement().1.to_string()), "{}", statement().1);
}

#[test]
fn the_pages_commands_see_what_was_altered() {
    let count = |said: &str, line: &str| said.lines().filter(|said| *said == line).count();
    let (in_tree, verified) = ("the entry is in the tree", "Signature Verified Successfully");
    let all = run("", |text| text);
    assert_eq!((count(&all, in_tree), count(&all, verified)), (1, 2));

    // A statement that is not in the log: an interim one, or another letter in it.
    let said = run("proof-v0-draft-final.json", |text| text.replacen("\"payload\":\"eyJmb", "\"payload\":\"eyJnb", 1));
    assert_eq!((count(&said, in_tree), count(&said, verified)), (0, 2), "{said}");
    // Another root: neither log nor witness said so.
    let root = evidence().note.unverified_text().lines().last().unwrap().to_owned();
    let said = run("log-v1.tlog-proof", |text| text.replace(&root, &Hash::EMPTY.to_string()));
    assert_eq!((count(&said, in_tree), count(&said, verified)), (0, 0), "{said}");
    // Another size: the path from this leaf up is the same, and only the signatures tell.
    let said = run("log-v1.tlog-proof", |text| text.replace("\n22\n", "\n23\n"));
    assert_eq!((count(&said, in_tree), count(&said, verified)), (1, 0), "{said}");
    // Keys that did not sign.
    let other = |name, kind| Signer::from_seed(name, kind, &[23; 32]).unwrap().public().to_string();
    let others = format!("{}\n{}\n", other(ORIGIN, KeyKind::Log), other(WITNESS, KeyKind::Witness));
    let said = run("log-v1.vkeys", |_| others.clone());
    assert_eq!((count(&said, in_tree), count(&said, verified)), (1, 0), "{said}");
}
