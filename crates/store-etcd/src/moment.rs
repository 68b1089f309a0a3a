//! The store as it stood at one revision: what a copy is made of while others go on writing. etcd has it until that revision is
//! compacted; then reads fail, and the copy with them.

use std::sync::Arc;

use async_trait::async_trait;
use gallra_store::watch::Watches;
use gallra_store::{Entry, Key, KeyPrefix, KeyRange, Page, Revision, Store, StoreError, Txn, Watch};

use crate::{Shared, read};

/// The store as it stood at a revision.
pub(crate) struct Moment {
    shared: Arc<Shared>,
    at: Revision,
}

impl Moment {
    pub(crate) fn new(shared: Arc<Shared>, at: Revision) -> Self {
        Self { shared, at }
    }
}

#[async_trait]
impl Store for Moment {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        let page = self.range(&KeyRange::only(key), 1).await?;
        Ok(page.entries.into_iter().next())
    }

    async fn range(&self, range: &KeyRange, limit: usize) -> Result<Page, StoreError> {
        let read = read::range_at(&self.shared, range, limit, self.at).await;
        read.map_err(|fault| fault.of_read("reading the store as it was at one moment"))
    }

    async fn commit(&self, _: Txn) -> Result<Revision, StoreError> {
        Err(StoreError::Failed { during: "writing", hint: "this is a view of a moment that is over".to_owned() })
    }

    /// Nothing changes in it.
    fn watch(&self, prefix: KeyPrefix) -> Watch {
        Watches::default().watch(&prefix)
    }
}
