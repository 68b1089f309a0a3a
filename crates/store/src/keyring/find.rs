//! Looking up what may be under one of several epochs, while an epoch turns. Upholds that nothing becomes unfindable for a
//! moment: entries move from the older epoch to the newer, never back, so the older name is read first.

use gallra_model::SubjectId;

use super::Keyring;
use crate::key::Key;
use crate::keys::IndexKind;
use crate::store::{Entry, Store, StoreError};

impl Keyring {
    /// The index entry of an identifier. Where two epochs have one, the newer was written later and counts.
    ///
    /// # Errors
    /// The store's.
    pub async fn find(&self, store: &dyn Store, kind: IndexKind, value: &str) -> Result<Option<Entry>, StoreError> {
        self.newest_of(store, || self.indexes(kind, value)).await
    }

    /// A subject's wrapped key; none where it was destroyed. A transaction that rests on it, or that destroys it, expects
    /// the entry as read: it may be rewrapped under another name meanwhile.
    ///
    /// # Errors
    /// The store's.
    pub async fn find_subject(&self, store: &dyn Store, subject: &SubjectId) -> Result<Option<Entry>, StoreError> {
        self.newest_of(store, || self.subject_key_names(subject)).await
    }

    /// Reads the names from the oldest epoch's to the newest. If an epoch began meanwhile, here or at another coordinator, what was
    /// not found may have moved to a name that was not asked for: then once more, which ends, since an epoch begins once a month.
    async fn newest_of(
        &self,
        store: &dyn Store,
        names: impl Fn() -> Vec<Key> + Send + Sync,
    ) -> Result<Option<Entry>, StoreError> {
        self.learn(store).await?;
        loop {
            let before = self.epoch();
            let mut found = None;
            for name in names().iter().rev() {
                found = store.get(name).await?.or(found);
            }
            if found.is_some() {
                return Ok(found);
            }
            self.learn(store).await?;
            if self.epoch() == before {
                return Ok(None);
            }
        }
    }
}
