//! A request's way as spans of one trace (0037): the request's random id is the trace's, so that what happens months later joins it
//! and nothing is stored for it. Towards an agent it is another trace for every agent, which follows from a key that agents do not
//! have: by it two agents cannot tell that they work for one request (decision 13). The link between the two is said here alone.

use gallra_log::entry::Entry;
use gallra_model::trace::TraceRef;
use gallra_model::{AgentName, JobId, RequestId};
use gallra_store::{Expect, Txn, keys};
use gallra_telemetry::{Attribute, Step, begin, is_on};
use tracing::Span;

use crate::core::Core;
use crate::issue::StoredProof;

/// What a request's spans hang from.
fn of(request: &RequestId) -> TraceRef {
    TraceRef::root(*request.as_bytes())
}

/// The requests that a transaction opens.
pub(crate) fn opened_by(txn: &Txn) -> Vec<RequestId> {
    if !is_on() {
        return Vec::new();
    }
    let new = txn.expects().iter().filter(|(_, expect)| matches!(expect, Expect::Absent));
    new.filter_map(|(key, _)| keys::parse_request(key)).collect()
}

/// Says that requests were opened, once they are.
pub(crate) fn opened(requests: &[RequestId]) {
    for request in requests {
        drop(begin(Step::Request, of(request), &[], &[]));
    }
}

/// Says that a plan was issued.
pub(crate) fn planned(request: &RequestId, number: u32) {
    drop(begin(Step::Plan, of(request), &[], &[Attribute::Number(number.into())]));
}

/// Says that statements about requests are in the log from `first` on.
pub(crate) fn entered(first: u64, entries: &[(gallra_log::tree::Hash, &[u8])]) {
    if !is_on() {
        return;
    }
    for (index, (_, bytes)) in (first..).zip(entries) {
        let entry = str::from_utf8(bytes).ok().and_then(|text| text.parse::<Entry>().ok());
        if let Some(request) = entry.and_then(|entry| entry.about().and_then(|about| about.request)) {
            drop(begin(Step::Entry, of(&request), &[], &[Attribute::Number(index)]));
        }
    }
}

/// A span of a proof's file being made for whoever fetches it.
pub(crate) fn fetching(request: &RequestId, proof: &StoredProof) -> Span {
    let attributes = [Attribute::Number(proof.sequence.into()), Attribute::Stage(proof.stage)];
    begin(Step::Fetch, of(request), &[of(request)], &attributes)
}

impl Core {
    /// Where an agent's spans about a job hang.
    fn towards(&self, request: &RequestId, agent: &AgentName, job: JobId) -> TraceRef {
        TraceRef::root(self.keyring.trace(agent, request)).at(job.as_bytes())
    }

    /// Says that a job is offered. Returns what its agent is told; none without a collector.
    pub(crate) fn offering(&self, request: &RequestId, step: &gallra_model::plan::Step) -> Option<TraceRef> {
        if !is_on() {
            return None;
        }
        let at = self.towards(request, &step.agent, step.job);
        let attributes = [
            Attribute::Job(step.job),
            Attribute::Agent(&step.agent),
            Attribute::Target(&step.target),
            Attribute::Kind(step.kind),
            Attribute::Action(step.action),
        ];
        drop(begin(Step::Job, at, &[of(request)], &attributes));
        drop(begin(Step::Offer, of(request), &[at], &attributes));
        Some(at)
    }

    /// A span of one word of an agent's about a job.
    pub(crate) fn hearing(&self, step: Step, request: &RequestId, agent: &AgentName, job: JobId) -> Span {
        if !is_on() {
            return Span::none();
        }
        let attributes = [Attribute::Job(job), Attribute::Agent(agent)];
        begin(step, of(request), &[self.towards(request, agent, job)], &attributes)
    }

    /// Says that a proof was signed and stored, with links to the jobs that it speaks of.
    pub(crate) fn proved(&self, view: &gallra_flow::view::View, number: u32, stage: gallra_model::proof::Stage) {
        if !is_on() {
            return;
        }
        let id = &view.request.id;
        let jobs: Vec<_> = view.current_jobs().map(|job| self.towards(id, &job.step.agent, job.id())).collect();
        drop(begin(Step::Proof, of(id), &jobs, &[Attribute::Number(number.into()), Attribute::Stage(stage)]));
    }
}
