//! Proofs of version 1 whose statements are borrowed, moved, left out or changed, each with the exit code of its kind: what the
//! evidence does not show, no signature can say (I5).

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

mod issuer;

use issuer::json::{Json, list};
use issuer::keys::{ISSUER, Key, agent};
use issuer::log;
use issuer::story::{self, Story};
use issuer::{altered, expect, rewrite, statement, verdict};

const SIGNATURE: u8 = 20;
const NOT_IN_LOG: u8 = 21;
const FORK: u8 = 22;
const NO_TRUSTED_KEY: u8 = 25;
const EVIDENCE: u8 = 26;
const MALFORMED: u8 = 30;

#[test]
fn a_statement_is_removed_doubled_or_moved() {
    expect("out of the file", &altered(|file| drop(file.get("statements").all().remove(3))), EVIDENCE);
    expect("two in another order", &altered(|file| file.get("statements").all().swap(1, 2)), EVIDENCE);
    let doubled = altered(|file| {
        let one = file.get("statements").at(3).clone();
        file.get("statements").all().push(one);
    });
    expect("doubled in the file", &doubled, EVIDENCE);
    let mut twice = Story::complete();
    twice.evidence();
    let named = twice.proof().get("evidence").at(0).clone();
    twice.proof().get("evidence").all().insert(0, named);
    let mut built = twice.built();
    let one = built.file.get("statements").at(0).clone();
    built.file.get("statements").all().insert(0, one);
    expect("doubled, and named twice", &built, EVIDENCE);
    for label in ["1.2", "2.1", "3.1", "4.1", "5.1", "9.1", "9.3", "10.1", "11.1", "12.1"] {
        expect(label, &Story::complete().without(&[label]).built(), EVIDENCE);
    }
}

#[test]
fn an_outcome_is_changed() {
    let counts = |item: &mut story::Item| {
        item.predicate.get("counts").set("failed", 0);
        item.predicate.set("verdict", "done");
        item.predicate.remove("code");
    };
    for (name, signers, code) in [
        ("by the issuer", &ISSUER[..1], NO_TRUSTED_KEY),
        ("by another agent", &[agent("db1")][..], EVIDENCE),
        ("by nobody that anybody knows", &[Key::Ed(99)][..], NO_TRUSTED_KEY),
    ] {
        let mut story = Story::complete();
        counts(story.item("1.1"));
        story.item("1.1").signers = signers.to_vec();
        expect(name, &story.built(), code);
    }
    let mut built = Story::complete().built();
    rewrite(statement(&mut built, "1.1"), "\"failed\":1", "\"failed\":0");
    expect("in the file alone", &built, SIGNATURE);
}

#[test]
fn evidence_is_borrowed() {
    let mut other = Story::complete();
    other.item("2.1").predicate.set("job", "ee".repeat(16));
    expect("a receipt of another subject's job", &other.built(), EVIDENCE);
    let mut earlier = Story::complete();
    earlier.item("2.1").request = Some("b2".repeat(16));
    expect("a receipt that the log has under another request", &earlier.built(), NOT_IN_LOG);
    let mut moved = Story::complete().built();
    statement(&mut moved, "2.1").set("index", 5);
    expect("another place in the log", &moved, NOT_IN_LOG);
    expect("another day in the log", &altered(|file| file.get("plan").set("due", "2027-08-31")), NOT_IN_LOG);
    expect("no day in the log", &altered(|file| file.get("plan").remove("due")), NOT_IN_LOG);
    expect("no checkpoint", &altered(|file| file.get("plan").set("checkpoint", 4)), NOT_IN_LOG);
    let short = altered(|file| file.get("plan").set("path", ""));
    expect("no path", &short, NOT_IN_LOG);
    let typed = |label: &str, kind| {
        Story::complete()
            .with(|story| {
                story.item(label).kind = kind;
                story.evidence();
            })
            .built()
    };
    expect("a receipt as an absence", &typed("2.1", "absence"), EVIDENCE);
    expect("an absence as a recheck", &typed("5.1", "recheck"), EVIDENCE);
    expect("a recheck as an absence", &typed("10.1", "absence"), EVIDENCE);
    expect("a listing as a receipt", &typed("9.1", "receipt"), EVIDENCE);
    let mut foreign = Story::complete();
    foreign.item("1.2").subject = list([story::subject("job", &"12".repeat(32))]);
    expect("about another offer", &foreign.built(), EVIDENCE);
}

#[test]
fn copies_are_never_closed_or_looked_at_again() {
    expect("no copy set in the log", &Story::complete().without(&["copy-set"]).built(), EVIDENCE);
    let mut busy = Story::complete();
    for label in ["9.1", "9.2", "9.3"] {
        busy.item(label).predicate.get("listing").set("run_under_way", true);
    }
    expect("every listing saw a run under way", &busy.built(), EVIDENCE);
    let mut early = Story::complete();
    let (set, listing) = (early.place("copy-set"), early.place("9.1"));
    let set = early.items.remove(set);
    early.items.insert(listing, set);
    early.item("copy-set").predicate.get("listings").all()[0] = "99".repeat(32).into();
    early.evidence();
    expect("the set is older than its listing", &early.built(), EVIDENCE);
    let mut unseen = Story::complete();
    unseen.item("9.3").predicate.get("listing").remove("reclaimed");
    expect("nothing was reclaimed", &unseen.built(), EVIDENCE);
    let mut early = Story::complete();
    for label in ["10.1", "11.1", "12.1"] {
        early.item(label).predicate.set("started", "2026-08-25T03:00:00Z");
    }
    expect("looked at again before the last copy went", &early.built(), EVIDENCE);
}

#[test]
fn checkpoints_of_others_and_of_forks() {
    let other =
        Story::complete().with(|story| story.item("request").predicate.set("received", "2026-02-01T08:00:01Z")).built();
    let foreign = altered(|file| *file.get("checkpoints").at(0) = other.file.clone().get("checkpoints").at(0).clone());
    let verdict = verdict(&foreign);
    assert!([NOT_IN_LOG, FORK].contains(&verdict.exit_code(&[])), "{}", verdict.conclusion());
    let signed = altered(|file| {
        let size = 20;
        *file.get("checkpoints").at(0) = log::note(size, [1; 32], 77, &[]).into();
    });
    expect("signed by another key", &signed, SIGNATURE);
    expect("none", &altered(|file| file.get("checkpoints").all().clear()), MALFORMED);
    let mut story = Story::complete();
    story.checkpoints = vec![(9, vec![1])];
    expect("two, one history", &story.built(), 0);
    let mut swapped = story.built();
    swapped.file.get("checkpoints").all().swap(0, 1);
    expect("not by size", &swapped, MALFORMED);
    let mut apart = story.built();
    apart.file.get("consistency").all().retain(|line| !line.to_string().contains("\"from\":9"));
    expect("nothing between them", &apart, FORK);
    let mut surplus = story.built();
    let mut line = surplus.file.get("consistency").at(1).clone();
    line.set("from", 11);
    line.set("root", hex::encode(log::root(&surplus.leaves[..11])));
    line.set("path", log::hashes(&log::consistency(11, &surplus.leaves)));
    surplus.file.get("consistency").all().push(line);
    expect("a path that nothing needs", &surplus, EVIDENCE);
}

#[test]
fn numbers_and_plans_that_do_not_fit() {
    for (name, change) in [
        ("no number", (|proof| proof.set("sequence", 0)) as fn(&mut Json)),
        ("a first proof with one before it", |proof| proof.set("sequence", 1)),
        ("a second proof without one before it", |proof| proof.remove("previous")),
        ("another plan", |proof| proof.set("plan", "12".repeat(32))),
        ("another request", |proof| proof.set("request", "12".repeat(16))),
        ("simulated passed off as real", |proof| proof.set("clock", "simulated")),
        ("a recipient left out", |proof| proof.remove("recipients")),
    ] {
        let built = Story::complete().lying(change);
        let code = verdict(&built).exit_code(&[]);
        assert!([EVIDENCE, NOT_IN_LOG].contains(&code), "{name}: {}", verdict(&built).conclusion());
    }
    let other = |proof: &mut Json| proof.get("manifest").set("version", 2);
    expect("another manifest", &Story::complete().lying(other), NO_TRUSTED_KEY);
    let mut kind = Story::complete();
    kind.item("request").predicate.set("kind", "purge");
    expect("a purge that is none", &kind.built(), EVIDENCE);
    let mut last = Story::complete();
    let late = last.items.pop().unwrap();
    let at = last.place("12.1");
    last.items.insert(at, late);
    last.item("proof-2").evidence = false;
    let swapped = last.built();
    assert_ne!(verdict(&swapped).exit_code(&[]), 0, "evidence after the proof");
}
