//! The frozen vectors in `docs/formats/vectors` are what the fixed seeds give, and the classical half of their signatures checks
//! with OpenSSL.
//!
//! A format that changes needs a new name, not new vectors. `GALLRA_WRITE_VECTORS=1` writes them, for a new name.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_model::Digest;
use gallra_model::envelope::Envelope;
use gallra_model::outcome::Counts;
use gallra_model::proof::{ProofFile, Stage};
use gallra_model::receipt::{Code, Verdict};
use gallra_model::statement::{PAYLOAD_TYPE, Type};
use gallra_proof::dsse;
use gallra_proof::issuer::Signer as _;
use gallra_proof::key::SigningKey;
use gallra_verify::{Outcome, Question, Require, Trust};
use support::Story;
use support::keys::Pair;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats/vectors")
}

/// A file of the folder, after it was written if that is asked for.
fn frozen(name: &str, made: &[u8]) {
    let path = folder().join(name);
    if std::env::var_os("GALLRA_WRITE_VECTORS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, made).unwrap();
    }
    assert!(std::fs::read(&path).unwrap() == made, "{name} is not what this code writes");
}

fn complete() -> Story {
    let mut story = Story::complete();
    story.witnessed = true;
    story
}

#[test]
fn frozen_vectors_are_what_the_fixed_seeds_give() {
    let complete = complete();
    let made = complete.made();
    frozen("proof-v1.json", &made.bytes());
    frozen("proof-v1-interim.json", &Story::halfway().bytes());
    frozen("proof-v1.keys.json", made.key_text().as_bytes());
    frozen("proof-v1.anchor", complete.anchor().as_bytes());
    frozen("issuer-v1.pub", complete.issuer_pem().as_bytes());
}

/// One of many ways to be wrong: a name, the exit code for a holder of the anchor, and what is wrong.
struct Wrong {
    name: &'static str,
    code: u8,
    what: &'static str,
    bytes: Vec<u8>,
}

fn hostile() -> Vec<Wrong> {
    let small = Story::small();
    let altered = |alter: &dyn Fn(&mut ProofFile)| {
        let mut parts = small.made().file;
        alter(&mut parts);
        gallra_proof::file::write(&parts).unwrap()
    };
    let replaced = |from: &str, to: &str| {
        let text = String::from_utf8(small.bytes()).unwrap();
        assert!(text.contains(from));
        text.replacen(from, to, 1).into_bytes()
    };
    let wrong = |name, code, what, bytes| Wrong { name, code, what, bytes };
    let mut gap = Story::small();
    let mut failed = gap.receipts[0].clone();
    (failed.verdict, failed.code, failed.counts) = (Verdict::Failed, Some(Code::Target), Counts::default());
    gap.receipts[0].attempt = 2;
    gap.receipts.insert(0, failed);
    gap.left_out = vec![0];
    let mut early = Story::small();
    early.quotes_before_plan = true;
    let mut unknown = Story::small();
    unknown.agents.insert("web1".to_owned(), SigningKey::from_seed(&[77; 32]));
    let foreign = Pair::of(99);
    vec![
        wrong("flipped-receipt", 20, "one bit of what an agent signed", {
            altered(&|parts| {
                let mut payload = dsse::payload(&parts.statements[0].envelope).unwrap();
                let at = payload.windows(11).position(|seen| seen == b"\"erased\":40").unwrap();
                payload[at + 9] ^= 1;
                parts.statements[0].envelope.payload = STANDARD.encode(payload);
            })
        }),
        wrong("removed-signature", 20, "one of the issuer's two signatures of the proof is not there", {
            let keyid = Pair::of(support::keys::ISSUER).ed25519.keyid().to_string();
            altered(&|parts| parts.proof.envelope.signatures.retain(|signature| signature.keyid != keyid))
        }),
        wrong("wrong-path", 21, "the path of another entry", {
            altered(&|parts| parts.statements[1].path = parts.statements[2].path.clone())
        }),
        wrong("another-day", 21, "the plan's entry says another day than the log", {
            altered(&|parts| parts.plan.due = Some(support::day("2026-12-31")))
        }),
        wrong("fork", 22, "the tree that was quoted is not the beginning of the log's", {
            altered(&|parts| parts.consistency[0].root = Digest::of(b"another root"))
        }),
        wrong("unknown-agent", 25, "an agent's key that nobody enrolled", unknown.bytes()),
        wrong("foreign-issuer", 25, "a proof by somebody else's keys", {
            small.forged(|draft| {
                if draft.kind == Type::Proof {
                    draft.sign(&foreign.signers());
                }
            })
        }),
        wrong("interim-as-final", 26, "nobody looked again, and it is called final", {
            Story::small().without(13).lying(|said| {
                said.stage = Stage::Final;
                said.targets.iter_mut().for_each(|target| (target.proven, target.why) = (true, String::new()));
            })
        }),
        wrong("act-before-plan", 26, "the tree that was quoted does not have the plan", early.bytes()),
        wrong("gap", 26, "an attempt that failed is left out", gap.bytes()),
        wrong("space", 30, "a second spelling of the same file", replaced("\"plan\":", "\"plan\": ")),
        wrong("version", 31, "a version that does not exist", replaced("gallra-proof-v1", "gallra-proof-v2")),
    ]
}

#[test]
fn hostile_files_are_refused_with_the_codes_of_their_table() {
    let all = hostile();
    let line = |wrong: &Wrong| format!("{}.json {} {}\n", wrong.name, wrong.code, wrong.what);
    frozen("hostile/codes.txt", all.iter().map(line).collect::<String>().as_bytes());
    for wrong in &all {
        frozen(&format!("hostile/{}.json", wrong.name), &wrong.bytes);
    }
    // As somebody would who has nothing but the files.
    let read = |name: &str| std::fs::read_to_string(folder().join(name)).unwrap();
    let trust = Trust::parse(&read("proof-v1.anchor")).unwrap();
    let table = read("hostile/codes.txt");
    for line in table.lines() {
        let mut words = line.splitn(3, ' ');
        let (name, code) = (words.next().unwrap(), words.next().unwrap());
        let verdict = gallra_verify::verify(read(&format!("hostile/{name}")).as_bytes(), &trust, &Question::default());
        assert_eq!(verdict.exit_code(&[]).to_string(), code, "{line}: {}", verdict.conclusion());
    }
    let files = std::fs::read_dir(folder().join("hostile")).unwrap().count();
    assert_eq!(files, table.lines().count() + 1, "each file stands in the table");
}

#[test]
fn each_way_of_trusting_takes_both() {
    let read = |name: &str| std::fs::read_to_string(folder().join(name)).unwrap();
    for trust in ["proof-v1.keys.json", "proof-v1.anchor", "issuer-v1.pub"] {
        let trust = Trust::parse(&read(trust)).unwrap();
        for (name, last) in [
            ("proof-v1.json", "VALID final, KEPT: 3 items (law/bookkeeping) until 2033-12-31"),
            ("proof-v1-interim.json", "VALID interim until 2026-08-24"),
        ] {
            let verdict = gallra_verify::verify(read(name).as_bytes(), &trust, &Question::default());
            assert_eq!(verdict.conclusion(), last, "{verdict:#?}");
            assert_eq!(verdict.exit_code(&[Require::Level(0)]), 0);
            assert_eq!(verdict.exit_code(&[Require::Level(1)]), 12, "no time stamp is on it");
        }
    }
    let witnessed = Question { witnesses: 1, ..Question::default() };
    let trust = Trust::parse(&read("proof-v1.anchor")).unwrap();
    let verdict = gallra_verify::verify(read("proof-v1.json").as_bytes(), &trust, &witnessed);
    assert!(matches!(verdict.outcome, Outcome::Final { .. }), "{verdict:#?}");
}

/// `docs/formats/proof-v1.md`, section 15, with the same command.
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
fn openssl_accepts_the_classical_half_and_nothing_else() {
    let file = Story::small().made().file;
    // OpenSSL reads the first of the two blocks.
    let key = Story::small().issuer_pem();
    let keyid = Pair::of(support::keys::ISSUER).ed25519.keyid().to_string();
    for envelope in [&file.proof.envelope, &file.request.envelope, &file.plan.envelope] {
        let mut signed = dsse::pae(PAYLOAD_TYPE, &dsse::payload(envelope).unwrap());
        let half = envelope.signatures.iter().find(|signature| signature.keyid == keyid).unwrap();
        let signature = STANDARD.decode(&half.sig).unwrap();
        assert!(openssl_accepts(&key, &signed, &signature));
        *signed.last_mut().unwrap() ^= 1;
        assert!(!openssl_accepts(&key, &signed, &signature));
    }
}

/// Envelopes that `reference/envelopes.py` made with securesystemslib out of the payloads of `proof-v1.json`. `GALLRA_INTEROP` names
/// another such file, as `./dev test --long` does: no two ML-DSA signatures of one message are the same there.
fn signed_by_others() -> Vec<Envelope> {
    #[derive(serde::Deserialize)]
    struct Others {
        envelopes: Vec<Envelope>,
    }
    let path =
        std::env::var_os("GALLRA_INTEROP").map_or_else(|| folder().join("interop/envelopes.json"), PathBuf::from);
    let others: Others = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    others.envelopes
}

/// One at a time, since the log binds signatures, and agents quote the log: what comes later has other payloads then.
#[test]
fn a_proof_in_which_an_independent_program_signed_verifies() {
    let story = complete();
    let ours = story.made().bytes();
    let trust = Trust::parse(&story.anchor()).unwrap();
    let others = signed_by_others();
    assert_eq!(others.len(), 8, "manifest, three events, request, plan, copy set, proof");
    for theirs in &others {
        let with = |envelope: &Envelope| {
            let mut used = 0;
            let made = story.made_with(&mut |draft| {
                if STANDARD.encode(&draft.text) == envelope.payload {
                    draft.envelope = Some(envelope.clone());
                    used += 1;
                }
            });
            assert_eq!(used, 1, "its payload is in the story");
            made.bytes()
        };
        let bytes = with(theirs);
        assert!(bytes != ours, "another signature");
        let verdict = gallra_verify::verify(&bytes, &trust, &Question::default());
        assert_eq!(
            verdict.conclusion(),
            "VALID final, KEPT: 3 items (law/bookkeeping) until 2033-12-31",
            "{verdict:#?}"
        );
        // The log has the altered signature, too: only the check of the signature can refuse it.
        for at in 0..2 {
            let mut altered = theirs.clone();
            let mut sig = STANDARD.decode(&altered.signatures[at].sig).unwrap();
            sig[20] ^= 1;
            altered.signatures[at].sig = STANDARD.encode(sig);
            let verdict = gallra_verify::verify(&with(&altered), &trust, &Question::default());
            assert_eq!(verdict.exit_code(&[]), 20, "{verdict:#?}");
        }
    }
}

#[test]
fn openssl_reads_the_private_key_that_we_write() {
    let key = Pair::of(support::keys::ISSUER).ed25519;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("issuer.key");
    std::fs::write(&path, key.to_pem().unwrap()).unwrap();
    let output = Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(&path).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), key.verifying().to_pem());
}
