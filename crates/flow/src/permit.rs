//! May this attempt begin? (decision 3). Owns the decision and the permit's content; the six guards are compared by the
//! store transaction that writes the answer, signing is the edge's. Upholds I1: whatever cannot be shown to be allowed now
//! is denied, and says why.

use gallra_model::digest::Digest;
use gallra_model::hold::Restraint;
use gallra_model::job::{Action, JobSpec};
use gallra_model::permit::{Denial, Permit};
use gallra_model::request::{JobRecord, JobState, RequestState, Under};
use gallra_model::statement::Commitment;
use gallra_model::{AgentName, Instant, JobId, Nonce};
use gallra_planted::Bug;

use crate::view::View;

/// Seconds that a permit may be *begun* in, on the agent's own boot-time clock from its asking: long enough for a slow
/// network, short enough that a stop placed now is honoured soon.
pub const BEGIN_WITHIN_SECONDS: u32 = 30;

/// One asking.
#[derive(Debug, Clone)]
pub struct Asking {
    /// Who asks, from its certificate.
    pub agent: AgentName,
    /// For which job.
    pub job: JobId,
    /// Digest of the offer that it holds.
    pub spec: Digest,
    /// Its nonce.
    pub nonce: Nonce,
    /// Whether this very stream was given a permit for the job that no receipt has answered: then it comes too late. On a
    /// new stream the agent's journal has spoken first, so asking again means that nothing was begun.
    pub permitted_on_this_stream: bool,
    /// Set: the agent is carrying this attempt out, and asks for another minute. On a new stream too: its journal has shown
    /// that it is the same agent, and no other attempt has begun since.
    pub going_on: Option<u32>,
}

/// What holds beside the request's own records while an asking is answered: read in the transaction's own terms, never from
/// a copy (decision 3).
#[derive(Debug, Clone, Copy)]
pub struct Around {
    /// What the job's six guards say.
    pub restraint: Restraint,
    /// The rules that hold for the request now; unset where the day of others has come, and nobody has put them into force
    /// yet.
    pub rules: Option<Under>,
    /// Whether the coordinator's clock is doubted: then nobody knows what is due.
    pub clock_is_doubted: bool,
    /// Whether the target is searched by addresses and the offer has none.
    pub lacks_address: bool,
    /// The tree of the log that first held the request's plan; unset while it is not in the log, or the log signs nothing.
    pub commitment: Option<Commitment>,
}

/// Decides. `offer` is what the coordinator would offer now: another digest means that something changed since.
///
/// # Errors
/// The denial; nothing may change then.
pub fn decide(
    view: &View,
    asking: &Asking,
    around: Around,
    offer: &JobSpec,
    offer_digest: Digest,
    now: Instant,
) -> Result<Permit, Denial> {
    let job = view.job(asking.job).ok_or(Denial::Foreign)?;
    let step = &job.step;
    if step.agent != asking.agent {
        return Err(Denial::Foreign);
    }
    if Some(job.plan) != view.request.plan || job.state == JobState::Dropped {
        return Err(Denial::Stale);
    }
    if step.action.changes() && view.request.facts.needs_approval {
        return Err(Denial::NotApproved);
    }
    let attempt = attempt(job, asking)?;
    if now < step.due || now < job.due || !view.may_start(step) {
        return Err(Denial::NotDue);
    }
    if step.action.changes() {
        stands(view, job, around)?;
        may_change(view)?;
        // A purge finds what is old by itself, and looks before and after on its own.
        if step.action != Action::Purge && view.inspected(&step.agent, &step.target).is_none() {
            return Err(Denial::NotInspected);
        }
    }
    if step.action.is_irreversible() && around.clock_is_doubted {
        return Err(Denial::Clock);
    }
    // The host would refuse it, and it would count as an attempt: from the first on no address is taken any more.
    if step.action.changes() && around.lacks_address {
        return Err(Denial::NoAddress);
    }
    // Commit before act: what happens was written down first, where others see it.
    if step.action.is_irreversible() && around.commitment.is_none() {
        return Err(Denial::NotLogged);
    }
    // The host would refuse it (decision 2), and nothing that is lost here can be asked for without it.
    if step.action.is_irreversible() && offer.cause.is_none() {
        return Err(Denial::NotApproved);
    }
    if offer_digest != asking.spec {
        return Err(Denial::Stale);
    }
    Ok(Permit {
        job: asking.job,
        agent: asking.agent.clone(),
        attempt,
        spec: offer_digest,
        nonce: asking.nonce,
        pseudonym: offer.pseudonym,
        target: step.target.clone(),
        instance: offer.instance,
        action: step.action,
        generation: offer.generation,
        commitment: around.commitment,
        checkpoint: None,
        not_before: step.due,
        begin_within_seconds: BEGIN_WITHIN_SECONDS,
        clock: offer.clock,
    })
}

/// Which attempt the permit would be for.
fn attempt(job: &JobRecord, asking: &Asking) -> Result<u32, Denial> {
    match (job.state, asking.going_on) {
        (JobState::Begun, Some(attempt)) if attempt == job.attempt => Ok(attempt),
        // Its receipt is stored, or another attempt has begun: this act is over.
        (_, Some(_)) | (JobState::Succeeded, None) => Err(Denial::Begun),
        (JobState::Begun, None) if asking.permitted_on_this_stream => Err(Denial::Begun),
        (JobState::Waiting, None) => Err(Denial::NotDue),
        (JobState::Ready | JobState::Begun | JobState::Dropped, None) => Ok(job.attempt + 1),
    }
}

/// Whether nothing stops a job that changes data: asked before a permit is given, and again whenever a guard moves while the
/// permit is used. What only looks is never stopped: it is evidence.
///
/// # Errors
/// What stops it.
pub fn stands(view: &View, job: &JobRecord, around: Around) -> Result<(), Denial> {
    if !job.step.action.changes() {
        return Ok(());
    }
    if around.restraint.halted {
        return Err(Denial::Halted);
    }
    if view.request.facts.cancelled {
        return Err(Denial::Cancelled);
    }
    if around.restraint.held {
        return Err(Denial::Held);
    }
    let outruled = around.rules.is_none() || view.planned_under() != around.rules;
    if Some(job.plan) != view.request.plan || (outruled && !gallra_planted::is(Bug::PolicyChangeIgnored)) {
        return Err(Denial::Stale);
    }
    // A day was corrected, or an end taken out, and the plan that follows it is not made yet. What has begun keeps its plan.
    let outdated = view.plan.as_ref().is_some_and(|plan| plan.anchors != view.request.anchors);
    if outdated && view.request.state < RequestState::Running {
        return Err(Denial::Stale);
    }
    // The right plan under the rules that hold, and somebody has to look at these first.
    if around.restraint.review || view.request.facts.legal_review {
        return Err(Denial::NotApproved);
    }
    Ok(())
}

/// What stands in the way of changing data, whatever the job.
fn may_change(view: &View) -> Result<(), Denial> {
    match view.request.state {
        RequestState::Approved | RequestState::Running | RequestState::AwaitingCopies => Ok(()),
        RequestState::Received
        | RequestState::IdentityRequired
        | RequestState::IdentityProven
        | RequestState::Assessed
        | RequestState::Planned => Err(Denial::NotApproved),
        RequestState::Done => Err(Denial::Begun),
    }
}

/// Whether an action moves a request that is approved into running.
pub fn starts_running(action: Action) -> bool {
    action.changes()
}
