//! A store that is timed: how long each call took and what failed. Changes nothing of what the store says.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use gallra_store::{Entry, Key, KeyPrefix, KeyRange, Page, Revision, Store, StoreError, Txn, Watch};

use super::Metrics;

/// Another store, timed.
pub(crate) struct Timed {
    inner: Arc<dyn Store>,
    metrics: Arc<Metrics>,
}

impl Timed {
    pub(crate) fn new(inner: Arc<dyn Store>, metrics: Arc<Metrics>) -> Self {
        Self { inner, metrics }
    }

    #[expect(clippy::disallowed_methods, reason = "it measures real time, and decides nothing by it")]
    async fn time<T>(
        &self,
        call: &'static str,
        doing: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let done = doing.await;
        self.metrics.store_seconds.get_or_create(&[("call", call)]).observe(began.elapsed().as_secs_f64());
        if let Err(error) = &done {
            self.metrics.store_failures.get_or_create(&[("kind", kind(error))]).inc();
        }
        done
    }
}

#[async_trait]
impl Store for Timed {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.time("get", self.inner.get(key)).await
    }

    async fn range(&self, range: &KeyRange, limit: usize) -> Result<Page, StoreError> {
        self.time("range", self.inner.range(range, limit)).await
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, StoreError> {
        self.time("commit", self.inner.commit(txn)).await
    }

    fn watch(&self, prefix: KeyPrefix) -> Watch {
        self.inner.watch(prefix)
    }
}

const fn kind(error: &StoreError) -> &'static str {
    match error {
        StoreError::Conflict { .. } => "conflict",
        StoreError::Refused(_) => "refused",
        StoreError::Uncertain { .. } => "uncertain",
        StoreError::Deposed => "deposed",
        StoreError::Unavailable { .. } => "unavailable",
        StoreError::Full { .. } => "full",
        StoreError::Denied { .. } => "denied",
        StoreError::InUse | StoreError::Closed => "closed",
        StoreError::Format { .. } => "format",
        StoreError::Archive { .. } => "archive",
        StoreError::Failed { .. } => "failed",
    }
}
