//! Ids of spans: random, except where the caller has derived one. A request's first span and a job's have ids that follow from
//! theirs, so that what happens months later hangs from them and nothing is stored for it.

use std::cell::Cell;

use gallra_model::trace::TraceRef;
use opentelemetry::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

thread_local! {
    /// What the next span that is built on this thread is called.
    static NEXT: Cell<Option<TraceRef>> = const { Cell::new(None) };
}

/// Random ids, and those that [`named`] gives.
#[derive(Debug, Default)]
pub(crate) struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        NEXT.get().map_or_else(|| self.0.new_trace_id(), |next| TraceId::from_bytes(next.trace()))
    }

    fn new_span_id(&self) -> SpanId {
        NEXT.get().map_or_else(|| self.0.new_span_id(), |next| SpanId::from_bytes(next.span()))
    }
}

/// Runs `build`, which builds one span on this thread, under the ids of `place`.
pub(crate) fn named<T>(place: TraceRef, build: impl FnOnce() -> T) -> T {
    NEXT.set(Some(place));
    let built = build();
    NEXT.set(None);
    built
}
