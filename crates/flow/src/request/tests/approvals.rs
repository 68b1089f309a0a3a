//! Approvals: without a cause that covers all of it nothing of a request is ready, permitted or overtaken.

use gallra_model::Nonce;
use gallra_model::cause::Backing;
use gallra_model::envelope::Envelope;
use gallra_model::hold::Restraint;
use gallra_model::permit::{Denial, Permit};
use gallra_model::selector::Selector;
use gallra_model::statement::Commitment;

use super::*;
use crate::job::{Offering, spec};
use crate::permit::{Around, Asking, decide};

#[test]
fn nothing_is_approved_ready_or_overtaken_without_a_cause_and_all_of_it_is_once_one_is_brought() {
    let mut life = Life::begin_with(Request { approvals: Approvals::default(), ..request() }, plan(1, None, &[]));
    life.done(1, Counts::default());
    life.done(2, Counts::default());
    life.tick("2026-03-05T00:00:00Z");
    assert_eq!(life.view.request.state, RequestState::Planned);
    assert!(life.view.request.facts.needs_approval && life.view.request.facts.overdue);
    assert_eq!([life.state(4), life.state(6)], [JobState::Waiting; 2], "neither erased nor preserved");
    // A cause for the customer is none for the service.
    life.take(Input::Approved(Approvals { service: None, customer: Some(approval()), policy: None }));
    assert_eq!(life.view.request.state, RequestState::Planned);
    life.take(Input::Approved(Approvals { service: Some(approval()), customer: None, policy: None }));
    assert_eq!(life.view.request.state, RequestState::Approved);
    assert!(!life.view.request.facts.needs_approval && life.view.request.approvals.customer.is_some());
    assert_eq!([life.state(4), life.state(6)], [JobState::Ready; 2]);
}

#[test]
fn an_approval_is_lost_when_a_new_plan_has_more_in_it_than_was_signed_for() {
    let mut life = Life::begin(plan(1, None, &[]));
    assert_eq!(life.view.request.state, RequestState::Approved);
    let both = Anchors { customer_ended: Some(day("2026-01-31")), ..anchors() };
    life.view.request.anchors = both;
    let successor = Plan { anchors: both, ..plan(2, Some(Digest::of(b"plan 1")), &[]) };
    life.take(planned(Box::new(successor), Digest::of(b"plan 2")));
    assert_eq!(life.view.request.state, RequestState::Planned);
    life.take(Input::Approved(Approvals { service: None, customer: Some(approval()), policy: None }));
    assert_eq!(life.view.request.state, RequestState::Approved, "what was signed for before still counts");
}

#[test]
fn what_a_host_refused_for_want_of_a_cause_is_tried_at_once_when_one_is_brought() {
    let mut life = Life::begin(plan(1, None, &[]));
    life.done(1, Counts::default());
    life.tick(DUE);
    let refused = Receipt { code: Some(Code::BadCause), ..life.receipt(4, Verdict::Refused, Counts::default()) };
    life.deliver(refused);
    assert_eq!(life.state(4), JobState::Waiting);
    life.take(Input::Approved(Approvals { service: Some(approval()), customer: None, policy: None }));
    assert_eq!(life.state(4), JobState::Ready);
}

/// What an asking for the erasure is answered with.
fn asked(life: &Life, cause: Option<Backing>) -> Result<(), Denial> {
    answered(life, cause, None, Restraint::default()).map(drop)
}

/// The same to begin, or to go on with an attempt.
pub(super) fn answered(
    life: &Life,
    cause: Option<Backing>,
    going_on: Option<u32>,
    restraint: Restraint,
) -> Result<Permit, Denial> {
    answered_with(life, cause, going_on, (restraint, Some(COMMITMENT)))
}

/// A tree that holds the plan.
const COMMITMENT: Commitment = Commitment { size: 3, root: Digest::from_bytes([3; 32]) };

fn answered_with(
    life: &Life,
    cause: Option<Backing>,
    going_on: Option<u32>,
    (restraint, commitment): (Restraint, Option<Commitment>),
) -> Result<Permit, Denial> {
    let record = life.view.step_job(4).expect("a step");
    let offering = Offering {
        selector: Selector { service: Some("anna.example".parse().expect("an id")), ..Selector::default() },
        pseudonym: Pseudonym::from_bytes([7; 16]),
        salt: Nonce::from_bytes([8; 16]),
        generation: 1,
        clock: Clock::Simulated,
        instance: None,
        question: None,
        purge: None,
        cause,
    };
    let offer = spec(record, offering);
    let digest = Digest::of(&offer.to_bytes().expect("serialises"));
    let asking = Asking {
        agent: record.step.agent.clone(),
        job: record.id(),
        spec: digest,
        nonce: Nonce::from_bytes([9; 16]),
        permitted_on_this_stream: false,
        going_on,
    };
    let around = Around {
        commitment,
        restraint,
        rules: Some(Under::policy(Digest::of(b"policy"))),
        clock_is_doubted: false,
        lacks_address: false,
    };
    decide(&life.view, &asking, around, &offer, digest, life.now)
}

pub(super) fn backing() -> Option<Backing> {
    let envelope = Envelope { payload_type: String::new(), payload: String::new(), signatures: vec![] };
    Some(Backing { envelope, salt: None })
}

#[test]
fn no_permit_is_given_for_an_erasure_that_carries_no_cause_or_waits_for_one() {
    let mut life = Life::begin(plan(1, None, &[]));
    life.done(1, Counts::default());
    life.tick(DUE);
    assert_eq!(asked(&life, backing()), Ok(()));
    assert_eq!(asked(&life, None), Err(Denial::NotApproved));
    let mut waiting = Life::begin_with(Request { approvals: Approvals::default(), ..request() }, plan(1, None, &[]));
    waiting.done(1, Counts::default());
    waiting.tick(DUE);
    assert_eq!(asked(&waiting, backing()), Err(Denial::NotApproved), "though it is due");
}

#[test]
fn nothing_is_erased_whose_plan_is_not_in_the_log_and_what_only_looks_waits_for_none() {
    let mut life = Life::begin(plan(1, None, &[]));
    life.done(1, Counts::default());
    life.tick(DUE);
    let asked = |commitment| answered_with(&life, backing(), None, (Restraint::default(), commitment));
    assert_eq!(asked(Some(COMMITMENT)).expect("in the log").commitment, Some(COMMITMENT));
    assert_eq!(asked(None), Err(Denial::NotLogged));
}
