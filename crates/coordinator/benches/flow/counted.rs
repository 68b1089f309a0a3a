//! A store that remembers what it was asked, and what the bare store takes for the same writes: the peer of every figure here.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gallra_store::keys::Family;
use gallra_store::txn::Write;
use gallra_store::{Entry, Key, KeyPrefix, KeyRange, Page, Revision, Store, StoreError, Txn, Watch};

use crate::figures::{Outcome, at_once, now};

/// What came since the last look.
#[derive(Default)]
pub(crate) struct Seen {
    /// Transactions that wrote something, in the order in which they came back.
    pub(crate) txns: Vec<Txn>,
    /// When a request's first plan was durable, by the request's id.
    pub(crate) planned: BTreeMap<String, Instant>,
    /// Reads, by the family of what was read.
    pub(crate) read: BTreeMap<String, u64>,
}

impl Seen {
    /// Which families were read most, a piece of work.
    pub(crate) fn most_read(&self, many: usize) -> String {
        let mut all: Vec<_> = self.read.iter().collect();
        all.sort_by_key(|(_, reads)| std::cmp::Reverse(**reads));
        let each = |(family, reads): &(&String, &u64)| format!("{family} {:.1}", **reads as f64 / many as f64);
        all.iter().take(8).map(each).collect::<Vec<_>>().join(", ")
    }
}

/// The store, and what was asked of it.
pub(crate) struct Counted {
    store: Arc<dyn Store>,
    seen: Mutex<Seen>,
    reads: AtomicU64,
    conflicts: AtomicU64,
}

impl Counted {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, seen: Mutex::default(), reads: AtomicU64::new(0), conflicts: AtomicU64::new(0) }
    }

    /// What was written since the last call; reads and conflicts since then are counted anew, too.
    pub(crate) fn taken(&self) -> (Seen, u64, u64) {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        (seen, self.reads.swap(0, Ordering::Relaxed), self.conflicts.swap(0, Ordering::Relaxed))
    }

    /// The store, for who only looks on.
    pub(crate) fn bare(&self) -> &dyn Store {
        &*self.store
    }

    /// How many requests have a plan.
    pub(crate) fn planned(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).planned.len()
    }

    fn note_read(&self, at: &str) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let family = at.split('/').nth(1).unwrap_or_default();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen.read.entry(family.to_owned()).or_default() += 1;
    }

    fn note(&self, txn: Txn) {
        let at = now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for write in txn.writes() {
            if let Write::Put { key, .. } = write
                && Family::of(key) == Some(Family::Plan)
                && let Some(request) = key.segments().nth(2)
            {
                seen.planned.entry(request.to_owned()).or_insert(at);
            }
        }
        seen.txns.push(txn);
    }
}

#[async_trait::async_trait]
impl Store for Counted {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.note_read(key.as_str());
        self.store.get(key).await
    }

    async fn range(&self, range: &KeyRange, limit: usize) -> Result<Page, StoreError> {
        self.note_read(range.start());
        self.store.range(range, limit).await
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, StoreError> {
        let outcome = self.store.commit(txn.clone()).await;
        match &outcome {
            Ok(_) => self.note(txn),
            Err(StoreError::Conflict { .. }) => {
                self.conflicts.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => {}
        }
        outcome
    }

    fn watch(&self, prefix: KeyPrefix) -> Watch {
        self.store.watch(prefix)
    }
}

/// The same writes, without what is expected, by as many callers. How long all took, and each.
pub(crate) async fn written_again(
    store: &Arc<dyn Store>,
    txns: Vec<Txn>,
    callers: usize,
) -> Outcome<(Duration, Vec<Duration>)> {
    let again = |txn: Txn| {
        txn.writes().iter().fold(Txn::new(), |txn, write| match write {
            Write::Put { key, value } => txn.put(key.clone(), value.clone()),
            Write::Delete { key } => txn.delete(key.clone()),
        })
    };
    let txns: Arc<[Txn]> = txns.into_iter().map(again).collect();
    let (store, began) = (Arc::clone(store), now());
    let times = at_once(txns.len(), callers, move |n| {
        let (store, txns) = (Arc::clone(&store), Arc::clone(&txns));
        async move {
            let began = now();
            if let Some(txn) = txns.get(n) {
                store.commit(txn.clone()).await?;
            }
            Outcome::Ok(began.elapsed())
        }
    });
    let times = times.await?;
    Ok((began.elapsed(), times))
}
