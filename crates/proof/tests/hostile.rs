//! Proofs that somebody would like to be believed, each with the exit code that it must get. The issuer's keys and the log's
//! are often in the wrong hands here: what the evidence does not show, no signature can say (I5).

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

mod support;

use std::sync::LazyLock;

use gallra_model::outcome::Counts;
use gallra_model::plan::Note;
use gallra_model::proof::{Piece, Proof, ProofFile, Stage};
use gallra_model::receipt::{Code, Verdict};
use gallra_model::statement::Type;
use gallra_model::{Clock, Digest, JobId};
use gallra_proof::issuer::Signer;
use gallra_proof::key::SigningKey;
use gallra_proof::{file, receipt};
use gallra_verify::Outcome;
use support::keys::{Deterministic, Pair, enrolled, enrolled_spki};
use support::{Story, at, day};

const SIGNATURE: u8 = 20;
const NOT_IN_LOG: u8 = 21;
const FORK: u8 = 22;
const NO_TRUSTED_KEY: u8 = 25;
const EVIDENCE: u8 = 26;
const MALFORMED: u8 = 30;
const UNKNOWN_VERSION: u8 = 31;

/// Exit code and last line for a holder of the anchor, which all stories have in common.
fn code(bytes: &[u8]) -> (u8, String) {
    static ANCHOR: LazyLock<String> = LazyLock::new(|| Story::planned().anchor());
    let trust = gallra_verify::Trust::parse(&ANCHOR).unwrap();
    let verdict = gallra_verify::verify(bytes, &trust, &gallra_verify::Question::default());
    (verdict.exit_code(&[]), verdict.conclusion())
}

fn expect(name: &str, bytes: &[u8], expected: u8) {
    let (code, said) = code(bytes);
    assert_eq!(code, expected, "{name}: {said}");
    assert!(said.starts_with("INVALID: "), "{name}: {said}");
}

fn says_final(proof: &mut Proof) {
    proof.stage = Stage::Final;
    proof.until = None;
    for target in &mut proof.targets {
        target.proven = true;
        target.why = String::new();
    }
}

/// The complete file with one part changed, nothing signed anew.
fn altered(alter: impl FnOnce(&mut ProofFile)) -> Vec<u8> {
    let mut parts = Story::complete().made().file;
    alter(&mut parts);
    file::write(&parts).unwrap()
}

/// The complete story with the proof rewritten as text before it is signed.
fn restated(from: &str, to: &str) -> Vec<u8> {
    rewritten(Type::Proof, 0, from, to)
}

/// The same for any statement.
fn rewritten(kind: Type, number: usize, from: &str, to: &str) -> Vec<u8> {
    Story::complete().forged(|draft| {
        if draft.is(kind, number) {
            draft.rewrite(from, to);
        }
    })
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
        ("simulated passed off as real", complete.lying(|s| s.clock = Clock::Real)),
        ("simulated plan passed off as real", Story::planned().lying(|s| s.clock = Clock::Real)),
        ("nothing but the stage raised", Story::complete().without(13).lying(|s| s.stage = Stage::Final)),
        ("without a number", complete.lying(|s| s.sequence = 0)),
        ("the first, and one before it", complete.lying(|s| s.sequence = 1)),
        ("the second, and none before it", complete.lying(|s| s.previous = None)),
        ("the first, and an amendment", {
            let mut first = Story::complete();
            first.sequence = 1;
            first.lying(|s| s.stage = Stage::Amendment)
        }),
        ("an amendment that is not final", halfway.lying(|s| s.stage = Stage::Amendment)),
    ];
    for (name, bytes) in lies {
        expect(name, &bytes, EVIDENCE);
    }
    let other = complete.lying(|s| s.request = gallra_model::RequestId::from_bytes([9; 16]));
    expect("another request than the log says", &other, NOT_IN_LOG);
    let other = complete.lying(|s| s.manifest.digest = Digest::of(b"another manifest"));
    expect("another manifest", &other, NO_TRUSTED_KEY);
}

#[test]
fn the_copy_set_in_the_log_is_the_one_that_the_listings_close() {
    let mut unsaid = Story::complete();
    unsaid.says_set = false;
    assert_eq!(unsaid.statement().stage, Stage::Interim, "the issuer says it before it calls anything final");
    assert!(matches!(unsaid.verdict().outcome, Outcome::Interim { .. }), "{}", unsaid.verdict().conclusion());
    expect("no set, and final", &unsaid.lying(says_final), EVIDENCE);
    let set = |from: &str, to: &str| rewritten(Type::CopySet, 0, from, to);
    let copy = support::parts::copy_id(4).to_string();
    expect("a set of other copies", &set(&copy, &support::parts::copy_id(5).to_string()), EVIDENCE);
    expect("a set closed at another time", &set("2026-03-01T04:00:00Z", "2026-03-02T04:00:00Z"), EVIDENCE);
}

#[test]
fn evidence_cannot_be_removed_doubled_or_borrowed() {
    expect("removed receipt", &altered(|parts| drop(parts.statements.remove(3))), EVIDENCE);
    expect("reordered receipts", &altered(|parts| parts.statements.swap(0, 1)), EVIDENCE);

    let mut doubled = Story::complete();
    doubled.receipts.push(doubled.receipts[5].clone());
    expect("doubled receipt", &doubled.bytes(), EVIDENCE);

    let mut replayed = Story::complete();
    replayed.receipts[5].job = JobId::from_bytes([0xee; 16]);
    let digest = gallra_proof::dsse::payload_digest(&replayed.made().file.statements[5].envelope).unwrap();
    let bytes = replayed.lying(|s| {
        s.evidence.insert(5, Piece { statement: Type::Receipt, digest });
        says_final(s);
    });
    expect("replayed receipt of another job", &bytes, EVIDENCE);

    let mut shared = Story::complete();
    let job = shared.step(6).job;
    shared.step_mut(7).job = job;
    expect("two steps with one job", &shared.lying(says_final), EVIDENCE);

    expect("another plan", &Story::complete().lying(|s| s.plan = Digest::of(b"another plan")), EVIDENCE);
    let mut noted = Story::complete();
    noted.plan.notes.push(Note { code: "keeps".to_owned(), target: String::new(), text: String::new() });
    let noted = noted.made().file.plan;
    expect("a plan of the same steps, which the log does not have there", &altered(|p| p.plan = noted), NOT_IN_LOG);
}

/// An attempt that failed, and one that did it.
fn retried() -> Story {
    let mut story = Story::complete();
    let place = story.receipts.iter().position(|receipt| receipt.job == story.step(7).job).unwrap();
    let mut failed = story.receipts[place].clone();
    (failed.verdict, failed.code, failed.counts) = (Verdict::Failed, Some(Code::Target), Counts::default());
    story.receipts[place].attempt = 2;
    story.receipts.insert(place, failed);
    story
}

#[test]
fn an_attempt_that_failed_cannot_be_left_out() {
    let mut story = retried();
    assert_eq!(story.statement().stage, Stage::Final);
    assert!(matches!(story.verdict().outcome, Outcome::Final { .. }), "{}", story.verdict().conclusion());
    let place = story.receipts.iter().position(|receipt| receipt.verdict == Verdict::Failed).unwrap();
    story.left_out = vec![place];
    assert_eq!(story.statement().stage, Stage::Interim, "the issuer does not call a gap final");
    assert!(story.open_points()[0].contains("does not follow"), "{:?}", story.open_points());
    expect("a gap, honestly interim", &story.bytes(), EVIDENCE);
    expect("a gap, called final", &story.lying(says_final), EVIDENCE);

    // The agent that forgets what failed, and the one that names what was done.
    let failed = gallra_proof::dsse::payload_digest(&retried().made().file.statements[place].envelope).unwrap();
    let names = |digest: Digest| format!("\"previous\":\"{digest}\",");
    let other = names(Digest::of(b"another statement"));
    for (name, instead) in [("an agent that names none", ""), ("an agent that names another", other.as_str())] {
        let bytes = retried().forged(|draft| {
            if draft.text.contains(&names(failed)) {
                draft.rewrite(&names(failed), instead);
            }
        });
        expect(name, &bytes, EVIDENCE);
    }
    let first = rewritten(Type::Receipt, 0, "\"started\"", &format!("{other}\"started\""));
    expect("a first one that names another", &first, EVIDENCE);
}

#[test]
fn what_would_happen_was_in_the_log_before_it_did() {
    // The act of step 6 is the receipt after four inspections and what is preserved.
    let quotes = |alter: &dyn Fn(&mut support::made::Draft, &str)| {
        Story::complete().forged(|draft| {
            if draft.is(Type::Receipt, 5) {
                let said = format!("\"commitment\":{},", serde_json::to_string(&draft.planned).unwrap());
                alter(draft, &said);
            }
        })
    };
    let with = |size: u64, root: Digest| format!("\"commitment\":{{\"size\":{size},\"root\":\"{root}\"}},");
    expect("an act that quotes nothing", &quotes(&|draft, said| draft.rewrite(said, "")), EVIDENCE);
    let younger = quotes(&|draft, said| draft.rewrite(said, &with(draft.so_far.size + 1, draft.planned.root)));
    expect("a tree that is younger than the act", &younger, EVIDENCE);
    let forked = quotes(&|draft, said| draft.rewrite(said, &with(draft.planned.size, Digest::of(b"another root"))));
    expect("another tree of that size", &forked, FORK);
    let unshown = quotes(&|draft, said| draft.rewrite(said, &with(draft.so_far.size, draft.so_far.root)));
    expect("a tree of before that nothing leads from", &unshown, EVIDENCE);
    expect("nothing leads from the tree", &altered(|parts| parts.consistency.clear()), EVIDENCE);
    expect("a path that leads elsewhere", &altered(|parts| parts.consistency[0].from += 1), FORK);
    expect("a path of another root", &altered(|parts| parts.consistency[0].root = Digest::of(b"")), FORK);

    // A tree of before the plan, which the file shows to be of this history.
    let mut story = Story::complete();
    story.quotes_before_plan = true;
    expect("a tree of before the plan", &story.bytes(), EVIDENCE);
}

#[test]
fn a_log_that_shows_another_history_is_caught() {
    let witnessed = || {
        let mut story = Story::complete();
        story.witnessed = true;
        story
    };
    assert_eq!(witnessed().verdict().exit_code(&[]), 0, "{}", witnessed().verdict().conclusion());
    let with = |alter: &dyn Fn(&mut ProofFile)| {
        let mut parts = witnessed().made().file;
        alter(&mut parts);
        file::write(&parts).unwrap()
    };
    expect("checkpoints out of order", &with(&|parts| parts.checkpoints.swap(0, 1)), MALFORMED);
    expect("nothing leads from one to the other", &with(&|parts| parts.consistency.clear()), FORK);
    // The small story's log has another root at every size.
    let other = || {
        let mut small = Story::small();
        small.witnessed = true;
        small.made().file
    };
    expect(
        "the checkpoint of another tree",
        &with(&|parts| parts.checkpoints[0] = other().checkpoints[0].clone()),
        FORK,
    );
    let mut moved = Story::complete().made().file;
    moved.statements[2].path = moved.statements[3].path.clone();
    expect("another entry's path", &file::write(&moved).unwrap(), NOT_IN_LOG);
    expect("another position", &altered(|parts| parts.statements[2].index += 1), NOT_IN_LOG);
    expect("no checkpoint of that number", &altered(|parts| parts.proof.checkpoint = 1), NOT_IN_LOG);
    expect("a plan without its day", &altered(|parts| parts.plan.due = None), NOT_IN_LOG);
    expect("no checkpoint", &altered(|parts| parts.checkpoints.clear()), MALFORMED);
    let unsigned = |parts: &mut ProofFile| {
        let note = &parts.checkpoints[0];
        let lines: Vec<&str> = note.lines().filter(|line| !line.starts_with("— log.")).collect();
        parts.checkpoints[0] = lines.join("\n") + "\n";
    };
    expect("a checkpoint that only the witness signed", &altered(unsigned), SIGNATURE);
}

#[test]
fn only_the_key_that_is_enrolled_speaks_for_an_agent() {
    let signed_by = |key: SigningKey, agent: &str| {
        let mut story = Story::complete();
        story.agents.insert(agent.to_owned(), key);
        story
    };
    let db1 = || SigningKey::from_seed(&[3; 32]);
    assert_eq!(Story::complete().agents["db1"].keyid(), db1().keyid());
    expect("another agent's key", &signed_by(db1(), "web1").bytes(), EVIDENCE);
    expect("an unknown key", &signed_by(SigningKey::from_seed(&[77; 32]), "web1").bytes(), NO_TRUSTED_KEY);
    expect("the issuer's key", &signed_by(Pair::of(1).ed25519, "web1").bytes(), NO_TRUSTED_KEY);
    let log = || SigningKey::from_seed(&support::log::LOG_SEED);
    expect("the log's key", &signed_by(log(), "web1").bytes(), NO_TRUSTED_KEY);

    for (name, key) in [("the issuer as its own agent", Pair::of(1).ed25519), ("the log as an agent", log())] {
        let mut own = signed_by(SigningKey::from_seed(&key.seed()), "web1");
        own.enrolled.push(enrolled("web1", &key.verifying()));
        expect(name, &own.bytes(), NO_TRUSTED_KEY);
    }
    let mut twice = Story::complete();
    twice.enrolled.push(enrolled("web2", &twice.agents["web1"].verifying()));
    expect("a key of two agents", &twice.bytes(), NO_TRUSTED_KEY);

    let mut weak = Story::complete();
    let spki = weak.agents["web1"].spki();
    weak.enrolled[2] = enrolled_spki("web1", [&spki[..12], &[1], &[0; 31]].concat());
    let keyid = weak.enrolled[2].keyid();
    let bytes = weak.forged(|draft| {
        if let Some(web1) = weak.agents.get("web1").filter(|_| draft.text.contains("\"agent\":\"web1\"")) {
            draft.sign(&[web1]);
            draft.envelope.as_mut().unwrap().signatures[0].keyid = keyid.to_string();
        }
    });
    expect("a weak evidence key", &bytes, NO_TRUSTED_KEY);
    let unenrolled = altered(|parts| parts.events.clear());
    expect("without the events that enrol", &unenrolled, NO_TRUSTED_KEY);
}

#[test]
fn both_of_the_issuers_keys_sign_these_bytes_as_this_type() {
    let foreign = Pair::of(99);
    let by = |kind: Type, signers: &[&dyn Signer]| {
        Story::complete().forged(|draft| {
            if draft.is(kind, 0) {
                draft.sign(signers);
            }
        })
    };
    let own = Pair::of(1);
    for kind in [Type::Request, Type::Plan, Type::CopySet, Type::Proof] {
        expect("by a foreign issuer", &by(kind, &foreign.signers()), NO_TRUSTED_KEY);
        expect("by one key of each", &by(kind, &[&own.ed25519, &foreign.ml_dsa]), NO_TRUSTED_KEY);
        expect("by the classical key alone", &by(kind, &[&own.ed25519]), SIGNATURE);
        expect("by the other key alone", &by(kind, &[&own.ml_dsa]), SIGNATURE);
        let also = [own.signers().as_slice(), foreign.signers().as_slice()].concat();
        expect("by a third key, too", &by(kind, &also), NO_TRUSTED_KEY);
    }
    // Over the encoding itself, instead of what TAP 21 asks for.
    struct Bare(Deterministic);
    impl Signer for Bare {
        fn algorithm(&self) -> gallra_model::manifest::Algorithm {
            self.0.algorithm()
        }
        fn spki(&self) -> Vec<u8> {
            self.0.spki()
        }
        fn sign(&self, pae: &[u8]) -> Result<Vec<u8>, gallra_proof::issuer::SignError> {
            Ok(self.0.bare(pae))
        }
    }
    let bare = Bare(Deterministic::from_seed(1));
    expect("the bare encoding", &by(Type::Proof, &[&own.ed25519, &bare]), SIGNATURE);

    let swapped_half =
        |at: usize| altered(|p| p.plan.envelope.signatures[at].sig = p.proof.envelope.signatures[at].sig.clone());
    expect("one half of another part", &swapped_half(0), SIGNATURE);
    expect("the other half of another part", &swapped_half(1), SIGNATURE);
    let twice = altered(|p| {
        let first = p.proof.envelope.signatures[0].clone();
        p.proof.envelope.signatures.insert(0, first);
    });
    expect("one signature twice", &twice, MALFORMED);
    expect("out of order", &altered(|p| p.proof.envelope.signatures.reverse()), MALFORMED);
    expect("no signature", &altered(|p| p.proof.envelope.signatures.clear()), SIGNATURE);
    let swapped = altered(|p| std::mem::swap(&mut p.plan.envelope, &mut p.proof.envelope));
    expect("plan and proof swapped", &swapped, MALFORMED);
    let unsigned = |p: &mut ProofFile| p.proof.envelope.payload = p.plan.envelope.payload.clone();
    expect("unsigned words", &altered(unsigned), SIGNATURE);
    let removed = altered(|p| p.statements[0].envelope.signatures.clear());
    expect("an agent's signature removed", &removed, SIGNATURE);
}

#[test]
fn a_file_has_one_spelling() {
    let good = String::from_utf8(Story::small().bytes()).unwrap();
    let change = |from: &str, to: &str| good.replacen(from, to, 1).into_bytes();
    expect("unknown version", &change("gallra-proof-v1", "gallra-proof-v2"), UNKNOWN_VERSION);
    expect("duplicate name", &change("{\"format\"", "{\"format\":\"gallra-proof-v1\",\"format\""), MALFORMED);
    expect("duplicate name inside", &change("\"payloadType\"", "\"payload\":\"\",\"payloadType\""), MALFORMED);
    expect("space", &change("\"plan\":", "\"plan\": "), MALFORMED);
    expect("escaped letter", &change("\"payload\"", "\"p\\u0061yload\""), MALFORMED);
    expect("unknown field", &change("{\"format\"", "{\"extra\":1,\"format\""), MALFORMED);
    expect("no newline", good.trim_end().as_bytes(), MALFORMED);
    expect("two newlines", format!("{good}\n").as_bytes(), MALFORMED);
    expect("something behind", format!("{good}{{}}").as_bytes(), MALFORMED);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    expect("deep nesting", &change("\"statements\":[", &format!("\"statements\":[{deep},")), MALFORMED);
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
        ("another statement", "https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v2"),
        ("an empty list for unset", "\"kept\":[{", "\"restores\":[],\"kept\":[{"),
    ] {
        expect(name, &restated(from, to), MALFORMED);
    }
    expect("another type", &restated("gallra/proof/v1", "gallra/plan/v1"), EVIDENCE);
    let huge = rewritten(Type::Receipt, 0, "\"items\":40", "\"items\":9007199254740992");
    expect("huge number in a receipt", &huge, MALFORMED);
    let typed = rewritten(Type::Receipt, 0, "gallra/receipt/v1", "gallra/absence/v1");
    expect("a receipt of another type", &typed, NOT_IN_LOG);
    let typed = Story::complete().forged(|draft| {
        if draft.is(Type::Receipt, 0) {
            draft.kind = Type::Absence;
            draft.rewrite("gallra/receipt/v1", "gallra/absence/v1");
        }
    });
    expect("a receipt of another type, and so in the log", &typed, EVIDENCE);
}

#[test]
fn the_issuer_refuses_at_intake_what_a_verifier_would_refuse() {
    let key = SigningKey::from_seed(&[2; 32]);
    let story = Story::complete();
    let good = receipt::sign(&story.receipts[0], false, &key).unwrap();
    assert!(receipt::open(&good, &key.verifying()).is_ok());
    let payload = String::from_utf8(gallra_proof::dsse::payload(&good).unwrap()).unwrap();
    for (from, to) in [
        ("\"items\":40", "\"items\":9007199254740992"),
        ("\"items\":40", "\"items\": 40"),
        ("gallra/receipt/v1", "gallra/absence/v1"),
        ("gallra/receipt/v1", "gallra/recheck/v1"),
        ("\"name\":\"job\"", "\"name\":\"subject-1\""),
        ("in-toto.io/Statement/v1", "in-toto.io/Statement/v0.1"),
    ] {
        let bad = payload.replacen(from, to, 1);
        assert_ne!(bad, payload);
        let bad = gallra_proof::issuer::envelope(bad.as_bytes(), &[&key]).unwrap();
        assert!(receipt::open(&bad, &key.verifying()).is_err(), "{to}");
    }
}

#[test]
fn no_flipped_byte_survives() {
    let small = Story::small();
    let (good, key, nothing) = (small.bytes(), small.trusted(), gallra_verify::Question::default());
    let is_valid = |bytes: &[u8]| gallra_verify::verify(bytes, &key, &nothing).exit_code(&[]) == 0;
    let mut flipped = good.clone();
    // Bytes all over the file: every one would take many minutes, since most cost a file of signatures.
    for (at, bit) in (0..good.len()).step_by(127).zip((0..8).cycle()) {
        flipped[at] ^= 1 << bit;
        assert!(!is_valid(&flipped), "byte {at}, bit {bit}");
        flipped[at] = good[at];
    }
    assert!(is_valid(&flipped), "and everything was put back");
}

#[test]
fn the_stories_that_all_of_this_starts_from_are_valid() {
    for story in [Story::complete(), Story::small()] {
        let verdict = story.verdict();
        assert!(matches!(verdict.outcome, Outcome::Final { .. }), "{verdict:#?}");
        assert_eq!(code(&story.bytes()).0, 0);
    }
}
