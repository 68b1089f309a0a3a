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
    assert!(matches!(ClosedStore::open(&dir.path().join(FILE_NAME)), Err(StoreError::InUse)));
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

fn at(n: u32) -> Key {
    key(&format!("some/{n:05}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_rewritten_under_load_and_nothing_acknowledged_is_lost() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Arc::new(Embedded::create(dir.path()).expect("makes"));
    for some in (0..2_000).collect::<Vec<u32>>().chunks(100) {
        let txn = some.iter().fold(Txn::new(), |txn, n| txn.put(at(*n), vec![7; 500]));
        store.commit(txn).await.expect("writes");
    }
    let mut watch = store.watch(KeyPrefix::parse("some/").expect("a literal"));
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writer = tokio::spawn({
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        async move {
            let mut newest = Revision::default();
            let mut n = 2_000;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                newest = store.commit(Txn::new().put(at(n), "new").delete(at(n - 2_000))).await.expect("writes");
                n += 1;
            }
            (n, newest)
        }
    });
    for _ in 0..3 {
        store.rewrite().await.expect("rewrites");
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let (end, newest) = writer.await.expect("writes on");
    assert!(end > 2_002, "commits went on meanwhile");
    assert!(matches!(watch.try_next(), Some(Change::Keys(keys)) if keys.contains(&at(end - 1))));
    drop(store);
    let store = Embedded::open(dir.path()).expect("opens");
    for n in 0..end {
        let there = store.get(&at(n)).await.expect("reads").is_some();
        assert_eq!(there, n >= end - 2_000, "{n} of {end}");
    }
    assert!(store.commit(Txn::new().put(at(0), "x")).await.expect("writes") > newest, "revisions go on");
    let mut names: Vec<_> =
        std::fs::read_dir(dir.path()).expect("lists").map(|e| e.expect("an entry").file_name()).collect();
    assert_eq!(names.pop().as_deref(), Some(std::ffi::OsStr::new(FILE_NAME)));
    assert!(names.is_empty(), "no draft is left");
}

/// Keys in any page of the store's file as it lies there, freed pages included.
fn keys_in_pages(dir: &Path) -> std::collections::BTreeSet<Vec<u8>> {
    let mut keys = std::collections::BTreeSet::new();
    let file = std::fs::read(dir.join(FILE_NAME)).expect("reads");
    crate::search::pages::each(&file, |key, _| {
        keys.insert(key.to_vec());
    });
    keys
}

#[tokio::test]
async fn a_rewritten_store_has_no_page_of_what_was_removed() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Embedded::create(dir.path()).expect("makes");
    let all: Vec<u32> = (0..2_000).collect();
    for some in all.chunks(100) {
        store.commit(some.iter().fold(Txn::new(), |txn, n| txn.put(at(*n), vec![7; 500]))).await.expect("writes");
    }
    let (stay, go): (Vec<u32>, Vec<u32>) = all.into_iter().partition(|n| n % 50 == 0);
    for some in go.chunks(100) {
        store.commit(some.iter().fold(Txn::new(), |txn, n| txn.delete(at(*n)))).await.expect("removes");
    }
    let left =
        |keys: &std::collections::BTreeSet<Vec<u8>>| go.iter().filter(|n| keys.contains(at(**n).as_bytes())).count();
    assert!(left(&keys_in_pages(dir.path())) > 100, "removed is not gone");
    store.rewrite().await.expect("rewrites");
    let after = keys_in_pages(dir.path());
    assert_eq!(left(&after), 0);
    assert!(stay.iter().all(|n| after.contains(at(*n).as_bytes())));
    assert!(store.get(&at(50)).await.expect("reads").is_some(), "what is open reads the new file");
}

#[tokio::test]
async fn a_half_made_copy_is_removed_when_the_store_is_opened() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(Embedded::create(dir.path()).expect("makes"));
    std::fs::write(dir.path().join(rewrite::DRAFT_NAME), b"half").expect("writes");
    drop(Embedded::open(dir.path()).expect("opens"));
    assert!(!dir.path().join(rewrite::DRAFT_NAME).exists());
}

#[tokio::test]
async fn a_copy_that_differs_in_anything_is_no_backup() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Embedded::create(&dir.path().join("one")).expect("makes");
    store.commit(Txn::new().put(key("a/b"), "x").put(key("a/c"), "y")).await.expect("writes");
    let copied = store.back_up(&dir.path().join("good.redb")).await.expect("backs up");
    assert_eq!(copied, Copied { entries: 2, revision: Revision(1) });
    let from = redb::ReadableDatabase::begin_read(&*store.db.get()).expect("reads");
    for (n, other) in [
        Txn::new().put(key("a/b"), "x"),
        Txn::new().put(key("a/b"), "x").put(key("a/c"), "z"),
        Txn::new().put(key("a/b"), "x").put(key("a/d"), "y"),
        Txn::new().put(key("a/b"), "x").put(key("a/c"), "y").put(key("a/d"), ""),
    ]
    .into_iter()
    .enumerate()
    {
        let other_store = Embedded::create(&dir.path().join(n.to_string())).expect("makes");
        other_store.commit(other).await.expect("writes");
        assert!(copy::compare(&from, &*other_store.db.get()).is_err(), "{n}");
    }
    let twin = Embedded::create(&dir.path().join("twin")).expect("makes");
    twin.commit(Txn::new().put(key("a/b"), "x").put(key("a/c"), "y")).await.expect("writes");
    assert!(copy::compare(&from, &*twin.db.get()).is_ok());
    twin.commit(Txn::new().put(key("a/d"), "y")).await.expect("writes");
    twin.commit(Txn::new().delete(key("a/d"))).await.expect("writes");
    assert!(copy::compare(&from, &*twin.db.get()).is_err(), "another revision");
}
