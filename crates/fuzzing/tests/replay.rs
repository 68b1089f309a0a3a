//! Every body over its seeds and over mutants of them, the same ones every time: a fuzzer's first seconds, on stable and
//! in every run of the tests. A finding becomes a file in `corpus/`, and with it a test. `GALLRA_MUTANTS` asks for more.

#![allow(clippy::unwrap_used, reason = "a corpus that cannot be read should fail at once")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gallra_fuzzing::mutate::Mutator;
use gallra_fuzzing::{Seen, TARGETS, target};

/// What all seeds together may weigh, in bytes.
const CORPUS_BYTES: usize = 320 * 1024;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// Names and bytes of a target's seeds, by name.
fn seeds(name: &str) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(corpus().join(name)).unwrap_or_else(|why| panic!("corpus/{name}: {why}"));
    let mut seeds: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "corpus/{name} is empty");
    seeds
}

/// Runs a body; what makes it panic is kept as a file, so that it can be looked at and added to the corpus.
fn run(name: &str, body: fn(&[u8]) -> Seen, from: &str, bytes: &[u8]) -> Seen {
    std::panic::catch_unwind(|| body(bytes)).unwrap_or_else(|_| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"));
        std::fs::write(&path, bytes).unwrap();
        panic!("{name}: a mutant of {from} fails; it is kept as {}", path.display());
    })
}

fn replay(name: &str) {
    let target = target(name).unwrap_or_else(|| panic!("no target {name}"));
    let seeds = seeds(name);
    let read: BTreeSet<&str> = seeds
        .iter()
        .filter(|(from, bytes)| run(name, target.body, from, bytes) == Seen::Read)
        .map(|(from, _)| from.as_str())
        .collect();
    assert!(!read.is_empty(), "no seed of {name} is read: its body checks nothing");
    // Seeds say by their names what they are; what a fuzzer found has another name.
    for (from, _) in &seeds {
        assert!(!from.starts_with("good-") || read.contains(from.as_str()), "{name}/{from} is refused");
        assert!(!from.starts_with("bad-") || !read.contains(from.as_str()), "{name}/{from} is read");
    }
    let asked = std::env::var("GALLRA_MUTANTS").ok().map(|number| number.parse().expect("GALLRA_MUTANTS is a number"));
    let each = asked.unwrap_or(target.mutants).div_ceil(u32::try_from(seeds.len()).unwrap());
    for ((from, bytes), number) in seeds.iter().zip(1..) {
        let mut mutator = Mutator::new(number);
        for turn in 0..each {
            let (_, other) = seeds.get(usize::try_from(turn).unwrap() % seeds.len()).unwrap();
            run(name, target.body, from, &mutator.mutant(bytes, other));
        }
    }
}

macro_rules! replays {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            replay($name);
        })*

        #[test]
        fn every_target_is_replayed_and_has_seeds() {
            let replayed = BTreeSet::from([$($name),*]);
            let known: BTreeSet<_> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(replayed, known);
            let folders = std::fs::read_dir(corpus()).unwrap();
            let folders: BTreeSet<_> =
                folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            assert_eq!(folders, known.iter().map(|name| (*name).to_owned()).collect());
            let bytes: usize = known.iter().flat_map(|name| seeds(name)).map(|(_, bytes)| bytes.len()).sum();
            assert!(bytes <= CORPUS_BYTES, "the corpus has {bytes} bytes");
        }
    };
}

replays! {
    agent_json: "agent-json",
    agent_toml: "agent-toml",
    calendar: "calendar",
    certificates: "certificate",
    client_toml: "client-toml",
    coordinator_toml: "coordinator-toml",
    envelopes: "envelope",
    paths_of_trees: "files-path",
    ids: "ids",
    join_tokens: "join-token",
    journals: "journal",
    records_of_journals: "journal-records",
    key_files: "key-file",
    texts_of_keys: "key-text",
    checkpoints_of_logs: "log-checkpoint",
    entries_of_logs: "log-entry",
    lines_of_access_logs: "log-line",
    notes_of_logs: "log-note",
    heads_of_mails: "mail-head",
    messages: "messages",
    first_lines_of_the_pipe: "pipe-begin",
    lines_of_the_pipe: "pipe-lines",
    facts_of_plans: "plan-facts",
    questions_about_policies: "policy-explain",
    instructions_of_customers: "policy-instruction",
    policy_packs: "policy-pack",
    evidence_of_proofs: "proof-evidence",
    proof_files: "proof-file",
    proofs_of_any_receipts: "proof-receipts",
    proofs_of_version_1: "proof-v1",
    keys_that_are_trusted: "trusted-keys",
    answers_of_restic: "restic-answer",
    keep_rules_of_restic: "restic-keep",
    packs_of_restic: "restic-pack",
    signed_payloads: "signed-payload",
    signing_requests: "signing-request",
    mappings_of_databases: "sql-mapping",
    keys_of_the_store: "store-key",
    values_of_the_store: "store-value",
    files_of_suppression_lists: "suppression-list",
    lines_of_suppression_lists: "suppression-lines",
    templates: "template",
    paths_of_tiles: "tile-path",
    time_stamps: "time-stamp",
    answers_of_authorities: "time-stamp-answer",
    values_of_the_vault: "vault-value",
    calls_on_the_wire: "wire-call",
    sessions_on_the_wire: "wire-session",
    requests_to_witnesses: "witness-request",
    answers_of_witnesses: "witness-answer",
    questions_about_subjects: "subject-question",
    scans_for_leaks: "leak-scan",
    addresses_of_logs: "log-address",
}
