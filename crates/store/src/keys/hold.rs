//! Keys of holds, and of what is watched and counted because of them. Upholds that a hold's key tells nothing of whom it
//! covers: it is a random reference.

use gallra_model::HoldId;

use super::Family;
use crate::key::{Key, KeyPrefix};

/// One hold.
pub fn hold(id: &HoldId) -> Key {
    holds().key(&id.to_string())
}

/// All holds, oldest first, released ones included.
pub fn holds() -> KeyPrefix {
    Family::Hold.prefix()
}

/// All guards: watched, so that whoever carries out work hears of a stop at once.
pub fn guards() -> KeyPrefix {
    Family::Guard.prefix()
}

/// Written with every hold that is placed, whatever its level: a final proof expects it as it was read, since a large plan
/// has more guards than one transaction can expect.
pub fn guard_any_hold() -> Key {
    guards().key("any-hold")
}

/// How many contracts ended on one local day: what the brake counts.
pub fn meta_ends() -> Key {
    Family::Meta.prefix().key("ends")
}

/// The dispatch index of all agents: every job that is ready, or has a permit that no receipt has answered.
pub fn ready_all() -> KeyPrefix {
    Family::Ready.prefix()
}
