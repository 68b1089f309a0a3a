//! The log at a replica that does not lead: it hands out what the leader signed, and passes on what it hears. Owns neither key nor
//! place in the log: a note is the leader's, and this only looks whether it goes on from what was handed out here before (I7).
//!
//! What speaks against the log is written to the store, since whoever leads may be another process than the one that heard it.

use std::sync::PoisonError;

use gallra_model::{AgentName, Digest};
use gallra_store::store::MAX_PAGE_ENTRIES;
use gallra_store::{KeyPrefix, Revision, Txn, keys};

use super::Ledger;
use super::beside::PUBLISHED;
use super::sequence::Passes;
use crate::error::{CoreError, encode};
use crate::state;

impl Ledger {
    /// Under which keys its signed notes lie.
    pub(crate) fn notes(&self) -> KeyPrefix {
        keys::ledger_notes(&self.tree)
    }

    /// Hands out the newest note in the store, if it goes on from what this process handed out before. Of two at once, and of this
    /// and the leader's own pass, one waits for the other.
    ///
    /// # Errors
    /// The store's. What contradicts itself stops the log instead.
    pub async fn adopt(&self) -> Result<(), CoreError> {
        let mut passes = self.passing.lock().await;
        self.hear_contraries().await?;
        if self.is_stopped().is_some() {
            return Ok(());
        }
        if !passes.compared {
            if let Err(why) = self.compare_with_kept().await? {
                self.stop(&why);
                return Ok(());
            }
            passes.compared = true;
        }
        let Some(newest) = self.newest().await? else { return Ok(()) };
        let published = self.standing.borrow().published.clone();
        if published.as_ref() == Some(&newest) {
            return Ok(());
        }
        let before = published.iter().chain([&newest]).map(|signed| self.seen_by_note(signed));
        let before: Vec<_> = before.collect::<Result<_, _>>()?;
        if let Err(rollback) = self.compare(&before).await? {
            self.stop(&format!("{rollback} (of what this replica handed out)"));
            return Ok(());
        }
        if passes.kept < Some(newest.size) {
            self.beside.write(PUBLISHED, &newest.note).await?;
            passes.kept = Some(newest.size);
        }
        self.publish(newest);
        Ok(())
    }

    /// This process leads from a revision of the store on: its next pass begins like the first after a start.
    pub async fn begin_term(&self, since: Revision) {
        let mut passes = self.passing.lock().await;
        *self.term.write().unwrap_or_else(PoisonError::into_inner) = Some(since);
        *passes = Passes { kept: passes.kept, ..Passes::default() };
        self.wake.notify_one();
    }

    /// Says again which agents this process has heard, where somebody else leads now than when they were.
    ///
    /// # Errors
    /// The store's.
    pub async fn pass_all_on(&self) -> Result<(), CoreError> {
        let heard = self.standing.borrow().heard.clone();
        for agent in &heard {
            self.pass_on(agent).await?;
        }
        Ok(())
    }

    /// Says to whoever leads that an agent was heard by this process.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn pass_on(&self, agent: &AgentName) -> Result<(), CoreError> {
        self.store.commit(Txn::new().put(keys::ledger_heard(agent), Vec::new())).await?;
        Ok(())
    }

    /// Agents that some replica has heard since a revision of the store.
    pub(super) async fn heard_since(&self, since: Revision, most: usize) -> Result<Vec<AgentName>, CoreError> {
        let page = self.store.range(&keys::ledger_heard_all().range(), MAX_PAGE_ENTRIES).await?;
        let newer = page.entries.iter().filter(|entry| entry.version > since);
        Ok(newer.filter_map(|entry| keys::parse_ledger_heard(&entry.key)).take(most).collect())
    }

    /// Writes a note that speaks against the log where every replica reads it.
    pub(super) async fn tell_contrary(&self, note: &str) -> Result<(), CoreError> {
        let key = keys::ledger_contrary(&Digest::of(note.as_bytes()));
        if self.store.get(&key).await?.is_none() {
            self.store.commit(Txn::new().put(key, encode(&note)?)).await?;
        }
        Ok(())
    }

    /// Compares what other replicas have heard against the log.
    pub(super) async fn hear_contraries(&self) -> Result<(), CoreError> {
        let notes: Vec<String> = state::all(&*self.store, &keys::ledger_contraries(), "contrary note").await?;
        for note in notes {
            // Only what the log's own key signed was written, by whoever wrote it; what does not open here stops nothing.
            let Ok(Some(seen)) = self.seen(&note) else { continue };
            if let Err(rollback) = self.compare(&[seen]).await? {
                self.stop(&format!("{rollback} (heard by a replica)"));
            }
        }
        Ok(())
    }
}
