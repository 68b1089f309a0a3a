//! What of a request that was taken back is gone already, and what was saved: from its jobs and its agents' receipts alone, so
//! nothing is called gone or saved that nobody looked at. Owns the sums; decides nothing about the request.

use std::collections::BTreeMap;

use gallra_model::job::Action;
use gallra_model::outcome::Counts;
use gallra_model::receipt::{Receipt, Verdict};
use gallra_model::request::{JobRecord, JobState};
use gallra_model::target::{Category, TargetId};
use gallra_model::{AgentName, JobId};

use crate::view::View;

/// How far the work on one target came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// Nothing of it was changed.
    Untouched,
    /// A permit was given, and no receipt has answered it yet.
    UnderWay,
    /// It was stopped in the middle.
    Partly,
    /// It was done.
    Done,
    /// An attempt ended so that nobody can say what is gone.
    Unknown,
}

impl Reached {
    /// The word used in tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::UnderWay => "under-way",
            Self::Partly => "partly",
            Self::Done => "done",
            Self::Unknown => "unknown",
        }
    }
}

/// What became of one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remains {
    /// The agent.
    pub agent: AgentName,
    /// The target.
    pub target: TargetId,
    /// Its category.
    pub category: Category,
    /// What was to be done.
    pub action: Action,
    /// How far that came.
    pub reached: Reached,
    /// Items by outcome, over all attempts; `failed` are no outcome here: what did not go is left.
    pub counts: Counts,
    /// Items that were still there when somebody last looked; none where nobody did.
    pub left: Option<u64>,
}

/// What became of each target that the request was to change, in the plan's order.
pub fn remains(view: &View, receipts: &[Receipt]) -> Vec<Remains> {
    let mut of: BTreeMap<JobId, Vec<&Receipt>> = BTreeMap::new();
    for receipt in receipts {
        of.entry(receipt.job).or_default().push(receipt);
    }
    let current = view.request.plan;
    let mut jobs: Vec<&JobRecord> = view.jobs.iter().filter(|job| job.step.action.changes()).collect();
    // Of plans that were replaced only what had a permit says anything.
    jobs.retain(|job| Some(job.plan) == current || job.attempt > 0);
    jobs.sort_by_key(|job| (job.plan.number, job.step.number));
    jobs.iter()
        .map(|job| {
            let mut attempts = of.get(&job.id()).cloned().unwrap_or_default();
            attempts.sort_by_key(|receipt| receipt.attempt);
            let seen = inspected(view, job, &of);
            let (reached, counts, left) = whole(job, &attempts, seen);
            Remains {
                agent: job.step.agent.clone(),
                target: job.step.target.clone(),
                category: job.step.category.clone(),
                action: job.step.action,
                reached,
                counts,
                left,
            }
        })
        .collect()
}

/// Items that an inspection found in the job's target.
fn inspected(view: &View, job: &JobRecord, of: &BTreeMap<JobId, Vec<&Receipt>>) -> Option<u64> {
    let inspects = view.jobs.iter().filter(|other| {
        let same = other.step.agent == job.step.agent && other.step.target == job.step.target;
        same && other.plan == job.plan && other.step.action == Action::Inspect
    });
    let done = inspects.flat_map(|other| of.get(&other.id()).into_iter().flatten());
    done.filter(|receipt| receipt.verdict == Verdict::Done).map(|receipt| receipt.before.items).next_back()
}

/// The attempts at one job together, oldest first. A done one counts from before the first; each other one from what it found.
fn whole(job: &JobRecord, attempts: &[&Receipt], seen: Option<u64>) -> (Reached, Counts, Option<u64>) {
    if let Some(done) = attempts.iter().find(|receipt| receipt.verdict == Verdict::Done) {
        return (Reached::Done, Counts { failed: 0, ..done.counts }, Some(done.after.items));
    }
    let acted: Vec<_> = attempts.iter().filter(|receipt| receipt.verdict != Verdict::Refused).collect();
    let counts = acted.iter().fold(Counts::default(), |sum, receipt| sum.plus(receipt.counts));
    // One that stopped before anything was changed counts nothing, and says what it found.
    let left = acted.iter().rfind(|receipt| looked(receipt)).map(|receipt| receipt.after.items);
    let reached = if job.state == JobState::Begun {
        Reached::UnderWay
    } else if counts.unknown > 0 || acted.iter().any(|receipt| receipt.verdict == Verdict::Unknown) {
        Reached::Unknown
    } else if counts == Counts::default() {
        Reached::Untouched
    } else {
        Reached::Partly
    };
    let left = if reached == Reached::Untouched { left.or(seen) } else { left };
    (reached, Counts { failed: 0, ..counts }, left)
}

/// Whether somebody looked after the attempt, or nothing had been changed by it.
fn looked(receipt: &Receipt) -> bool {
    receipt.verdict == Verdict::Failed
        && receipt.counts.unknown == 0
        && (receipt.counts.failed > 0 || receipt.after.items > 0)
}

#[cfg(test)]
mod tests {
    use gallra_model::receipt::{Code, Tally};
    use gallra_model::request::PlanRef;
    use gallra_model::{Clock, Digest, Instant, Pseudonym};

    use super::*;
    use crate::request::tests::{plan, request};

    fn job(action: Action, state: JobState, attempt: u32) -> JobRecord {
        let plan = plan(1, None, &[]);
        let step = plan.steps.iter().find(|step| step.action == action).expect("a step").clone();
        JobRecord {
            request: plan.request,
            plan: PlanRef { number: 1, digest: Digest::of(b"plan") },
            due: step.due,
            step,
            state,
            attempt,
            renewals: 0,
            instance: None,
            receipt: None,
            finished: None,
            setback: None,
        }
    }

    fn receipt(job: &JobRecord, attempt: u32, verdict: Verdict, counts: Counts, items: (u64, u64)) -> Receipt {
        let tally = |items| Tally { items, ..Tally::default() };
        Receipt {
            commitment: None,
            previous: None,
            job: job.id(),
            attempt,
            agent: job.step.agent.clone(),
            target: job.step.target.clone(),
            kind: job.step.kind,
            action: job.step.action,
            pseudonym: Pseudonym::from_bytes([7; 16]),
            spec: Digest::of(b"spec"),
            permit: None,
            instance: None,
            verdict,
            code: (verdict != Verdict::Done).then_some(Code::Stopped),
            hint: String::new(),
            counts,
            before: tally(items.0),
            after: tally(items.1),
            checks: vec![],
            older_than: None,
            listing: None,
            kept: None,
            started: Instant::UNIX_EPOCH,
            finished: Instant::UNIX_EPOCH,
            clock: Clock::Simulated,
            software: String::new(),
        }
    }

    /// One attempt: verdict, counts, items that it found and left.
    type Attempt = (Verdict, Counts, (u64, u64));

    fn one(state: JobState, attempts: &[Attempt]) -> (Reached, u64, u64, Option<u64>) {
        let begun = u32::try_from(attempts.len()).expect("small") + u32::from(state == JobState::Begun);
        let (inspect, erase) = (job(Action::Inspect, JobState::Succeeded, 1), job(Action::Erase, state, begun));
        let mut receipts = vec![receipt(&inspect, 1, Verdict::Done, Counts::default(), (10, 10))];
        for (number, (verdict, counts, items)) in (1..).zip(attempts) {
            receipts.push(receipt(&erase, number, *verdict, *counts, *items));
        }
        let mut request = request();
        request.plan = Some(erase.plan);
        let jobs = vec![inspect, erase];
        let view = View { request, plan: None, jobs, copies: vec![], obligations: vec![] };
        let found = remains(&view, &receipts);
        let [only] = found.as_slice() else { panic!("{found:?}") };
        (only.reached, only.counts.erased, only.counts.unknown, only.left)
    }

    fn counts(erased: u64, failed: u64, unknown: u64) -> Counts {
        Counts { erased, failed, unknown, ..Counts::default() }
    }

    #[test]
    fn what_is_gone_and_what_was_saved_is_what_receipts_say_and_no_more() {
        use Verdict::{Done, Failed, Refused, Unknown};
        let nothing = Counts::default();
        for (state, attempts, said) in [
            (JobState::Dropped, vec![], (Reached::Untouched, 0, 0, Some(10))),
            (JobState::Dropped, vec![(Refused, nothing, (0, 0))], (Reached::Untouched, 0, 0, Some(10))),
            // Stopped before anything was changed.
            (JobState::Dropped, vec![(Failed, nothing, (9, 9))], (Reached::Untouched, 0, 0, Some(9))),
            (JobState::Begun, vec![], (Reached::UnderWay, 0, 0, None)),
            (JobState::Dropped, vec![(Failed, counts(4, 6, 0), (10, 6))], (Reached::Partly, 4, 0, Some(6))),
            // Each stopped attempt counts what it did itself.
            (
                JobState::Dropped,
                vec![(Failed, counts(4, 6, 0), (10, 6)), (Failed, counts(1, 5, 0), (6, 5))],
                (Reached::Partly, 5, 0, Some(5)),
            ),
            (JobState::Begun, vec![(Failed, counts(4, 6, 0), (10, 6))], (Reached::UnderWay, 4, 0, Some(6))),
            // One that is done counts everything since the first.
            (
                JobState::Succeeded,
                vec![(Failed, counts(4, 6, 0), (10, 6)), (Done, counts(10, 0, 0), (10, 0))],
                (Reached::Done, 10, 0, Some(0)),
            ),
            (JobState::Dropped, vec![(Failed, counts(0, 0, 10), (10, 10))], (Reached::Unknown, 0, 10, None)),
            (JobState::Dropped, vec![(Unknown, nothing, (0, 0))], (Reached::Unknown, 0, 0, None)),
        ] {
            assert_eq!(one(state, &attempts), said, "{state:?} {attempts:?}");
        }
    }
}
