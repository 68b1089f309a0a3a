//! Reviews: somebody looked whether a hold is still needed, and found that it is. Nothing is stopped or let go by it, so no
//! guard is raised; the history stays with the hold.

use gallra_model::hold::{Hold, Review};
use gallra_model::time::day_of;
use gallra_model::{Day, HoldId};
use gallra_store::Txn;

use super::words;
use crate::core::{Core, until_committed};
use crate::error::{CoreError, encode};

impl Core {
    /// Puts a review on record, and the day of the next.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] for the note, or a next day that is not in the future; [`CoreError::NotFound`];
    /// [`CoreError::Precondition`] for a hold that lies no more.
    pub async fn review_hold(&self, id: &HoldId, note: &str, next: Option<Day>, by: &str) -> Result<Hold, CoreError> {
        words("note", note)?;
        if next.is_some_and(|next| next <= day_of(self.time.now())) {
            return Err(CoreError::Invalid("next: the day of the next review lies in the future".into()));
        }
        let hold = until_committed!(self.try_review(id, note.trim(), next, by))?;
        tracing::info!(hold = %hold.id, by, "a hold was reviewed");
        Ok(hold)
    }

    async fn try_review(&self, id: &HoldId, note: &str, next: Option<Day>, by: &str) -> Result<Hold, CoreError> {
        let (entry, mut hold) = self.hold(id).await?;
        if hold.released.is_some() {
            return Err(CoreError::Precondition("the hold lies no more: place another one".into()));
        }
        hold.reviewed(Review { by: by.to_owned(), at: self.time.now(), note: note.to_owned(), next });
        self.store.commit(Txn::new().replace(&entry, encode(&hold)?)).await?;
        Ok(hold)
    }

    /// The holds that lie and whose review day has come, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn due_holds(&self) -> Result<Vec<Hold>, CoreError> {
        let today = day_of(self.time.now());
        let mut holds = self.list_holds(false).await?;
        holds.retain(|hold| hold.is_due(today));
        Ok(holds)
    }
}
