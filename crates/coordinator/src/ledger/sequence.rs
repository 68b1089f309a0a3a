//! The sequencer: gives what waits its place, and has the result signed. It wakes when something begins to wait or somebody was
//! heard, signs nothing while nothing changed, and under load takes several batches to a signature.

use std::time::Duration;

use gallra_model::Instant;
use gallra_store::{Change, keys};

use super::Ledger;
use super::append::MOST_A_BATCH;
use crate::core::Core;
use crate::error::CoreError;

/// Batches to one signature: under load the flushes for note and file are shared by some hundred entries, and none of these
/// waits longer than for as many commits.
const BATCHES_A_SIGNATURE: usize = 8;

/// Real time: rest after a pass that failed.
const REST: Duration = Duration::from_millis(250);

/// What passes know of earlier ones.
#[derive(Debug, Default)]
pub(super) struct Passes {
    /// The files beside the store, and its own newest note, were looked at, and nothing in them speaks against signing.
    pub(super) compared: bool,
    /// Everybody was heard who has to be, and nothing spoke against signing.
    pub(super) cleared: bool,
    /// Size of the newest note that was kept beside the store and published.
    pub(super) kept: Option<u64>,
}

/// What one pass did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Passed {
    /// Entries that are in the log now, and in a signed tree.
    pub appended: usize,
    /// Whether as much was taken as one pass takes, so that there may be more.
    pub more: bool,
}

impl Ledger {
    /// Appends a bounded part of what waits, signs and publishes. Of two at once in this process one waits for the other.
    ///
    /// # Errors
    /// The store's; the next pass goes on where this one stopped. What cannot be read stops the log instead.
    pub async fn pass(&self, now: Instant) -> Result<Passed, CoreError> {
        let mut passes = self.passing.lock().await;
        match self.pass_alone(&mut passes, now).await {
            Err(error @ CoreError::Unreadable { .. }) => {
                self.stop(&format!("{error}; restore the store before anything is signed"));
                Ok(Passed::default())
            }
            passed => passed,
        }
    }

    /// A pass in the leader's own: for whoever moves time by hand, without the log's task. Where others vouch or somebody passes
    /// already it is left to that task: nobody's erasure waits here for a witness. Returns how many entries are in the log now.
    ///
    /// # Errors
    /// As [`Ledger::pass`].
    pub async fn follow(&self, now: Instant) -> Result<usize, CoreError> {
        let mut appended = 0;
        while self.vouch.get().is_none() && self.passing.try_lock().is_ok() {
            let passed = self.pass(now).await?;
            appended += passed.appended;
            if !passed.more {
                break;
            }
        }
        Ok(appended)
    }

    async fn pass_alone(&self, passes: &mut Passes, now: Instant) -> Result<Passed, CoreError> {
        let mut passed = Passed::default();
        if !self.is_clear(passes).await? {
            return Ok(passed);
        }
        for batch in 1..=BATCHES_A_SIGNATURE {
            let done = self.append(now).await?;
            passed.appended += done.appended;
            if done.taken < MOST_A_BATCH {
                break;
            }
            passed.more = batch == BATCHES_A_SIGNATURE;
        }
        self.sign(passes, now).await?;
        Ok(passed)
    }
}

/// Runs until the task is dropped or the store is closed.
pub async fn run(core: &Core) {
    let ledger = &core.ledger;
    // Before the first look: what comes after it is told.
    let mut waiting = core.store.watch(keys::ledger_waiting());
    while let Err(error) = ledger.hear_vouching().await {
        tracing::error!(%error, "whoever vouches for the log cannot be heard yet; nothing is signed before");
        let _ = tokio::time::timeout(REST, ledger.wake.notified()).await;
    }
    loop {
        match ledger.pass(core.time.now()).await {
            Ok(passed) if passed.more => {}
            Ok(_) => {
                tokio::select! {
                    biased;
                    change = waiting.next() => if change == Change::Closed { return },
                    () = ledger.wake.notified() => {}
                }
            }
            Err(error) => {
                tracing::error!(%error, "a pass over the log failed; it is tried again");
                let _ = tokio::time::timeout(REST, ledger.wake.notified()).await;
            }
        }
    }
}
