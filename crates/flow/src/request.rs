//! The request's machine: plans, time, permits and receipts move it from received to done.
//!
//! ```text
//!  received ─dated plan─▶ planned ─no cause missing─▶ approved ─first change begun─▶ running
//!  running ─live data confirmed gone─▶ awaiting_copies ─final proof issued─▶ done
//! ```
//!
//! (What a restore brings back later makes no other state of `done`: it is a fact beside, and has the proof amended.)
//!
//! (`identity_required`, `identity_proven` and `assessed` belong to what a person asks for; a contract's end skips them.)
//! Owns the order of things across jobs and copies. Upholds I1 (through `permit`), I5 and I8: after every input the
//! request either is done, or has a time at which it is looked at again.

use gallra_model::Instant;
use gallra_model::copy::CopyState;
use gallra_model::digest::Digest;
use gallra_model::job::Action;
use gallra_model::plan::{After, Plan};
use gallra_model::proof::Stage;
use gallra_model::receipt::Receipt;
use gallra_model::request::{Approvals, JobRecord, JobState, Obligation, PlanRef, RequestState, Under};
use gallra_model::time::day_of;
use jiff::SignedDuration;

use crate::view::View;
use crate::{approval, cancel, copy, job};

/// What can happen to a request.
#[derive(Debug, Clone)]
pub enum Input {
    /// A plan was made; it succeeds the current one.
    Planned {
        /// The plan.
        plan: Box<Plan>,
        /// Digest of its exact bytes.
        digest: Digest,
        /// The rules that it was made under.
        under: Under,
        /// Whether somebody has to look at these rules before anything is erased by them.
        review: bool,
    },
    /// Time moved, or somebody wants it looked at.
    Tick,
    /// A permit was signed for a job.
    Permitted(gallra_model::JobId),
    /// The permit of an attempt that is under way was signed anew.
    Renewed(gallra_model::JobId),
    /// A receipt arrived, its signature and place already checked.
    Receipt {
        /// What was signed.
        receipt: Box<Receipt>,
        /// Digest of its payload.
        digest: Digest,
    },
    /// A proof was signed in the same transaction.
    ProofIssued {
        /// How far it goes.
        stage: Stage,
        /// Digest of what it says.
        content: Digest,
    },
    /// An agent said what came of a restore that brought back what this erased; its signature and place already checked.
    Restored {
        /// Whether, with this, something that came back is not said to be gone again.
        came_back: bool,
    },
    /// An operator wants a job tried now.
    Retry(gallra_model::JobId),
    /// The rules that hold now would do the same: the plan goes on under them.
    Upheld {
        /// Those rules.
        under: Under,
        /// Whether somebody has to look at them before anything more is erased.
        review: bool,
    },
    /// The rules that hold now would do something else, and data has begun to go; or nobody can say what they would do,
    /// since they contradict each other. It stops until somebody has looked.
    Review,
    /// A purge's next day has come: what is left of it is that day's, which reaches everything that this one did.
    Superseded,
    /// Causes were brought whose signatures and commitments are checked: they replace what was signed for before.
    Approved(Approvals),
}

/// What the edge does once the new view is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Assemble a proof, and issue it if it says something new.
    ConsiderProof,
    /// Destroy the sealed identifiers and their key (decision 12).
    Forget,
}

/// Why an input was not taken. The view stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The plan's number or parent does not follow the current one (I2).
    #[error("the plan does not succeed the current one")]
    NotASuccessor,
    /// The plan counts from other dates than those known now: a fact changed while it was made.
    #[error("the plan counts from dates that have changed since")]
    OtherAnchors,
    /// The request is done.
    #[error("the request is done")]
    Done,
    /// The request was taken back.
    #[error("the request is cancelled")]
    Cancelled,
    /// The request has no such job.
    #[error("the request has no such job")]
    NoSuchJob,
    /// The job does not take this now.
    #[error(transparent)]
    Job(#[from] job::Illegal),
}

/// The whole transition relation.
///
/// # Errors
/// [`Refused`]; nothing changes then.
pub fn step(view: &View, input: &Input, now: Instant) -> Result<(View, Vec<Effect>), Refused> {
    let mut next = view.clone();
    match input {
        Input::Planned { plan, digest, under, review } => {
            take_plan(&mut next, plan, *digest, now)?;
            next.request.planned_under = Some(*under);
            next.request.facts.legal_review = *review;
        }
        Input::Tick => {}
        Input::Permitted(id) => {
            let action = change_job(&mut next, *id, &job::Event::Permitted, now)?;
            if action.changes() && next.request.state == RequestState::Approved {
                next.request.state = RequestState::Running;
            }
        }
        Input::Renewed(id) => {
            change_job(&mut next, *id, &job::Event::Renewed, now)?;
        }
        Input::Receipt { receipt, digest } => take_receipt(&mut next, receipt, *digest, now)?,
        Input::ProofIssued { stage, content } => {
            next.request.proofs += 1;
            next.request.proof_content = Some(*content);
            if stage.is_final() {
                next.request.state = RequestState::Done;
                // An amendment does not end it once more: what was forgotten stays forgotten, and since when.
                next.request.done.get_or_insert(now);
                next.request.facts.amending = false;
            }
        }
        Input::Restored { came_back } => {
            next.request.facts.came_back = *came_back;
            next.request.facts.amending |= next.request.state == RequestState::Done;
        }
        Input::Retry(id) => {
            let action = change_job(&mut next, *id, &job::Event::RetryNow, now)?;
            if action == Action::Inspect {
                inspect_anew(&mut next, *id);
            }
        }
        Input::Upheld { under, review } => {
            next.request.planned_under = Some(*under);
            next.request.facts.legal_review = *review;
        }
        Input::Review => next.request.facts.legal_review = true,
        Input::Superseded => next = cancel::cancel(&next, now),
        Input::Approved(approvals) => approval::take(&mut next, approvals)?,
    }
    settle(&mut next, now);
    let mut effects = effects(view, &next, now);
    // What came of a purge's day is said before it is closed, whatever is missing, and again when more comes of it later.
    let told = matches!(input, Input::Superseded | Input::Receipt { .. });
    let closed = next.request.about.purge_day().is_some() && next.request.facts.cancelled;
    if told && closed && next.plan.is_some() && next.request.state != RequestState::Done {
        effects.push(Effect::ConsiderProof);
    }
    // Whoever was told that it is gone hears at once that it came back.
    let answers = matches!(input, Input::Restored { .. }) && next.request.proofs > 0 && !next.request.facts.cancelled;
    if answers && !effects.contains(&Effect::ConsiderProof) {
        effects.push(Effect::ConsiderProof);
    }
    Ok((next, effects))
}

fn take_plan(view: &mut View, plan: &Plan, digest: Digest, now: Instant) -> Result<(), Refused> {
    if view.request.state == RequestState::Done {
        return Err(Refused::Done);
    }
    if view.request.facts.cancelled {
        return Err(Refused::Cancelled);
    }
    let parent = view.request.plan;
    if plan.number != parent.map_or(1, |parent| parent.number + 1)
        || plan.parent != parent.map(|parent| parent.digest)
        || plan.request != view.request.id
    {
        return Err(Refused::NotASuccessor);
    }
    if plan.anchors != view.request.anchors {
        return Err(Refused::OtherAnchors);
    }
    let dropped: Vec<_> = view.current_jobs().map(JobRecord::id).collect();
    for id in dropped {
        change_job(view, id, &job::Event::Dropped, now)?;
    }
    let plan_ref = PlanRef { number: plan.number, digest };
    view.jobs.extend(plan.steps.iter().map(|step| JobRecord {
        request: plan.request,
        plan: plan_ref,
        step: step.clone(),
        state: JobState::Waiting,
        attempt: 0,
        renewals: 0,
        due: step.due,
        instance: None,
        receipt: None,
        finished: None,
        setback: None,
    }));
    let waits = |code: &str| plan.notes.iter().any(|note| note.code == code);
    view.request.plan = Some(plan_ref);
    view.request.facts.unsettled = waits("waits-for-settlement");
    view.request.facts.needs_period = waits("needs-a-period");
    view.request.facts.unmet = plan.purge.is_some() && (waits("not-purged") || waits("observe-mode"));
    view.plan = Some(plan.clone());
    if view.request.state == RequestState::Received && view.is_dated() && !view.request.facts.unsettled {
        view.request.state = RequestState::Planned;
    }
    Ok(())
}

fn change_job(
    view: &mut View,
    id: gallra_model::JobId,
    event: &job::Event<'_>,
    now: Instant,
) -> Result<Action, Refused> {
    let record = view.jobs.iter_mut().find(|job| job.id() == id).ok_or(Refused::NoSuchJob)?;
    *record = job::step(record, event, now)?;
    Ok(record.step.action)
}

/// A new inspection is about to pin the target anew: what was refused because the instance had changed may be tried after.
fn inspect_anew(view: &mut View, inspect: gallra_model::JobId) {
    let Some(step) = view.job(inspect).map(|job| job.step.clone()) else { return };
    for job in &mut view.jobs {
        let same = job.step.agent == step.agent && job.step.target == step.target && job.id() != inspect;
        if same && job.setback.is_some() && matches!(job.state, JobState::Waiting | JobState::Ready) {
            job.state = JobState::Waiting;
            job.due = job.step.due;
        }
    }
}

fn take_receipt(view: &mut View, receipt: &Receipt, digest: Digest, now: Instant) -> Result<(), Refused> {
    let record = view.job(receipt.job).ok_or(Refused::NoSuchJob)?;
    let finished = matches!(record.state, JobState::Succeeded | JobState::Dropped);
    let action = record.step.action;
    let (mut again, mut closes) = (None, true);
    if let (false, true, Some(listing)) = (finished, job::settles(receipt), &receipt.listing) {
        let cutoff = view.request.live_confirmed.map(copy::cutoff);
        view.copies = copy::step(&view.copies, (&receipt.agent, &receipt.target), listing, cutoff);
        if action == Action::Observe {
            closes = cutoff.is_some_and(|cutoff| copy::closes(listing, cutoff)) || record_is_closed(view, receipt.job);
            again = look_again(view, receipt, closes, now);
        }
    }
    if let (false, Some(kept)) = (finished, &receipt.kept)
        && !view.obligations.iter().any(|known| known.handle == kept.handle)
    {
        view.obligations.push(Obligation {
            handle: kept.handle,
            request: view.request.id,
            agent: receipt.agent.clone(),
            target: receipt.target.clone(),
            items: kept.items,
            keep: kept.keep.clone(),
        });
    }
    change_job(view, receipt.job, &job::Event::Receipt { receipt, digest, again, closes }, now)?;
    Ok(())
}

/// Whether an earlier listing closed the set that an observe job follows.
fn record_is_closed(view: &View, job: gallra_model::JobId) -> bool {
    view.job(job).is_some_and(|job| job.receipt.is_some())
}

/// When a store must be looked at again: until a listing closed its set and every copy of it is gone.
fn look_again(view: &View, receipt: &Receipt, closed: bool, now: Instant) -> Option<Instant> {
    let ours: Vec<_> = view
        .copies
        .iter()
        .filter(|copy| copy.agent == receipt.agent && copy.target == receipt.target)
        .cloned()
        .collect();
    let left = ours.iter().any(|copy| !matches!(copy.state, CopyState::Gone { .. }));
    (left || !closed).then(|| copy::next_look(&ours, closed, now))
}

/// What follows from the state alone: the same after an input, a restart, or twice in a row (I6).
fn settle(view: &mut View, now: Instant) {
    if view.request.state == RequestState::Done {
        // Nothing is left to do but to say what is known: until that is signed, it is tried again.
        let tomorrow = now.checked_add(SignedDuration::from_hours(24)).unwrap_or(now);
        view.request.wake = view.request.facts.amending.then_some(tomorrow);
        return;
    }
    if view.request.facts.cancelled {
        cancel::settle(view, now);
        return;
    }
    approval::settle(view);
    confirm_live(view);
    close_copies(view);
    let needs_approval = view.request.facts.needs_approval;
    let ready: Vec<_> = view
        .current_jobs()
        .filter(|job| job.state == JobState::Waiting && job.due <= now && view.may_start(&job.step))
        .filter(|job| !(needs_approval && job.step.action.changes()))
        .map(JobRecord::id)
        .collect();
    for job in view.jobs.iter_mut().filter(|job| ready.contains(&job.id())) {
        job.state = JobState::Ready;
    }
    view.request.facts.overdue = is_overdue(view, now);
    view.request.wake = next_wake(view, now);
}

fn confirm_live(view: &mut View) {
    if view.request.live_confirmed.is_some() || !view.is_dated() {
        return;
    }
    if view.live_jobs().all(|job| job.state == JobState::Succeeded) {
        let confirmed = view.live_jobs().filter_map(|job| job.finished).max();
        view.request.live_confirmed = confirmed;
        view.request.state = view.request.state.max(RequestState::AwaitingCopies);
        // A listing made before the clock bound is over could close nothing: do not ask for one.
        let first_look = confirmed.and_then(|at| copy::cutoff(at).checked_add(SignedDuration::from_secs(1)).ok());
        if let Some(first_look) = first_look {
            for job in &mut view.jobs {
                if job.step.action == Action::Observe && job.step.after.contains(&After::LiveConfirmed) {
                    job.due = job.due.max(first_look);
                }
            }
        }
    }
}

fn close_copies(view: &mut View) {
    let Some(confirmed) = view.request.live_confirmed else { return };
    let observes: Vec<_> = view.current_jobs().filter(|job| job.step.action == Action::Observe).collect();
    // An observe job holds a receipt once a listing closed its target's set; without backup targets there is nothing to
    // close and the set is empty.
    let closed = observes.iter().all(|job| job.receipt.is_some());
    let gone = observes.iter().all(|job| job.state == JobState::Succeeded) && view.copies_left().next().is_none();
    if closed && view.request.copies_closed.is_none() {
        let at = observes.iter().filter_map(|job| job.finished).max().unwrap_or(confirmed);
        view.request.copies_closed = Some(at);
    }
    let last = view
        .copies
        .iter()
        .filter_map(|copy| match copy.state {
            CopyState::Gone { seen } => Some(seen),
            CopyState::Listed | CopyState::Unlisted => None,
        })
        .max();
    // The closing listing counts like a copy's end: what was looked at again before it proves nothing.
    let closing = view.request.copies_closed.unwrap_or(confirmed);
    view.request.copies_gone = (closed && gone).then(|| last.unwrap_or(confirmed).max(closing));
    // Another host's clock may be behind: a last look counts only if it began after the last copy was seen gone.
    if let Some(gone) = view.request.copies_gone {
        let after = copy::cutoff(gone);
        for job in view.jobs.iter_mut().filter(|job| waits_for_copies(job)) {
            job.due = job.due.max(after);
        }
    }
}

fn waits_for_copies(job: &JobRecord) -> bool {
    job.step.after.contains(&After::CopiesGone)
}

fn is_overdue(view: &View, now: Instant) -> bool {
    let today = day_of(now);
    let late_job = view
        .live_jobs()
        .any(|job| job.state != JobState::Succeeded && job.step.latest.is_some_and(|latest| latest < today));
    let late_copy = view.plan.iter().flat_map(|plan| &plan.backups).any(|backup| {
        backup.latest.is_some_and(|latest| latest < today)
            && view.copies_left().any(|copy| copy.agent == backup.agent && copy.target == backup.target)
    });
    // What no text gives a period for is late from the first day on, until somebody gives one (combination rule 7).
    late_job || late_copy || view.request.facts.needs_period || is_overtaken(view, now)
}

/// Whether a run of a purge is not done although the next one of its target has come: a promise in hours is broken by then,
/// long before its day is over.
fn is_overtaken(view: &View, now: Instant) -> bool {
    let purges = || view.current_jobs().filter(|job| job.step.action == Action::Purge);
    let came_after = |job: &JobRecord| {
        purges().any(|later| {
            let same = later.step.agent == job.step.agent && later.step.target == job.step.target;
            same && later.step.older_than > job.step.older_than && later.step.due <= now
        })
    };
    purges().any(|job| job.state != JobState::Succeeded && came_after(job))
}

/// The next moment at which time alone changes something; at most a day ahead, so that lateness shows, and soon while the
/// plan does not count from the dates that are known.
fn next_wake(view: &View, now: Instant) -> Option<Instant> {
    // Once data has begun to go the plan stands, whatever is settled later.
    let stands = view.request.state >= RequestState::Running;
    let planned = stands || view.plan.as_ref().is_some_and(|plan| plan.anchors == view.request.anchors);
    // A purge has one day, and what it waits for is somebody's signature, which may be there already.
    let unsigned = view.request.about.purge_day().is_some() && view.request.facts.needs_approval;
    let ahead = match (planned, unsigned) {
        (true, false) => SignedDuration::from_hours(24),
        (true, true) => SignedDuration::from_mins(10),
        (false, _) => SignedDuration::from_mins(1),
    };
    let day = now.checked_add(ahead).unwrap_or(now);
    view.current_jobs()
        .filter(|job| job.state == JobState::Waiting && job.due > now)
        .map(|job| job.due)
        .chain([day])
        .min()
}

fn effects(before: &View, after: &View, now: Instant) -> Vec<Effect> {
    if after.request.state == RequestState::Done {
        return match (before.request.state == RequestState::Done, after.request.facts.amending) {
            (false, _) => vec![Effect::Forget],
            (true, true) => vec![Effect::ConsiderProof],
            (true, false) => Vec::new(),
        };
    }
    if is_proof_time(after, now) { vec![Effect::ConsiderProof] } else { Vec::new() }
}

/// A proof is worth issuing once live data is confirmed gone and the copies are known, or a day after the last live step
/// was due: then it says what is unproven.
fn is_proof_time(view: &View, now: Instant) -> bool {
    if !view.is_dated() || view.request.facts.cancelled {
        return false;
    }
    // The last looks come within moments of the last copy's end: what they find is said once, in one proof.
    let looking = view
        .current_jobs()
        .any(|job| waits_for_copies(job) && job.state != JobState::Succeeded && job.setback.is_none());
    let patient = |gone: Instant| gone.checked_add(SignedDuration::from_hours(24)).is_ok_and(|late| now < late);
    if looking && view.request.copies_gone.is_some_and(patient) {
        return false;
    }
    let day_after = view.last_live_due().and_then(|due| due.checked_add(SignedDuration::from_hours(24)).ok());
    view.request.copies_closed.is_some() || day_after.is_some_and(|late| now >= late)
}

#[cfg(test)]
pub(crate) mod tests;
