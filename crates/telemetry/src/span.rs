//! Spans of a request's way, and the closed list of what they may say. There is no attribute that takes a text of the caller's:
//! a new one is a variant here, and somebody reads the diff.

use gallra_model::job::Action;
use gallra_model::permit::Denial;
use gallra_model::proof::Stage;
use gallra_model::receipt::Verdict;
use gallra_model::target::{TargetId, TargetKind};
use gallra_model::trace::TraceRef;
use gallra_model::{AgentName, JobId};
use opentelemetry::trace::{SpanContext, TraceContextExt as _, TraceFlags, TraceState};
use opentelemetry::{Context, SpanId, TraceId};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The target of every span that is made here, and of nothing else: by it the outlets tell spans from log lines.
pub(crate) const TARGET: &str = "gallra::step";

/// Most links of one span: a plan has fewer jobs, or the others are found through the trace.
const MOST_LINKS: usize = 64;

/// What was done: the span's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A request was opened by an event.
    Request,
    /// A plan was signed and issued.
    Plan,
    /// A job exists for an agent: what the agent's spans hang from.
    Job,
    /// A job was offered.
    Offer,
    /// An asking was answered.
    Permit,
    /// An agent carried a job out, from its permit to its receipt.
    Act,
    /// A receipt was taken.
    Receipt,
    /// A statement became an entry of the log.
    Entry,
    /// A proof was signed.
    Proof,
    /// A proof's file was fetched.
    Fetch,
}

impl Step {
    /// The span's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Plan => "plan",
            Self::Job => "job",
            Self::Offer => "offer",
            Self::Permit => "permit",
            Self::Act => "act",
            Self::Receipt => "receipt",
            Self::Entry => "log entry",
            Self::Proof => "proof",
            Self::Fetch => "proof fetched",
        }
    }
}

/// What a span may say. Ids are random or derived, names are those of machines and of targets in `agent.toml`.
#[derive(Debug, Clone, Copy)]
pub enum Attribute<'a> {
    /// The job.
    Job(JobId),
    /// The agent.
    Agent(&'a AgentName),
    /// The target, as its host's admin named it.
    Target(&'a TargetId),
    /// What kind of place it is.
    Kind(TargetKind),
    /// What is done there.
    Action(Action),
    /// How an attempt ended.
    Verdict(Verdict),
    /// Whether an asking was permitted.
    Permitted(bool),
    /// Why it was not.
    Denied(Denial),
    /// A plan's, attempt's or proof's number, or an entry's place in the log.
    Number(u64),
    /// How far a proof goes.
    Stage(Stage),
}

/// Begins a span of a trace. It ends when it is dropped. Without a collector nothing is made, and it costs a comparison.
///
/// `at` is what it hangs from; for [`Step::Request`] and [`Step::Job`] it is the span itself, which hangs from nothing. `links` are
/// places in other traces, or long ago in this one.
pub fn begin(step: Step, at: TraceRef, links: &[TraceRef], attributes: &[Attribute<'_>]) -> Span {
    let span = tracing::info_span!(target: TARGET, parent: None, "step", otel.name = step.as_str());
    if span.is_disabled() {
        return span;
    }
    for link in links.iter().take(MOST_LINKS) {
        span.add_link(context(*link));
    }
    for attribute in attributes {
        attach(&span, *attribute);
    }
    if matches!(step, Step::Request | Step::Job) {
        crate::ids::named(at, || drop(span.context()));
    } else {
        // Fails where the layer is another one than ours: then nobody hears of the span.
        let _ = span.set_parent(Context::new().with_remote_span_context(context(at)));
    }
    span
}

/// Says one thing more about a span.
pub fn attach(span: &Span, attribute: Attribute<'_>) {
    if span.is_disabled() {
        return;
    }
    match attribute {
        Attribute::Job(job) => span.set_attribute("gallra.job", job.to_string()),
        Attribute::Agent(agent) => span.set_attribute("gallra.agent", agent.to_string()),
        Attribute::Target(target) => span.set_attribute("gallra.target", target.to_string()),
        Attribute::Kind(kind) => span.set_attribute("gallra.kind", kind.as_str()),
        Attribute::Action(action) => span.set_attribute("gallra.action", action.as_str()),
        Attribute::Verdict(verdict) => span.set_attribute("gallra.verdict", verdict.as_str()),
        Attribute::Permitted(yes) => span.set_attribute("gallra.permitted", yes),
        Attribute::Denied(why) => span.set_attribute("gallra.denied", why.as_str()),
        Attribute::Number(number) => span.set_attribute("gallra.number", i64::try_from(number).unwrap_or(i64::MAX)),
        Attribute::Stage(stage) => span.set_attribute("gallra.stage", stage.as_str()),
    }
}

/// Whether spans go anywhere: what is made for them alone need not be made otherwise.
pub fn is_on() -> bool {
    tracing::span_enabled!(target: TARGET, tracing::Level::INFO)
}

fn context(place: TraceRef) -> SpanContext {
    let (trace, span) = (TraceId::from_bytes(place.trace()), SpanId::from_bytes(place.span()));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE)
}
