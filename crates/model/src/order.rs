//! Orders: the coordinator's signed word to every agent that irreversible work stops, or may go on (`gallra stop`,
//! `gallra start`). Owns the content; signing is `gallra-proof`'s. An agent keeps the newest order it has seen, also with
//! the coordinator down and after a crash.

use serde::{Deserialize, Serialize};

use crate::time::{Clock, Instant};

/// DSSE payload type of an order.
pub const ORDER_TYPE: &str = "application/vnd.gallra.order.v0-draft+json";

/// One order. The newest generation and sequence hold; an older one is ignored, so that a replayed `start` starts nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Whether everything that changes data stops.
    pub halted: bool,
    /// The coordinator's generation.
    pub generation: u64,
    /// The global guard's count when the order was given: rises with every stop and start.
    pub sequence: u64,
    /// When, on the coordinator's clock.
    pub at: Instant,
    /// Which clock that is.
    pub clock: Clock,
}

impl Order {
    /// Whether this order is newer than another.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        (self.generation, self.sequence) > (other.generation, other.sequence)
    }
}
