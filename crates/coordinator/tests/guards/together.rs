//! Requests that are due at the same time are moved at once: one that waits for the store holds no other up.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gallra_coordinator::contracts::End;
use gallra_coordinator::leader;
use gallra_store::keys::Family;
use gallra_store::{Entry, Key, KeyPrefix, KeyRange, Page, Revision, Store, StoreError, Txn, Watch};
use tokio::sync::Barrier;

use crate::site::{ENDED, Site, id};

/// Real time within which two plans are made at once.
const WITHIN: Duration = Duration::from_secs(20);

/// A store in which no plan is written before a second one is about to be.
struct Meeting {
    store: Arc<dyn Store>,
    met: Barrier,
}

#[async_trait]
impl Store for Meeting {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.store.get(key).await
    }

    async fn range(&self, range: &KeyRange, limit: usize) -> Result<Page, StoreError> {
        self.store.range(range, limit).await
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, StoreError> {
        let plans = txn.writes().iter().any(|write| Family::of(write.key()) == Some(Family::Plan));
        if plans && tokio::time::timeout(WITHIN, self.met.wait()).await.is_err() {
            return Err(StoreError::Unavailable { hint: "no other plan came".to_owned() });
        }
        self.store.commit(txn).await
    }

    fn watch(&self, prefix: KeyPrefix) -> Watch {
        self.store.watch(prefix)
    }
}

#[tokio::test]
async fn requests_that_are_due_together_are_planned_at_once() {
    let site = Site::new(&["www"]).await;
    let mut requests = Vec::new();
    for (service, customer) in [("w1", "c1"), ("w2", "c2")] {
        site.sells(service, customer).await;
        let cause = Some(site.cause(service, customer));
        let end = End { service: id(service), ended: ENDED, version: 0, cause };
        requests.push(site.core.end_contract(&end).await.expect("ended").request.expect("a request"));
        site.core.settle_contract(&id(service), ENDED, 0).await.expect("settled");
    }
    let meeting = Meeting { store: Arc::clone(&site.core.store), met: Barrier::new(2) };
    leader::run_due(&site.core.over(Arc::new(meeting))).await.expect("moved");
    for request in requests {
        assert!(site.view(&request).await.plan.is_some(), "each has its plan");
    }
}
