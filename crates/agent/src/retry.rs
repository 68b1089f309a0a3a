//! How long to wait before dialling again. Owns the two bounds; the waits between them are [`gallra_retry`]'s.

use std::time::Duration;

use gallra_retry::Waits;

/// Shortest wait, before it is spread.
const FIRST: Duration = Duration::from_millis(200);

/// Longest wait: an agent that was cut off is back at most so long after its coordinator, give or take half.
const LONGEST: Duration = Duration::from_secs(30);

/// An agent's waits: it never gives up.
pub fn waits() -> Waits {
    Waits::new(FIRST, LONGEST)
}
