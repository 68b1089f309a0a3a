//! A statement whose transaction reaches the store only after its signer's key was changed: the worst moment, each time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gallra_coordinator::core::Core;
use gallra_model::manifest::KeyRole;
use gallra_store::keys::Family;
use gallra_store::txn::Write;
use gallra_store::{Entry, Key, KeyPrefix, KeyRange, Page, Revision, Store, StoreError, Txn, Watch};
use tokio::sync::Notify;

use crate::ceremony::{Pair, erase, inspected, key_file, look, next, proof, replace, submit, verified};
use crate::site::Site;

/// A store that keeps back the first transaction that writes into a family, until it is told.
struct Slow {
    store: Arc<dyn Store>,
    family: Family,
    met: AtomicBool,
    arrived: Notify,
    go: Notify,
}

#[async_trait::async_trait]
impl Store for Slow {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.store.get(key).await
    }

    async fn range(&self, range: &KeyRange, limit: usize) -> Result<Page, StoreError> {
        self.store.range(range, limit).await
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, StoreError> {
        let put = |write: &Write| matches!(write, Write::Put { key, .. } if Family::of(key) == Some(self.family));
        if txn.writes().iter().any(put) && !self.met.swap(true, Ordering::SeqCst) {
            self.arrived.notify_one();
            self.go.notified().await;
        }
        self.store.commit(txn).await
    }

    fn watch(&self, prefix: KeyPrefix) -> Watch {
        self.store.watch(prefix)
    }
}

/// Ends a contract while the issuer's keys are changed between a statement's signature and its commit; gives what a verifier says
/// of the proof.
async fn changed_before(family: Family) -> (u8, String) {
    let mut site = Site::new(&["www"]).await;
    site.sells("anna.example", "1001").await;
    let issuer = Pair::of(70);
    issuer.install(&site, "issuer-2");
    let manifest = next(&site, |manifest| replace(manifest, KeyRole::Issuer, issuer.listed(KeyRole::Issuer))).await;
    let core: &mut Core = Arc::get_mut(&mut site.core).expect("nobody else holds it");
    let (met, store) = (AtomicBool::new(false), Arc::clone(&core.store));
    let slow = Arc::new(Slow { store, family, met, arrived: Notify::new(), go: Notify::new() });
    core.store = Arc::clone(&slow) as Arc<dyn Store>;
    let first = Pair::first_root(&site);
    let ends = async {
        let (_, request) = site.ends_only("anna.example", "1001").await;
        let leaving = inspected(&site, &request).await;
        erase(&site, &leaving).await;
        look(&site, &leaving).await;
        look(&site, &leaving).await;
        request
    };
    let changes = async {
        slow.arrived.notified().await;
        submit(&site, &manifest, &[&first]).await.expect("taken");
        slow.go.notify_one();
    };
    let (request, ()) = tokio::join!(ends, changes);
    let (keys, _) = key_file(&site).await;
    verified(&proof(&site, &request).await, &keys)
}

#[tokio::test]
async fn what_the_old_key_signed_and_came_too_late_is_signed_by_the_new_one() {
    for family in [Family::Asked, Family::Plan, Family::Proof] {
        let (code, line) = changed_before(family).await;
        assert_eq!(code, 0, "{family:?}: {line}");
    }
}
