//! What leaves a process about its work: log lines for people, and spans for a collector (OTLP over gRPC). Owns the two outlets and
//! the closed list of what a span may say; refuses to know how a trace's id follows from a request (0037).
//!
//! Upholds I9 and decision 12: a span has no free text. Its name and its attributes are types that hold no identifier, and no log
//! line, error or span of another library is sent along. Upholds I10: what waits for a collector is bounded, and a collector that is
//! slow, gone or wrong holds no work up.

mod export;
mod ids;
mod outlet;
mod span;

pub use outlet::{Collector, OutletError, Telemetry, to_stderr, with_collector};
pub use span::{Attribute, Step, attach, begin, is_on};
