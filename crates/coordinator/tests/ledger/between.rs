//! A store in which something else happens right before one commit or one look at a range: what a slower sequencer meets, at an exact place.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gallra_store::{Embedded, Entry, Key, KeyPrefix, KeyRange, Page, Revision, Store, StoreError, Txn, Watch};

type Meanwhile = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Before which call: the nth of its kind, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Commit(usize),
    Range(usize),
}

/// The store, and what happens before one of its calls.
pub(crate) struct Between {
    store: Arc<Embedded>,
    commits: AtomicUsize,
    ranges: AtomicUsize,
    at: Before,
    meanwhile: Mutex<Option<Meanwhile>>,
}

impl Between {
    pub(crate) fn new(store: &Arc<Embedded>, at: Before, meanwhile: impl Future<Output = ()> + Send + 'static) -> Self {
        let meanwhile: Meanwhile = Box::pin(meanwhile);
        Self {
            store: Arc::clone(store),
            commits: AtomicUsize::new(0),
            ranges: AtomicUsize::new(0),
            at,
            meanwhile: Mutex::new(Some(meanwhile)),
        }
    }

    async fn come_to(&self, call: Before) {
        let meanwhile = if call == self.at { self.meanwhile.lock().expect("not poisoned").take() } else { None };
        if let Some(meanwhile) = meanwhile {
            meanwhile.await;
        }
    }

    /// Whether it has happened.
    pub(crate) fn is_over(&self) -> bool {
        self.meanwhile.lock().expect("not poisoned").is_none()
    }
}

#[async_trait::async_trait]
impl Store for Between {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.store.get(key).await
    }

    async fn range(&self, range: &KeyRange, limit: usize) -> Result<Page, StoreError> {
        self.come_to(Before::Range(self.ranges.fetch_add(1, Ordering::SeqCst))).await;
        self.store.range(range, limit).await
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, StoreError> {
        self.come_to(Before::Commit(self.commits.fetch_add(1, Ordering::SeqCst))).await;
        self.store.commit(txn).await
    }

    fn watch(&self, prefix: KeyPrefix) -> Watch {
        self.store.watch(prefix)
    }
}
