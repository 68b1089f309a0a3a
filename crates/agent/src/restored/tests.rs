//! Restores on real trees, mailboxes and a real database: a leaver who came back, a look-alike and a stranger beside.
#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

mod host;
mod telling;

use std::fs;

use gallra_flow::agent::record::Record;
use gallra_model::receipt::{Receipt, Verdict};
use gallra_model::suppression::{Item, Lift};
use gallra_proof::key::SigningKey;

use super::*;
use host::{Host, LEAVER, TAKEN, TARGETS, at, id};

#[test]
fn who_was_erased_since_the_copy_goes_again_and_everybody_else_stays_to_the_byte() {
    let host = Host::new();
    host.list(&[]);
    let others = host.others();
    for target in TARGETS {
        let done = host.restored(target, |_| {}).expect("runs");
        let subjects = done.restored.subjects;
        assert!(done.restored.released, "{target}: {:?}", done.hints);
        assert_eq!((subjects.candidates, subjects.matched, subjects.erased), (3, 1, 1), "{target}");
        assert_eq!((subjects.others_before, subjects.others_after, subjects.failed), (2, 2, 0), "{target}");
        assert!(!host.holds(target, LEAVER), "{target}");
    }
    assert_eq!(host.others(), others);
    // Once more: nothing is left to do (I6).
    let done = host.restored("www", |_| {}).expect("runs");
    assert_eq!((done.restored.released, done.restored.subjects.matched), (true, 0));
}

#[test]
fn lifted_held_and_later_subjects_are_left_and_the_rest_is_released() {
    let lift = || Item::Lift(Lift { entry: id("www"), by: "ada".into(), at: at(TAKEN) });
    let hold = || Item::Hold { entry: id("www"), held: true };
    let release = || Item::Hold { entry: id("www"), held: false };
    type Left = (u64, u64, u64);
    let cases: [(&str, Vec<Item>, &str, Left); 3] = [
        ("lifted", vec![lift()], TAKEN, (1, 0, 0)),
        ("held", vec![hold()], TAKEN, (0, 1, 0)),
        ("later", vec![], "2026-03-02T00:00:00Z", (0, 0, 1)),
    ];
    for (what, more, taken, left) in cases {
        let host = Host::new();
        host.list(&more);
        let everything = host.everything();
        let done = host.restored("www", |ask| ask.taken = at(taken)).expect("runs");
        let subjects = done.restored.subjects;
        assert_eq!((subjects.lifted, subjects.held, subjects.newer), left, "{what}");
        assert!(done.restored.released && subjects.erased == 0, "{what}");
        assert_eq!(host.everything(), everything, "{what}");
    }
    let host = Host::new();
    host.list(&[hold(), release()]);
    assert_eq!(host.restored("www", |_| {}).expect("runs").restored.subjects.erased, 1, "a hold that was released");
}

#[test]
fn the_journal_stands_around_every_erasure_and_the_receipts_verify() {
    let host = Host::new();
    host.list(&[]);
    let done = host.restored("www", |_| {}).expect("runs");
    let records = host.records();
    let [Record::Begin(begun), middle @ .., Record::End(held), Record::Stored { receipt }] = records.as_slice() else {
        panic!("{records:?}")
    };
    assert!(middle.iter().all(|record| matches!(record, Record::Mark { .. })), "{middle:?}");
    assert_eq!((begun.job, held.receipt), (held.job, *receipt));
    let text = fs::read_to_string(done.file.expect("a file")).expect("reads");
    let lines: Vec<_> = text.lines().map(|line| serde_json::from_str(line).expect("an envelope")).collect();
    assert_eq!(lines.len(), 2);
    let evidence = host.evidence().verifying();
    let (receipt, digest): (Receipt, _) = gallra_proof::receipt::open(&lines[0], &evidence).expect("signed");
    assert_eq!((receipt.verdict, receipt.counts.erased, receipt.permit), (Verdict::Done, 3, Some(begun.permit)));
    let (signed, _) = gallra_proof::suppression::open_restored(&lines[1], &evidence).expect("signed");
    assert_eq!((&signed, &signed.receipts), (&done.restored, &vec![digest]));
    assert!(!text.contains(LEAVER) && !format!("{records:?}").contains(LEAVER), "no identifier is kept");
    assert!(!host.file("privileged/restores/begun-www").exists());
}

#[test]
fn a_dry_run_says_what_would_go_and_touches_nothing() {
    let host = Host::new();
    host.list(&[]);
    let everything = host.everything();
    let done = host.restored("mail", |ask| ask.dry_run = true).expect("runs");
    assert_eq!((done.restored.subjects.matched, done.restored.released, done.file), (1, false, None));
    assert_eq!((host.everything(), host.records().len()), (everything, 0));
}

#[test]
fn i1_without_a_cause_that_the_host_trusts_nothing_goes_and_nothing_is_released() {
    let host = Host::new();
    host.list_by(&SigningKey::from_seed(&[66; 32]), &[]);
    let everything = host.everything();
    let done = host.restored("www", |_| {}).expect("runs");
    assert_eq!((done.restored.released, done.restored.subjects.failed), (false, 1));
    assert!(done.hints[0].contains("[causes]"), "{:?}", done.hints);
    assert_eq!((host.everything(), host.records().len()), (everything, 0));
}

/// Why nothing was begun.
fn refusal(host: &Host, target: &str, change: impl FnOnce(&mut Ask)) -> String {
    let everything = host.everything();
    let refused = host.restored(target, change).expect_err("refused");
    assert_eq!(host.everything(), everything);
    format!("{refused:#}")
}

#[test]
fn a_new_agent_restores_nothing_before_it_has_all_of_its_list() {
    let host = Host::new();
    assert!(refusal(&host, "www", |_| {}).contains("never heard all"));
    host.take(1, 0, host.entry("www"));
    assert!(refusal(&host, "www", |_| {}).contains("never heard all"), "a part is not all");
}

#[test]
fn what_must_not_be_begun_is_refused_and_says_why() {
    let host = Host::new();
    host.list(&[]);
    assert!(refusal(&host, "nothing", |_| {}).contains("no target nothing"));
    assert!(refusal(&host, "looked-at", |_| {}).contains("observe mode"));
    assert!(refusal(&host, "www", |ask| ask.taken = at("2027-03-01T00:00:00Z")).contains("future"));
    fs::remove_file(host.file("srv/www/.gallra-sentinel")).expect("removes");
    assert!(refusal(&host, "www", |_| {}).contains("sentinel"));
    let dir = Dir::new(host.file("."));
    let held = dir.lock().expect("free");
    assert!(refusal(&host, "mail", |_| {}).contains("stop it first"));
    drop(held);
    host.halt();
    assert!(refusal(&host, "mail", |_| {}).contains("emergency stop"));
}

#[test]
fn an_old_list_needs_the_admins_word() {
    let host = Host::new();
    host.list(&[]);
    host.set_now("2026-03-25T00:00:01Z");
    assert!(refusal(&host, "www", |_| {}).contains("--list-may-be-old"));
    let done = host.restored("www", |ask| ask.list_may_be_old = true).expect("runs");
    assert!(done.restored.released && done.restored.list_may_be_old);
}

#[test]
fn a_restore_that_broke_off_is_taken_up_and_its_remains_are_never_passed_over() {
    let host = Host::new();
    host.list(&[]);
    host.break_off();
    assert!(!host.holds("www", LEAVER), "in the trash it has no name any more");
    let left = host.restored("www", |_| {}).expect("runs");
    assert_eq!((left.restored.released, left.restored.subjects.unknown), (false, 1), "nobody knows whose it is");
    fs::write(host.file("privileged/restores/begun-www"), format!("[{{\"service\":\"{LEAVER}\"}}]")).expect("writes");
    let done = host.restored("www", |_| {}).expect("runs");
    assert!(done.restored.released, "{:?}", done.hints);
    assert_eq!((done.restored.subjects.erased, done.restored.subjects.unknown), (1, 0));
    assert_eq!(fs::read_dir(host.file("srv/www/.gallra-trash")).expect("a trash").count(), 0);
}
