//! Terms and fences over the embedded store, where another "leader" is a put on the leader key.

use super::*;
use crate::embedded::Embedded;
use crate::keys;
use crate::txn::{Expect, MAX_TXN_OPS};

fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

async fn led() -> (tempfile::TempDir, Arc<Embedded>, Term, Keeper) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Arc::new(Embedded::create(dir.path()).expect("makes"));
    let revision = store.commit(Txn::new().create(keys::meta_leader(), "one")).await.expect("nobody leads");
    let (term, keeper) = Term::kept(Fence { key: keys::meta_leader(), revision }, boot_millis() + 60_000);
    (dir, store, term, keeper)
}

#[tokio::test]
async fn a_deposed_leader_s_write_fails_and_ends_its_term() {
    let (_dir, store, term, _keeper) = led().await;
    let fenced = Fenced::new(Arc::clone(&store), term.clone());
    fenced.commit(Txn::new().put(key("a/b"), "1")).await.expect("leads");
    let again = fenced.commit(Txn::new().expect(key("a/b"), Expect::Absent)).await;
    assert!(
        matches!(again, Err(StoreError::Conflict { key: at }) if at == key("a/b")),
        "another conflict deposes nobody"
    );
    assert!(term.leads());
    store.commit(Txn::new().put(keys::meta_leader(), "two")).await.expect("another leads");
    let late = fenced.commit(Txn::new().put(key("a/b"), "late")).await;
    assert!(matches!(late, Err(StoreError::Deposed)), "{late:?}");
    assert_eq!(store.get(&key("a/b")).await.expect("reads").map(|entry| entry.value), Some(b"1".to_vec()));
    assert_eq!((term.ended().await, term.leads()), (Ended::Deposed, false));
}

#[tokio::test]
async fn a_fence_takes_the_place_that_is_kept_for_it() {
    let (_dir, store, term, _keeper) = led().await;
    let fenced = Fenced::new(store, term);
    let full = (0..MAX_TXN_OPS).fold(Txn::new(), |txn, n| txn.create(key(&format!("m/{n}")), "x"));
    fenced.commit(full).await.expect("as many as fit, and the fence");
    let more = (0..=MAX_TXN_OPS).fold(Txn::new(), |txn, n| txn.expect(key(&format!("n/{n}")), Expect::Absent));
    assert!(matches!(fenced.commit(more).await, Err(StoreError::Refused(_))));
}

#[tokio::test]
async fn a_term_that_is_not_confirmed_is_not_believed() {
    let (_dir, _store, term, keeper) = led().await;
    assert!(term.leads());
    keeper.confirmed(boot_millis());
    assert!(!term.leads(), "the time is up, whether or not somebody woke up to say so");
    keeper.confirmed(boot_millis() + 60_000);
    assert!(term.leads());
    drop(keeper);
    assert_eq!((term.ended().await, term.leads()), (Ended::Deposed, false));
}

#[tokio::test]
async fn a_term_that_is_given_back_writes_nothing_more() {
    let (_dir, store, term, keeper) = led().await;
    let keeping = tokio::spawn(async move {
        keeper.asked_to_resign().await;
        keeper.end(Ended::Resigned);
    });
    term.resign().await;
    keeping.await.expect("ends");
    assert_eq!(term.ended().await, Ended::Resigned);
    let late = Fenced::new(store, term).commit(Txn::new().put(key("a/b"), "late")).await;
    assert!(matches!(late, Err(StoreError::Deposed)), "{late:?}");
}

#[tokio::test]
async fn who_has_the_store_alone_leads_until_it_says_otherwise() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Arc::new(Embedded::create(dir.path()).expect("makes"));
    let term = store.campaign("only").await.expect("leads at once");
    assert!(term.leads() && term.fence().is_none());
    let fenced = Fenced::new(store, term.clone());
    fenced.commit(Txn::new().put(key("a/b"), "1")).await.expect("leads");
    term.resign().await;
    assert!(!term.leads());
    assert!(matches!(fenced.commit(Txn::new()).await, Err(StoreError::Deposed)));
}

#[tokio::test]
async fn a_term_that_nobody_holds_is_given_back() {
    let (_dir, _store, term, keeper) = led().await;
    let other = term.clone();
    drop(term);
    assert!(other.leads());
    drop(other);
    keeper.asked_to_resign().await;
}
