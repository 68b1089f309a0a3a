//! Answers that are lost, callers that go away, and endpoints that are not there: what may have happened is said, and nothing
//! happens twice.

use std::time::Duration;

use gallra_store::{Revision, Store as _, StoreError, Txn};
use gallra_store_etcd::Etcd;
use gallra_store_etcd::testing::{Cluster, Passes, Proxy};

use super::{bounded, hear, key, prefix};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_uncertain_and_the_write_is_made_once() {
    let cluster = Cluster::start(1);
    let proxy = Proxy::before(&cluster.endpoint(0)).await;
    let mut config = cluster.config();
    config.answer_within = Duration::from_secs(1);
    let direct = Etcd::create(&config).await.expect("makes");
    config.endpoints = vec![proxy.endpoint()];
    let behind = Etcd::open(&config).await.expect("opens");
    let before = behind.commit(Txn::new().put(key("a/b"), "1")).await.expect("writes");
    let mut watch = direct.watch(prefix("a/"));
    proxy.let_pass(Passes::Askings);
    let outcome = bounded("it gives up", behind.commit(Txn::new().put(key("a/c"), "2"))).await;
    assert!(matches!(outcome, Err(StoreError::Uncertain { .. })), "{outcome:?}");
    hear(&mut watch, [key("a/c")].into()).await;
    assert_eq!(direct.revision().await.expect("reads"), Revision(before.0 + 1), "carried out, and once");
    let read = bounded("it gives up", behind.get(&key("a/b"))).await;
    assert!(matches!(read, Err(StoreError::Unavailable { .. })), "a reading of open outcome is no danger: {read:?}");
    proxy.let_pass(Passes::Nothing);
    proxy.let_pass(Passes::All);
    // The first one may still meet the old connection.
    bounded("it is back", async {
        while let Err(error) = behind.commit(Txn::new().put(key("a/d"), "3")).await {
            assert!(matches!(error, StoreError::Uncertain { .. } | StoreError::Unavailable { .. }), "{error}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_reached_nobody_is_tried_elsewhere() {
    let cluster = Cluster::start(1);
    let nobody = Proxy::before(&cluster.endpoint(0)).await;
    let gone = nobody.endpoint();
    drop(nobody);
    let mut config = cluster.config();
    config.endpoints.insert(0, gone.clone());
    let store = Etcd::create(&config).await.expect("makes");
    for n in 0..20 {
        store.commit(Txn::new().create(key(&format!("a/{n}")), "x")).await.expect("the other endpoint answers");
    }
    config.endpoints = vec![gone];
    config.give_up_after = Duration::from_secs(1);
    let nothing = bounded("it gives up", Etcd::open(&config)).await.err().expect("nobody is there");
    assert!(matches!(nothing, StoreError::Unavailable { .. }), "{nothing}");
    assert!(nothing.to_string().contains("refused"), "{nothing}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_went_away_is_still_served() {
    let cluster = Cluster::start(1);
    let store = Etcd::create(&cluster.config()).await.expect("makes");
    let mut watch = store.watch(prefix("a/"));
    let mut commit = store.commit(Txn::new().put(key("a/b"), "x"));
    let polled = std::future::poll_fn(|context| std::task::Poll::Ready(commit.as_mut().poll(context))).await;
    assert!(polled.is_pending());
    drop(commit);
    hear(&mut watch, [key("a/b")].into()).await;
}
