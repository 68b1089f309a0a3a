//! `docs/formats/verify.sh`, the check that needs none of our programs: it takes the frozen proofs, and sees what was altered
//! in them as far as it says that it looks (`docs/formats/proof-v1.md`, section 9).

#![allow(clippy::unwrap_used, reason = "a missing part should fail the test at once")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats/vectors")
}

/// Exit code, what was printed, and the last line of what went wrong.
fn run(proof: &str, issuer: &Path, keys: &Path) -> (Option<i32>, String, String) {
    let mut command = Command::new("sh");
    command.arg("../verify.sh").arg(proof).args([issuer, keys]).current_dir(folder());
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr).trim_end().to_owned())
}

fn trusting(proof: &str) -> (Option<i32>, String, String) {
    run(proof, Path::new("issuer-v1.pub"), Path::new("proof-v1.keys.json"))
}

#[test]
fn the_frozen_proofs_pass() {
    let anchor = std::fs::read_to_string(folder().join("proof-v1.anchor")).unwrap();
    for (proof, statements) in [("proof-v1.json", 18), ("proof-v1-interim.json", 13)] {
        let (code, said, wrong) = trusting(proof);
        assert_eq!((code, wrong.as_str()), (Some(0), ""), "{said}");
        assert!(said.ends_with("\nclassical part: ok\n"), "{said}");
        assert!(said.contains(&format!("trust anchor {},", anchor.trim_end())), "{said}");
        assert!(said.contains(&format!("the proof names these {statements} statements")), "{said}");
        assert!(said.contains("not checked here: ML-DSA signatures"), "{said}");
    }
}

#[test]
fn what_was_altered_is_seen_and_named() {
    for (name, why) in [
        ("flipped-receipt", "the signature of a receipt of web1 does not verify"),
        ("removed-signature", "a proof does not carry exactly two signatures"),
        ("wrong-path", "a absence is not in the log where the file says"),
        ("another-day", "a plan is not in the log where the file says"),
        ("unknown-agent", "signed by a key that the key file does not give to web1"),
        ("foreign-issuer", "is not signed by the issuer's ML-DSA key"),
        ("space", "the proof does not have its one form"),
        ("version", "the proof is of another format than gallra-proof-v1"),
    ] {
        let (code, said, wrong) = trusting(&format!("hostile/{name}.json"));
        assert_eq!(code, Some(1), "{name}: {said}");
        assert!(wrong.starts_with("FAILED: ") && wrong.ends_with(why), "{name}: {wrong}");
        assert!(!said.contains("classical part: ok"), "{name}: {said}");
    }
}

/// What the script says that it does not look at. Were one of these seen, the page would have to say so.
#[test]
fn what_only_the_evidence_shows_passes() {
    for name in ["fork", "interim-as-final", "act-before-plan", "gap"] {
        let (code, said, wrong) = trusting(&format!("hostile/{name}.json"));
        assert_eq!(code, Some(0), "{name}: {said}{wrong}");
    }
}

#[test]
fn other_keys_and_altered_files_are_refused() {
    let copy = tempfile::tempdir().unwrap();
    let path = |name: &str| copy.path().join(name);
    let read = |name: &str| std::fs::read_to_string(folder().join(name)).unwrap();
    let (pem, keys, proof) = (read("issuer-v1.pub"), read("proof-v1.keys.json"), read("hostile/gap.json"));
    std::fs::write(path("issuer"), &pem).unwrap();
    std::fs::write(path("keys"), &keys).unwrap();
    let refused = |name: &str, what: &str, from: &str, to: &str, why: &str| {
        let text = match name {
            "issuer" => &pem,
            "keys" => &keys,
            _ => &proof,
        };
        let altered = text.replacen(from, to, 1);
        assert_ne!(*text, altered, "{what}");
        std::fs::write(path("proof"), &proof).unwrap();
        std::fs::write(path(name), altered).unwrap();
        let (code, said, wrong) = run(path("proof").to_str().unwrap(), &path("issuer"), &path("keys"));
        std::fs::write(path(name), text).unwrap();
        assert_eq!(code, Some(1), "{what}: {said}");
        assert!(wrong.starts_with("FAILED: ") && wrong.contains(why), "{what}: {wrong}");
    };
    let second = pem.split_inclusive("-----END PUBLIC KEY-----\n").nth(1).unwrap().to_owned();
    refused("issuer", "one key only", &second, "", "no second key");
    refused("issuer", "another second key", "MIIHsjALBglghkgBZQMEAxID", "MIIHsjALBglghkgBZQMEAxIE", "ML-DSA key");
    refused("keys", "another form", "\"events\":[", "\"events\": [", "key file does not have its one form");
    refused("keys", "no key file", "gallra-keys-v1", "gallra-keys-v2", "not a gallra-keys-v1");
    refused("proof", "another position", "\"index\":0,", "\"index\":1,", "not in the log");
    refused(
        "proof",
        "a checkpoint of another size",
        "log.provider.example/2026a\\n",
        "log.provider.example/2026a\\n1",
        "the log's signature",
    );
    refused("proof", "two lines", "\n", "\n\n", "not one line");
    refused("proof", "something behind", "\"timestamps\":[]}", "\"timestamps\":[],\"more\":[]}", "one form");
    refused("proof", "statements as events", "],\"manifests\":[", "],\"events\":[", "one form");
}
