//! The contract, and what only this engine promises: its lock, its file, its end.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;

use super::*;
use crate::contract_tests::Fixture;
use crate::store::MAX_PAGE_BYTES;
use crate::watch::Change;

struct Directory {
    dir: TempDir,
    made: bool,
}

impl Directory {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a directory"), made: false }
    }
}

#[async_trait]
impl Fixture for Directory {
    async fn open(&mut self) -> Arc<dyn Store> {
        let store = if self.made { Embedded::open(self.dir.path()) } else { Embedded::create(self.dir.path()) };
        self.made = true;
        Arc::new(store.expect("opens"))
    }
}

crate::store_contract_tests!(Directory::new());

fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

#[test]
fn a_store_is_opened_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Embedded::create(dir.path()).expect("makes");
    assert!(matches!(Embedded::open(dir.path()), Err(StoreError::InUse)));
    assert!(matches!(ClosedStore::open(dir.path()), Err(StoreError::InUse)));
    drop(store);
    assert!(Embedded::open(dir.path()).is_ok(), "the drop releases the file");
}

#[test]
fn a_missing_or_foreign_file_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    assert!(matches!(Embedded::open(dir.path()), Err(StoreError::Format { .. })));
    assert!(!dir.path().join(FILE_NAME).exists(), "opening makes nothing");
    std::fs::write(dir.path().join(FILE_NAME), b"something else").expect("writes");
    assert!(matches!(Embedded::open(dir.path()), Err(StoreError::Format { .. } | StoreError::Failed { .. })));
    assert!(matches!(Embedded::create(dir.path()), Err(StoreError::Format { .. })));
    assert_eq!(std::fs::read(dir.path().join(FILE_NAME)).expect("reads"), b"something else");
}

#[test]
fn a_redb_file_of_another_program_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(Database::create(dir.path().join(FILE_NAME)).expect("makes"));
    assert!(matches!(Embedded::open(dir.path()), Err(StoreError::Format { .. })));
}

#[test]
fn a_crash_while_making_leaves_no_store_and_no_obstacle() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("store.redb.new"), b"half").expect("writes");
    assert!(Embedded::open(dir.path()).is_err());
    assert!(Embedded::create(dir.path()).is_ok());
}

#[test]
fn the_file_is_its_owner_s_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let inner = dir.path().join("store");
    let _store = Embedded::create(&inner).expect("makes");
    for (path, mode) in [(inner.clone(), 0o700), (inner.join(FILE_NAME), 0o600)] {
        assert_eq!(path.metadata().expect("is there").permissions().mode() & 0o777, mode);
    }
}

#[tokio::test]
async fn a_page_of_large_values_ends_early() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Embedded::create(dir.path()).expect("makes");
    for n in 0..8 {
        store.commit(Txn::new().put(key(&format!("big/{n}")), vec![0; 1_000_000])).await.expect("writes");
    }
    let range = KeyPrefix::parse("big/").expect("a literal").range();
    let page = store.range(&range, 100).await.expect("reads");
    assert_eq!(page.entries.len(), MAX_PAGE_BYTES / 1_000_000 + 1);
    assert_eq!(page.more, Some(key("big/5")));
}

#[tokio::test]
async fn a_commit_that_returned_has_been_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Embedded::create(dir.path()).expect("makes");
    let mut watch = store.watch(KeyPrefix::parse("a/").expect("a literal"));
    store.commit(Txn::new().put(key("a/b"), "")).await.expect("writes");
    assert_eq!(watch.try_next(), Some(Change::Keys(vec![key("a/b")])));
    drop(store);
    assert_eq!(watch.next().await, Change::Closed);
}

#[tokio::test]
async fn a_caller_that_went_away_is_still_served() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Embedded::create(dir.path()).expect("makes");
    let mut commit = store.commit(Txn::new().put(key("a/b"), "x"));
    let polled = std::future::poll_fn(|context| std::task::Poll::Ready(commit.as_mut().poll(context))).await;
    assert!(polled.is_pending() || polled.is_ready());
    drop(commit);
    drop(store);
    let store = Embedded::open(dir.path()).expect("opens");
    assert!(store.get(&key("a/b")).await.expect("reads").is_some(), "the drop commits what is queued");
}
