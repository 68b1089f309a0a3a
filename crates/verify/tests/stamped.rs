//! Proofs whose checkpoints somebody else dated (F17, F18, F06): what a time stamp raises, and what it does not.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

mod issuer;
mod token;

use gallra_verify::{Require, Verdict};
use issuer::build::Built;
use issuer::json::{list, object};
use issuer::keys::base64;
use issuer::story::Story;
use issuer::{expect, verdict};
use token::Parts;

const TIME_STAMP: u8 = 24;
/// After the story's last day.
const THEN: &str = "20260901100000Z";

/// A story whose manifest names the authority with this root.
fn under(root: &[u8]) -> Story {
    let authority = object([("name", "Example Time AB".into()), ("certificate", base64(root).into())]);
    Story::complete().with(|story| story.item("manifest-1").predicate.set("authorities", list([authority])))
}

fn known() -> Story {
    under(&token::certificate(1, "a root"))
}

/// The text of a checkpoint of the file, without its signatures.
fn text(built: &mut Built, number: usize) -> Vec<u8> {
    let note = built.file.get("checkpoints").at(number).text().to_owned();
    note.split_inclusive('\n').take_while(|line| *line != "\n").collect::<String>().into_bytes()
}

/// Puts a token on a checkpoint of the file.
fn put(built: &mut Built, number: usize, token: &[u8]) {
    let stamp = object([("checkpoint", (number as u64).into()), ("token", base64(token).into())]);
    built.file.get("timestamps").all().push(stamp);
}

fn at(time: &'static str, message: &[u8]) -> Vec<u8> {
    Parts { time, ..token::parts("Example Time 1", message) }.token()
}

/// The story's file with a right token on this checkpoint.
fn stamped(story: &Story, number: usize) -> Built {
    let mut built = story.built();
    let text = text(&mut built, number);
    put(&mut built, number, &at(THEN, &text));
    built
}

fn lines(verdict: &Verdict) -> String {
    verdict.checks.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_time_stamp_on_all_of_it_is_a1() {
    let built = stamped(&known(), 0);
    expect("stamped", &built, 0);
    let verdict = verdict(&built);
    assert_eq!((verdict.level, verdict.exit_code(&[Require::Level(1)])), ("A1", 0));
    let said = lines(&verdict);
    assert!(said.contains("5 time stamps: 1, the last of 2026-09-01T10:00:00Z"), "{said}");
    assert!(said.contains("ends at 2099-12-31T23:59:59Z"), "{said}");
    let told = verdict.told.unwrap();
    let stamps: Vec<_> = told.log.stamps.iter().map(|stamp| (stamp.size, stamp.time.as_str())).collect();
    assert_eq!(stamps, [(told.log.size, "2026-09-01T10:00:00Z")]);
}

#[test]
fn f06_who_erased_and_confirmed_under_one_key_is_a1_at_most() {
    let verdict = verdict(&stamped(&known(), 0));
    assert_eq!(verdict.level, "A1");
    for level in [2, 3, 4] {
        assert_eq!(verdict.exit_code(&[Require::Level(level)]), 12, "A{level}");
    }
    assert!(lines(&verdict).contains("level: A1: an agent confirmed its own erasure"), "{}", lines(&verdict));
}

#[test]
fn a_time_stamp_on_what_was_before_the_proof_raises_nothing() {
    let mut story = known();
    story.checkpoints = vec![(9, Vec::new())];
    let earlier = stamped(&story, 0);
    expect("stamped before the proof", &earlier, 0);
    assert_eq!(verdict(&earlier).level, "A0");
    assert!(lines(&verdict(&earlier)).contains("no time stamp is on the whole of it"));
    let mut both = earlier;
    let last = text(&mut both, 1);
    put(&mut both, 1, &at(THEN, &last));
    expect("and another on all of it", &both, 0);
    assert_eq!(verdict(&both).level, "A1");
    both.file.get("timestamps").all().swap(0, 1);
    expect("in another order", &both, 30);
}

#[test]
fn f17_a_token_of_another_checkpoint() {
    let mut story = known();
    story.checkpoints = vec![(9, Vec::new())];
    let mut built = story.built();
    let other = text(&mut built, 0);
    put(&mut built, 1, &at(THEN, &other));
    expect("of an older one", &built, TIME_STAMP);
    let mut built = known().built();
    let whole = built.file.get("checkpoints").at(0).text().to_owned();
    put(&mut built, 0, &at(THEN, whole.as_bytes()));
    expect("of the note with its signatures", &built, TIME_STAMP);
    let mut built = stamped(&known(), 0);
    put(&mut built, 0, &at(THEN, b"another text\n"));
    expect("a right one, and one of something else", &built, TIME_STAMP);
}

#[test]
fn f18_the_authoritys_certificate_at_the_tokens_time() {
    let by = |until: &'static str, time: &'static str| {
        let mut built = known().built();
        let text = text(&mut built, 0);
        let token = Parts { time, ..token::parts_until(until, "Example Time 1", &text) }.token();
        put(&mut built, 0, &token);
        built
    };
    expect("it had ended", &by("260901095959Z", THEN), TIME_STAMP);
    expect("it had not begun", &by("260901095959Z", "20191231235959Z"), TIME_STAMP);
    // Ended long before any day on which this test runs.
    let since = by("210101000000Z", "20201231120000Z");
    expect("it ended since", &since, 0);
    let verdict = verdict(&since);
    assert_eq!(verdict.level, "A1");
    assert!(lines(&verdict).contains("ends at 2021-01-01T00:00:00Z"), "{}", lines(&verdict));
}

#[test]
fn an_authority_that_the_manifest_does_not_name() {
    expect("nobody", &stamped(&Story::complete(), 0), TIME_STAMP);
    expect("another root", &stamped(&under(&token::certificate(9, "another root")), 0), TIME_STAMP);
    expect("the same name, another key", &stamped(&under(&token::issued(9, "a root", 9, "a root")), 0), TIME_STAMP);
    let mut built = Story::complete().built();
    let text = text(&mut built, 0);
    let bringing = Parts { time: THEN, others: vec![token::certificate(1, "a root")], ..token::parts("x", &text) };
    put(&mut built, 0, &bringing.token());
    expect("a root that the token brings along", &built, TIME_STAMP);
}

#[test]
fn a_root_in_the_manifest_that_cannot_be_read_spoils_only_what_needs_it() {
    let unread = under(b"no certificate");
    expect("nothing is stamped", &unread.built(), 0);
    expect("something is", &stamped(&unread, 0), TIME_STAMP);
}
