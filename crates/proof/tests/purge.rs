//! The statement of a rolling purge: final when everything that was too old is confirmed gone, of nobody in particular,
//! and saying nothing of copies. What the evidence does not show, no signature can say (I5).

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

mod support;

use gallra_model::job::Action;
use gallra_model::outcome::Counts;
use gallra_model::plan::Note;
use gallra_model::proof::Stage;
use gallra_model::statement::{Subject, Type};
use gallra_verify::Outcome;
use support::{Story, at};

const EVIDENCE: u8 = 26;

fn code(bytes: &[u8]) -> (u8, String) {
    let trust = gallra_verify::Trust::parse(&Story::planned().anchor()).unwrap();
    let verdict = gallra_verify::verify(bytes, &trust, &gallra_verify::Question::default());
    (verdict.exit_code(&[]), verdict.conclusion())
}

#[test]
fn a_purge_is_final_once_all_of_it_is_confirmed_gone_and_names_nobody() {
    let story = Story::purged();
    assert_eq!(story.open_points(), Vec::<String>::new());
    let said = story.statement();
    assert_eq!(said.stage, Stage::Final);
    assert_eq!(story.subject()[0].name, "request", "it is about nobody");
    assert_eq!(said.targets[0].counts.erased, 40);
    let verdict = story.verdict();
    assert!(verdict.outcome == Outcome::Final { kept: None }, "{}", verdict.conclusion());
    let text = verdict.checks.iter().map(|check| check.text.clone() + "\n").collect::<String>();
    assert!(text.contains("what is older than 2026-02-28T23:00:00Z"), "{text}");
    assert!(text.contains("copies in backups: not looked at here"), "{text}");
    assert!(!text.contains("copies: 0 of 0 gone"), "it looks at none: {text}");
}

#[test]
fn a_day_on_which_nothing_was_too_old_is_final_too() {
    let mut story = Story::purged();
    story.receipt_mut(1).counts = Counts { absent: 1, ..Counts::default() };
    assert_eq!(story.statement().stage, Stage::Final);
    assert!(matches!(story.verdict().outcome, Outcome::Final { .. }));
}

/// One log under a promise in hours: three runs, each with its own line between old and young.
fn hourly() -> Story {
    let mut story = Story::purged();
    story.receipts.clear();
    let mut template = story.plan.steps[0].clone();
    template.rule = "connect2ip/ip".to_owned();
    story.plan.steps.clear();
    for hour in 1..=3_u8 {
        let mut step = template.clone();
        step.number = hour.into();
        step.job = gallra_model::JobId::from_bytes([0x70 + hour; 16]);
        step.due = at(&format!("2026-08-28T0{hour}:00:00Z"));
        step.older_than = Some(at(&format!("2026-08-27T0{}:00:00Z", hour + 1)));
        story.plan.steps.push(step);
    }
    for hour in 1..=3_u8 {
        story.acts(hour.into(), &format!("2026-08-28T0{hour}:00:05Z"));
    }
    story
}

#[test]
fn a_day_of_hours_is_final_once_every_run_is_done_and_one_line_says_how_far_it_went() {
    let story = hourly();
    assert_eq!(story.open_points(), Vec::<String>::new());
    let said = story.statement();
    assert_eq!((said.stage, said.targets.len()), (Stage::Final, 1));
    assert_eq!(said.targets[0].counts.erased, 3 * Story::purged().statement().targets[0].counts.erased);
    let verdict = story.verdict();
    assert!(verdict.outcome == Outcome::Final { kept: None }, "{}", verdict.conclusion());
    let lines: Vec<_> = verdict.checks.iter().filter(|check| check.text.contains("of everybody")).collect();
    let [line] = lines.as_slice() else { panic!("one line a target and rule") };
    let says = "what is older than 2026-08-27T02:00:00Z, and so on in 3 runs, in the last what is older than 2026-08-27T04:00:00Z";
    assert!(line.text.ends_with(says), "{}", line.text);
}

#[test]
fn a_day_of_hours_in_which_one_was_missed_or_took_less_is_interim_and_nobody_can_call_it_final() {
    for change in [
        (|story: &mut Story| drop(story.receipts.remove(1))) as fn(&mut Story),
        |story| story.receipt_mut(2).older_than = Some(at("2026-08-27T02:00:00Z")),
        |story| story.receipt_mut(3).counts.retained = 1,
    ] {
        let mut story = hourly();
        change(&mut story);
        assert_eq!(story.statement().stage, Stage::Interim);
        assert!(matches!(story.verdict().outcome, Outcome::Interim { .. }), "{}", story.verdict().conclusion());
        let lie = story.lying(|said| {
            said.stage = Stage::Final;
            for target in &mut said.targets {
                (target.proven, target.why) = (true, String::new());
            }
        });
        assert_eq!(code(&lie).0, EVIDENCE, "{}", code(&lie).1);
    }
}

#[test]
fn what_stays_for_a_hold_or_was_not_done_leaves_it_interim() {
    for (why, change) in [
        ("held", (|story: &mut Story| story.receipt_mut(1).counts.retained = 2) as fn(&mut Story)),
        ("no-receipt", |story| drop(story.receipts.pop())),
        ("not-settled", |story| story.receipt_mut(1).older_than = Some(at("2026-01-31T23:00:00Z"))),
        ("not-settled", |story| story.receipt_mut(1).older_than = None),
        ("", |story| {
            let text = "the host lets nothing be purged here".to_owned();
            story.plan.notes.push(Note { code: "not-purged".to_owned(), target: "web1/old".to_owned(), text });
        }),
    ] {
        let mut story = Story::purged();
        change(&mut story);
        let said = story.statement();
        assert_eq!(said.stage, Stage::Interim, "{why}");
        let words: Vec<_> = said.targets.iter().map(|target| target.why.as_str()).collect();
        assert!(words.contains(&why), "{why}: {words:?}");
        assert!(matches!(story.verdict().outcome, Outcome::Interim { .. }), "{why}: {}", story.verdict().conclusion());
        // And nobody can call it final.
        let lie = story.lying(|said| {
            said.stage = Stage::Final;
            for target in &mut said.targets {
                (target.proven, target.why) = (true, String::new());
            }
        });
        assert_eq!(code(&lie).0, EVIDENCE, "{why}: {}", code(&lie).1);
    }
}

#[test]
fn a_statement_that_mixes_a_purge_with_somebodys_erasure_is_invalid() {
    let about = |subject: Vec<Subject>| serde_json::to_string(&subject).unwrap();
    let (nobody, somebody) = (about(Story::purged().subject()), about(Story::complete().subject()));
    for (story, from, to) in [(Story::purged(), &nobody, &somebody), (Story::complete(), &somebody, &nobody)] {
        // All of the issuer's statements, or the proof alone.
        for alone in [false, true] {
            let bytes = story.forged(|draft| {
                if draft.text.contains(from.as_str()) && (!alone || draft.kind == Type::Proof) {
                    draft.rewrite(from, to);
                }
            });
            assert_eq!(code(&bytes).0, EVIDENCE, "{}", code(&bytes).1);
        }
    }
    let mut mixed = Story::purged();
    mixed.step_mut(2).action = Action::Erase;
    mixed.receipt_mut(2).action = Action::Erase;
    assert_eq!(code(&mixed.bytes()).0, EVIDENCE, "{}", code(&mixed.bytes()).1);
}
