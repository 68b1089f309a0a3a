//! History: what is compacted, what is read again, and a feed that breaks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gallra_store::store::MAX_PAGE_BYTES;
use gallra_store::watch::Change;
use gallra_store::{Election as _, Store as _, Txn};
use gallra_store_etcd::Etcd;
use gallra_store_etcd::testing::{Cluster, Passes, Proxy};

use super::{bounded, hear, key, prefix, until};

/// A store behind a connection that can be cut, and one that cannot.
async fn two(cluster: &Cluster) -> (Proxy, Etcd, Etcd) {
    let proxy = Proxy::before(&cluster.endpoint(0)).await;
    let mut config = cluster.config();
    let direct = Etcd::create(&config).await.expect("makes");
    config.endpoints = vec![proxy.endpoint()];
    let behind = Etcd::open(&config).await.expect("opens");
    (proxy, behind, direct)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_that_was_cut_goes_on_where_it_was() {
    let cluster = Cluster::start(1);
    let (proxy, behind, direct) = two(&cluster).await;
    let mut watch = behind.watch(prefix("a/"));
    direct.commit(Txn::new().put(key("a/0"), "x")).await.expect("writes");
    direct.commit(Txn::new().put(key("a/1"), "x")).await.expect("writes");
    hear(&mut watch, [key("a/0"), key("a/1")].into()).await;
    proxy.let_pass(Passes::Nothing);
    direct.commit(Txn::new().delete(key("a/0"))).await.expect("removes");
    direct.commit(Txn::new().put(key("a/2"), "x").put(key("b/2"), "x")).await.expect("writes");
    proxy.let_pass(Passes::All);
    // The last one before the cut may be told twice.
    direct.commit(Txn::new().put(key("a/3"), "x")).await.expect("writes");
    let mut heard = Vec::new();
    while !heard.contains(&key("a/3")) {
        match bounded("it goes on", watch.next()).await {
            Change::Keys(keys) => heard.extend(keys),
            other @ (Change::Lagged | Change::Closed) => panic!("nothing is forgotten, and yet {other:?}"),
        }
    }
    assert!(heard.contains(&key("a/0")) && heard.contains(&key("a/2")), "what came in between: {heard:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_whose_place_is_forgotten_says_that_it_lagged() {
    let cluster = Cluster::start(1);
    let (proxy, behind, direct) = two(&cluster).await;
    let mut watch = behind.watch(prefix("a/"));
    direct.commit(Txn::new().put(key("a/1"), "x")).await.expect("writes");
    hear(&mut watch, [key("a/1")].into()).await;
    proxy.let_pass(Passes::Nothing);
    direct.commit(Txn::new().put(key("a/2"), "x")).await.expect("writes");
    let newest = direct.commit(Txn::new().delete(key("a/1"))).await.expect("removes");
    direct.compact(newest).await.expect("compacts");
    direct.compact(newest).await.expect("that it is done already is no failure");
    proxy.let_pass(Passes::All);
    assert_eq!(bounded("the gap is told", watch.next()).await, Change::Lagged);
    direct.commit(Txn::new().put(key("a/3"), "x")).await.expect("writes");
    assert_eq!(bounded("it goes on", watch.next()).await, Change::Keys(vec![key("a/3")]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_forgets_history_and_nothing_that_is_there() {
    let cluster = Cluster::start(1);
    let store = Etcd::create(&cluster.config()).await.expect("makes");
    let first = store.commit(Txn::new().put(key("a/b"), "old")).await.expect("writes");
    store.commit(Txn::new().put(key("a/b"), "new")).await.expect("writes");
    let term = store.campaign("only").await.expect("leads");
    let every = Duration::from_millis(20);
    let raw = cluster.raw().await;
    let forgotten = || async {
        let options = etcd_client::GetOptions::new().with_revision(i64::try_from(first.0).expect("small"));
        raw.kv_client().get("x", Some(options)).await.is_err_and(|error| error.to_string().contains("compacted"))
    };
    let compacting = store.keep_compacted(&term, every * 3, every);
    tokio::select! {
        () = compacting => panic!("it goes on while the term does"),
        () = until("history is forgotten", forgotten) => {}
    }
    assert_eq!(store.get(&key("a/b")).await.expect("reads").map(|entry| entry.value), Some(b"new".to_vec()));
    term.resign().await;
    bounded("it ends with the term", store.keep_compacted(&term, every * 3, every)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_large_values_ends_early_and_after_small_ones_too() {
    let cluster = Cluster::start(1);
    let store = Etcd::create(&cluster.config()).await.expect("makes");
    let small = (0..100).fold(Txn::new(), |txn, n| txn.put(key(&format!("big/{n:03}")), "small"));
    store.commit(small).await.expect("writes");
    for n in 100..116 {
        store.commit(Txn::new().put(key(&format!("big/{n}")), vec![0; 1_000_000])).await.expect("writes");
    }
    let mut range = prefix("big/").range();
    let (mut sizes, mut seen) = (Vec::new(), 0);
    loop {
        let page = store.range(&range, 1_000).await.expect("reads");
        let bytes: usize = page.entries.iter().map(|entry| entry.value.len()).sum();
        assert!(bytes <= MAX_PAGE_BYTES + 1_000_000, "{bytes}");
        seen += page.entries.len();
        sizes.push(page.entries.len());
        match page.more {
            Some(more) => range = range.starting_at(&more),
            None => break,
        }
    }
    // 4 MiB, and the entry that passes it.
    assert_eq!((seen, sizes), (116, vec![105, 5, 5, 1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_in_many_pieces_is_of_one_moment() {
    let cluster = Cluster::start(1);
    let store = Arc::new(Etcd::create(&cluster.config()).await.expect("makes"));
    let at = |n: usize| key(&format!("moment/{n:03}"));
    for some in (0..600).collect::<Vec<_>>().chunks(100) {
        store.commit(some.iter().fold(Txn::new(), |txn, n| txn.put(at(*n), "0"))).await.expect("writes");
    }
    // The first key and the last are always written together.
    let writer = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for n in 1..=300 {
                let both = Txn::new().put(at(0), n.to_string()).put(at(599), n.to_string());
                store.commit(both).await.expect("writes");
            }
        }
    });
    let mut moments = BTreeSet::new();
    while !writer.is_finished() {
        let page = store.range(&prefix("moment/").range(), 1_000).await.expect("reads");
        let ends = page.entries.first().zip(page.entries.last()).expect("600 entries");
        assert_eq!((page.entries.len(), &ends.0.value), (600, &ends.1.value), "two moments in one page");
        moments.insert(ends.0.version);
    }
    writer.await.expect("writes");
    assert!(moments.len() > 3, "pages were read while it was written");
}
