//! A request that is taken back: its contract was resumed, or it was withdrawn. Owns what becomes of its jobs. What has not
//! begun is dropped, what has begun is waited for, and then the request rests for good: it stays on record and wakes nobody.
//! Upholds I1: nothing of it is permitted from the moment in which the fact is stored (`permit`).

use gallra_model::Instant;
use gallra_model::request::{JobState, RequestState};
use jiff::SignedDuration;

use crate::view::View;

/// Jobs dropped in one step: a plan of any size is taken back in transactions that every store takes.
pub const DROPPED_AT_ONCE: usize = 40;

/// The request with the fact that it is cancelled, due now. Its jobs are dropped by the ticks that follow, so that this one
/// change is small and can stand in the transaction of whatever takes the request back.
pub fn cancel(view: &View, now: Instant) -> View {
    let mut next = view.clone();
    if next.request.state != RequestState::Done {
        next.request.facts.cancelled = true;
        next.request.wake = Some(now);
    }
    next
}

/// Whether changing data has been permitted for it: then a part may be gone, or put aside, already.
pub fn has_begun(view: &View) -> bool {
    view.request.state >= RequestState::Running
}

/// What follows for a cancelled request from its state alone.
pub(crate) fn settle(view: &mut View, now: Instant) {
    let open = |state: JobState| matches!(state, JobState::Waiting | JobState::Ready);
    for job in view.jobs.iter_mut().filter(|job| open(job.state)).take(DROPPED_AT_ONCE) {
        job.state = JobState::Dropped;
    }
    view.request.facts.overdue = false;
    view.request.facts.needs_approval = false;
    view.request.wake = if view.jobs.iter().any(|job| open(job.state)) {
        Some(now)
    } else if view.jobs.iter().any(|job| job.state == JobState::Begun) {
        Some(now.checked_add(SignedDuration::from_hours(24)).unwrap_or(now))
    } else {
        None
    };
}
