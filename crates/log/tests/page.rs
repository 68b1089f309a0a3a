//! The worked example of `docs/formats/log-v1.md`: its files are what fixed seeds give, and its commands, run as they stand on
//! the page, say what the page says, and say otherwise once a byte is altered.
//!
//! A format that changes needs a new name, not new vectors. `GALLRA_WRITE_VECTORS=1` writes them, for a new name.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_log::entry::{About, Entry, Kind};
use gallra_log::evidence::Evidence;
use gallra_log::note::{Key, Kind as KeyKind, Signer};
use gallra_log::tree::Hash;
use gallra_model::envelope::Envelope;
use gallra_model::{Digest, RequestId};
use gallra_proof::dsse;
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/formats/log-v1.md");
const PROOF: &[u8] = include_bytes!("../../../docs/formats/vectors/proof-v1.json");
const ORIGIN: &str = "log.provider.example/2026a";
const WITNESS: &str = "witness.auditor.example/w1";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats/vectors")
}

fn file() -> Value {
    serde_json::from_slice(PROOF).unwrap()
}

/// The entry of the frozen proof, as the page's section 2 makes it.
fn entry() -> Entry {
    let envelope: Envelope = serde_json::from_value(file()["proof"]["envelope"].clone()).unwrap();
    let pae = dsse::pae(&envelope.payload_type, &dsse::payload(&envelope).unwrap());
    let signatures = envelope
        .signatures
        .iter()
        .map(|signature| (signature.keyid.parse().unwrap(), Digest::of(&STANDARD.decode(&signature.sig).unwrap())));
    let about = About { kind: Kind::Proof, request: Some(RequestId::from_bytes([0xa1; 16])), due: None };
    Entry::new(Some(about), Digest::of(&pae), signatures.collect()).unwrap()
}

fn keys() -> (Signer, Signer) {
    let log = Signer::from_seed(ORIGIN, KeyKind::Log, &[21; 32]).unwrap();
    (log, Signer::from_seed(WITNESS, KeyKind::Witness, &[22; 32]).unwrap())
}

/// What the file says of where its proof is, in the form that C2SP gives such evidence.
fn evidence() -> Evidence {
    let file = file();
    let proof = &file["proof"];
    let checkpoint = usize::try_from(proof["checkpoint"].as_u64().unwrap()).unwrap();
    let path = STANDARD.decode(proof["path"].as_str().unwrap()).unwrap();
    let hashes = path.as_chunks::<32>().0.iter().map(|hash| Hash::from_bytes(*hash));
    Evidence {
        unverified_extra: None,
        index: proof["index"].as_u64().unwrap(),
        path: hashes.collect(),
        note: file["checkpoints"][checkpoint].as_str().unwrap().parse().unwrap(),
    }
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
    let opened = evidence.check(&entry().leaf(), log, std::slice::from_ref(witness)).unwrap();
    assert_eq!(opened.witnesses, [(WITNESS.to_owned(), 1_788_253_500)]);
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
    for file in ["proof-v1.json", "log-v1.tlog-proof", "log-v1.vkeys"] {
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
    assert!(PAGE.contains(&entry().to_string()), "{}", entry());
}

#[test]
fn the_pages_commands_see_what_was_altered() {
    let count = |said: &str, line: &str| said.lines().filter(|said| *said == line).count();
    let (in_tree, verified) = ("the entry is in the tree", "Signature Verified Successfully");
    let all = run("", |text| text);
    assert_eq!((count(&all, in_tree), count(&all, verified)), (1, 2));

    // A statement that is not in the log: an interim one, or another letter in it.
    let said = run("proof-v1.json", |text| text.replacen("\"payload\":\"eyJfd", "\"payload\":\"eyJfe", 1));
    assert_eq!((count(&said, in_tree), count(&said, verified)), (0, 2), "{said}");
    // Another root: neither log nor witness said so.
    let root = evidence().note.unverified_text().lines().last().unwrap().to_owned();
    let said = run("log-v1.tlog-proof", |text| text.replace(&root, &Hash::EMPTY.to_string()));
    assert_eq!((count(&said, in_tree), count(&said, verified)), (0, 0), "{said}");
    let size: u64 = evidence().note.unverified_text().lines().nth(1).unwrap().parse().unwrap();
    // Another size: the path from this leaf up is the same, and only the signatures tell.
    let said = run("log-v1.tlog-proof", |text| text.replace(&format!("\n{size}\n"), &format!("\n{}\n", size + 1)));
    assert_eq!((count(&said, in_tree), count(&said, verified)), (1, 0), "{said}");
    // Keys that did not sign.
    let other = |name, kind| Signer::from_seed(name, kind, &[23; 32]).unwrap().public().to_string();
    let others = format!("{}\n{}\n", other(ORIGIN, KeyKind::Log), other(WITNESS, KeyKind::Witness));
    let said = run("log-v1.vkeys", |_| others.clone());
    assert_eq!((count(&said, in_tree), count(&said, verified)), (1, 0), "{said}");
}
