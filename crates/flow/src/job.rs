//! One job's machine.
//!
//! ```text
//!            due, waits over          permit              settles
//!  Waiting ──────────────────▶ Ready ────────▶ Begun ───────────────▶ Succeeded
//!     ▲  ▲                       │               │ does not settle
//!     │  └───────────────────────┴───────────────┤ (setback: later)
//!     └──────────────────────────────────────────┘ (observe again: later)
//!  Begun ── permit renewed ──▶ Begun
//!  Waiting, Ready ── plan replaced or request cancelled ──▶ Dropped
//! ```
//!
//! Upholds I6: a receipt for a finished job changes nothing, and a second permit for an attempt is refused.

use gallra_model::Instant;
use gallra_model::cause::Backing;
use gallra_model::digest::Digest;
use gallra_model::job::{Action, JobSpec, Purge, Question};
use gallra_model::plan::After;
use gallra_model::receipt::{Code, Receipt, Verdict};
use gallra_model::request::{JobRecord, JobState, Setback};
use gallra_model::selector::Selector;
use gallra_model::target::Instance;
use gallra_model::{Clock, Nonce, Pseudonym};
use jiff::SignedDuration;

/// Longest wait between tries: a request is visibly late rather than forgotten.
pub const LONGEST_RETRY_HOURS: i64 = 24;

/// Attempts that a crash may cut short before the next one has to wait.
const AT_ONCE_AFTER_CRASH: u32 = 3;

/// What can happen to a job.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// Its time has come and nothing it waits for is missing.
    Due,
    /// A permit was signed.
    Permitted,
    /// The permit of the attempt that is under way was signed anew.
    Renewed,
    /// A receipt arrived. For observations `again` is when to look next, unset when nothing is left to see.
    Receipt {
        /// What the agent signed.
        receipt: &'a Receipt,
        /// Digest of its payload.
        digest: Digest,
        /// Look again then.
        again: Option<Instant>,
        /// Observations only: whether this listing closes its target's set of copies. True for all other jobs.
        closes: bool,
    },
    /// An operator wants no more waiting after a setback.
    RetryNow,
    /// The plan was replaced or the request cancelled.
    Dropped,
}

/// An event that the job's state does not take. The job stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {state:?} does not take this event")]
pub struct Illegal {
    /// Where the job stands.
    pub state: JobState,
}

/// The whole transition relation.
///
/// # Errors
/// [`Illegal`] for every pair of state and event that is not in the picture above.
pub fn step(job: &JobRecord, event: &Event<'_>, now: Instant) -> Result<JobRecord, Illegal> {
    let mut next = job.clone();
    match (job.state, event) {
        (JobState::Waiting, Event::Due) => next.state = JobState::Ready,
        (JobState::Ready | JobState::Begun, Event::Permitted) => {
            next.state = JobState::Begun;
            next.attempt += 1;
            next.renewals = 0;
        }
        (JobState::Begun, Event::Renewed) => next.renewals = next.renewals.saturating_add(1),
        (JobState::Waiting | JobState::Ready | JobState::Begun, Event::Receipt { receipt, digest, again, closes }) => {
            // What claims to be done without the permit of this very attempt is no evidence.
            let permitted = job.state == JobState::Begun && receipt.attempt == job.attempt;
            if receipt.verdict == Verdict::Done && !permitted {
                return Err(Illegal { state: job.state });
            }
            if settles(receipt) {
                take_settling(&mut next, receipt, closes.then_some(*digest), *again);
            } else {
                take_setback(&mut next, receipt, now);
            }
        }
        (JobState::Waiting, Event::RetryNow) if job.setback.is_some() => next.due = job.step.due,
        // An operator lets a target be looked at anew, after its instance was replaced for a known reason.
        (JobState::Succeeded, Event::RetryNow) if job.step.action == Action::Inspect => {
            next.state = JobState::Waiting;
            next.due = job.step.due;
            (next.receipt, next.instance, next.finished) = (None, None, None);
        }
        (JobState::Waiting | JobState::Ready, Event::Dropped) => next.state = JobState::Dropped,
        // What is settled or has begun is not undone by a new plan; a late receipt of it changes nothing.
        (JobState::Succeeded | JobState::Dropped, Event::Receipt { .. } | Event::Dropped)
        | (JobState::Begun, Event::Dropped) => {}
        (JobState::Waiting, Event::Permitted | Event::Renewed | Event::RetryNow)
        | (JobState::Ready, Event::Due | Event::Renewed | Event::RetryNow)
        | (JobState::Begun, Event::Due | Event::RetryNow)
        | (JobState::Succeeded | JobState::Dropped, Event::Due | Event::Permitted | Event::Renewed | Event::RetryNow) =>
        {
            return Err(Illegal { state: job.state });
        }
    }
    Ok(next)
}

fn take_settling(job: &mut JobRecord, receipt: &Receipt, digest: Option<Digest>, again: Option<Instant>) {
    // An observation that does not close the set leaves no mark: the job's receipt says that the set was closed.
    if digest.is_some() {
        job.receipt = digest;
        job.finished = Some(receipt.finished);
    }
    job.instance = receipt.instance;
    job.setback = None;
    match again {
        Some(again) => {
            job.state = JobState::Waiting;
            job.due = again;
        }
        None => job.state = JobState::Succeeded,
    }
}

fn take_setback(job: &mut JobRecord, receipt: &Receipt, now: Instant) {
    job.state = JobState::Waiting;
    job.due = retry_at(receipt, now);
    job.setback = Some(Setback {
        verdict: receipt.verdict,
        code: receipt.code,
        hint: receipt.hint.clone(),
        at: receipt.finished,
    });
}

/// Whether a receipt settles the job that it is for. Doing nothing, failing and not knowing never do.
pub fn settles(receipt: &Receipt) -> bool {
    let counts = receipt.counts;
    receipt.verdict == Verdict::Done
        && match receipt.action {
            Action::Inspect => true,
            Action::Observe => receipt.listing.is_some(),
            Action::Restrict => counts.restricted > 0 && counts.failed == 0 && counts.unknown == 0,
            Action::Preserve => counts.settles() && (counts.retained == 0) == receipt.kept.is_none(),
            Action::Erase | Action::Purge => counts.settles(),
            Action::Confirm => counts.settles() && counts.absent > 0,
        }
}

/// A refusal needs somebody's hand and is asked again daily; anything else sooner, at doubling intervals up to a day. An act
/// that only ran out of its permit's time goes on at once, and a permit that did not check is asked for anew soon.
fn retry_at(receipt: &Receipt, now: Instant) -> Instant {
    let soon = match receipt.code {
        Some(Code::Stopped) => Some(SignedDuration::ZERO),
        Some(Code::BadPermit) => Some(SignedDuration::from_mins(1)),
        // A crash says nothing about the job: it goes on at once, unless it is what makes the agent crash.
        Some(Code::Interrupted) if receipt.attempt <= AT_ONCE_AFTER_CRASH => Some(SignedDuration::ZERO),
        // Time, a stop's end or somebody's decision lifts these: a quarter of an hour is soon enough, and no flood.
        Some(Code::Limit | Code::Halted | Code::QuietHours) => Some(SignedDuration::from_mins(15)),
        _ => None,
    };
    if let Some(soon) = soon {
        return now.checked_add(soon).unwrap_or(now);
    }
    let hours = match receipt.verdict {
        Verdict::Refused => LONGEST_RETRY_HOURS,
        Verdict::Done | Verdict::Failed | Verdict::Unknown => {
            let doublings = receipt.attempt.saturating_sub(1).min(5);
            (1_i64 << doublings).min(LONGEST_RETRY_HOURS)
        }
    };
    now.checked_add(SignedDuration::from_hours(hours)).unwrap_or(now)
}

/// What an offer is made of, beside the job's record.
pub struct Offering {
    /// Whom it is about, opened from the seal for this moment.
    pub selector: Selector,
    /// The subject's name towards the agent.
    pub pseudonym: Pseudonym,
    /// The job's salt.
    pub salt: Nonce,
    /// The coordinator's generation.
    pub generation: u64,
    /// Which clock it runs under.
    pub clock: Clock,
    /// What an inspection pinned the target to.
    pub instance: Option<Instance>,
    /// Backup targets: the question.
    pub question: Option<Question>,
    /// Purges: whose items stay, and which policy was signed for.
    pub purge: Option<Purge>,
    /// What cannot be undone: the signature of its cause.
    pub cause: Option<Backing>,
}

/// The job as its agent gets it. The same record and offering always give the same bytes, so that an asking can be held
/// against what would be offered now.
pub fn spec(job: &JobRecord, offering: Offering) -> JobSpec {
    let Offering { selector, pseudonym, salt, generation, clock, instance, question, purge, cause } = offering;
    let step = &job.step;
    JobSpec {
        job: step.job,
        agent: step.agent.clone(),
        action: step.action,
        target: step.target.clone(),
        pseudonym,
        salt,
        generation,
        // Salted, so that two agents cannot tell that their jobs are of one plan (decision 13).
        plan: Digest::of_parts(&[b"gallra-job-plan", salt.as_bytes(), job.plan.digest.as_bytes()]),
        rule: step.rule.clone(),
        selector,
        instance: if step.action == Action::Inspect { None } else { instance },
        keep: step.keep.clone(),
        again: step.action == Action::Confirm && step.after.contains(&After::CopiesGone),
        question,
        purge,
        cause,
        clock,
    }
}
