//! A request's life in the pure machine: one tree of files, one kept register, one repository.

#![allow(clippy::cast_possible_truncation, reason = "the numbers are small literals")]

use gallra_model::copy::{CopyListing, Expected, ListedCopy, Reclaimed};
use gallra_model::job::Keep;
use gallra_model::outcome::Counts;
use gallra_model::plan::{Anchors, BackupExpectation, Note, Step};
use gallra_model::receipt::{Code, Kept, Tally, Verdict};
use gallra_model::request::{About, Approval, Facts, Parties, Request};
use gallra_model::target::{CopyLife, Role, TargetKind};
use gallra_model::{Clock, CopyId, Day, JobId, ObligationId, Pseudonym, RequestId};

use super::*;

mod approvals;
mod renewals;
mod restores;

fn at(text: &str) -> Instant {
    text.parse().expect("a literal instant")
}

fn day(text: &str) -> Day {
    text.parse().expect("a literal day")
}

const END: &str = "2026-01-31T14:00:00Z";
const DUE: &str = "2026-02-28T21:00:00Z";

fn plan_step(number: u32, target: &str, kind: TargetKind, action: Action, due: &str, after: Vec<After>) -> Step {
    Step {
        number,
        job: JobId::from_bytes([u8::try_from(number).expect("small"); 16]),
        agent: "web1".parse().expect("a name"),
        target: target.parse().expect("a name"),
        kind,
        category: "customer-data".parse().expect("a word"),
        role: Role::Processor,
        action,
        rule: "webone/customer-data".to_owned(),
        due: at(due),
        until: None,
        earliest: None,
        latest: Some(day("2026-02-28")),
        after,
        keep: (action == Action::Preserve).then(keep),
        older_than: None,
    }
}

fn keep() -> Keep {
    Keep { rule: "law/bookkeeping".into(), ground: "the law".into(), earliest: day("2034-01-01"), latest: None }
}

pub(crate) fn plan(number: u32, parent: Option<Digest>, notes: &[&str]) -> Plan {
    let files = TargetKind::Files;
    let steps = vec![
        plan_step(1, "www", files, Action::Inspect, END, vec![]),
        plan_step(2, "invoices", TargetKind::Sql, Action::Inspect, END, vec![]),
        plan_step(3, "repo", TargetKind::Restic, Action::Inspect, END, vec![]),
        plan_step(4, "www", files, Action::Erase, DUE, vec![After::Step(1)]),
        plan_step(5, "www", files, Action::Confirm, DUE, vec![After::Step(4)]),
        plan_step(6, "invoices", TargetKind::Sql, Action::Preserve, DUE, vec![After::Step(2)]),
        plan_step(7, "repo", TargetKind::Restic, Action::Observe, END, vec![After::LiveConfirmed]),
        plan_step(8, "www", files, Action::Confirm, DUE, vec![After::CopiesGone]),
    ];
    let as_planned =
        |step: Step| Step { job: JobId::from_digest(&Digest::of(&[step.number as u8, number as u8])), ..step };
    let steps: Vec<_> = steps.into_iter().map(as_planned).collect();
    let steps = if notes.is_empty() { steps } else { steps.into_iter().take(3).collect() };
    Plan {
        request: request().id,
        number,
        parent,
        policy: Digest::of(b"policy"),
        made: at(END),
        clock: Clock::Simulated,
        anchors: anchors(),
        purge: None,
        steps,
        backups: vec![BackupExpectation {
            agent: "web1".parse().expect("a name"),
            target: "repo".parse().expect("a name"),
            rule: "webone/backup".into(),
            life: CopyLife::AtMost { days: 160 },
            strategy: None,
            expected: None,
            latest: Some(day("2026-08-28")),
        }],
        approvals: vec![],
        restrictions: vec![],
        holds: vec![],
        notes: notes
            .iter()
            .map(|code| Note { code: (*code).into(), target: String::new(), text: String::new() })
            .collect(),
        terms: vec![],
        changes: vec![],
    }
}

fn anchors() -> Anchors {
    Anchors { contract_ended: Some(day("2026-01-31")), ..Anchors::default() }
}

fn approval() -> Approval {
    Approval { by: "billing".into(), at: at(END), key: "keyid".into() }
}

pub(crate) fn request() -> Request {
    Request {
        id: RequestId::from_bytes([9; 16]),
        about: About::End(Parties {
            subject: gallra_model::SubjectId::from_bytes([1; 16]),
            customer: gallra_model::CustomerId::from_bytes([2; 16]),
            contract: gallra_model::ContractId::from_bytes([3; 16]),
        }),
        earlier: vec![],
        received: at(END),
        state: RequestState::Received,
        facts: Facts::default(),
        anchors: anchors(),
        approvals: Approvals { service: Some(approval()), ..Approvals::default() },
        plan: None,
        planned_under: None,
        live_confirmed: None,
        copies_closed: None,
        copies_gone: None,
        proofs: 0,
        proof_content: None,
        wake: None,
        done: None,
    }
}

/// A plan, made under the policy that it names.
pub(super) fn planned(plan: Box<Plan>, digest: Digest) -> Input {
    let under = Under::policy(plan.policy);
    Input::Planned { plan, digest, under, review: false }
}

/// A request under way, and the clock.
struct Life {
    view: View,
    now: Instant,
    effects: Vec<Effect>,
}

impl Life {
    fn begin(plan: Plan) -> Self {
        Self::begin_with(request(), plan)
    }

    fn begin_with(request: Request, plan: Plan) -> Self {
        let view = View { request, plan: None, jobs: vec![], copies: vec![], obligations: vec![] };
        let mut life = Self { view, now: at(END), effects: vec![] };
        life.take(planned(Box::new(plan), Digest::of(b"plan 1")));
        life
    }

    fn take(&mut self, input: Input) {
        let (view, effects) = step(&self.view, &input, self.now).expect("a legal input");
        // I6: what follows from the state alone follows once.
        assert_eq!(step(&view, &Input::Tick, self.now).expect("a tick is always legal").0, view);
        self.view = view;
        self.effects = effects;
    }

    fn tick(&mut self, now: &str) {
        self.now = at(now);
        self.take(Input::Tick);
    }

    fn state(&self, number: u32) -> JobState {
        self.view.step_job(number).expect("a step").state
    }

    fn receipt(&self, number: u32, verdict: Verdict, counts: Counts) -> Receipt {
        let job = self.view.step_job(number).expect("a step");
        let retained = counts.retained;
        Receipt {
            commitment: None,
            previous: None,
            job: job.id(),
            attempt: job.attempt,
            agent: job.step.agent.clone(),
            target: job.step.target.clone(),
            kind: job.step.kind,
            action: job.step.action,
            pseudonym: Pseudonym::from_bytes([7; 16]),
            spec: Digest::of(b"spec"),
            permit: None,
            instance: Some(Digest::of(b"inode")),
            verdict,
            code: (verdict != Verdict::Done).then_some(Code::Target),
            hint: String::new(),
            counts,
            before: Tally::default(),
            after: Tally::default(),
            checks: vec![],
            older_than: None,
            listing: None,
            kept: (retained > 0).then(|| Kept {
                handle: ObligationId::from_bytes([5; 16]),
                items: retained,
                keep: keep(),
            }),
            started: self.now,
            finished: self.now,
            clock: Clock::Simulated,
            software: String::new(),
        }
    }

    /// One attempt that ends well.
    fn done(&mut self, number: u32, counts: Counts) {
        self.permit(number);
        let receipt = self.receipt(number, Verdict::Done, counts);
        self.deliver(receipt);
    }

    fn permit(&mut self, number: u32) {
        let id = self.view.step_job(number).expect("a step").id();
        self.take(Input::Permitted(id));
    }

    fn deliver(&mut self, receipt: Receipt) {
        let digest = Digest::of(format!("{receipt:?}").as_bytes());
        self.take(Input::Receipt { receipt: Box::new(receipt), digest });
    }

    fn listing(&mut self, number: u32, copies: &[u8], reclaimed: bool, run_under_way: bool) {
        self.permit(number);
        let mut receipt = self.receipt(number, Verdict::Done, Counts::default());
        let counted = |complete: bool| Reclaimed {
            blobs_indexed: 2,
            blobs_referenced: if complete { 2 } else { 1 },
            packs_stored: 1,
            packs_indexed: 1,
        };
        receipt.listing = Some(CopyListing {
            repository: Digest::of(b"repository"),
            listed: self.now,
            run_under_way,
            copies: copies
                .iter()
                .map(|id| ListedCopy {
                    copy: CopyId::from_bytes([*id; 16]),
                    began: at("2026-02-01T02:00:00Z"),
                    expected: Expected::By(day("2026-07-05")),
                })
                .collect(),
            reclaimed: Some(counted(reclaimed)),
        });
        self.deliver(receipt);
    }

    /// Until the live data is confirmed gone.
    fn to_live_confirmed() -> Self {
        let mut life = Self::begin(plan(1, None, &[]));
        life.done(1, Counts::default());
        life.done(2, Counts::default());
        life.listing(3, &[1], false, false);
        life.tick(DUE);
        life.done(4, Counts { erased: 3, ..Counts::default() });
        life.done(5, Counts { absent: 1, ..Counts::default() });
        life.done(6, Counts { retained: 2, ..Counts::default() });
        life
    }
}

#[test]
fn a_whole_life_from_received_to_done() {
    let mut life = Life::to_live_confirmed();
    assert_eq!(life.view.request.state, RequestState::AwaitingCopies);
    assert_eq!(life.view.obligations.len(), 1);
    assert_eq!(life.state(7), JobState::Waiting, "a listing within the clock bound could close nothing");
    life.tick("2026-02-28T21:10:01Z");
    assert_eq!(life.state(7), JobState::Ready);
    life.listing(7, &[1], false, false);
    assert_eq!(life.effects, [Effect::ConsiderProof]);
    assert!(life.view.request.copies_closed.is_some());
    assert_eq!(life.state(8), JobState::Waiting);
    life.tick("2026-07-06T10:00:00Z");
    life.listing(7, &[], true, false);
    assert_eq!(life.state(8), JobState::Waiting, "another host's clock may be behind");
    life.tick("2026-07-06T10:10:00Z");
    assert_eq!(life.state(8), JobState::Ready, "the last copy is gone: look again");
    life.done(8, Counts { absent: 1, ..Counts::default() });
    life.take(Input::ProofIssued { stage: Stage::Final, content: Digest::of(b"final") });
    assert_eq!(life.view.request.state, RequestState::Done);
    assert_eq!(life.effects, [Effect::Forget]);
    assert_eq!(life.view.request.wake, None);
}

#[test]
fn nothing_changes_before_its_day_or_before_it_was_inspected() {
    let mut life = Life::begin(plan(1, None, &[]));
    assert_eq!([life.state(1), life.state(4)], [JobState::Ready, JobState::Waiting]);
    life.tick(DUE);
    assert_eq!(life.state(4), JobState::Waiting, "not inspected");
    life.done(1, Counts::default());
    assert_eq!(life.state(4), JobState::Ready);
    assert_eq!(life.state(5), JobState::Waiting, "nothing to confirm yet");
}

#[test]
fn a_listing_during_a_backup_run_does_not_close_the_set() {
    let mut life = Life::to_live_confirmed();
    life.tick("2026-02-28T21:10:01Z");
    life.listing(7, &[1], false, true);
    assert_eq!(life.view.request.copies_closed, None);
    life.tick("2026-02-28T22:10:01Z");
    life.listing(7, &[1, 2], false, false);
    assert!(life.view.request.copies_closed.is_some());
    assert_eq!(life.view.copies.len(), 2, "the run that was under way made one more");
}

#[test]
fn an_unlisted_copy_whose_bytes_are_still_there_is_waited_for() {
    let mut life = Life::to_live_confirmed();
    life.tick("2026-02-28T21:10:01Z");
    life.listing(7, &[1], false, false);
    life.tick("2026-07-06T10:00:00Z");
    life.listing(7, &[], false, false);
    assert_eq!(life.view.request.copies_gone, None);
    assert_eq!(life.state(8), JobState::Waiting);
    life.tick("2026-07-07T10:00:00Z");
    assert_eq!(life.state(7), JobState::Ready, "it is looked at again the next day");
}

#[test]
fn a_failed_attempt_waits_and_shows_why_and_lateness_shows() {
    let mut life = Life::begin(plan(1, None, &[]));
    life.done(1, Counts::default());
    life.tick(DUE);
    life.permit(4);
    let failed = life.receipt(4, Verdict::Failed, Counts { failed: 1, ..Counts::default() });
    life.deliver(failed);
    let job = life.view.step_job(4).expect("a step");
    assert_eq!((job.state, job.due), (JobState::Waiting, at("2026-02-28T22:00:00Z")));
    assert_eq!(job.setback.as_ref().map(|setback| setback.code), Some(Some(Code::Target)));
    assert!(!life.view.request.facts.overdue);
    life.tick("2026-03-01T12:00:00Z");
    assert!(life.view.request.facts.overdue);
    assert_eq!(life.state(4), JobState::Ready);
}

#[test]
fn an_erasure_that_counts_nothing_settles_nothing() {
    let mut life = Life::begin(plan(1, None, &[]));
    life.done(1, Counts::default());
    life.tick(DUE);
    life.permit(4);
    let empty = life.receipt(4, Verdict::Done, Counts::default());
    life.deliver(empty);
    assert_eq!(life.state(4), JobState::Waiting);
}

#[test]
fn done_without_a_permit_is_no_evidence() {
    let life = Life::begin(plan(1, None, &[]));
    let forged = life.receipt(1, Verdict::Done, Counts::default());
    let input = Input::Receipt { receipt: Box::new(forged), digest: Digest::of(b"forged") };
    assert!(matches!(step(&life.view, &input, life.now), Err(Refused::Job(_))));
}

#[test]
fn a_plan_must_name_its_parent_and_drops_what_has_not_begun() {
    let mut life = Life::begin(plan(1, None, &["waits-for-settlement"]));
    assert_eq!(life.view.request.state, RequestState::Received);
    assert!(life.view.request.facts.unsettled);
    for (number, parent) in [(1, None), (2, None), (3, Some(Digest::of(b"plan 1"))), (2, Some(Digest::of(b"other")))] {
        let input = planned(Box::new(plan(number, parent, &[])), Digest::of(b"plan 2"));
        assert_eq!(step(&life.view, &input, life.now), Err(Refused::NotASuccessor));
    }
    let successor = plan(2, Some(Digest::of(b"plan 1")), &[]);
    life.take(planned(Box::new(successor), Digest::of(b"plan 2")));
    assert_eq!(life.view.request.state, RequestState::Approved);
    let old = life.view.jobs.iter().filter(|job| job.plan.number == 1);
    assert!(old.map(|job| job.state).all(|state| state == JobState::Dropped));
}

#[test]
fn a_plan_made_from_older_dates_is_refused() {
    let life = Life::begin(plan(1, None, &["waits-for-settlement"]));
    let mut settled = life.view.clone();
    settled.request.anchors.contract_settled = Some(day("2026-01-31"));
    let stale = planned(Box::new(plan(2, Some(Digest::of(b"plan 1")), &[])), Digest::of(b"plan 2"));
    assert_eq!(step(&settled, &stale, life.now), Err(Refused::OtherAnchors));
}

#[test]
fn a_replaced_target_is_erased_only_after_an_operator_had_it_looked_at_anew() {
    let mut life = Life::begin(plan(1, None, &[]));
    life.done(1, Counts::default());
    life.tick(DUE);
    let refused = Receipt { code: Some(Code::InstanceChanged), ..life.receipt(4, Verdict::Refused, Counts::default()) };
    life.deliver(refused);
    let (inspect, erase) = (life.view.step_job(1).expect("a step").id(), life.view.step_job(4).expect("a step").id());
    assert_eq!(life.state(4), JobState::Waiting);
    life.take(Input::Retry(erase));
    assert_eq!(life.state(4), JobState::Ready, "a retry asks again");
    let refused = Receipt { code: Some(Code::InstanceChanged), ..life.receipt(4, Verdict::Refused, Counts::default()) };
    life.deliver(refused);
    life.take(Input::Retry(inspect));
    assert_eq!([life.state(1), life.state(4)], [JobState::Ready, JobState::Waiting], "first looked at, then erased");
    life.done(1, Counts::default());
    assert_eq!(life.state(4), JobState::Ready);
}

#[test]
fn a_last_look_comes_after_the_closing_listing_too() {
    let mut life = Life::to_live_confirmed();
    life.tick("2026-02-28T21:10:01Z");
    life.listing(7, &[], true, false);
    assert_eq!(life.view.request.copies_gone, life.view.request.copies_closed, "no copy: the listing is what counts");
    assert_eq!(life.state(8), JobState::Waiting);
    life.tick("2026-02-28T21:20:01Z");
    assert_eq!(life.state(8), JobState::Ready);
}

#[test]
fn an_open_request_always_has_a_time_at_which_it_is_looked_at_again() {
    let mut life = Life::to_live_confirmed();
    for now in ["2026-03-01T00:00:00Z", "2026-05-01T00:00:00Z", "2027-01-01T00:00:00Z"] {
        life.tick(now);
        let wake = life.view.request.wake.expect("a time");
        assert!(wake > life.now && wake <= life.now.checked_add(SignedDuration::from_hours(24)).expect("in range"));
    }
}

#[test]
fn what_is_settled_after_data_began_to_go_is_looked_at_daily_and_not_every_minute() {
    let wakes = |life: &Life| life.view.request.wake.map(|wake| wake.duration_since(life.now));
    let mut waits = Life::begin(plan(1, None, &[]));
    waits.view.request.anchors.customer_settled = Some(day("2026-02-20"));
    waits.tick("2026-02-20T09:00:00Z");
    assert_eq!(wakes(&waits), Some(SignedDuration::from_mins(1)), "another plan is to be made");
    let mut begun = Life::to_live_confirmed();
    begun.view.request.anchors.customer_settled = Some(day("2026-02-20"));
    begun.tick("2026-03-01T09:00:00Z");
    assert_eq!(wakes(&begun), Some(SignedDuration::from_hours(24)), "the plan stands");
}
