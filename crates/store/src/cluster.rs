//! Being one of several coordinators on one store: who is there, and who leads (decision 4). Owns what an engine must give for that,
//! and the fence: what a leader commits fails once another leads. Knows no engine; the embedded one has a single coordinator and
//! none of this.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{oneshot, watch};

use crate::key::{Key, KeyPrefix, KeyRange};
use crate::keys;
use crate::store::{Entry, Page, Store, StoreError};
use crate::txn::{Expect, Revision, Txn};
use crate::watch::Watch;

/// An engine that several coordinators work on.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// This process among them: random, another one at each start.
    fn id(&self) -> &str;

    /// Shows that this process is there, with a word about it ([`keys::replica_alive`]), until it ends or cannot reach the store.
    ///
    /// # Errors
    /// The engine's.
    async fn show(&self, about: &[u8]) -> Result<(), StoreError>;

    /// Waits until this process leads.
    ///
    /// # Errors
    /// The engine's; nothing leads then.
    async fn lead(&self) -> Result<Term, StoreError>;
}

/// One process's time as the leader.
pub struct Term {
    /// The version of [`keys::replica_leader`] in it: what a fenced commit expects.
    pub fence: Revision,
    /// Becomes true when it can no longer be sure to lead: before anybody else can.
    lost: watch::Receiver<bool>,
    /// Dropped or used: the engine gives the lead up at once.
    resign: oneshot::Sender<oneshot::Sender<()>>,
}

impl Term {
    /// A term as an engine makes it. `resigned` hears that it is given up, and answers once that is so.
    pub fn new(fence: Revision, lost: watch::Receiver<bool>, resigned: oneshot::Sender<oneshot::Sender<()>>) -> Self {
        Self { fence, lost, resign: resigned }
    }

    /// Waits until it is over.
    pub async fn lost(&mut self) {
        // An engine that is gone keeps nobody's lead.
        let _ = self.lost.wait_for(|lost| *lost).await;
    }

    /// Gives the lead up; returns once another can have it, or the engine could not say so.
    pub async fn resign(self) {
        let (done, given_up) = oneshot::channel();
        if self.resign.send(done).is_ok() {
            let _ = given_up.await;
        }
    }
}

/// A store through which only the leader of one term writes.
pub struct Fenced {
    inner: Arc<dyn Store>,
    fence: Revision,
}

impl Fenced {
    /// The same store, for a leader whose term has this fence.
    pub fn new(inner: Arc<dyn Store>, fence: Revision) -> Self {
        Self { inner, fence }
    }
}

#[async_trait]
impl Store for Fenced {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.inner.get(key).await
    }

    async fn range(&self, range: &KeyRange, limit: usize) -> Result<Page, StoreError> {
        self.inner.range(range, limit).await
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, StoreError> {
        let leader = keys::replica_leader();
        // First, so that a deposed leader is told this and not which of its other expectations failed.
        let mut fenced = Txn::new().expect(leader.clone(), Expect::Version(self.fence));
        fenced.append(txn);
        match self.inner.commit(fenced).await {
            Err(StoreError::Conflict { key }) if key == leader => Err(StoreError::Deposed),
            done => done,
        }
    }

    fn watch(&self, prefix: KeyPrefix) -> Watch {
        self.inner.watch(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Embedded;

    #[tokio::test]
    async fn a_deposed_leader_writes_nothing_and_reads_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let store: Arc<dyn Store> = Arc::new(Embedded::create(&folder.path().join("store")).expect("a store"));
        let led = |fence| Fenced::new(Arc::clone(&store), fence);
        let key = || keys::meta_schema();
        let first = store.commit(Txn::new().put(keys::replica_leader(), b"a".to_vec())).await.expect("leads");
        led(first).commit(Txn::new().put(key(), b"1".to_vec())).await.expect("the leader writes");
        let second = store.commit(Txn::new().put(keys::replica_leader(), b"b".to_vec())).await.expect("another leads");
        let refused = led(first).commit(Txn::new().put(key(), b"2".to_vec())).await;
        assert!(matches!(refused, Err(StoreError::Deposed)), "{refused:?}");
        // Also where something else does not hold either: it is not told to read again and try.
        let refused = led(first).commit(Txn::new().create(key(), b"2".to_vec())).await;
        assert!(matches!(refused, Err(StoreError::Deposed)), "{refused:?}");
        assert_eq!(led(first).get(&key()).await.expect("reads").expect("is there").value, b"1");
        led(second).commit(Txn::new().put(key(), b"3".to_vec())).await.expect("the other one writes");
    }
}
