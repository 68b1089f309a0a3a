//! A quota that is used up: said clearly, and removals and readings go on.

use gallra_store::{Election as _, Store as _, StoreError, Txn};
use gallra_store_etcd::Etcd;
use gallra_store_etcd::health::Alarm;
use gallra_store_etcd::testing::{Cluster, Options};

use super::{bounded, key};

const QUOTA: u64 = 16 * 1024 * 1024;

fn big(n: usize) -> Txn {
    Txn::new().put(key(&format!("big/{n}")), vec![7; 1_000_000])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_store_says_what_to_do_and_takes_removals() {
    let cluster = Cluster::start_with(&Options { quota_bytes: Some(QUOTA), ..Options::of(1) });
    let mut config = cluster.config();
    config.quota_bytes = Some(QUOTA);
    let store = Etcd::create(&config).await.expect("makes");
    let mut written = 0;
    let full = loop {
        match store.commit(big(written)).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 40, "a quota of 16 MiB holds no 40 MB");
    };
    assert!(matches!(full, StoreError::Full { .. }), "{full}");
    assert!(full.to_string().contains("docs/etcd.md"), "{full}");

    let health = store.health().await.expect("answers");
    assert!(matches!(health.alarms[..], [(_, Alarm::NoSpace)]), "{health:?}");
    assert!(health.findings().iter().any(|finding| finding.urgent && finding.text.contains("removals only")));
    let term = bounded("no lease is granted", store.campaign("one")).await;
    assert!(matches!(term, Err(StoreError::Full { .. })), "{term:?}");

    assert!(store.get(&key("big/0")).await.expect("reads").is_some());
    let mixed = store.commit(Txn::new().delete(key("big/0")).put(key("small"), "x")).await;
    assert!(matches!(mixed, Err(StoreError::Full { .. })), "{mixed:?}");
    assert!(store.get(&key("big/0")).await.expect("reads").is_some(), "nothing of it was carried out");
    let all = (0..written).fold(Txn::new(), |txn, n| txn.delete(key(&format!("big/{n}"))));
    let removed = store.commit(all).await.expect("removes");

    store.compact(removed).await.expect("compacts");
    cluster.raw().await.defragment().await.expect("defragments");
    store.disarm_no_space().await.expect("disarms");
    store.commit(big(0)).await.expect("there is room again");
    assert_eq!(store.health().await.expect("answers").alarms, []);
    bounded("and a lease", store.campaign("one")).await.expect("leads");
}
