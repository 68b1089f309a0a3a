//! When a request leaves the store: once it is done, nothing of it is awaited, and nobody has said anything of it for some days. Pure.

use gallra_model::Instant;
use gallra_model::request::Request;
use gallra_store::keys::Family;
use jiff::SignedDuration;
use serde::Deserialize;

use super::file::Records;
use crate::asked::Asked;
use crate::error::{CoreError, decode};

/// Fewest days that can be configured. A request that was read as open a moment ago is not looked for in the archive, so one must have
/// been done for far longer than that.
pub const LEAST_DAYS: u32 = 1;
/// Days, unless the configuration says otherwise: whoever asks about an end usually does in the week after it.
pub const AFTER_DAYS: u32 = 7;
/// Most days.
pub const MOST_DAYS: u32 = 3_650;

/// Whether a request by itself may leave.
pub(super) fn is_finished(request: &Request, days: u32, now: Instant) -> bool {
    let facts = &request.facts;
    let settled = request.wake.is_none() && !(facts.amending || facts.came_back || facts.held || facts.cancelled);
    settled && request.done.is_some_and(|done| is_long_ago(done, days, now))
}

fn is_long_ago(at: Instant, days: u32, now: Instant) -> bool {
    now.duration_since(at) >= SignedDuration::from_hours(i64::from(days) * 24)
}

/// What is said in a record, and when.
#[derive(Deserialize)]
struct Said {
    #[serde(alias = "issued")]
    stored: Instant,
}

/// Whether its records may leave: its claim code is gone, and the last thing that anybody said is long ago.
///
/// # Errors
/// Where one cannot be read: then all stay where they are.
pub(super) fn is_quiet(records: &Records, days: u32, now: Instant) -> Result<bool, CoreError> {
    for (key, value) in records {
        let quiet = match Family::of(key) {
            Some(Family::Receipt | Family::Restore | Family::Proof) => {
                is_long_ago(decode::<Said>("statement", value)?.stored, days, now)
            }
            // What ends a code writes this.
            Some(Family::Asked) => {
                !decode::<Asked>("request's statement", value)?.claim.is_some_and(|claim| claim.is_sealed())
            }
            _ => true,
        };
        if !quiet {
            return Ok(false);
        }
    }
    Ok(true)
}
