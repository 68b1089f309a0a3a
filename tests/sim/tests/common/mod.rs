//! What all simulations' tests share: a year on a clock that stands still while anybody works.

use gallra_planted::Bug;
use gallra_sim::Outcome;

/// How many days of each seed the short run plays: a debug build spends about a second on twenty.
#[allow(dead_code, reason = "not every test binary uses all of it")]
pub(crate) const DAYS: u64 = 60;

/// Plays so many days of a seed.
pub(crate) fn run(seed: u64, days: u64, bug: Option<Bug>) -> Outcome {
    gallra_sim::run(seed, days, bug, |builder| builder.start_paused(true))
}
