//! What the network half says of its jobs to a collector: when one was offered, and how long an act took from permit to receipt.
//! The privileged half is on no network and says nothing. Owns no decision: what is read of a message here is checked by nobody, and
//! used for spans alone. Upholds I10: of so many jobs only the newest are known.

use std::collections::VecDeque;

use gallra_flow::agent::privileged::MAX_HELD;
use gallra_flow::agent::session::Input;
use gallra_model::envelope::Envelope;
use gallra_model::job::JobSpec;
use gallra_model::message::{ToAgent, ToCoordinator};
use gallra_model::permit::Permit;
use gallra_model::trace::TraceRef;
use gallra_model::{AgentName, JobId};
use gallra_telemetry::{Attribute, Step, attach, begin};
use tracing::Span;

/// A job that was offered with a place for its spans.
struct Known {
    job: JobId,
    at: TraceRef,
    agent: AgentName,
    /// The act that has a permit.
    act: Option<Span>,
}

/// Jobs whose receipts are awaited, oldest first.
#[derive(Default)]
pub(super) struct Spans(VecDeque<Known>);

impl Spans {
    /// Sees what came in.
    pub(super) fn hear(&mut self, input: &Input) {
        if let Input::Said(ToAgent::Offer { spec, trace: Some(at) }) = input
            && let Ok(spec) = serde_json::from_str::<JobSpec>(spec)
        {
            self.offered(&spec, *at);
        }
        if let Input::Said(ToAgent::Permitted { permit }) = input
            && !self.0.is_empty()
        {
            let payload = gallra_proof::dsse::payload(permit).ok();
            let permit = payload.and_then(|payload| serde_json::from_slice::<Permit>(&payload).ok());
            if let Some(permit) = permit {
                self.permitted(&permit);
            }
        }
    }

    fn offered(&mut self, spec: &JobSpec, at: TraceRef) {
        let attributes = [Attribute::Job(spec.job), Attribute::Agent(&spec.agent), Attribute::Target(&spec.target)];
        let span = begin(Step::Offer, at, &[], &attributes);
        attach(&span, Attribute::Action(spec.action));
        if let Some(known) = self.0.iter_mut().find(|known| known.job == spec.job) {
            known.at = at;
            return;
        }
        if self.0.len() >= MAX_HELD {
            self.0.pop_front();
        }
        self.0.push_back(Known { job: spec.job, at, agent: spec.agent.clone(), act: None });
    }

    fn permitted(&mut self, permit: &Permit) {
        let Some(known) = self.0.iter_mut().find(|known| known.job == permit.job) else { return };
        // A permit to go on is the same act's.
        let begun = || {
            let attributes = [
                Attribute::Job(permit.job),
                Attribute::Agent(&known.agent),
                Attribute::Target(&permit.target),
                Attribute::Action(permit.action),
                Attribute::Number(permit.attempt.into()),
            ];
            begin(Step::Act, known.at, &[], &attributes)
        };
        if known.act.is_none() {
            known.act = Some(begun());
        }
    }

    /// Sees what is said to the coordinator.
    pub(super) fn say(&mut self, message: &ToCoordinator) {
        if let ToCoordinator::Receipt { envelope } = message
            && !self.0.is_empty()
        {
            self.ended(envelope);
        }
    }

    fn ended(&mut self, envelope: &Envelope) {
        let Ok(receipt) = gallra_proof::receipt::read(envelope) else { return };
        let receipt = receipt.predicate;
        let Some(place) = self.0.iter().position(|known| known.job == receipt.job) else { return };
        if let Some(act) = self.0.remove(place).and_then(|known| known.act) {
            attach(&act, Attribute::Kind(receipt.kind));
            attach(&act, Attribute::Verdict(receipt.verdict));
        }
    }
}
