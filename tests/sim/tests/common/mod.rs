//! What all simulations' tests share: a year on a clock that stands still while anybody works.

use gallra_planted::Bug;
use gallra_sim::Outcome;

/// Plays one year of a seed.
pub fn run(seed: u64, bug: Option<Bug>) -> Outcome {
    gallra_sim::run(seed, bug, |builder| builder.start_paused(true))
}
