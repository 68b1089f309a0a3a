//! Keys of holds, and of what is watched and counted because of them. Upholds that a hold's key tells nothing of whom it
//! covers: it is a random reference.

use gallra_model::{HoldId, Instant};

use super::Family;
use super::time::{instant, millis_down, millis_up, number};
use crate::key::{Key, KeyPrefix, KeyRange};

/// One hold.
pub fn hold(id: &HoldId) -> Key {
    holds().key(&id.to_string())
}

/// All holds, oldest first, released ones included.
pub fn holds() -> KeyPrefix {
    Family::Hold.prefix()
}

/// End a hold by itself at an instant.
pub fn hold_expiry(at: Instant, hold: &HoldId) -> Key {
    Family::HoldExpiry.under(&[&number(millis_up(at))]).key(&hold.to_string())
}

/// All holds whose time is over at an instant, the oldest end first.
pub fn holds_expired(now: Instant) -> KeyRange {
    KeyRange::through(&Family::HoldExpiry.prefix(), &number(millis_down(now)))
}

/// Instant (to the millisecond) and hold of such an entry; none for another key.
pub fn parse_hold_expiry(key: &Key) -> Option<(Instant, HoldId)> {
    let (at, hold) = Family::HoldExpiry.prefix().rest(key)?.split_once('/')?;
    Some((instant(at)?, hold.parse().ok()?))
}

/// A hold that was placed or ended, while the requests that it concerns are not all looked at.
pub fn hold_change(hold: &HoldId) -> Key {
    hold_changes().key(&hold.to_string())
}

/// All of those, oldest holds first.
pub fn hold_changes() -> KeyPrefix {
    Family::HoldChange.prefix()
}

/// The hold of such an entry; none for another key.
pub fn parse_hold_change(key: &Key) -> Option<HoldId> {
    hold_changes().rest(key)?.parse().ok()
}

/// The guards of all categories that were ever held.
pub fn guards_of_categories() -> KeyPrefix {
    Family::Guard.under(&["category"])
}

/// The guards of all targets that were ever held.
pub fn guards_of_targets() -> KeyPrefix {
    Family::Guard.under(&["target"])
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
