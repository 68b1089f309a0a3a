//! Proofs that somebody would like to be believed, each with the exit code that it must get. The issuer's key is often
//! in the wrong hands here: what the evidence does not show, no signature can say (I5).

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

mod support;

use gallra_model::envelope::Envelope;
use gallra_model::outcome::Counts;
use gallra_model::plan::Note;
use gallra_model::proof::{PROOF_TYPE, ProofFile, Stage, Statement};
use gallra_model::receipt::RECEIPT_TYPE;
use gallra_model::{Clock, JobId};
use gallra_proof::key::SigningKey;
use gallra_proof::{dsse, file, plan, receipt};
use gallra_verify::Outcome;
use support::{Story, at, day};

const SIGNATURE: u8 = 20;
const NO_TRUSTED_KEY: u8 = 25;
const EVIDENCE: u8 = 26;
const MALFORMED: u8 = 30;
const UNKNOWN_VERSION: u8 = 31;

fn code(bytes: &[u8]) -> (u8, String) {
    let verdict = gallra_verify::verify(bytes, &[Story::planned().trusted()]);
    (verdict.exit_code(&[]), verdict.conclusion())
}

fn expect(name: &str, bytes: &[u8], expected: u8) {
    let (code, said) = code(bytes);
    assert_eq!(code, expected, "{name}: {said}");
    assert!(said.starts_with("INVALID: "), "{name}: {said}");
}

fn says_final(statement: &mut Statement) {
    statement.stage = Stage::Final;
    statement.until = None;
    for target in &mut statement.targets {
        target.proven = true;
        target.why = String::new();
    }
}

/// The complete file with one part changed, nothing signed anew.
fn altered(alter: impl FnOnce(&mut ProofFile)) -> Vec<u8> {
    let story = Story::complete();
    let mut parts = story.file(&story.statement());
    alter(&mut parts);
    file::write(&parts).unwrap()
}

/// The statement rewritten as text and signed again by the issuer.
fn restated(from: &str, to: &str) -> Vec<u8> {
    altered(|parts| parts.statement = rewritten(&parts.statement, PROOF_TYPE, &Story::planned().issuer, from, to))
}

fn rewritten(envelope: &Envelope, payload_type: &str, key: &SigningKey, from: &str, to: &str) -> Envelope {
    let payload = String::from_utf8(dsse::payload(envelope).unwrap()).unwrap();
    assert!(payload.contains(from), "the payload has {from}");
    dsse::sign(payload_type, payload.replacen(from, to, 1).as_bytes(), key)
}

#[test]
fn the_issuer_cannot_say_more_than_the_evidence_shows() {
    type Lie = (&'static str, Vec<u8>);
    let halfway = Story::halfway();
    let mut never_closed = Story::complete();
    never_closed.receipts.iter_mut().filter_map(|r| r.listing.as_mut()).for_each(|l| l.run_under_way = true);
    let mut failed = Story::complete();
    failed.receipt_mut(6).counts = Counts { erased: 39, failed: 1, ..Counts::default() };
    let mut silent = Story::complete();
    silent.receipt_mut(6).counts = Counts::default();
    let complete = Story::complete();
    let lies: Vec<Lie> = vec![
        ("interim relabelled final", halfway.lying(says_final)),
        (
            "final with an empty copy list",
            halfway.lying(|s| {
                says_final(s);
                s.copies.clear();
            }),
        ),
        ("a copy left out", complete.lying(|s| drop(s.copies.remove(0)))),
        ("a copy said to be gone", halfway.lying(|s| s.copies[0].gone = Some(at("2026-08-25T04:00:00Z")))),
        ("set never closed", never_closed.lying(says_final)),
        ("set said to be closed", never_closed.lying(|s| s.copies_closed = Some(at("2026-03-01T04:00:00Z")))),
        ("look again missing", Story::complete().without(13).lying(says_final)),
        ("confirmation missing", Story::complete().without(9).lying(says_final)),
        ("erasure missing", Story::complete().without(6).lying(says_final)),
        ("counts failed", failed.lying(says_final)),
        ("nothing counted", silent.lying(says_final)),
        ("counts raised", complete.lying(|s| s.targets[0].counts.erased += 1)),
        ("a target left out", complete.lying(|s| drop(s.targets.remove(1)))),
        ("obligation left out", complete.lying(|s| s.kept.clear())),
        ("obligation shortened", complete.lying(|s| s.kept[0].keep.earliest = day("2027-01-01"))),
        ("another last day", halfway.lying(|s| s.until = Some(day("2026-04-01")))),
        ("level raised", complete.lying(|s| s.level = "A4".to_owned())),
        ("simulated passed off as real", complete.lying(|s| s.clock = Clock::Real)),
        ("simulated plan passed off as real", Story::planned().lying(|s| s.clock = Clock::Real)),
        ("another request", complete.lying(|s| s.request = gallra_model::RequestId::from_bytes([9; 16]))),
        ("nothing but the stage raised", Story::complete().without(13).lying(|s| s.stage = Stage::Final)),
        ("without a number", complete.lying(|s| s.sequence = 0)),
    ];
    for (name, bytes) in lies {
        expect(name, &bytes, EVIDENCE);
    }
}

#[test]
fn evidence_cannot_be_removed_doubled_or_borrowed() {
    expect("removed receipt", &altered(|parts| drop(parts.receipts.remove(3))), EVIDENCE);
    expect("reordered receipts", &altered(|parts| parts.receipts.swap(0, 1)), EVIDENCE);

    let mut doubled = Story::complete();
    doubled.receipts.push(doubled.receipts[5].clone());
    expect("doubled receipt", &doubled.bytes(), EVIDENCE);

    let mut replayed = Story::complete();
    let mut foreign = replayed.receipts[5].clone();
    foreign.job = JobId::from_bytes([0xee; 16]);
    replayed.receipts[5] = foreign.clone();
    let bytes = replayed.lying(|s| {
        let envelope = receipt::sign(&foreign, &replayed.agents["web1"]).unwrap();
        s.evidence.insert(5, dsse::payload_digest(&envelope).unwrap());
        says_final(s);
    });
    expect("replayed receipt of another job", &bytes, EVIDENCE);

    let mut shared = Story::complete();
    let job = shared.step(6).job;
    shared.step_mut(7).job = job;
    expect("two steps with one job", &shared.lying(says_final), EVIDENCE);

    expect(
        "another plan",
        &altered(|parts| {
            let mut other = Story::complete();
            other.plan.steps.truncate(5);
            parts.plan = plan::sign(&other.plan, &other.issuer).unwrap();
        }),
        EVIDENCE,
    );

    let mut noted = Story::complete();
    noted.plan.notes.push(Note { code: "keeps".to_owned(), target: String::new(), text: String::new() });
    let noted = plan::sign(&noted.plan, &noted.issuer).unwrap();
    expect("a plan of the same steps", &altered(|parts| parts.plan = noted), EVIDENCE);
}

#[test]
fn only_the_key_that_the_plan_names_speaks_for_an_agent() {
    let signed_by = |key: SigningKey, agent: &str| {
        let mut story = Story::complete();
        story.agents.insert(agent.to_owned(), key);
        story.bytes()
    };
    expect("another agent's key", &signed_by(SigningKey::from_seed(&[3; 32]), "web1"), SIGNATURE);
    expect("an unknown key", &signed_by(SigningKey::from_seed(&[77; 32]), "web1"), SIGNATURE);

    let mut own = Story::complete();
    own.agents.insert("web1".to_owned(), SigningKey::from_seed(&[1; 32]));
    own.plan.agents.iter_mut().for_each(|named| {
        named.key = own.agents[named.agent.as_str()].verifying().to_hex();
    });
    expect("the issuer as its own agent", &own.bytes(), EVIDENCE);

    let mut twice = Story::complete();
    let again = twice.plan.agents[0].clone();
    twice.plan.agents.push(again);
    expect("an agent named twice", &twice.bytes(), EVIDENCE);

    let mut weak = Story::complete();
    weak.plan.agents[0].key = format!("01{}", "00".repeat(31));
    expect("a weak evidence key", &weak.bytes(), EVIDENCE);
}

#[test]
fn signatures_are_of_this_type_by_this_key_over_these_bytes() {
    let foreign = SigningKey::from_seed(&[99; 32]);
    let story = Story::complete();
    expect("plan by a foreign key", &altered(|p| p.plan = plan::sign(&story.plan, &foreign).unwrap()), NO_TRUSTED_KEY);
    expect(
        "signature of another part",
        &altered(|p| {
            p.plan.signatures[0].sig = p.statement.signatures[0].sig.clone();
        }),
        SIGNATURE,
    );
    expect(
        "two signatures",
        &altered(|p| {
            let first = p.statement.signatures[0].clone();
            p.statement.signatures.push(first);
        }),
        MALFORMED,
    );
    expect("no signature", &altered(|p| p.statement.signatures.clear()), MALFORMED);
    expect("plan and statement swapped", &altered(|p| std::mem::swap(&mut p.plan, &mut p.statement)), MALFORMED);
    expect(
        "unsigned words",
        &altered(|p| {
            let payload = String::from_utf8(dsse::payload(&p.statement).unwrap()).unwrap();
            let other =
                dsse::sign(PROOF_TYPE, payload.replace("\"sequence\":2", "\"sequence\":3").as_bytes(), &foreign);
            p.statement.payload = other.payload;
        }),
        SIGNATURE,
    );
}

#[test]
fn a_file_has_one_spelling() {
    let good = String::from_utf8(Story::complete().bytes()).unwrap();
    let change = |from: &str, to: &str| good.replacen(from, to, 1).into_bytes();
    expect("unknown version", &change("gallra-proof-v0-draft", "gallra-proof-v1"), UNKNOWN_VERSION);
    expect("duplicate name", &change("{\"format\"", "{\"format\":\"gallra-proof-v0-draft\",\"format\""), MALFORMED);
    expect("duplicate name inside", &change("\"payloadType\"", "\"payload\":\"\",\"payloadType\""), MALFORMED);
    expect("space", &change("\"plan\":", "\"plan\": "), MALFORMED);
    expect("escaped letter", &change("\"payload\"", "\"p\\u0061yload\""), MALFORMED);
    expect("unknown field", &change("{\"format\"", "{\"extra\":1,\"format\""), MALFORMED);
    expect("no newline", good.trim_end().as_bytes(), MALFORMED);
    expect("two newlines", format!("{good}\n").as_bytes(), MALFORMED);
    expect("something behind", format!("{good}{{}}").as_bytes(), MALFORMED);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    expect("deep nesting", &change("\"receipts\":[", &format!("\"receipts\":[{deep},")), MALFORMED);
    expect("nothing", b"", MALFORMED);
    expect("not text", &[0xff; 64], MALFORMED);
    expect("another thing", br#"{"format":"spdx"}"#, MALFORMED);
}

#[test]
fn signed_words_have_one_spelling_too() {
    for (name, from, to) in [
        ("duplicate name", "\"sequence\":2", "\"sequence\":2,\"sequence\":2"),
        ("space", "\"sequence\":2", "\"sequence\": 2"),
        ("exponent", "\"sequence\":2", "\"sequence\":2e0"),
        ("beyond 2^53", "\"sequence\":2", "\"sequence\":9007199254740992"),
        ("beyond 2^64", "\"sequence\":2", "\"sequence\":99999999999999999999"),
        ("beyond floats", "\"sequence\":2", "\"sequence\":1e999"),
        ("negative", "\"sequence\":2", "\"sequence\":-2"),
        ("null for unset", "\"stage\":\"final\"", "\"stage\":\"final\",\"until\":null"),
        ("unknown field", "\"sequence\":2", "\"sequence\":2,\"note\":\"\""),
        ("unknown stage", "\"stage\":\"final\"", "\"stage\":\"almost-final\""),
        ("terminal control", "\"category\":\"customer-data\"", "\"category\":\"\\u001b[2J\""),
    ] {
        expect(name, &restated(from, to), MALFORMED);
    }
    let key = SigningKey::from_seed(&[2; 32]);
    let huge = altered(|parts| {
        parts.receipts[0] =
            rewritten(&parts.receipts[0], RECEIPT_TYPE, &key, "\"items\":40", "\"items\":9007199254740992");
    });
    expect("huge number in a receipt", &huge, MALFORMED);
}

#[test]
fn the_issuer_refuses_at_intake_what_a_verifier_would_refuse() {
    let key = SigningKey::from_seed(&[2; 32]);
    let story = Story::complete();
    let good = receipt::sign(&story.receipts[0], &key).unwrap();
    assert!(receipt::open(&good, &key.verifying()).is_ok());
    for (from, to) in [("\"items\":40", "\"items\":9007199254740992"), ("\"items\":40", "\"items\": 40")] {
        let bad = rewritten(&good, RECEIPT_TYPE, &key, from, to);
        assert!(receipt::open(&bad, &key.verifying()).is_err(), "{to}");
    }
}

#[test]
fn no_flipped_byte_survives() {
    let mut small = Story::planned();
    small.plan.steps.truncate(1);
    small.plan.backups.clear();
    small.plan.agents.truncate(3);
    small.obligations.clear();
    small.acts(1, "2026-02-25T08:00:00Z");
    let good = small.bytes();
    let keys = [small.trusted()];
    let is_valid = |bytes: &[u8]| gallra_verify::verify(bytes, &keys).exit_code(&[]) == 0;
    let mut flipped = good.clone();
    for at in 0..good.len() {
        for bit in [0, 2, 5, 7] {
            flipped[at] ^= 1 << bit;
            assert!(!is_valid(&flipped), "byte {at}, bit {bit}");
            flipped[at] = good[at];
        }
    }
    assert!(is_valid(&flipped), "and everything was put back");
}

#[test]
fn the_story_that_all_of_this_starts_from_is_valid() {
    let verdict = Story::complete().verdict();
    assert!(matches!(verdict.outcome, Outcome::Final { .. }), "{verdict:#?}");
}
