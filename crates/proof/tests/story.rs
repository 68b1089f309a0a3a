//! The issuer's statement and the verifier's reading of it agree, from the plan to the last look (I5, I13).

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

mod support;

use std::sync::Arc;

use gallra_model::copy::Expected;
use gallra_model::outcome::Counts;
use gallra_model::plan::{Change, Held, Needed, Note, Restriction, Term};
use gallra_model::proof::Stage;
use gallra_model::receipt::{Code, Verdict};
use gallra_model::target::Strategy;
use gallra_model::{Clock, Digest, HoldId};
use gallra_proof::statement::{belongs, content_digest};
use gallra_verify::{Kind, Outcome, Require};
use support::scaled::Looks;
use support::{Story, at, day};

fn whys(story: &Story) -> Vec<(String, String)> {
    let statement = story.statement();
    statement.targets.into_iter().filter(|t| !t.proven).map(|t| (t.target.to_string(), t.why)).collect()
}

fn interim(story: &Story) -> Option<String> {
    let verdict = story.verdict();
    match &verdict.outcome {
        Outcome::Interim { until, .. } => until.clone(),
        Outcome::Final { .. } | Outcome::Invalid { .. } => panic!("not interim: {verdict:#?}"),
    }
}

#[test]
fn a_complete_story_is_final_and_names_what_is_kept() {
    let story = Story::complete();
    assert_eq!(story.open_points(), Vec::<String>::new());
    let verdict = story.verdict();
    assert_eq!(verdict.conclusion(), "VALID final, KEPT: 3 items (law/bookkeeping) until 2033-12-31", "{verdict:#?}");
    assert_eq!(verdict.exit_code(&[]), 0);
    assert_eq!(verdict.exit_code(&[Require::Final]), 0);
    assert_eq!(verdict.exit_code(&[Require::NothingKept]), 11);
    assert_eq!(verdict.exit_code(&["level=A1".parse().unwrap()]), 12);
    let statement = story.statement();
    assert_eq!(statement.copies.len(), 4);
    assert_eq!(statement.copies[0].gone, Some(at("2026-06-01T04:00:00Z")));
    assert_eq!(statement.copies[3].gone, Some(at("2026-08-25T04:00:00Z")));
    assert_eq!(statement.copies_closed, Some(at("2026-03-01T04:00:00Z")));
    assert_eq!(statement.targets[0].counts, Counts { erased: 40, absent: 2, ..Counts::default() });
}

#[test]
fn a_story_of_any_size_is_final_in_a_log_of_any_size() {
    for (targets, copies, looks) in [(1, 2, Looks::EachCopy), (6, 5, Looks::Three), (9, 7, Looks::EachCopy)] {
        let mut story = Story::scaled(targets, copies, looks);
        story.crowd = 37;
        let verdict = story.verdict();
        assert!(matches!(verdict.outcome, Outcome::Final { .. }), "{targets}: {verdict:#?}");
        let statement = story.statement();
        assert_eq!((statement.targets.len(), statement.copies.len()), (targets, copies));
    }
}

#[test]
fn what_a_plan_says_for_people_is_read_and_changes_no_verdict() {
    let mut story = Story::complete();
    let before = story.verdict().conclusion();
    let rule = Some("webone/chat".to_owned());
    story.plan.approvals = vec![Needed { what: "legal-review".to_owned(), rule }];
    story.plan.restrictions = vec![Restriction {
        agent: "db1".parse().unwrap(),
        target: "register".parse().unwrap(),
        rule: "webone/bookkeeping".to_owned(),
        from: day("2033-02-01"),
        until: Some(day("2034-01-01")),
    }];
    story.plan.holds = vec![Held {
        hold: HoldId::from_bytes([3; 16]),
        targets: vec!["db1/register".to_owned()],
        review: Some(day("2026-03-01")),
        expires: None,
    }];
    let (what, target) = ("fate".to_owned(), "db1/register".to_owned());
    story.plan.changes =
        vec![Change { what, target, before: Some("wait".to_owned()), after: Some("keep 2034-01-01".to_owned()) }];
    story.plan.backups[0].strategy = Some(Strategy::Observe);
    story.step_mut(6).until = Some(at("2026-02-28T23:00:00Z"));
    let term = Term {
        rule: "netip/encrypted-mail".to_owned(),
        kind: "transport".to_owned(),
        category: Some("mail".parse().unwrap()),
        text: "reached over tls-or-local-socket only".to_owned(),
    };
    story.plan.terms = vec![Arc::new(Term { category: None, ..term.clone() }), Arc::new(term.clone())];
    assert_eq!(story.verdict().conclusion(), before);
    story.plan.terms = vec![Arc::new(Term { kind: "Not a word".to_owned(), ..term.clone() })];
    assert!(story.verdict().conclusion().starts_with("INVALID"), "a kind is a word");
    let shared = Arc::new(term.clone());
    story.plan.terms = vec![shared; 10_000];
    assert_eq!(story.verdict().conclusion(), before);
    story.plan.terms.push(Arc::new(term));
    assert!(story.verdict().conclusion().starts_with("INVALID"), "they are bounded");
    story.plan.terms.clear();
    story.plan.changes[0].what = "Not a word".to_owned();
    assert!(story.verdict().conclusion().starts_with("INVALID"), "its words have their documented shape");
}

#[test]
fn after_the_live_erasure_it_is_interim_until_the_last_copy() {
    let story = Story::halfway();
    let verdict = story.verdict();
    assert_eq!(verdict.conclusion(), "VALID interim until 2026-08-24", "{verdict:#?}");
    assert_eq!(verdict.exit_code(&[]), 0);
    assert_eq!(verdict.exit_code(&[Require::NothingKept, Require::Final]), 10);
    assert_eq!(story.statement().kept.len(), 1);
    assert!(story.statement().targets.iter().all(|target| target.proven));
}

#[test]
fn before_anything_is_done_nothing_is_proven_and_the_words_say_why() {
    let mut story = Story::planned();
    story.obligations.clear();
    assert_eq!(interim(&story), None);
    assert!(whys(&story).iter().all(|(_, why)| why == "no-receipt"), "{:?}", whys(&story));
    story.issued = at("2026-02-20T00:00:00Z");
    let early = story.statement();
    assert!(early.targets.iter().all(|target| target.why == "waiting"));
}

#[test]
fn a_target_that_refuses_or_cannot_be_seen_is_named_with_its_reason() {
    for (code, verdict, word) in [
        (Code::ObserveMode, Verdict::Refused, "observe-mode"),
        (Code::SentinelMissing, Verdict::Failed, "sentinel-missing"),
        (Code::Interrupted, Verdict::Unknown, "interrupted"),
    ] {
        let mut story = Story::complete();
        for receipt in story.receipts.iter_mut().filter(|receipt| receipt.target.as_str() == "mail") {
            receipt.verdict = verdict;
            receipt.code = Some(code);
            receipt.counts = Counts::default();
        }
        assert_eq!(interim(&story), None);
        assert_eq!(whys(&story), [("mail".to_owned(), word.to_owned())]);
        let lines = story.verdict().checks.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(lines.contains(&format!("web1/mail (customer-data): unproven: {word}")), "{lines}");
    }
}

#[test]
fn an_agent_that_stays_silent_keeps_it_interim() {
    let mut story = Story::complete();
    story.receipts.retain(|receipt| receipt.target.as_str() != "sites");
    assert_eq!(interim(&story), None);
    assert_eq!(whys(&story), [("sites".to_owned(), "no-receipt".to_owned())]);
}

#[test]
fn a_retry_settles_what_failed_and_a_later_failure_unsettles_what_was_done() {
    let mut retried = Story::complete();
    let mut failed = retried.receipt_mut(7).clone();
    failed.verdict = Verdict::Failed;
    failed.code = Some(Code::Target);
    retried.receipt_mut(7).attempt = 2;
    retried.receipts.push(failed.clone());
    assert_eq!(retried.statement().stage, Stage::Final);

    let mut undone = Story::complete();
    failed.attempt = 2;
    undone.receipts.push(failed.clone());
    assert_eq!(interim(&undone), None);

    let mut refused = Story::complete();
    refused.receipts.push(gallra_model::receipt::Receipt { verdict: Verdict::Refused, ..failed });
    assert_eq!(refused.statement().stage, Stage::Final, "a refusal touched nothing");
    assert_eq!(refused.verdict().exit_code(&[Require::Final]), 0);
}

#[test]
fn after_the_last_copy_the_targets_are_looked_at_again() {
    let missing = Story::complete().without(14);
    assert_eq!(interim(&missing), None);
    assert_eq!(whys(&missing), [("mail".to_owned(), "not-rechecked".to_owned())]);

    let mut early = Story::complete();
    early.receipt_mut(14).started = at("2026-08-25T03:59:59Z");
    assert_eq!(interim(&early), None, "a look before the last copy went proves nothing about after");

    let mut unplanned = Story::complete().without(14);
    unplanned.plan.steps.retain(|step| step.number != 14);
    assert_eq!(interim(&unplanned), None, "a plan without the look can never be final");
}

#[test]
fn a_confirmation_from_before_the_erasure_confirms_nothing() {
    let mut story = Story::complete();
    story.receipt_mut(9).started = at("2026-02-28T21:00:00Z");
    assert_eq!(interim(&story), None);
}

#[test]
fn the_set_is_closed_only_by_a_late_quiet_listing() {
    let mut running = Story::halfway();
    running.last().listing.as_mut().unwrap().run_under_way = true;
    assert_eq!(running.statement().copies_closed, None);
    assert_eq!(interim(&running), Some("2026-08-24".to_owned()));

    let mut early = Story::halfway();
    early.last().listing.as_mut().unwrap().listed = at("2026-02-28T21:21:01Z");
    assert_eq!(early.statement().copies_closed, None, "within the clock bound of the last confirmation");
    assert_eq!(interim(&early), Some("2026-08-24".to_owned()));
}

#[test]
fn a_copy_is_gone_only_when_its_bytes_were_reclaimed() {
    let mut story = Story::complete();
    let last = story.of(12).last().unwrap().clone();
    story.receipts.retain(|receipt| *receipt != last);
    story.observes("2026-08-25T04:00:00Z", &[], Some(false));
    assert_eq!(interim(&story), Some("2026-08-24".to_owned()));
    assert_eq!(story.statement().copies.iter().filter(|copy| copy.gone.is_none()).count(), 2);
}

#[test]
fn a_copy_that_comes_back_is_not_gone() {
    let mut story = Story::complete();
    story.observes("2026-08-26T04:00:00Z", &[2], Some(true));
    let back = story.statement().copies.into_iter().find(|copy| copy.copy == support::parts::copy_id(2)).unwrap();
    assert_eq!(back.gone, None);
    assert_eq!(interim(&story), Some("2026-05-16".to_owned()));
}

#[test]
fn another_repository_under_the_same_name_shows_nothing_gone() {
    let mut story = Story::complete();
    let repository = Digest::of(b"a fresh, empty repository");
    for receipt in story.receipts.iter_mut().filter(|receipt| receipt.started > at("2026-04-01T00:00:00Z")) {
        receipt.listing.iter_mut().for_each(|listing| listing.repository = repository);
    }
    assert_eq!(interim(&story), Some("2026-08-24".to_owned()));
}

#[test]
fn a_copy_that_never_expires_leaves_no_date() {
    let mut story = Story::halfway();
    story.last().listing.as_mut().unwrap().copies[3].expected = Expected::Never;
    let verdict = story.verdict();
    assert_eq!(verdict.conclusion(), "VALID interim until unknown");
    assert!(verdict.checks.iter().any(|check| check.text.contains("never expires")), "{verdict:#?}");
}

#[test]
fn copies_made_after_the_erasure_do_not_count() {
    let mut story = Story::halfway();
    let listing = story.last().listing.as_mut().unwrap();
    listing.copies[3].began = at("2026-02-28T21:30:00Z");
    assert_eq!(story.statement().copies.len(), 3);
    assert_eq!(interim(&story), Some("2026-08-21".to_owned()));
}

#[test]
fn what_is_kept_needs_ground_and_date() {
    let mut groundless = Story::complete();
    groundless.receipt_mut(5).kept = None;
    groundless.obligations.clear();
    assert_eq!(interim(&groundless), None);

    let mut others = Story::complete();
    others.receipt_mut(5).kept.as_mut().unwrap().keep.earliest = day("2027-01-01");
    assert_eq!(interim(&others), None, "another date than the plan's");

    let mut silent = Story::complete();
    silent.receipt_mut(8).counts.retained = support::RETAINED + 1;
    assert_eq!(interim(&silent), None, "the erase job leaves more than is behind the handle");

    let mut unknown = Story::complete();
    unknown.obligations.clear();
    assert_eq!(unknown.statement().stage, Stage::Interim, "the coordinator does not know of the obligation");
}

#[test]
fn holds_cancellation_and_open_periods_are_never_final() {
    let mut held = Story::complete();
    held.request.facts.held = true;
    assert_eq!(interim(&held), None);
    assert!(held.verdict().checks.iter().any(|check| check.text.contains("withholds finality")));

    let mut cancelled = Story::complete();
    cancelled.request.facts.cancelled = true;
    assert_eq!(cancelled.statement().stage, Stage::Interim);

    for code in ["waits-for-settlement", "needs-a-period", "observe-mode"] {
        let mut waiting = Story::complete();
        let target = "web1/extra".to_owned();
        waiting.plan.notes.push(Note { code: code.to_owned(), target, text: String::new() });
        assert_eq!(interim(&waiting), None, "{code}");
    }
    let mut acts_now = Story::complete();
    let target = "web1/mail".to_owned();
    acts_now.plan.notes.push(Note { code: "observe-mode".to_owned(), target, text: String::new() });
    assert_eq!(acts_now.statement().stage, Stage::Final, "the host's admin changed it after the plan was made");
}

#[test]
fn a_plan_that_does_nothing_is_never_final() {
    let mut story = Story::planned();
    story.plan.steps.clear();
    story.plan.backups.clear();
    story.obligations.clear();
    assert_eq!(interim(&story), None);
}

#[test]
fn a_backup_target_that_nobody_lists_keeps_it_open() {
    let mut story = Story::complete().without(12).without(4);
    story.plan.steps.retain(|step| step.number != 12 && step.number != 4);
    assert_eq!(interim(&story), None);
}

#[test]
fn receipts_under_another_clock_count_for_nothing() {
    let mut story = Story::complete();
    story.receipt_mut(6).clock = Clock::Real;
    assert_eq!(interim(&story), None);
    let simulated = Story::complete().verdict();
    assert_eq!(simulated.clock, Some(gallra_verify::Clock::Simulated));
    assert!(simulated.checks.iter().any(|check| check.text.starts_with("clock: simulated")));
}

#[test]
fn content_changes_with_what_is_said_and_not_with_its_date() {
    let mut story = Story::complete();
    let one = story.statement();
    (story.issued, story.sequence, story.amends) = (at("2027-01-01T00:00:00Z"), 7, true);
    assert_eq!(content_digest(&one), content_digest(&story.statement()));
    assert_ne!(content_digest(&one), content_digest(&Story::halfway().statement()));
}

#[test]
fn receipts_of_other_plans_are_told_apart() {
    let story = Story::complete();
    let mut foreign = story.receipts[0].clone();
    assert!(belongs(&story.plan, &foreign));
    foreign.job = gallra_model::JobId::from_bytes([0xee; 16]);
    assert!(!belongs(&story.plan, &foreign));
}

#[test]
fn without_the_right_key_nothing_is_believed() {
    let bytes = Story::complete().bytes();
    let other = format!("sha256:{}", Digest::of(b"another chain"));
    for keys in [gallra_verify::Trust::none(), gallra_verify::Trust::parse(&other).unwrap()] {
        let verdict = gallra_verify::verify(&bytes, &keys, &gallra_verify::Question::default());
        assert!(matches!(verdict.outcome, Outcome::Invalid { kind: Kind::NoTrustedKey, .. }), "{verdict:#?}");
        assert_eq!(verdict.exit_code(&[Require::Final]), 25);
    }
}
