//! Members that die, stand still, or hand over: nothing that was acknowledged is lost, and changes go on being told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gallra_store::{Key, Store as _, StoreError, Txn};
use gallra_store_etcd::Etcd;
use gallra_store_etcd::testing::Cluster;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{bounded, hear, key, prefix};

const WRITERS: usize = 8;

/// Tasks that create keys and note which were acknowledged.
struct Load {
    tasks: JoinSet<(BTreeSet<Key>, usize)>,
    acknowledged: Arc<AtomicUsize>,
    stop: watch::Sender<bool>,
}

impl Load {
    fn on(store: &Arc<Etcd>) -> Self {
        let (acknowledged, (stop, stopped)) = (Arc::<AtomicUsize>::default(), watch::channel(false));
        let mut tasks = JoinSet::new();
        for writer in 0..WRITERS {
            let (store, acknowledged, stopped) = (Arc::clone(store), Arc::clone(&acknowledged), stopped.clone());
            tasks.spawn(async move {
                let (mut keys, mut unsure) = (BTreeSet::new(), 0);
                for n in 0.. {
                    if *stopped.borrow() {
                        break;
                    }
                    let key = key(&format!("load/{writer}/{n:06}"));
                    match store.commit(Txn::new().create(key.clone(), n.to_string())).await {
                        Ok(_) => {
                            keys.insert(key);
                            acknowledged.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(StoreError::Uncertain { .. } | StoreError::Unavailable { .. }) => unsure += 1,
                        Err(other) => panic!("a key is written once, and yet: {other}"),
                    }
                }
                (keys, unsure)
            });
        }
        Self { tasks, acknowledged, stop }
    }

    /// Waits for so many more acknowledgements.
    async fn goes_on(&self, more: usize) {
        let from = self.acknowledged.load(Ordering::Relaxed);
        super::until("commits go on", || async { self.acknowledged.load(Ordering::Relaxed) >= from + more }).await;
    }

    /// Ends it; what was acknowledged, and how many commits were of open outcome.
    async fn end(self) -> (BTreeSet<Key>, usize) {
        self.stop.send_replace(true);
        let done = bounded("writers end", self.tasks.join_all()).await;
        let unsure = done.iter().map(|(_, unsure)| unsure).sum();
        (done.into_iter().flat_map(|(keys, _)| keys).collect(), unsure)
    }
}

/// All keys of the load, read with a handle of its own.
async fn stored(store: &Etcd) -> BTreeSet<Key> {
    let mut range = prefix("load/").range();
    let mut keys = BTreeSet::new();
    loop {
        let page = store.range(&range, 1_000).await.expect("reads");
        keys.extend(page.entries.into_iter().map(|entry| entry.key));
        match page.more {
            Some(more) => range = range.starting_at(&more),
            None => return keys,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_killed_takes_nothing_acknowledged_with_it() {
    let mut cluster = Cluster::start(3);
    let mut config = cluster.config();
    config.answer_within = Duration::from_secs(2);
    let store = Arc::new(Etcd::create(&config).await.expect("makes"));
    let mut watch = store.watch(prefix("load/"));
    let load = Load::on(&store);
    load.goes_on(200).await;
    let leader = cluster.leader().await;
    cluster.kill(leader);
    load.goes_on(200).await;
    cluster.restart(leader);
    let second = cluster.leader().await;
    cluster.kill(second);
    load.goes_on(200).await;
    let (acknowledged, unsure) = load.end().await;
    let again = Etcd::open(&config).await.expect("opens");
    let stored = stored(&again).await;
    let lost: Vec<_> = acknowledged.difference(&stored).collect();
    assert!(lost.is_empty(), "lost of {}: {lost:?}", acknowledged.len());
    assert!(stored.len() <= acknowledged.len() + unsure, "what is there was acknowledged, or of open outcome");
    hear(&mut watch, stored).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_hands_over_costs_nothing_acknowledged() {
    let cluster = Cluster::start(3);
    let config = cluster.config();
    let store = Arc::new(Etcd::create(&config).await.expect("makes"));
    let mut watch = store.watch(prefix("load/"));
    let load = Load::on(&store);
    load.goes_on(100).await;
    let leader = cluster.leader().await;
    let next = (leader + 1) % 3;
    let status = cluster.raw_member(next).await.status().await.expect("answers");
    let id = status.header().expect("a header").member_id();
    cluster.raw_member(leader).await.move_leader(id).await.expect("hands over");
    load.goes_on(200).await;
    assert_eq!(cluster.leader().await, next);
    let (acknowledged, _) = load.end().await;
    let stored = stored(&store).await;
    assert!(acknowledged.is_subset(&stored));
    hear(&mut watch, stored).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_stands_still_is_left_for_another() {
    let cluster = Cluster::start(3);
    let mut config = cluster.config();
    config.answer_within = Duration::from_secs(1);
    let store = Etcd::create(&config).await.expect("makes");
    store.commit(Txn::new().put(key("a/b"), "x")).await.expect("writes");
    // The first endpoint is the one that is asked.
    cluster.freeze(0);
    let read = bounded("another member answers", store.get(&key("a/b"))).await.expect("reads");
    assert_eq!(read.map(|entry| entry.value), Some(b"x".to_vec()));
    bounded("and writes", store.commit(Txn::new().put(key("a/c"), "y"))).await.expect("writes");
    cluster.thaw(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_tells_of_a_member_that_is_gone() {
    let mut cluster = Cluster::start(3);
    let store = Etcd::create(&cluster.config()).await.expect("makes");
    let mut watch = store.watch(prefix("a/"));
    store.commit(Txn::new().put(key("a/b"), "x")).await.expect("writes");
    hear(&mut watch, [key("a/b")].into()).await;
    let health = store.health().await.expect("answers");
    assert_eq!(health.findings(), []);
    let leaders: BTreeSet<u64> =
        health.members.iter().map(|member| member.status.as_ref().expect("up").leader).collect();
    let ids: BTreeSet<u64> = health.counted.iter().map(|(_, id)| *id).collect();
    assert!(leaders.len() == 1 && leaders.is_subset(&ids) && ids.len() == 3, "{health:?}");
    let status = health.members[0].status.as_ref().expect("up");
    assert!(status.size >= status.in_use && status.in_use > 0 && status.version.starts_with("3."), "{status:?}");
    cluster.kill(2);
    let findings = store.health().await.expect("answers").findings();
    let gone = cluster.endpoint(2);
    assert!(findings.iter().any(|finding| finding.text.contains(&gone)), "{findings:?}");
}
