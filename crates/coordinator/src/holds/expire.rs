//! Holds that end by themselves: the leader takes one off once its last day is over, and never before. The day was on record
//! from the start, so nobody's word is needed; a clock that is doubted says nothing of what is over (decision 6, I1).

use gallra_flow::clock::Standing;
use gallra_model::hold::{EXPIRY, Hold, Release};
use gallra_model::time::{day_of, start_of};
use gallra_model::{HoldId, Instant};
use gallra_store::{Key, keys};

use crate::core::{Core, until_committed};
use crate::error::CoreError;

/// Holds taken off in one pass.
const BATCH: usize = 256;

/// Where the index says when a hold is over; none for one that lies until somebody releases it.
pub(super) fn key_of(hold: &Hold) -> Result<Option<Key>, CoreError> {
    let Some(last) = hold.expires else { return Ok(None) };
    let over = last.tomorrow().and_then(start_of);
    let over = over.map_err(|_| CoreError::Invalid("until: beyond what an instant can say".into()))?;
    Ok(Some(keys::hold_expiry(over, &hold.id)))
}

impl Core {
    /// Takes off the holds whose last day is over. Returns how many.
    ///
    /// # Errors
    /// The store's; one hold's trouble is logged, and it lies on until the next pass.
    pub async fn expire_holds(&self) -> Result<usize, CoreError> {
        let (now, standing) = self.time.look();
        if standing != Standing::Trusted {
            return Ok(0);
        }
        let page = self.store.range(&keys::holds_expired(now), BATCH).await?;
        let mut ended = 0;
        for (_, id) in page.entries.iter().filter_map(|entry| keys::parse_hold_expiry(&entry.key)) {
            match until_committed!(self.try_expire(&id, now)) {
                Ok(true) => ended += 1,
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(hold = %id, %error, "a hold whose last day is over could not be taken off")
                }
            }
        }
        Ok(ended)
    }

    async fn try_expire(&self, id: &HoldId, now: Instant) -> Result<bool, CoreError> {
        let (entry, hold) = self.hold(id).await?;
        // The entry that was found is an index; the hold's own record decides.
        let Some(last) = hold.expires.filter(|_| hold.released.is_none() && hold.is_over(day_of(now))) else {
            return Ok(false);
        };
        let reason = format!("its last day, {last}, is over");
        self.end_hold(&entry, hold, Release { by: EXPIRY.to_owned(), at: now, reason }).await?;
        tracing::info!(hold = %id, "a hold was taken off: its last day is over");
        Ok(true)
    }
}
