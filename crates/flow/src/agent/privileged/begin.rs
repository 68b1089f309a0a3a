//! Permits: whether one answers the asking in every field and in time. Upholds I1 on the agent's side: whatever does not
//! answer touches nothing (decision 3).

use gallra_model::job::Action;
use gallra_model::permit::{Denial, Permit};
use gallra_model::receipt::Code;
use gallra_model::time::CLOCK_BOUND_SECONDS;
use gallra_model::{Clock, Digest, JobId, Nonce};
use gallra_planted::Bug;

use super::end::{Ending, Outcome, sign};
use super::offer::{Offered, QUIET, count};
use super::state::{Current, Privileged};
use super::{ASK_PATIENCE_MS, Act, Effect, Moment, Note};
use crate::agent::record::{Begun, Record};

/// An asking without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) offer: Offered,
    pub(super) nonce: Nonce,
    pub(super) since_ms: u64,
}

/// An act under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Acting {
    pub(super) offer: Offered,
    pub(super) begun: Begun,
    /// When its permit was asked for.
    pub(super) asked_ms: u64,
}

/// What a permit must answer.
pub(super) struct Question<'a> {
    pub(super) offer: &'a Offered,
    pub(super) nonce: Nonce,
    pub(super) since_ms: u64,
    /// The attempt that is being carried out; none when it is to begin.
    pub(super) attempt: Option<u32>,
    /// Highest generation seen.
    pub(super) generation: u64,
}

/// In which way a permit does not answer the asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The signature or the form is bad, or the key is another's.
    Signature,
    /// For another job.
    Job,
    /// Given to another agent.
    Agent,
    /// Answers another asking.
    Nonce,
    /// For another offer.
    Spec,
    /// For another subject.
    Pseudonym,
    /// For another target.
    Target,
    /// For another thing under the target's name.
    Instance,
    /// For another act.
    Action,
    /// Of another generation than the offer, or below the highest seen.
    Generation,
    /// Under another clock.
    Clock,
    /// Attempts count from 1, and an act goes on as the one that it is.
    Attempt,
    /// Its `not_before` has not come on this agent's clock.
    TooEarly,
    /// It came too late, on the boot-time clock, from the asking.
    Expired,
}

/// The first thing about a permit that does not fit.
pub(super) fn fault(state: &Privileged, asked: &Question<'_>, permit: &Permit, moment: &Moment) -> Option<Fault> {
    let spec = &asked.offer.spec;
    let (clock, now) = state.clock(moment);
    let ahead = permit.not_before.as_second().saturating_sub(now.as_second());
    // A simulated clock is whatever the coordinator says that it is, and a permit is its signed word: it moves the clock here.
    let early = clock == Clock::Real && ahead > CLOCK_BOUND_SECONDS;
    let elapsed_ms = moment.boot_ms.saturating_sub(asked.since_ms);
    let attempt = permit.attempt >= 1 && asked.attempt.is_none_or(|attempt| attempt == permit.attempt);
    let old = gallra_planted::is(Bug::OlderGenerationAccepted);
    let late = gallra_planted::is(Bug::PermitWithoutExpiry);
    let checks = [
        (permit.job == spec.job, Fault::Job),
        (permit.agent == state.host.agent, Fault::Agent),
        (permit.nonce == asked.nonce, Fault::Nonce),
        (permit.spec == asked.offer.digest, Fault::Spec),
        (permit.pseudonym == spec.pseudonym, Fault::Pseudonym),
        (permit.target == spec.target, Fault::Target),
        (permit.instance == spec.instance, Fault::Instance),
        (permit.action == spec.action, Fault::Action),
        (permit.generation == spec.generation && (permit.generation >= asked.generation || old), Fault::Generation),
        (permit.clock == spec.clock && permit.clock == clock, Fault::Clock),
        (attempt, Fault::Attempt),
        (!early, Fault::TooEarly),
        (elapsed_ms <= u64::from(permit.begin_within_seconds) * 1000 || late, Fault::Expired),
        (moment.boot_ms >= asked.since_ms, Fault::Expired),
    ];
    checks.into_iter().find(|(fits, _)| !fits).map(|(_, fault)| fault)
}

/// Takes the asking out of the state if it is the one for `job`.
fn take(state: &mut Privileged, job: JobId) -> Option<Asked> {
    match std::mem::replace(&mut state.current, Current::Idle) {
        Current::Asked(asked) if asked.offer.spec.job == job => Some(*asked),
        other @ (Current::Idle | Current::Asked(_) | Current::Acting(_)) => {
            state.current = other;
            None
        }
    }
}

pub(super) fn permitted(
    state: &mut Privileged,
    permit: &Permit,
    digest: Digest,
    moment: &Moment,
    effects: &mut Vec<Effect>,
) {
    let Some(asked) = take(state, permit.job) else {
        return effects.push(Effect::Note(Note::StrayPermit(Some(permit.job))));
    };
    let Asked { offer, nonce, since_ms } = &asked;
    let question = Question { offer, nonce: *nonce, since_ms: *since_ms, attempt: None, generation: state.generation };
    if let Some(fault) = fault(state, &question, permit, moment) {
        // Only a permit that answers this very asking says which attempt is being refused.
        let answers = permit.agent == state.host.agent
            && permit.nonce == asked.nonce
            && permit.spec == asked.offer.digest
            && permit.attempt >= 1;
        return refuse(state, asked, fault, answers.then_some((permit.attempt, digest)), moment, effects);
    }
    if state.is_halted() && permit.action.changes() {
        let mut ending = Ending::before_permit(asked.offer, state.clock(moment));
        (ending.attempt, ending.permit, ending.commitment) = (permit.attempt, Some(digest), permit.commitment);
        let hint = "the emergency stop was pulled before the act began: nothing was touched";
        return sign(state, ending, Outcome::refused(Code::Halted, hint), moment, effects);
    }
    state.told_at_least(permit.not_before);
    if permit.action.changes() && state.is_quiet(moment) {
        let mut ending = Ending::before_permit(asked.offer, state.clock(moment));
        (ending.attempt, ending.permit, ending.commitment) = (permit.attempt, Some(digest), permit.commitment);
        return sign(state, ending, Outcome::refused(Code::QuietHours, QUIET), moment, effects);
    }
    begin(state, asked, (permit, digest), moment, effects);
}

/// The journal first, then the act (I4).
fn begin(
    state: &mut Privileged,
    Asked { offer, since_ms: asked_ms, .. }: Asked,
    (permit, digest): (&Permit, Digest),
    moment: &Moment,
    effects: &mut Vec<Effect>,
) {
    let spec = &offer.spec;
    let news = permit.checkpoint.as_ref().filter(|note| state.checkpoint.as_ref() != Some(note)).cloned();
    state.checkpoint = news.clone().or(state.checkpoint.take());
    let (clock, started) = state.clock(moment);
    let begun = Begun {
        job: spec.job,
        attempt: permit.attempt,
        permit: digest,
        spec: offer.digest,
        target: spec.target.clone(),
        kind: offer.kind,
        action: spec.action,
        pseudonym: spec.pseudonym,
        instance: spec.instance,
        older_than: spec.purge.as_ref().map(|purge| purge.older_than),
        handle: (spec.action == Action::Preserve).then_some(moment.handle),
        again: spec.again,
        commitment: permit.commitment,
        checkpoint: news,
        started,
        clock,
    };
    if spec.action.changes() {
        count(state, moment);
    }
    let earlier = state.marks.get(&spec.job).copied();
    let act = Act { spec: spec.clone(), at: started, handle: begun.handle, earlier };
    effects.push(Effect::Journal(Record::Begin(Box::new(begun.clone()))));
    effects.push(Effect::Act(Box::new(act)));
    state.current = Current::Acting(Box::new(Acting { offer, begun, asked_ms }));
}

fn refuse(
    state: &mut Privileged,
    asked: Asked,
    fault: Fault,
    answered: Option<(u32, Digest)>,
    moment: &Moment,
    effects: &mut Vec<Effect>,
) {
    effects.push(Effect::Note(Note::BadPermit(asked.offer.spec.job, fault)));
    let mut ending = Ending::before_permit(asked.offer, state.clock(moment));
    if let Some((attempt, permit)) = answered {
        ending.attempt = attempt;
        ending.permit = Some(permit);
    }
    let hint = match fault {
        Fault::Expired => "the permit came too late to begin: it is tried again",
        Fault::TooEarly => "the permit is not valid yet on this host's clock: compare the clocks",
        Fault::Signature
        | Fault::Job
        | Fault::Agent
        | Fault::Nonce
        | Fault::Spec
        | Fault::Pseudonym
        | Fault::Target
        | Fault::Instance
        | Fault::Action
        | Fault::Generation
        | Fault::Clock
        | Fault::Attempt => {
            "the permit does not answer what this agent asked for: nothing was touched; look at the agent's log"
        }
    };
    sign(state, ending, Outcome::refused(Code::BadPermit, hint), moment, effects);
}

pub(super) fn permit_bad(state: &mut Privileged, claimed: Option<JobId>, moment: &Moment, effects: &mut Vec<Effect>) {
    match claimed.and_then(|job| take(state, job)) {
        Some(asked) => refuse(state, asked, Fault::Signature, None, moment, effects),
        None => effects.push(Effect::Note(Note::StrayPermit(claimed))),
    }
}

pub(super) fn denied(state: &mut Privileged, (job, nonce): (JobId, Nonce), reason: Denial, effects: &mut Vec<Effect>) {
    match take(state, job) {
        Some(asked) if asked.nonce == nonce => effects.push(Effect::Note(Note::Denied(job, reason))),
        Some(asked) => {
            state.current = Current::Asked(Box::new(asked));
            effects.push(Effect::Note(Note::OutOfTurn));
        }
        None => effects.push(Effect::Note(Note::OutOfTurn)),
    }
}

/// An answer that never comes must not hold up what waits behind it (I10).
pub(super) fn tick(state: &mut Privileged, moment: &Moment, effects: &mut Vec<Effect>) {
    let late = match &state.current {
        Current::Asked(asked) if moment.boot_ms.saturating_sub(asked.since_ms) > ASK_PATIENCE_MS => {
            Some(asked.offer.spec.job)
        }
        Current::Idle | Current::Asked(_) | Current::Acting(_) => None,
    };
    if let Some(job) = late {
        state.current = Current::Idle;
        effects.push(Effect::Note(Note::Unanswered(job)));
    }
}
