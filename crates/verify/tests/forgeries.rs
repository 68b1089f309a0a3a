//! Proofs of version 1 that somebody would like to be believed, each with the exit code of its kind. Where the issuer lies it
//! signs with its own keys, and logs what it signs: what the evidence does not show, no signature can say (I5).

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

mod issuer;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_verify::{Question, Require, Trust};
use issuer::build::Built;
use issuer::json::{Json, list, object};
use issuer::keys::{self, ISSUER, Key, LOG, agent, base64};
use issuer::log;
use issuer::story::{self, REQUEST, Story};
use issuer::{altered, expect, expect_verdict, rewrite, statement, verdict};

const SIGNATURE: u8 = 20;
const FORK: u8 = 22;
const WITNESS: u8 = 23;
const TIME_STAMP: u8 = 24;
const NO_TRUSTED_KEY: u8 = 25;
const EVIDENCE: u8 = 26;
const LEAK: u8 = 27;
const MALFORMED: u8 = 30;
const UNKNOWN_VERSION: u8 = 31;

/// Text of a payload changed before it is signed by the right keys.
fn resigned(label: &str, from: &str, to: &str) -> Built {
    let mut story = Story::complete();
    let predicate = &mut story.item(label).predicate;
    let text = predicate.to_string();
    assert!(text.contains(from), "{from} is not in {text}");
    *predicate = Json::Raw(text.replacen(from, to, 1));
    story.built()
}

fn with_signers(label: &str, signers: &[Key]) -> Built {
    Story::complete().with(|story| story.item(label).signers = signers.to_vec()).built()
}

#[test]
fn f01_a_changed_payload_is_not_what_was_signed() {
    for part in ["proof", "request", "plan"] {
        expect(part, &altered(|file| rewrite(file.get(part), "\"real\"", "\"simulated\"")), SIGNATURE);
    }
    for label in ["1.1", "5.1", "9.2", "10.1", "copy-set", "told", "restore"] {
        let mut built = Story::complete().built();
        rewrite(statement(&mut built, label), "\"real\"", "\"simulated\"");
        expect(label, &built, SIGNATURE);
    }
    let manifest = altered(|file| rewrite(file.get("manifests").at(0), "Example Hosting AB", "Example Hosting BA"));
    expect("the manifest", &manifest, SIGNATURE);
}

#[test]
fn f02_without_the_post_quantum_signature() {
    for label in ["proof-2", "request", "plan", "copy-set", "told"] {
        expect(label, &with_signers(label, &ISSUER[..1]), SIGNATURE);
    }
}

#[test]
fn f03_without_the_ed25519_signature() {
    for label in ["proof-2", "request", "plan", "copy-set", "told"] {
        expect(label, &with_signers(label, &ISSUER[1..]), SIGNATURE);
    }
    let twice = with_signers("1.1", &[agent("web1"), agent("db1")]);
    expect("an agent's with two signatures", &twice, SIGNATURE);
    let stripped = altered(|file| file.get("proof").get("envelope").get("signatures").all().clear());
    expect("no signature at all", &stripped, SIGNATURE);
}

#[test]
fn f04_a_key_that_was_never_enrolled() {
    expect("an agent's", &with_signers("1.1", &[Key::Ed(77)]), NO_TRUSTED_KEY);
    expect("an agent that no manifest names", &with_signers("1.1", &[agent("web2")]), NO_TRUSTED_KEY);
    expect("one of the issuer's", &with_signers("proof-2", &[Key::Ed(77), ISSUER[1]]), NO_TRUSTED_KEY);
    expect("the other of the issuer's", &with_signers("plan", &[ISSUER[0], Key::Ml(77)]), NO_TRUSTED_KEY);
    expect("a root holder's in the issuer's place", &with_signers("plan", &keys::ROOTS[..2]), NO_TRUSTED_KEY);
    expect("the log's in an agent's place", &with_signers("1.1", &[LOG]), NO_TRUSTED_KEY);
    expect("the issuer's in an agent's place", &with_signers("1.1", &ISSUER[..1]), NO_TRUSTED_KEY);
    expect("an agent's in the issuer's place", &with_signers("plan", &[agent("web1"), ISSUER[1]]), NO_TRUSTED_KEY);
}

#[test]
fn f05_one_agent_speaks_for_another() {
    expect("erasure", &with_signers("4.1", &[agent("web1")]), EVIDENCE);
    expect("absence", &with_signers("7.1", &[agent("web1")]), EVIDENCE);
    expect("listing", &with_signers("9.3", &[agent("web1")]), EVIDENCE);
    expect("restore", &with_signers("restore", &[agent("db1")]), EVIDENCE);
}

#[test]
fn f06_who_erased_and_confirmed_under_one_key_is_never_a2() {
    let verdict = verdict(&Story::complete().built());
    assert_eq!(verdict.exit_code(&[Require::Level(0)]), 0);
    for level in [1, 2, 3, 4] {
        assert_eq!(verdict.exit_code(&[Require::Level(level)]), 12, "A{level}");
    }
}

#[test]
fn f07_the_plan_came_after_the_act() {
    let quoted = |size| Story::complete().with(|story| story.item("1.2").commitment = Some(size)).built();
    expect("a checkpoint of before the plan", &quoted(2), EVIDENCE);
    let mut story = Story::complete();
    let (plan, act) = (story.place("plan"), story.place("2.1"));
    let mut act = story.items.remove(act);
    act.commitment = Some(2);
    story.items.insert(plan, act);
    expect("the receipt is in the log before the plan", &story.built(), EVIDENCE);
}

#[test]
fn f08_a_checkpoint_that_nobody_saw_or_that_came_later() {
    let nothing = Story::complete().with(|story| story.item("1.2").commitment = None).built();
    expect("no checkpoint quoted", &nothing, EVIDENCE);
    let unknown = |story: &mut Story| story.forged_root = Some([7; 32]);
    expect("a root that the log never had", &Story::complete().with(unknown).built(), FORK);
    let unseen = altered(|file| file.get("consistency").all().clear());
    expect("nothing leads from it to the file's", &unseen, EVIDENCE);
    let younger = Story::complete().with(|story| story.item("1.2").commitment = Some(500)).built();
    expect("larger than the log", &younger, EVIDENCE);
}

#[test]
fn f09_a_history_written_anew_has_no_witnesses() {
    let asked = |witnesses| Question { witnesses, ..Question::default() };
    let ask = |built: &Built, witnesses| {
        gallra_verify::verify(&built.bytes(), &Trust::parse(&built.anchor()).unwrap(), &asked(witnesses))
    };
    let anew = Story::complete().built();
    expect_verdict("nobody asks", &ask(&anew, 0), 0);
    expect_verdict("one is asked for", &ask(&anew, 1), WITNESS);
    let seen = Story::complete().with(|story| story.witnesses = vec![1]).built();
    expect_verdict("one saw it", &ask(&seen, 1), 0);
    expect_verdict("two are asked for", &ask(&seen, 2), WITNESS);
    let stranger = Story::complete().with(|story| story.witnesses = vec![7]).built();
    expect_verdict("one whom the manifest does not name", &ask(&stranger, 1), WITNESS);
    let both = Story::complete().with(|story| story.witnesses = vec![1, 2]).built();
    expect_verdict("two saw it", &ask(&both, 2), 0);
    let names = verdict(&both).to_json()["witnesses"].clone();
    assert_eq!(names, serde_json::json!(["Witness 1", "Witness 2"]));
}

#[test]
fn f09_a_cosignature_of_another_checkpoint() {
    let mut built = Story::complete().with(|story| story.witnesses = vec![1]).built();
    let (size, root) = (built.leaves.len(), log::root(&built.leaves));
    let seed = 9;
    let (own, other) = (log::note(size, root, seed, &[1]), log::note(size + 1, root, seed, &[1]));
    let borrowed = format!("{}\n{}\n", own.rsplit_once("\n\u{2014}").unwrap().0, other.lines().last().unwrap());
    *built.file.get("checkpoints").at(0) = borrowed.into();
    expect("borrowed", &built, WITNESS);
    let twice = format!("{own}{}\n", own.lines().last().unwrap());
    *built.file.get("checkpoints").at(0) = twice.into();
    expect("the same witness twice", &built, WITNESS);
}

#[test]
fn f10_two_roots_for_one_size() {
    let mut built = Story::complete().built();
    let forked = log::note(built.leaves.len(), [3; 32], 9, &[]);
    built.file.get("checkpoints").all().push(forked.into());
    expect("two checkpoints", &built, FORK);

    let mut story = Story::complete();
    story.checkpoints = vec![(3, Vec::new())];
    story.forged_root = Some([5; 32]);
    expect("a receipt and a checkpoint", &story.built(), FORK);
}

#[test]
fn f11_a_log_that_went_back_to_an_older_state() {
    // What was seen before the restore of an older snapshot: another entry at the same place.
    let seen = Story::complete().with(|story| story.item("2.1").predicate.set("attempt", 2)).built();
    let mut story = Story::complete();
    story.checkpoints = vec![(9, Vec::new())];
    let mut built = story.built();
    expect("the log that only grew", &built, 0);
    *built.file.get("checkpoints").at(0) = log::note(9, log::root(&seen.leaves[..9]), 9, &[]).into();
    let lines = built.file.get("consistency").all();
    for line in lines.iter_mut().filter(|line| *line.read("from") == Json::Number(9)) {
        line.set("root", hex::encode(log::root(&seen.leaves[..9])));
    }
    for line in lines.iter_mut().filter(|line| *line.read("to") == Json::Number(9)) {
        line.set("path", log::hashes(&log::consistency(3, &seen.leaves[..9])));
    }
    expect("a checkpoint of before", &built, FORK);
}

#[test]
fn f12_an_attempt_that_failed_is_left_out() {
    expect("between two", &Story::complete().without(&["1.1"]).built(), EVIDENCE);
    expect("a listing between two", &Story::complete().without(&["9.2"]).built(), EVIDENCE);
    let mut unchained = Story::complete();
    unchained.item("1.2").chained = false;
    expect("both there, and not one chain", &unchained.built(), EVIDENCE);
}

#[test]
fn f13_a_copy_is_left_out() {
    let mut left = Story::complete();
    left.item("copy-set").predicate.get("copies").all().pop();
    expect("of the proof and the copy set", &left.lying(|proof| drop(proof.get("copies").all().pop())), EVIDENCE);
    let unsaid = Story::complete().lying(|proof| drop(proof.get("copies").all().remove(0)));
    expect("of the proof", &unsaid, EVIDENCE);
    let mut unset = Story::complete();
    unset.item("copy-set").predicate.get("copies").all().remove(1);
    expect("of the copy set", &unset.built(), EVIDENCE);
    let sooner = |proof: &mut Json| proof.get("copies").at(1).set("gone", "2026-06-01T04:00:00Z");
    expect("gone sooner than it was", &Story::complete().lying(sooner), EVIDENCE);
}

#[test]
fn f14_a_restore_whose_data_was_not_erased_again() {
    let restored = |change: fn(&mut Json)| {
        let mut story = Story::complete();
        change(&mut story.item("restore").predicate);
        story.lying(|proof| change(proof.get("restores").at(0)))
    };
    expect("not released", &restored(|restore| restore.set("released", false)), EVIDENCE);
    expect("nothing counted", &restored(|restore| restore.get("counts").set("erased", 0)), EVIDENCE);
    expect("some of it failed", &restored(|restore| restore.get("counts").set("failed", 1)), EVIDENCE);
    expect("into what the plan does not name", &restored(|restore| restore.set("target", "www2")), EVIDENCE);
    let unsaid = Story::complete().lying(|proof| proof.remove("restores"));
    expect("the proof does not say so", &unsaid, EVIDENCE);
    let better = Story::complete().with(|story| story.item("restore").predicate.set("released", false));
    expect("the proof says better than the agent", &better.built(), EVIDENCE);
}

/// A story in which www could not be erased wholly, and a proof of it that says what it must.
fn unfinished() -> Story {
    let mut story = Story::complete().without(&["1.2"]);
    let target = |proof: &mut Json, proven: bool| {
        let target = proof.get("targets").at(0);
        target.get("counts").set("erased", 0);
        target.get("counts").set("absent", 0);
        target.set("proven", proven);
        let Json::Object(fields) = target else { unreachable!() };
        if !proven {
            fields.push(("why".to_owned(), "failed".into()));
        }
    };
    target(story.proof(), false);
    story
}

#[test]
fn f15_a_verdict_is_raised() {
    let raised = |proof: &mut Json| {
        let target = proof.get("targets").at(0);
        target.set("proven", true);
        target.remove("why");
    };
    expect("proven without a receipt", &unfinished().lying(raised), EVIDENCE);
    let more = |proof: &mut Json| proof.get("targets").at(0).get("counts").set("erased", 41);
    expect("more was erased than was", &Story::complete().lying(more), EVIDENCE);
    expect("a target left out", &Story::complete().lying(|proof| drop(proof.get("targets").all().remove(1))), EVIDENCE);
    expect("an obligation left out", &Story::complete().lying(|proof| proof.get("kept").all().clear()), EVIDENCE);
    let shorter = |proof: &mut Json| proof.get("kept").at(0).get("keep").set("earliest", "2027-01-01");
    expect("an obligation shortened", &Story::complete().lying(shorter), EVIDENCE);
    expect(
        "interim relabelled final",
        &Story::halfway().lying(|proof| {
            proof.set("stage", "final");
            proof.remove("until");
        }),
        EVIDENCE,
    );
    expect("interim, another last day", &Story::halfway().lying(|proof| proof.set("until", "2026-04-01")), EVIDENCE);
    expect(
        "an amendment of an interim proof",
        &Story::halfway().lying(|proof| {
            proof.set("stage", "amendment");
            proof.remove("until");
        }),
        EVIDENCE,
    );
}

#[test]
fn f16_a_revoked_key_signs_nothing_more() {
    for what in ["revoked", "retired"] {
        let story = Story::complete();
        let at = story.place("10.1");
        let event = || story::event("ends", what, agent("web1"), &ISSUER, Vec::new());
        expect(what, &story.insert(at, event()).built(), NO_TRUSTED_KEY);
        let story = Story::complete();
        let at = story.place("proof-2");
        expect("after its last use", &story.insert(at, event()).built(), 0);
    }
    let since = |since: usize| vec![("since", Json::Number(since as u64))];
    let story = Story::complete();
    let (first, last) = (story.place("1.1"), story.place("proof-2"));
    let event = |from| story::event("ends", "compromised", agent("web1"), &ISSUER, since(from));
    expect("somebody had it before", &Story::complete().insert(last, event(first)).built(), NO_TRUSTED_KEY);
    expect("somebody had it after", &Story::complete().insert(last, event(last)).built(), 0);
}

#[test]
fn f16_an_event_that_the_proof_hides_is_in_the_key_file() {
    let story = Story::complete();
    let at = story.place("10.1");
    let with = story.insert(at, story::event("ends", "revoked", agent("web1"), &ISSUER, Vec::new())).built();
    let mut hidden = with.clone();
    hidden.file.get("events").all().clear();
    expect("the anchor does not know", &hidden, 0);
    let keys = Trust::parse(&with.key_file(&["manifest-1"], &["ends"])).unwrap();
    let verdict = gallra_verify::verify(&hidden.bytes(), &keys, &Question::default());
    expect_verdict("the key file knows", &verdict, NO_TRUSTED_KEY);
    let keys = Trust::parse(&with.key_file(&["manifest-1"], &[])).unwrap();
    expect_verdict("an older key file", &gallra_verify::verify(&hidden.bytes(), &keys, &Question::default()), 0);
}

#[test]
fn f17_a_token_that_cannot_be_read_is_no_time_stamp() {
    let stamp = object([("checkpoint", 0.into()), ("token", base64(b"0\x03\x02\x01\x00").into())]);
    let stamped = altered(|file| file.set("timestamps", list([stamp.clone()])));
    expect("no token", &stamped, TIME_STAMP);
    let nowhere = object([("checkpoint", 9.into()), ("token", base64(b"0").into())]);
    expect("on no checkpoint", &altered(|file| file.set("timestamps", list([nowhere]))), TIME_STAMP);
}

#[test]
fn f19_somebody_elses_proof() {
    let others = list([story::subject("subject-1", &"ab".repeat(32))]);
    let mut swapped = Story::complete();
    swapped.items.last_mut().unwrap().subject = others.clone();
    expect("the proof alone", &swapped.built(), EVIDENCE);
    for label in ["request", "plan", "copy-set", "told"] {
        let mut swapped = Story::complete();
        swapped.item(label).subject = others.clone();
        expect(label, &swapped.built(), EVIDENCE);
    }
    let digest = keys::sha256(format!("gallra-request/v1\0{REQUEST}").as_bytes());
    let mut nobody = Story::complete();
    for item in nobody.items.iter_mut().filter(|item| !item.subject.to_string().contains("\"job\"")) {
        if item.subject.to_string().contains("subject-1") {
            item.subject = list([story::subject("request", &digest)]);
        }
    }
    expect("nobody's, and no purge", &nobody.built(), EVIDENCE);
    let mut numbered = Story::complete();
    for item in &mut numbered.items {
        if item.subject.to_string().contains("subject-1") {
            item.subject.all().swap(0, 1);
        }
    }
    expect("commitments out of order", &numbered.built(), EVIDENCE);
}

#[test]
fn f20_what_two_readers_could_read_differently() {
    for (name, from, to) in [
        ("a name twice", "\"number\":1,", "\"number\":1,\"number\":1,"),
        ("a fraction", "\"number\":1,", "\"number\":1.0,"),
        ("beyond 2^53", "\"number\":1,", "\"number\":9007199254740993,"),
        ("an exponent", "\"number\":1,", "\"number\":1e0,"),
        ("a negative number", "\"number\":1,", "\"number\":-1,"),
        ("a space", "\"number\":1,", "\"number\": 1,"),
        ("another order", "\"number\":1,\"policy\"", "\"policy\""),
        ("a surplus field", "\"number\":1,", "\"number\":1,\"more\":1,"),
        ("a field of v0-draft", "\"steps\":", "\"agents\":[],\"steps\":"),
        ("null", "\"number\":1,", "\"number\":1,\"parent\":null,"),
        ("an escape that is not needed", "\"request\"", "\"\\u0072equest\""),
    ] {
        expect(name, &resigned("plan", from, to), MALFORMED);
    }
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    expect("deep nesting", &altered(|file| file.set("timestamps", Json::Raw(deep))), MALFORMED);
    let deep = format!("\"notes\":{}{}", "[".repeat(500), "]".repeat(500));
    expect("deep nesting inside", &resigned("plan", "\"notes\":[]", &deep), MALFORMED);
    expect("a surplus field", &altered(|file| file.before("proof", "more", 1.into())), MALFORMED);
    expect("another version", &altered(|file| file.set("format", "gallra-proof-v2")), UNKNOWN_VERSION);
    expect("no version", &altered(|file| file.set("format", "gallra")), MALFORMED);
    expect(
        "a due day of a request",
        &altered(|file| file.get("request").before("checkpoint", "due", "2026-08-31".into())),
        MALFORMED,
    );
    let unsorted = altered(|file| file.get("proof").get("envelope").get("signatures").all().swap(0, 1));
    expect("signatures out of order", &unsorted, MALFORMED);
    let typed = altered(|file| file.get("proof").get("envelope").set("payloadType", "application/json"));
    expect("another payload type", &typed, MALFORMED);
}

#[test]
fn f21_keys_under_which_anybody_signs_and_signatures_of_two_forms() {
    // A point of order 4, and the identity.
    for weak in ["00".repeat(32), format!("01{}", "00".repeat(31))] {
        let spki = hex::decode(format!("302a300506032b6570032100{weak}")).unwrap();
        let mut keys = keys::first();
        let id = keys::sha256(&spki);
        let line = object([
            ("keyid", id.clone().into()),
            ("algorithm", "ed25519".into()),
            ("role", "agent".into()),
            ("actor", "web3".into()),
            ("spki", base64(&spki).into()),
        ]);
        keys.push((id, line));
        let mut story = Story::complete();
        story.items[0] = story::manifest(1, keys);
        expect("a key of small order", &story.built(), NO_TRUSTED_KEY);
    }
    // S + L is the same signature to a reader that does not ask for a reduced scalar.
    let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
    let mut built = Story::complete().built();
    let sig = statement(&mut built, "1.1").get("envelope").get("signatures").at(0).get("sig");
    let mut raw = STANDARD.decode(sig.text()).unwrap();
    let mut carry = 0;
    for (byte, add) in raw[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
    *sig = base64(&raw).into();
    expect("a scalar that is not reduced", &built, SIGNATURE);
}

#[test]
fn f22_a_reader_finds_its_own_identifiers() {
    // All spellings are beside the scan; here: where it looks.
    let question = Question { identifiers: vec!["customer-number=K-1001".parse().unwrap()], ..Question::default() };
    let ask = |built: &Built| gallra_verify::verify(&built.bytes(), &Trust::parse(&built.anchor()).unwrap(), &question);
    let note = object([("code", "held".into()), ("text", "it lies on K-1001".into())]);
    let mut planned = Story::complete();
    planned.item("plan").predicate.get("notes").all().push(note);
    expect_verdict("in the plan", &ask(&planned.built()), LEAK);
    let mut software = Story::complete();
    software.item("10.1").predicate.set("software", "agent for k-1001");
    expect_verdict("in an agent's statement", &ask(&software.built()), LEAK);
    expect_verdict("in nothing", &ask(&Story::complete().built()), 0);
}
