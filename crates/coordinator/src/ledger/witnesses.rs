//! The witnesses of `coordinator.toml`: asked for their word on each checkpoint before it is published, and heard before the
//! first signature after a start.
//!
//! Owns what an alarm of theirs comes to: the log stops (`docs/formats/log-v1.md`, section 10). A witness that does not answer
//! stops nothing: somebody else's machine would else decide whether anything is erased.

use std::time::Duration;

use async_trait::async_trait;
use gallra_log::checkpoint::Checkpoint;
use gallra_log::note::{Note, Signature};
use gallra_tlog::{Remote, gather};

use super::{Ledger, Vouch};
use crate::error::CoreError;

/// Real time: how long each may take. Less than the log gives whoever vouches, so that one who is late takes nobody else's word
/// away.
const ASK_WITHIN: Duration = Duration::from_secs(4);

/// Witnesses of one log.
#[derive(Debug)]
pub struct Witnesses(pub Vec<Remote>);

impl Witnesses {
    async fn ask(&self, ledger: &Ledger, note: &Note) -> Vec<Signature> {
        let Ok(checkpoint) = note.unverified_text().parse::<Checkpoint>() else { return Vec::new() };
        let consistency = |old| async move {
            let proof = ledger.consistency(old, checkpoint.size).await;
            proof.inspect_err(|error| tracing::error!(old, %error, "no proof can be made for a witness")).ok()
        };
        let gathered = gather(&self.0, note, consistency, ASK_WITHIN).await;
        for (name, why) in gathered.withheld.iter().filter(|(_, why)| why.is_alarm()) {
            ledger.stop(&format!("{why} (heard from the witness {name})"));
        }
        gathered.cosignatures
    }
}

#[async_trait]
impl Vouch for Witnesses {
    async fn vouch(&self, ledger: &Ledger, note: &Note) -> Vec<Signature> {
        self.ask(ledger, note).await
    }

    /// The newest note is shown again: who has seen more, or another one, says so.
    async fn hear(&self, ledger: &Ledger) -> Result<(), CoreError> {
        let Some(newest) = ledger.newest().await? else { return Ok(()) };
        let unreadable =
            |why: gallra_log::note::NoteError| CoreError::Unreadable { what: "log note", why: why.to_string() };
        self.ask(ledger, &newest.note.parse().map_err(unreadable)?).await;
        Ok(())
    }
}
