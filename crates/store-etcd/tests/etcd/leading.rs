//! Elections: one leads, hands over at once, is followed when it is cut off, and writes nothing any more then.

use std::sync::Arc;
use std::time::Duration;

use gallra_store::election::{Ended, boot_millis};
use gallra_store::{Election as _, Fenced, Store as _, StoreError, Term, Txn, keys};
use gallra_store_etcd::testing::{Cluster, Passes, Proxy};
use gallra_store_etcd::{Config, Etcd};

use super::{bounded, key};

async fn opened(config: &Config) -> Arc<Etcd> {
    Arc::new(Etcd::open(config).await.expect("opens"))
}

/// A leader as it is that knows nothing of its end: only etcd can stop it.
fn believing(term: &Term) -> Term {
    let fence = term.fence().expect("a fence").clone();
    let (term, keeper) = Term::kept(fence, u64::MAX);
    std::mem::forget(keeper);
    term
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_term_that_is_given_back_is_taken_at_once() {
    let cluster = Cluster::start(3);
    let mut config = cluster.config();
    // Were it not given back, the other would wait for a minute.
    config.lease = Duration::from_secs(60);
    let one = Arc::new(Etcd::create(&config).await.expect("makes"));
    let other = opened(&config).await;
    let first = one.campaign("one").await.expect("leads");
    assert_eq!(one.get(&keys::meta_leader()).await.expect("reads").map(|entry| entry.value), Some(b"one".to_vec()));
    Fenced::new(Arc::clone(&one), first.clone()).commit(Txn::new().put(key("a/b"), "1")).await.expect("leads");

    let standing = tokio::spawn(async move { (other.campaign("other").await, boot_millis(), other) });
    let stale = believing(&first);
    let began = boot_millis();
    first.resign().await;
    assert_eq!((first.leads(), first.ended().await), (false, Ended::Resigned));
    let (second, at, other) = bounded("the other leads", standing).await.expect("ends");
    let second = second.expect("leads");
    assert!(at - began < 1_000, "{} ms, and the lease is a minute", at - began);
    assert!(second.fence().expect("a fence").revision > first.fence().expect("a fence").revision);

    let late = Fenced::new(Arc::clone(&one), stale).commit(Txn::new().put(key("a/b"), "late")).await;
    assert!(matches!(late, Err(StoreError::Deposed)), "{late:?}");
    Fenced::new(other, second).commit(Txn::new().put(key("a/b"), "2")).await.expect("leads");
    assert_eq!(one.get(&key("a/b")).await.expect("reads").map(|entry| entry.value), Some(b"2".to_vec()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_cut_off_stops_before_another_begins_and_writes_nothing_later() {
    let cluster = Cluster::start(1);
    let proxy = Proxy::before(&cluster.endpoint(0)).await;
    let mut config = cluster.config();
    config.lease = Duration::from_secs(2);
    let other = Arc::new(Etcd::create(&config).await.expect("makes"));
    config.endpoints = vec![proxy.endpoint()];
    config.give_up_after = Duration::from_secs(1);
    let one = opened(&config).await;
    let first = one.campaign("one").await.expect("leads");
    let stale = believing(&first);
    let standing = tokio::spawn(async move { (other.campaign("other").await, boot_millis(), other) });
    proxy.let_pass(Passes::Nothing);
    let why = bounded("it notices", first.ended()).await;
    let ended = boot_millis();
    assert_eq!((why, first.leads()), (Ended::Unconfirmed, false));
    let (second, taken, other) = bounded("the other leads", standing).await.expect("ends");
    let second = second.expect("leads");
    assert!(ended <= taken, "two led at once");

    proxy.let_pass(Passes::All);
    let fenced = Fenced::new(Arc::clone(&one), stale.clone());
    let late = bounded("it is reached again", async {
        loop {
            match fenced.commit(Txn::new().put(key("a/b"), "late")).await {
                Err(StoreError::Unavailable { .. } | StoreError::Uncertain { .. }) => {}
                other => break other,
            }
        }
    })
    .await;
    assert!(matches!(late, Err(StoreError::Deposed)), "{late:?}");
    assert_eq!(stale.ended().await, Ended::Deposed);
    assert_eq!(other.get(&key("a/b")).await.expect("reads"), None);
    Fenced::new(other, second).commit(Txn::new().put(key("a/b"), "2")).await.expect("leads");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_term_lasts_while_it_is_confirmed_and_ends_when_its_lease_is_taken() {
    let cluster = Cluster::start(1);
    let mut config = cluster.config();
    config.lease = Duration::from_secs(1);
    let store = Etcd::create(&config).await.expect("makes");
    let term = store.campaign("one").await.expect("leads");
    // Some leases long.
    let until = boot_millis() + 4_000;
    super::until("its time passes", || async { !term.leads() || boot_millis() > until }).await;
    assert!(term.leads());
    let mut raw = cluster.raw().await;
    for lease in raw.leases().await.expect("lists").leases() {
        raw.lease_revoke(lease.id()).await.expect("revokes");
    }
    assert_eq!(bounded("it is told", term.ended()).await, Ended::Deposed);
    let again = bounded("another term", store.campaign("one")).await.expect("leads");
    drop(term);
    assert!(again.leads());
    drop(again);
    bounded("a term that nobody holds is given back", store.campaign("other")).await.expect("leads");
}
