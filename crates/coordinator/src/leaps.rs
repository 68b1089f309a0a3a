//! A clock that leaps (decision 6): keeps the mark of the last instant that was believed, says when the clock is doubted,
//! and takes an operator's word for it. What is doubted is `flow::clock`'s decision.

use gallra_flow::clock::{MARK_EVERY_SECONDS, Standing};
use gallra_model::Instant;
use gallra_store::{Txn, keys};

use crate::core::Core;
use crate::error::{CoreError, decode, encode};
use crate::holds::words;

impl Core {
    /// Looks at the clock, with each pass of the leader. Returns whether it is believed.
    ///
    /// # Errors
    /// The store's.
    pub async fn watch_clock(&self) -> Result<bool, CoreError> {
        let (now, standing) = self.time.look();
        let told = self.time.noted(standing);
        match standing {
            Standing::Suspect { ahead_seconds } => {
                if !told {
                    tracing::error!(
                        ahead_seconds,
                        going_by = %now,
                        "the machine's clock leapt forward: nothing is erased until most connected agents' clocks agree with \
                         it, or an operator does: compare it, then mend it or run `gallra start --clock`"
                    );
                }
                return Ok(false);
            }
            Standing::Trusted if told => tracing::warn!(%now, "the machine's clock is believed again"),
            Standing::Trusted => {}
        }
        if self.time.is_watched() {
            self.keep_mark(now, MARK_EVERY_SECONDS).await?;
        }
        Ok(true)
    }

    /// Writes what is believed, if that is so much later than what was written last.
    async fn keep_mark(&self, now: Instant, every_seconds: i64) -> Result<(), CoreError> {
        let key = keys::meta_clock();
        let entry = self.store.get(&key).await?;
        let last: Option<Instant> = entry.as_ref().map(|entry| decode("clock mark", &entry.value)).transpose()?;
        if last.is_some_and(|last| now.as_second().saturating_sub(last.as_second()) < every_seconds) {
            return Ok(());
        }
        let txn = Txn::new().expect_as_read(&key, entry.as_ref()).put(key.clone(), encode(&now)?);
        match self.store.commit(txn).await {
            // Somebody else's is as new.
            Ok(_) | Err(gallra_store::StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes an operator's word that it is about `at`.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] for the reason, [`CoreError::Precondition`] when the machine's clock says something else: it is
    /// to be mended then. The store's.
    pub async fn confirm_clock(&self, at: Instant, reason: &str, by: &str) -> Result<(), CoreError> {
        words("reason", reason)?;
        let now = self.time.confirm(at).map_err(|says| {
            CoreError::Precondition(format!("the coordinator's machine says {says}: mend its clock instead"))
        })?;
        tracing::warn!(by, reason = reason.trim(), %now, "the machine's clock is confirmed");
        if self.time.is_watched() {
            self.keep_mark(now, 1).await?;
        }
        self.wake.notify_one();
        Ok(())
    }
}
