//! Many callers at once: nothing lost, nobody harmed by another's conflict, watches that keep their word.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::key::Key;
use crate::store::{Store, StoreError};
use crate::txn::{Expect, MAX_TXN_OPS, Txn};
use crate::watch::{Change, MAX_WATCH_KEYS, Watch};

use super::{Fixture, all, key, value};

const TASKS: u64 = 16;
const ROUNDS: u64 = 20;

/// Read, add one, write if unchanged, again on conflict: the sum is what all added.
pub async fn increments_of_many_lose_nothing(mut fixture: impl Fixture) {
    let store = fixture.open().await;
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        tasks.spawn(increment(Arc::clone(&store), key("counter")));
    }
    tasks.join_all().await;
    assert_eq!(value(&*store, &key("counter")).await, Some((TASKS * ROUNDS).to_be_bytes().to_vec()));
}

async fn increment(store: Arc<dyn Store>, counter: Key) {
    let mut done = 0;
    while done < ROUNDS {
        let read = store.get(&counter).await.expect("reads");
        let old =
            read.as_ref().and_then(|entry| entry.value.first_chunk()).map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let txn = Txn::new().expect_as_read(&counter, read.as_ref()).put(counter.clone(), (old + 1).to_be_bytes());
        match store.commit(txn).await {
            Ok(_) => done += 1,
            Err(StoreError::Conflict { .. }) => {}
            Err(other) => panic!("an increment failed: {other}"),
        }
    }
}

/// No two commits share a revision, also where they were made durable together: a version names one write.
pub async fn each_commit_has_a_revision_of_its_own(mut fixture: impl Fixture) {
    let store = fixture.open().await;
    let mut tasks = JoinSet::new();
    for n in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let key = key(&format!("r/{n}"));
            let revision = store.commit(Txn::new().put(key.clone(), "x")).await.expect("writes");
            (revision, store.get(&key).await.expect("reads").map(|entry| entry.version))
        });
    }
    let mut revisions = BTreeSet::new();
    for (revision, version) in tasks.join_all().await {
        assert_eq!(version, Some(revision));
        assert!(revisions.insert(revision), "two commits at revision {revision}");
    }
}

/// A key that many create at the same time is created by one.
pub async fn one_of_many_creators_wins(mut fixture: impl Fixture) {
    let store = fixture.open().await;
    let mut tasks = JoinSet::new();
    for n in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move { store.commit(Txn::new().create(key("once"), n.to_be_bytes())).await.map(|_| n) });
    }
    let won: Vec<u64> = tasks.join_all().await.into_iter().filter_map(Result::ok).collect();
    assert_eq!(won.len(), 1);
    let winner = won.first().map(|n| n.to_be_bytes().to_vec());
    assert_eq!(value(&*store, &key("once")).await, winner);
}

/// Transactions that are committed in one group with one that fails are not touched by it.
pub async fn neighbours_of_a_conflict_succeed(mut fixture: impl Fixture) {
    let store = fixture.open().await;
    let mut tasks = JoinSet::new();
    for n in 0..TASKS {
        let store = Arc::clone(&store);
        let expect = if n % 2 == 0 { Expect::Absent } else { Expect::Present };
        tasks.spawn(async move {
            let txn = Txn::new().expect(key("never"), expect).put(key(&format!("n/{n}")), "x");
            (n, store.commit(txn).await.is_ok())
        });
    }
    for (n, succeeded) in tasks.join_all().await {
        assert_eq!(succeeded, n % 2 == 0, "member {n}");
        assert_eq!(value(&*store, &key(&format!("n/{n}"))).await.is_some(), succeeded, "member {n}");
    }
}

/// A reader that keeps up hears of every key; one that does not hears that it lagged.
pub async fn a_watch_names_every_change_or_says_that_it_lagged(mut fixture: impl Fixture) {
    let store = fixture.open().await;
    let mut keeping_up = store.watch(all());
    let writer = tokio::spawn(write_many(Arc::clone(&store), "w/"));
    let written: BTreeSet<Key> = (0..300).map(|n| key(&format!("w/{n}"))).collect();
    hear(&mut keeping_up, &written).await;
    writer.await.expect("writes");

    let mut sleeping = store.watch(all());
    let mut elsewhere = store.watch(crate::KeyPrefix::parse("test/w/").expect("a literal"));
    for first in (0..=MAX_WATCH_KEYS).step_by(MAX_TXN_OPS) {
        let keys = (first..first + MAX_TXN_OPS).map(|n| key(&format!("s/{n}")));
        store.commit(keys.fold(Txn::new(), |txn, key| txn.put(key, "x"))).await.expect("writes");
    }
    store.commit(Txn::new().delete(key("w/7"))).await.expect("removes");
    assert_eq!(next(&mut elsewhere).await, Change::Keys(vec![key("w/7")]), "a removal, and nothing of other prefixes");
    assert_eq!(next(&mut sleeping).await, Change::Lagged);
}

/// The next change, or a failure rather than a test that hangs.
async fn next(watch: &mut Watch) -> Change {
    tokio::time::timeout(Duration::from_secs(30), watch.next()).await.expect("the watch hears of what was committed")
}

async fn write_many(store: Arc<dyn Store>, under: &'static str) {
    for n in 0..300 {
        store.commit(Txn::new().put(key(&format!("{under}{n}")), "x")).await.expect("writes");
    }
}

/// Waits until all of these were named; lagging counts as all of them, and cannot be here.
async fn hear(watch: &mut Watch, expected: &BTreeSet<Key>) {
    let mut heard = BTreeSet::new();
    while heard.len() < expected.len() {
        match next(watch).await {
            Change::Keys(keys) => heard.extend(keys),
            other @ (Change::Lagged | Change::Closed) => panic!("fewer keys than a watch holds, and yet {other:?}"),
        }
    }
    assert_eq!(&heard, expected);
}
