//! Renewals: an act gets another minute for exactly the attempt that has begun, and only while nothing stops it.

use gallra_model::hold::Restraint;
use gallra_model::permit::{Denial, Permit};

use super::approvals::{answered, backing};
use super::*;

const FREE: Restraint = Restraint { held: false, halted: false, review: false };

/// Asks for another minute of an attempt at the erasure.
fn going_on(life: &Life, attempt: u32, restraint: Restraint) -> Result<Permit, Denial> {
    answered(life, backing(), Some(attempt), restraint)
}

/// A request whose erasure is being carried out as its first attempt.
fn acting() -> Life {
    let mut life = Life::begin(plan(1, None, &[]));
    life.done(1, Counts::default());
    life.tick(DUE);
    assert_eq!(going_on(&life, 0, FREE).err(), Some(Denial::Begun), "nothing has begun that could go on");
    life.permit(4);
    life
}

fn renew(life: &mut Life) {
    let id = life.view.step_job(4).expect("a step").id();
    life.take(Input::Renewed(id));
}

#[test]
fn an_act_goes_on_as_the_attempt_that_it_is_and_as_no_other() {
    let mut life = acting();
    let permit = going_on(&life, 1, FREE).expect("another minute");
    assert_eq!(permit.attempt, 1);
    let first = answered(&life, backing(), None, FREE).expect("a new stream's asking to begin");
    assert_eq!(Permit { attempt: 1, ..first }, permit, "the same in all else");
    for other in [0, 2] {
        assert_eq!(going_on(&life, other, FREE).err(), Some(Denial::Begun), "attempt {other}");
    }
    renew(&mut life);
    renew(&mut life);
    let job = life.view.step_job(4).expect("a step").clone();
    assert_eq!((job.state, job.attempt, job.renewals), (JobState::Begun, 1, 2));
    // It stopped, and a second attempt has begun: the first goes on no more, and counts no more.
    let stopped = Receipt {
        code: Some(Code::Stopped),
        ..life.receipt(4, Verdict::Failed, Counts { failed: 1, ..Counts::default() })
    };
    life.deliver(stopped);
    assert_eq!(life.state(4), JobState::Ready);
    assert_eq!(going_on(&life, 1, FREE).err(), Some(Denial::Begun), "its receipt is stored");
    let id = life.view.step_job(4).expect("a step").id();
    assert!(matches!(step(&life.view, &Input::Renewed(id), life.now), Err(Refused::Job(_))));
    life.permit(4);
    assert_eq!(life.view.step_job(4).expect("a step").renewals, 0);
    assert_eq!(going_on(&life, 1, FREE).err(), Some(Denial::Begun));
    assert_eq!(going_on(&life, 2, FREE).map(|permit| permit.attempt), Ok(2));
}

#[test]
fn whatever_came_between_two_minutes_denies_the_next() {
    let held = Restraint { held: true, ..FREE };
    let halted = Restraint { halted: true, ..FREE };
    let mut life = acting();
    assert_eq!(going_on(&life, 1, held).err(), Some(Denial::Held));
    assert_eq!(going_on(&life, 1, halted).err(), Some(Denial::Halted));
    assert!(going_on(&life, 1, FREE).is_ok(), "released again");
    assert_eq!(answered(&life, None, Some(1), FREE).err(), Some(Denial::NotApproved), "without its cause");
    let review = Restraint { review: true, ..FREE };
    assert_eq!(going_on(&life, 1, review).err(), Some(Denial::NotApproved), "an instruction waits for an approver");
    let under = Under::policy(life.view.plan.as_ref().expect("a plan").policy);
    for other in [
        Under { policy: Digest::of(b"another policy"), ..under },
        Under { turn: 1, ..under },
        Under { instructions: Some(Digest::of(b"an instruction")), ..under },
    ] {
        life.view.request.planned_under = Some(other);
        assert_eq!(going_on(&life, 1, FREE).err(), Some(Denial::Stale));
    }
    life.view.request.planned_under = Some(under);
    life.view.request.facts.legal_review = true;
    assert_eq!(going_on(&life, 1, FREE).err(), Some(Denial::NotApproved), "somebody has to look");
    let mut cancelled = acting();
    cancelled.view.request.facts.cancelled = true;
    assert_eq!(going_on(&cancelled, 1, FREE).err(), Some(Denial::Cancelled));
    let mut early = acting();
    early.now = at(END);
    assert_eq!(going_on(&early, 1, FREE).err(), Some(Denial::NotDue));
    // The target is looked at anew: what was pinned before holds no longer.
    let inspect = life.view.step_job(1).expect("a step").id();
    let mut looked = acting();
    looked.take(Input::Retry(inspect));
    assert_eq!(going_on(&looked, 1, FREE).err(), Some(Denial::NotDue));
}
