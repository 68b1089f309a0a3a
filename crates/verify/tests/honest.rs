//! Proofs of version 1 as the pages say them, by an issuer that shares no code with the verifier: they are valid, and say what
//! they must.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

mod issuer;

use gallra_verify::told::Vouching;
use gallra_verify::{Question, Require, Trust};
use issuer::json::{Json, list, object};
use issuer::keys::sha256;
use issuer::story::{self, CODE, REQUEST, Story};
use issuer::{expect, expect_verdict, verdict};

#[test]
fn a_final_proof_is_valid_and_says_what_happened() {
    let file = Story::complete().built();
    let verdict = verdict(&file);
    expect("final", &file, 0);
    assert_eq!(verdict.conclusion(), "VALID final, KEPT: 3 items (law/bookkeeping) until 2033-12-31");
    assert_eq!(verdict.exit_code(&[Require::Final, Require::Level(0)]), 0);
    assert_eq!(verdict.exit_code(&[Require::NothingKept]), 11);
    assert_eq!(verdict.level, "A0");
    let lines: Vec<String> = verdict.checks.iter().map(ToString::to_string).collect();
    let numbered = |number: usize| lines.iter().any(|line| line.get(6..).unwrap().starts_with(&format!("{number} ")));
    for number in [1, 2, 3, 4, 5, 6, 7, 8, 9] {
        assert!(numbered(number), "step {number} has a line: {lines:#?}");
    }
    let json = verdict.to_json();
    assert_eq!(json["stage"], "final");
    assert_eq!(json["level"], "A0");
    assert_eq!(json["request"], REQUEST);
    assert_eq!(json["sequence"], 2);
    assert_eq!(json["anchor"], file.anchor().trim_start_matches("sha256:"));
}

#[test]
fn what_is_told_is_what_was_signed() {
    let told = verdict(&Story::complete().built()).told.unwrap();
    assert!(told.is_final && !told.amendment);
    assert_eq!(told.request.kind, "contract-end");
    assert_eq!(told.issuer.name, "Example Hosting AB");
    assert_eq!(told.keys.vouching, Vouching::Anchor);
    assert_eq!(told.subjects.len(), 2);
    let targets: Vec<_> = told.targets.iter().map(|t| (t.target.as_str(), t.counts.erased, t.proven)).collect();
    assert_eq!(targets, [("www", 40, true), ("mail", 7, true), ("register", 5, true)]);
    let gone: Vec<_> = told.copies.iter().map(|copy| copy.gone.as_deref()).collect();
    assert_eq!(gone, [Some("2026-06-01T04:00:00Z"), Some("2026-08-25T04:00:00Z")]);
    assert_eq!(told.kept[0].until, "2033-12-31");
    assert_eq!(told.kept[0].ground, "bokf\u{f6}ringslagen 1999:1078 7 kap. 2 \u{a7}");
    assert_eq!(told.restores.len(), 1);
    assert!(told.recipients[0].acknowledged);
    assert_eq!(told.log.size, told.log.index + 1);
    assert_eq!(told.level, "A0");
}

#[test]
fn an_interim_proof_says_until_when() {
    let file = Story::halfway().built();
    expect("interim", &file, 0);
    let verdict = verdict(&file);
    assert_eq!(verdict.conclusion(), "VALID interim until 2026-08-24");
    assert_eq!(verdict.exit_code(&[Require::Final]), 10);
    assert!(!verdict.told.unwrap().is_final);
}

#[test]
fn finality_may_be_withheld_and_amended() {
    let withheld = Story::complete().lying(|proof| proof.set("stage", "interim"));
    expect("withheld", &withheld, 0);
    assert_eq!(verdict(&withheld).conclusion(), "VALID interim until unknown");
    let amended = Story::complete().lying(|proof| proof.set("stage", "amendment"));
    expect("amended", &amended, 0);
    assert!(verdict(&amended).conclusion().starts_with("VALID final"));
    assert!(verdict(&amended).told.unwrap().amendment);
}

#[test]
fn an_unreleased_restore_keeps_it_open_without_a_day() {
    let mut story = Story::halfway();
    story.items.pop();
    let entry = sha256(b"another entry");
    let complete = Story::complete();
    let mut restore = complete.items[complete.place("restore")].clone();
    restore.predicate.set("entry", entry.as_str());
    restore.predicate.set("released", false);
    restore.subject = list([story::subject("entry", &entry)]);
    story.items.push(restore);
    let halfway = Story::halfway();
    story.items.push(halfway.items[halfway.place("proof-1")].clone());
    story.evidence();
    let mut said = story.item("restore").predicate.clone();
    let names = ["entry", "agent", "target", "taken", "finished", "counts", "released"];
    let line = Json::Object(names.map(|name| (name.to_owned(), said.get(name).clone())).to_vec());
    story.proof().before("recipients", "restores", list([line]));
    expect("with a day", &story.built(), 26);
    story.proof().remove("until");
    expect("without", &story.built(), 0);
}

/// One day's purge of one log.
fn purged() -> Story {
    let mut story = Story::complete();
    let subject = list([story::subject("request", &sha256(format!("gallra-request/v1\0{REQUEST}").as_bytes()))]);
    story.items.retain(|item| ["manifest-1", "request", "plan", "2.1", "proof-2"].contains(&item.label.as_str()));
    for label in ["request", "plan", "proof-2"] {
        story.item(label).subject = subject.clone();
    }
    let request = &mut story.item("request").predicate;
    request.set("kind", "purge");
    request.remove("pickup");
    let cut = "2026-01-31T23:00:00Z";
    let plan = &mut story.item("plan").predicate;
    plan.before("steps", "purge", "2026-02-28".into());
    plan.get("backups").all().clear();
    let steps = plan.get("steps").all();
    steps.drain(2..);
    steps.remove(0);
    steps[0].set("kind", "access-log");
    steps[0].set("action", "purge");
    let Json::Object(fields) = &mut steps[0] else { unreachable!() };
    fields.push(("older_than".to_owned(), cut.into()));
    let receipt = &mut story.item("2.1").predicate;
    receipt.set("kind", "access-log");
    receipt.set("action", "purge");
    receipt.before("started", "older_than", cut.into());
    let proof = story.proof();
    proof.set("sequence", 1);
    for name in ["previous", "restores", "recipients"] {
        proof.remove(name);
    }
    proof.set("copies_closed", "2026-02-28T21:06:05Z");
    for name in ["copies", "kept"] {
        proof.get(name).all().clear();
    }
    let mut target = proof.get("targets").at(1).clone();
    target.set("kind", "access-log");
    target.get("counts").set("absent", 0);
    proof.set("targets", list([target]));
    story.evidence();
    story
}

#[test]
fn a_purge_is_about_an_age_and_nobody() {
    expect("a purge", &purged().built(), 0);
    let told = verdict(&purged().built()).told.unwrap();
    assert_eq!((told.request.kind, told.subjects.len(), told.plan.purge.as_deref()), ("purge", 0, Some("2026-02-28")));
    let mut other = purged();
    let digest = sha256(format!("gallra-request/v1\0{}", "b1".repeat(16)).as_bytes());
    for label in ["request", "plan", "proof-2"] {
        other.item(label).subject = list([story::subject("request", &digest)]);
    }
    expect("of another request", &other.built(), 26);
    let mut late = purged();
    late.item("2.1").commitment = None;
    expect("before it was planned, for all anybody knows", &late.built(), 26);
    let mut younger = purged();
    younger.item("2.1").predicate.set("older_than", "2026-02-10T23:00:00Z");
    expect("of a younger age", &younger.built(), 26);
}

#[test]
fn a_later_listing_may_add_a_copy_and_a_second_set_says_so() {
    let mut story = Story::complete();
    let mut listing = story.item("9.2").predicate.get("listing").get("copies").at(0).clone();
    let added = "c9".repeat(16);
    listing.set("copy", added.as_str());
    story.item("9.2").predicate.get("listing").get("copies").all().push(listing);
    let line = object([
        ("copy", added.as_str().into()),
        ("agent", "backup1".into()),
        ("target", "store".into()),
        ("began", "2026-02-22T02:00:00Z".into()),
    ]);
    let mut in_proof = line.clone();
    let Json::Object(fields) = &mut in_proof else { unreachable!() };
    let by = object([("kind", "by".into()), ("day", "2026-08-24".into())]);
    fields.extend([("expected".to_owned(), by), ("gone".to_owned(), "2026-08-25T04:00:00Z".into())]);
    story.proof().get("copies").all().push(in_proof);
    expect("the set of before alone", &story.built(), 26);
    let mut second = story.items[story.place("copy-set")].clone();
    second.label = "copy-set-2".to_owned();
    second.predicate.get("copies").all().push(line);
    let at = story.place("proof-2");
    let mut story = story.insert(at, second);
    story.evidence();
    expect("a second set", &story.built(), 0);
}

#[test]
fn a_log_may_go_on_and_have_many_checkpoints() {
    for (sizes, later) in [(vec![3], 0), (vec![3, 4, 9, 17], 5), (vec![2, 21], 100)] {
        let mut story = Story::complete();
        story.checkpoints = sizes.iter().map(|size| (*size, vec![1])).collect();
        story.later = later;
        expect(&format!("{sizes:?} and {later} more"), &story.built(), 0);
    }
}

#[test]
fn the_code_opens_what_was_committed_to() {
    let built = Story::complete().built();
    let ask = |identifiers: &[&str], code: &str| {
        let question = Question {
            identifiers: identifiers.iter().map(|text| text.parse().unwrap()).collect(),
            code: Some(code.parse().unwrap()),
            ..Question::default()
        };
        gallra_verify::verify(&built.bytes(), &Trust::parse(&built.anchor()).unwrap(), &question)
    };
    let (number, mail) = ("customer-number=1001", "email=anna@example.org");
    expect_verdict("both", &ask(&[number, mail], CODE), 0);
    let one = ask(&[mail], CODE);
    expect_verdict("one", &one, 0);
    assert!(one.checks.iter().any(|check| check.text.contains("opens 1 of 2")), "{one:#?}");
    expect_verdict("somebody else", &ask(&["customer-number=1002"], CODE), 26);
    expect_verdict("another kind", &ask(&["service=1001"], CODE), 26);
    expect_verdict("another code", &ask(&[number], &"a".repeat(32)), 26);
}

/// A small file and its key file, for tests of other crates: what is written here is what lies there.
#[test]
fn the_small_file_is_what_the_story_gives() {
    let built = purged().built();
    let anchor = format!("{}\n", built.anchor());
    for (name, bytes) in [
        ("purge-v1.json", built.bytes()),
        ("purge-v1.keys", built.key_file(&["manifest-1"], &[]).into_bytes()),
        ("purge-v1.anchor", anchor.into_bytes()),
    ] {
        let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &bytes).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == bytes, "{name} differs: UPDATE_GOLDEN=1 writes it anew");
    }
}
